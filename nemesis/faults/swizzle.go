package faults

import (
	"context"
	"fmt"
	"maps"
	"time"

	"squall/history"
	"squall/internal/declare"
	"squall/nemesis"
)

// swizzleClog cuts the nodes of a group off one by one, and connects them again
// in another order: so every subset is cut off for a while, and no two in the
// order in which they came. (FoundationDB calls it so.)
func swizzleClog() nemesis.Fault {
	return nemesis.Fault{
		Name:     "swizzle-clog",
		Kind:     history.KindPartition,
		Doc:      "nodes are cut off one by one, and connected again in another order",
		Params:   []declare.Param{how()},
		Variants: withoutVariant(targets(), "one", "leader", "follower", "old-leader", "candidate", "moment"),
		Needs:    cutNeeds(),
		Holds:    []nemesis.Resource{nemesis.HoldLinks},
		MinNodes: 3,
		Inject:   func(ctx context.Context, h *nemesis.Hit) error { return clog(ctx, h) },
		Sustain:  swizzle,
		Undo:     uncut,
	}
}

// clog chooses the nodes and cuts the first of them off.
func clog(ctx context.Context, h *nemesis.Hit) error {
	if _, err := choose(h); err != nil {
		return err
	}
	links := around(h, h.Targets)
	h.Cut = nemesis.SortedLinks(links)
	h.Detail = fmt.Sprintf("%s, one by one, and back in another order", list(h.Targets))
	return cut(ctx, h, around(h, h.Targets[:1]))
}

// around are all links from and to these nodes.
func around(h *nemesis.Hit, nodes []string) map[history.Link]bool {
	links := map[history.Link]bool{}
	for _, node := range nodes {
		for _, other := range without(h.Names(), node) {
			links[history.Link{From: node, To: other}] = true
			links[history.Link{From: other, To: node}] = true
		}
	}
	return links
}

// swizzle cuts the rest off in the first half of the time, and connects all but
// the last again in the second.
func swizzle(ctx context.Context, h *nemesis.Hit) error {
	nodes := h.Targets
	pause := h.Hold() / time.Duration(2*len(nodes))
	for k := 2; k <= len(nodes) && sleep(ctx, pause); k++ {
		if err := stepTo(ctx, h, nodes[:k]); err != nil {
			return err
		}
	}
	still := map[string]bool{}
	for _, node := range nodes {
		still[node] = true
	}
	for _, i := range h.Rand().Perm(len(nodes))[1:] {
		if !sleep(ctx, pause) {
			return nil
		}
		delete(still, nodes[i])
		var left []string
		for node := range maps.Keys(still) {
			left = append(left, node)
		}
		if err := stepTo(ctx, h, left); err != nil {
			return err
		}
	}
	return nil
}

// stepTo cuts exactly these nodes off.
func stepTo(ctx context.Context, h *nemesis.Hit, nodes []string) error {
	return unbroken(ctx, func(ctx context.Context) error {
		h.Say("cut off: %s", list(nodes))
		return cut(ctx, h, around(h, nodes))
	})
}
