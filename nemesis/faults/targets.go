package faults

import (
	"fmt"
	"slices"
	"strings"

	"squall/nemesis"
)

// targets are the variants that faults on whole nodes share. With n nodes, k of
// them away leave a majority when more than half stay. One node has no follower,
// and of two none can be missed.
func targets() []nemesis.Variant {
	return []nemesis.Variant{
		{Name: "one", Doc: "one node, at random", Majority: losing(func(int) int { return 1 })},
		{Name: "minority", Doc: "the largest set of nodes that leaves a majority", MinNodes: 3, Majority: losing(minority)},
		{Name: "majority", Doc: "the smallest majority of the nodes", Majority: never},
		{Name: "all", Doc: "every node", Majority: never},
		{Name: "leader", Doc: "the current leader", Need: nemesis.NeedLeader, Leader: true, Majority: losing(func(int) int { return 1 })},
		{Name: "follower", Doc: "one node that does not lead", Need: nemesis.NeedLeader, MinNodes: 2, Majority: losing(func(int) int { return 1 })},
		{Name: "old-leader", Doc: "the previous leader", Need: nemesis.NeedLeader, Majority: losing(func(int) int { return 1 })},
		{Name: "candidate", Doc: "the node that stands for election, or did so last", Need: nemesis.NeedCandidate, Majority: losing(func(int) int { return 1 })},
		{Name: "moment", Doc: "the node of the moment that the fault is aimed at", Aimed: true, Majority: losing(func(int) int { return 1 })},
	}
}

// harmless are the same variants, for faults that take no node away.
func harmless() []nemesis.Variant {
	all := targets()
	for i := range all {
		all[i].Majority = nil
	}
	return all
}

func minority(n int) int { return max(1, (n-1)/2) }

func losing(k func(n int) int) func(int) bool {
	return func(n int) bool { return n-k(n) > n/2 }
}

func never(int) bool { return false }

// choose says which nodes a variant means now, sorted, and puts them into the
// hit. Where nobody plays a role, a node at random stands in for it, so that the
// fault still happens, and the record says so.
func choose(h *nemesis.Hit) ([]string, error) {
	chosen, err := chosenBy(h)
	if err != nil {
		return nil, err
	}
	h.Targets = slices.Sorted(slices.Values(chosen))
	h.Detail = strings.TrimSpace(strings.Join(h.Targets, " ") + " " + h.Detail)
	return h.Targets, nil
}

func chosenBy(h *nemesis.Hit) ([]string, error) {
	if len(h.Plan.Nodes) > 0 {
		return h.Plan.Nodes, nil
	}
	order := h.Plan.Order
	n := len(order)
	switch h.Plan.Variant {
	case "one":
		return order[:1], nil
	case "minority":
		return order[:minority(n)], nil
	case "majority":
		return order[:n/2+1], nil
	case "all":
		return order, nil
	case "follower":
		return without(order, h.Roles.Leader)[:1], nil
	}
	if node, ok := roleOf(h); ok {
		return []string{node}, nil
	}
	return nil, fmt.Errorf("%s has no variant %q", h.Plan.Fault, h.Plan.Variant)
}

// roleOf is the node that plays the role which the variant names.
func roleOf(h *nemesis.Hit) (node string, isRole bool) {
	switch h.Plan.Variant {
	case "leader":
		return standIn(h, h.Roles.Leader, "no leader", h.Plan.Order), true
	case "old-leader":
		return standIn(h, h.Roles.OldLeader, "no old leader", without(h.Plan.Order, h.Roles.Leader)), true
	case "candidate":
		return standIn(h, h.Roles.Candidate, "no candidate", h.Plan.Order), true
	case "moment":
		return standIn(h, momentNode(h), "no moment", h.Plan.Order), true
	}
	return "", false
}

// momentNode is whose moment the fault struck; "" if it missed it.
func momentNode(h *nemesis.Hit) string {
	if h.Moment == nil {
		return ""
	}
	return h.Moment.Node
}

func standIn(h *nemesis.Hit, node, missing string, others []string) string {
	if node == "" {
		h.Detail = "(there was " + missing + ": a node at random)"
		if len(others) == 0 {
			others = h.Plan.Order
		}
		return others[0]
	}
	return node
}

func without(names []string, name string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(s string) bool { return s == name })
}

func list(names []string) string { return strings.Join(slices.Sorted(slices.Values(names)), " ") }
