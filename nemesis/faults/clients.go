package faults

import (
	"context"

	"squall/history"
	"squall/internal/declare"
	"squall/nemesis"
)

// isolateClients cuts the clients off from some nodes, which hear each other as
// before: a leader that nobody can ask anything.
func isolateClients() nemesis.Fault {
	return nemesis.Fault{
		Name:     "clients",
		Kind:     history.KindPartition,
		Doc:      "nodes do not let the packets of clients in, and hear each other as before",
		Params:   []declare.Param{how()},
		Variants: harmless(),
		Needs:    cutNeeds(),
		Holds:    []nemesis.Resource{nemesis.HoldLinks},
		MinNodes: 1,
		Inject: func(ctx context.Context, h *nemesis.Hit) error {
			chosen, err := choose(h)
			if err != nil {
				return err
			}
			links := map[history.Link]bool{}
			for _, node := range chosen {
				links[history.Link{From: nemesis.Clients, To: node}] = true
			}
			h.Cut, h.Detail = nemesis.SortedLinks(links), "clients | "+h.Detail
			return cut(ctx, h, links)
		},
		Undo: uncut,
	}
}
