package faults

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"squall/history"
	"squall/nemesis"
)

// grudge is who drops whose packets.
type grudge struct {
	cut     map[history.Link]bool
	targets []string // the nodes that are hurt
	detail  string   // for people
}

// grudges are the variants of a partition.
func grudges() []nemesis.Variant {
	return []nemesis.Variant{
		{Name: "halves", Doc: "two halves that hear nothing of each other: of an odd number of nodes one has a majority, of an even number none", Majority: odd},
		{Name: "one", Doc: "one node hears nobody, and nobody hears it"},
		{Name: "leader", Doc: "the current leader is cut off from everybody", Need: nemesis.NeedLeader, Leader: true},
		{Name: "old-leader", Doc: "the previous leader is cut off from everybody", Need: nemesis.NeedLeader},
		{Name: "leader-minority", Doc: "the current leader and others are cut off from the rest, who are a bare majority", Need: nemesis.NeedLeader, Majority: losing(minority)},
		{Name: "moment", Doc: "the node of the moment that the fault is aimed at is cut off from everybody", Aimed: true},
		{Name: "minority-third", Doc: "a third of the nodes, rounded down but not less than one, is cut off from the rest"},
		{Name: "ring", Doc: "every node hears a majority, but no two the same one (majorities ring)", MinNodes: 4, Majority: never},
		{Name: "overlapping", Doc: "two majorities that share as few nodes as they can; only those hear both", Majority: atLeast(3)},
		{Name: "bridge", Doc: "two halves that only one node in the middle hears both of", Majority: atLeast(3)},
		{Name: "primaries", Doc: "the leader and the leader before it are each cut off from everybody", Need: nemesis.NeedLeader, Majority: losing(func(int) int { return 2 })},
		{Name: "random", Doc: "each link, in each direction, is cut or not by a coin", Majority: never},
		{Name: "one-way", Doc: "one node still sends but hears nobody, or hears but is not heard"},
		{Name: "one-way-in", Doc: "one node hears nobody, and is still heard by all"},
		{Name: "one-way-out", Doc: "one node is not heard by anybody, and still hears all"},
	}
}

// odd: only an odd number of nodes has a larger half.
func odd(n int) bool { return n%2 == 1 }

func atLeast(k int) func(int) bool { return func(n int) bool { return n >= k } }

// newGrudge says which links a variant cuts now.
func newGrudge(h *nemesis.Hit) (grudge, error) {
	order, n := h.Plan.Order, len(h.Plan.Order)
	if len(h.Plan.Nodes) > 0 {
		return isolate(h.Plan.Nodes, order)
	}
	switch h.Plan.Variant {
	case "halves":
		return split(order[:n/2], order[n/2:]), nil
	case "one":
		return split(order[:1], order[1:]), nil
	case "leader-minority":
		lead := standIn(h, h.Roles.Leader, "no leader", order)
		return isolate(append([]string{lead}, without(order, lead)[:minority(n)-1]...), order)
	case "minority-third":
		k := max(1, n/3)
		return split(order[:k], order[k:]), nil
	case "ring":
		return ring(order), nil
	case "overlapping":
		return overlapping(order), nil
	case "bridge":
		return bridge(order), nil
	case "primaries":
		return primaries(h), nil
	case "random":
		return random(order, h.Rand()), nil
	case "one-way":
		return oneWay(order[0], order[1:], h.Rand().IntN(2) == 1), nil
	case "one-way-in":
		return oneWay(order[0], order[1:], true), nil
	case "one-way-out":
		return oneWay(order[0], order[1:], false), nil
	}
	who, isRole := roleOf(h)
	if !isRole {
		return grudge{}, fmt.Errorf("no partition is called %q", h.Plan.Variant)
	}
	return isolate([]string{who}, order)
}

// isolate cuts a group of nodes off from the rest.
func isolate(group, order []string) (grudge, error) {
	rest := slices.DeleteFunc(slices.Clone(order), func(s string) bool { return slices.Contains(group, s) })
	if len(rest) == 0 {
		return grudge{}, fmt.Errorf("%s are all the nodes: none is left to cut them off from", list(group))
	}
	return split(group, rest), nil
}

// split cuts every link between two groups, both ways.
func split(a, b []string) grudge {
	g := grudge{cut: map[history.Link]bool{}, targets: slices.Sorted(slices.Values(a))}
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
	g := grudge{cut: map[history.Link]bool{}, targets: slices.Sorted(slices.Values(order))}
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

// overlapping cuts two groups from each other that, each with the nodes in the
// middle, are a majority: one node of an odd number is in the middle, two of an
// even one.
func overlapping(order []string) grudge {
	n := len(order)
	side := n - (n/2 + 1)
	a, middle, b := order[:side], order[side:n-side], order[n-side:]
	g := split(a, b)
	g.targets = slices.Sorted(slices.Values(append(slices.Clone(a), b...)))
	g.detail = "majorities " + list(append(slices.Clone(a), middle...)) + " and " + list(append(slices.Clone(b), middle...))
	return g
}

// bridge cuts two halves from each other and leaves the middle node both.
func bridge(order []string) grudge {
	middle, rest := order[0], order[1:]
	a, b := rest[:len(rest)/2], rest[len(rest)/2:]
	g := split(a, b)
	g.targets = slices.Sorted(slices.Values(rest))
	g.detail = list(a) + " – " + middle + " – " + list(b)
	return g
}

// primaries cuts the leader, and the one before it, off from everybody and from
// each other.
func primaries(h *nemesis.Hit) grudge {
	order := h.Plan.Order
	leader := standIn(h, h.Roles.Leader, "no leader", h.Plan.Order)
	old := h.Roles.OldLeader
	if old == "" || old == leader {
		old = without(order, leader)[0]
	}
	g := split([]string{leader}, without(order, leader))
	for _, other := range without(without(order, leader), old) {
		g.cutBoth(old, other)
	}
	g.targets = slices.Sorted(slices.Values([]string{leader, old}))
	g.detail = leader + " | " + old + " | " + list(without(without(order, leader), old))
	return g
}

// random cuts each directed link by a coin, and one at least.
func random(order []string, rng *rand.Rand) grudge {
	g := grudge{cut: map[history.Link]bool{}}
	hurt := map[string]bool{}
	for len(g.cut) == 0 {
		for _, from := range order {
			for _, to := range order {
				if from != to && rng.IntN(2) == 1 {
					g.cut[history.Link{From: from, To: to}] = true
					hurt[to] = true
				}
			}
		}
	}
	for _, node := range order {
		if hurt[node] {
			g.targets = append(g.targets, node)
		}
	}
	slices.Sort(g.targets)
	g.detail = fmt.Sprintf("%d of %d links", len(g.cut), len(order)*(len(order)-1))
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
