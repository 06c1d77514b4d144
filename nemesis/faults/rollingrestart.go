package faults

import (
	"context"

	"squall/history"
	"squall/internal/declare"
	"squall/nemesis"
)

// rollingRestart restarts one server after the other, as an upgrade does.
func rollingRestart() nemesis.Fault {
	a := acting{do: nemesis.Node.Kill, undo: nemesis.Node.Start, hurt: dead, well: alive}
	return nemesis.Fault{
		Name: "rolling-restart",
		Kind: history.KindProcess,
		Doc:  "one server after the other is killed and started again, round and round",
		Params: []declare.Param{
			{Name: "away", Kind: declare.Duration, Default: "300ms", Draw: []string{"100ms", "300ms", "600ms"}, Min: "0s", Max: "1m",
				Doc: "how long each is away"},
			{Name: "pause", Kind: declare.Duration, Default: "300ms", Draw: []string{"0s", "300ms"}, Min: "0s", Max: "1m",
				Doc: "between the start of one and the end of the next"},
		},
		Variants: []nemesis.Variant{{Name: "all", Doc: "every node, one at a time, in a random order", Majority: atLeast(3)}},
		Holds:    []nemesis.Resource{nemesis.HoldServers},
		MinNodes: 1,
		Inject: func(ctx context.Context, h *nemesis.Hit) error {
			if _, err := choose(h); err != nil {
				return err
			}
			return onEach(ctx, h, rounds(h)[:1], a.do, a.hurt)
		},
		Sustain: func(ctx context.Context, h *nemesis.Hit) error { return roll(ctx, h, a) },
		Undo:    a.heal,
	}
}

// rounds is the order in which the nodes take their turns.
func rounds(h *nemesis.Hit) []string {
	if len(h.Plan.Nodes) > 0 {
		return h.Plan.Nodes
	}
	return h.Plan.Order
}

func roll(ctx context.Context, h *nemesis.Hit, a acting) error {
	turn := rounds(h)
	restarts := 0
	for i := 0; ; i++ {
		who := turn[i%len(turn) : i%len(turn)+1]
		if i > 0 {
			if !sleep(ctx, h.Args.Duration("pause")) {
				break
			}
			if err := unbroken(ctx, func(ctx context.Context) error { return onEach(ctx, h, who, a.do, a.hurt) }); err != nil {
				return err
			}
			h.Forget() // of each step, that it was seen is enough
		}
		if !sleep(ctx, h.Args.Duration("away")) {
			break
		}
		if err := unbroken(ctx, func(ctx context.Context) error { return onEach(ctx, h, who, a.undo, a.well) }); err != nil {
			return err
		}
		restarts++
		h.Forget()
	}
	h.Prove(history.Measure{What: "restarted", Value: float64(restarts), Unit: "servers"})
	return nil
}
