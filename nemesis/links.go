package nemesis

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"squall/history"
)

// proveLinksFor is how long the links may take to be as they should be. On a
// busy machine a probe on a whole link may come late.
const proveLinksFor = 3 * time.Second

// flightTime is how long a probe may take on a link that is whole. On one host
// a packet takes well under a millisecond; this leaves room for a busy one.
const flightTime = 15 * time.Millisecond

// ProveLinks probes all pairs of machines that are up, until exactly those links
// are cut that some fault has cut, and adds to the proof what was measured.
// Those of mine are named with what the kernel dropped on them: silence alone
// could be a probe that is late.
func (h *Hit) ProveLinks(ctx context.Context, mine map[history.Link]bool) error {
	deadline := time.Now().Add(proveLinksFor)
	for {
		before := len(h.measured)
		wrong, proof, err := h.tryLinks(ctx, mine)
		if err == nil && len(wrong) == 0 {
			h.proof = append(h.proof, proof...)
			return nil
		}
		h.measured = h.measured[:before] // what an attempt that failed measured proves nothing
		if err != nil {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("after %v the links are not as they should be: %s", proveLinksFor, strings.Join(wrong, "; "))
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

func (h *Hit) tryLinks(ctx context.Context, mine map[history.Link]bool) (wrong, proof []string, err error) {
	cut := h.Links.CutNow()
	shaped, flight := h.Links.ShapedNow()
	reach, err := h.Reach(ctx, flightTime+flight)
	if err != nil {
		return nil, nil, fmt.Errorf("probe the links: %w", err)
	}
	silent, wanted := 0, 0
	for _, link := range SortedLinks(reach) {
		_, isCut := cut[link]
		if isCut {
			wanted++
		}
		switch {
		case isCut && reach[link]:
			wrong = append(wrong, fmt.Sprintf("%s still carries packets", Arrow(link)))
		case !isCut && !reach[link] && !shaped[link]:
			wrong = append(wrong, fmt.Sprintf("%s carries none", Arrow(link)))
		case isCut:
			silent++
		}
	}
	if len(wrong) > 0 {
		return wrong, nil, nil
	}
	proof = []string{fmt.Sprintf("probes on all %d links: %d carry packets, %d do not", len(reach), len(reach)-silent, silent)}
	h.Note(history.Measure{What: "links without packets", Value: float64(silent), Want: fmt.Sprint(wanted)})
	wrong, dropped, err := h.dropped(ctx, mine)
	return wrong, append(proof, dropped...), err
}

// dropped asks the kernels what they dropped on these links.
func (h *Hit) dropped(ctx context.Context, mine map[history.Link]bool) (wrong, proof []string, err error) {
	for _, node := range h.Nodes() {
		from := droppedBy(mine, node.Name())
		if len(from) == 0 || !node.Up() {
			continue
		}
		counts, err := node.NetCounts(ctx)
		if err != nil && !node.Up() {
			continue // it was switched off meanwhile
		}
		if err != nil {
			return nil, nil, fmt.Errorf("ask %s what it dropped: %w", node.Name(), err)
		}
		words := make([]string, 0, len(from))
		for _, name := range from {
			if counts.Cut[name] == 0 && h.up(name) {
				wrong = append(wrong, fmt.Sprintf("the kernel of %s has dropped no packet of %s", node.Name(), name))
			}
			words = append(words, fmt.Sprintf("%s (%d dropped)", name, counts.Cut[name]))
			h.Note(history.Measure{What: "dropped", Where: Arrow(history.Link{From: name, To: node.Name()}),
				Value: float64(counts.Cut[name]), Unit: "packets", Want: "≥ 1"})
		}
		proof = append(proof, fmt.Sprintf("%s hears nothing of %s", node.Name(), strings.Join(words, ", ")))
	}
	return wrong, proof, nil
}

func (h *Hit) up(name string) bool { return name == Clients || h.Node(name).Up() }

// droppedBy is whose packets a node drops, sorted.
func droppedBy(cut map[history.Link]bool, node string) []string {
	var from []string
	for link := range cut {
		if link.To == node {
			from = append(from, link.From)
		}
	}
	slices.Sort(from)
	return from
}

// Arrow writes a link: n1→n2.
func Arrow(l history.Link) string { return l.From + "→" + l.To }

// SortedLinks are the links of a set, in an order that is always the same.
func SortedLinks[V any](set map[history.Link]V) []history.Link {
	return slices.SortedFunc(maps.Keys(set), func(a, b history.Link) int {
		return strings.Compare(a.From+" "+a.To, b.From+" "+b.To)
	})
}
