package nemesis

import (
	"fmt"
	"slices"
	"strings"

	"squall/history"
)

// grudge is who drops whose packets: for each node, the nodes that it no
// longer hears.
type grudge struct {
	cut     map[history.Link]bool
	targets []string // the nodes that are hurt
	detail  string   // for people
}

// grudges are the variants of a partition.
func grudges() []Variant {
	return []Variant{
		{Name: "halves", Doc: "a majority and a minority that hear nothing of each other"},
		{Name: "one", Doc: "one node hears nobody, and nobody hears it"},
		{Name: "leader", Doc: "the leader of the moment is cut off from everybody", Leader: true},
		{Name: "ring", Doc: "every node hears a majority, but no two the same one (majorities ring)"},
		{Name: "bridge", Doc: "two halves that only one node in the middle hears both of"},
		{Name: "one-way", Doc: "one node still sends but hears nobody, or hears but is not heard"},
	}
}

// newGrudge says which links a variant cuts now.
func newGrudge(variant string, order []string, coin bool, leader string) (grudge, error) {
	n := len(order)
	switch variant {
	case "halves":
		return split(order[:(n-1)/2], order[(n-1)/2:]), nil
	case "one":
		return split(order[:1], order[1:]), nil
	case "leader":
		who := leaderOr(leader, order)
		return split([]string{who}, without(order, who)), nil
	case "ring":
		return ring(order), nil
	case "bridge":
		return bridge(order), nil
	case "one-way":
		return oneWay(order[0], order[1:], coin), nil
	}
	return grudge{}, fmt.Errorf("no partition is called %q", variant)
}

// split cuts every link between two groups, both ways.
func split(a, b []string) grudge {
	g := grudge{cut: map[history.Link]bool{}, targets: sorted(a)}
	for _, x := range a {
		for _, y := range b {
			g.cutBoth(x, y)
		}
	}
	g.detail = list(a) + " | " + list(b)
	return g
}

// ring places the nodes on a circle; each hears its nearest neighbours, just
// so many that they are a majority with itself.
func ring(order []string) grudge {
	n := len(order)
	reach := (n/2 + 1) / 2 // neighbours on each side
	g := grudge{cut: map[history.Link]bool{}, targets: sorted(order)}
	for i := range n {
		for j := i + 1; j < n; j++ {
			if distance := min(j-i, n-(j-i)); distance > reach {
				g.cutBoth(order[i], order[j])
			}
		}
	}
	g.detail = "ring " + strings.Join(order, "–") + "–" + order[0]
	return g
}

// bridge cuts two halves from each other and leaves the middle node both.
func bridge(order []string) grudge {
	middle, rest := order[0], order[1:]
	a, b := rest[:len(rest)/2], rest[len(rest)/2:]
	g := split(a, b)
	g.targets = sorted(rest)
	g.detail = list(a) + " – " + middle + " – " + list(b)
	return g
}

// oneWay makes one node deaf (it hears nobody) or mute (nobody hears it).
func oneWay(who string, others []string, deaf bool) grudge {
	g := grudge{cut: map[history.Link]bool{}, targets: []string{who}}
	for _, other := range others {
		if deaf {
			g.cut[history.Link{From: other, To: who}] = true
		} else {
			g.cut[history.Link{From: who, To: other}] = true
		}
	}
	g.detail = who + " is not heard by anybody, and still hears all"
	if deaf {
		g.detail = who + " hears nobody, and is still heard by all"
	}
	return g
}

func (g grudge) cutBoth(x, y string) {
	g.cut[history.Link{From: x, To: y}] = true
	g.cut[history.Link{From: y, To: x}] = true
}

// droppedBy is whose packets a node drops, sorted.
func (g grudge) droppedBy(node string) []string {
	var from []string
	for link := range g.cut {
		if link.To == node {
			from = append(from, link.From)
		}
	}
	slices.Sort(from)
	return from
}

// links are the cut links, sorted, so that records read the same every time.
func (g grudge) links() []history.Link {
	return sortLinks(g.cut)
}

func sortLinks(set map[history.Link]bool) []history.Link {
	links := make([]history.Link, 0, len(set))
	for l := range set {
		links = append(links, l)
	}
	slices.SortFunc(links, func(a, b history.Link) int {
		return strings.Compare(a.From+" "+a.To, b.From+" "+b.To)
	})
	return links
}

func sorted(names []string) []string { return slices.Sorted(slices.Values(names)) }

func list(names []string) string { return strings.Join(sorted(names), " ") }

func without(names []string, name string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(s string) bool { return s == name })
}
