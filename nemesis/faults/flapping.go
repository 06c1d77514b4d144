package faults

import (
	"context"

	"squall/history"
	"squall/internal/declare"
	"squall/nemesis"
)

// flapping cuts the links of nodes and heals them, over and over: long enough
// to be missed, too short to be given up.
func flapping() nemesis.Fault {
	return nemesis.Fault{
		Name: "flapping",
		Kind: history.KindPartition,
		Doc:  "nodes are cut off and connected again every few hundred milliseconds",
		Params: []declare.Param{
			{Name: "every", Kind: declare.Duration, Default: "300ms", Draw: []string{"150ms", "300ms", "500ms"}, Min: "50ms", Max: "1m",
				Doc: "how long the links stay as they are before they change"},
			how(),
		},
		Variants: withoutVariant(targets(), "all"), // they would have nobody to be cut off from
		Needs:    cutNeeds(),
		Holds:    []nemesis.Resource{nemesis.HoldLinks},
		MinNodes: 3,
		Outside:  1,
		Inject: func(ctx context.Context, h *nemesis.Hit) error {
			links, err := cutOff(h)
			if err != nil {
				return err
			}
			return cut(ctx, h, links)
		},
		Sustain: flap,
		Undo:    uncut,
	}
}

// cutOff are the links between the chosen nodes and the rest.
func cutOff(h *nemesis.Hit) (map[history.Link]bool, error) {
	chosen, err := choose(h)
	if err != nil {
		return nil, err
	}
	g, err := isolate(chosen, h.Plan.Order)
	h.Cut, h.Detail = nemesis.SortedLinks(g.cut), g.detail
	return g.cut, err
}

// flap cuts and heals. Each step is proven, so that none is a cut by name only.
func flap(ctx context.Context, h *nemesis.Hit) error {
	links := linkSet(h.Cut)
	cuts := 1
	for whole := false; sleep(ctx, h.Args.Duration("every")); whole = !whole {
		err := unbroken(ctx, func(ctx context.Context) error {
			if !whole {
				return uncut(ctx, h)
			}
			cuts++
			return cut(ctx, h, links)
		})
		if err != nil {
			return err
		}
		h.Forget() // of each step, that it was seen is enough
	}
	h.Prove(history.Measure{What: "cut and healed", Value: float64(cuts), Unit: "times"})
	return nil
}

func withoutVariant(variants []nemesis.Variant, names ...string) []nemesis.Variant {
	var rest []nemesis.Variant
	for _, v := range variants {
		keep := true
		for _, name := range names {
			keep = keep && v.Name != name
		}
		if keep {
			rest = append(rest, v)
		}
	}
	return rest
}
