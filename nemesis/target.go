package nemesis

import (
	"fmt"
	"slices"
)

// targets are the variants that faults on processes share.
func targets() []Variant {
	return []Variant{
		{Name: "one", Doc: "one node, at random"},
		{Name: "minority", Doc: "the largest set of nodes that leaves a majority"},
		{Name: "majority", Doc: "the smallest majority of the nodes"},
		{Name: "all", Doc: "every node"},
		{Name: "leader", Doc: "the leader of the moment", Leader: true},
	}
}

// pick says which nodes a target means now, sorted. leader is the leader of
// the moment, "" when there is none: then a node at random stands in for it,
// so that the fault still happens, and the record says whom it hit.
func pick(variant string, order []string, leader string) ([]string, error) {
	n := len(order)
	var chosen []string
	switch variant {
	case "one":
		chosen = order[:1]
	case "minority":
		chosen = order[:max(1, (n-1)/2)]
	case "majority":
		chosen = order[:n/2+1]
	case "all":
		chosen = order
	case "leader":
		chosen = []string{leaderOr(leader, order)}
	default:
		return nil, fmt.Errorf("no target is called %q", variant)
	}
	return slices.Sorted(slices.Values(chosen)), nil
}

func leaderOr(leader string, order []string) string {
	if leader == "" {
		return order[0]
	}
	return leader
}
