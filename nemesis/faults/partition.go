package faults

import (
	"context"

	"squall/history"
	"squall/internal/declare"
	"squall/nemesis"
)

// partition cuts links by having nodes refuse the packets of other nodes.
func partition() nemesis.Fault {
	return nemesis.Fault{
		Name:     "partition",
		Kind:     history.KindPartition,
		Doc:      "nodes do not let the packets of other nodes in",
		Params:   []declare.Param{how()},
		Variants: grudges(),
		Needs:    cutNeeds(),
		Holds:    []nemesis.Resource{nemesis.HoldLinks},
		MinNodes: 3,
		Outside:  1,
		Inject: func(ctx context.Context, h *nemesis.Hit) error {
			g, err := newGrudge(h)
			if err != nil {
				return err
			}
			h.Targets, h.Cut, h.Detail = g.targets, nemesis.SortedLinks(g.cut), g.detail
			return cut(ctx, h, g.cut)
		},
		Undo: uncut,
	}
}
