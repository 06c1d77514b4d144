package faults

import (
	"context"

	"squall/history"
	"squall/internal/declare"
	"squall/nemesis"
)

// stutter pauses servers and lets them go on, over and over, as a machine does
// that has too much to do or a long garbage collection.
func stutter() nemesis.Fault {
	a := acting{do: nemesis.Node.Pause, undo: nemesis.Node.Resume, hurt: paused, well: resumed}
	return nemesis.Fault{
		Name: "stutter",
		Kind: history.KindProcess,
		Doc:  "servers are stopped and continued every few hundred milliseconds",
		Params: []declare.Param{
			{Name: "every", Kind: declare.Duration, Default: "200ms", Draw: []string{"100ms", "200ms", "400ms"}, Min: "10ms", Max: "1m",
				Doc: "how long a server stands still, and how long it then runs"},
		},
		Variants: targets(),
		Holds:    []nemesis.Resource{nemesis.HoldServers},
		MinNodes: 1,
		Inject:   a.inject,
		Sustain: func(ctx context.Context, h *nemesis.Hit) error {
			return overAndOver(ctx, h, "stopped", a)
		},
		Undo: a.heal,
	}
}

// overAndOver undoes a fault on servers and does it again, every so often.
func overAndOver(ctx context.Context, h *nemesis.Hit, what string, a acting) error {
	times, hurt := 1, true
	for sleep(ctx, h.Args.Duration("every")) {
		step := a.heal
		if !hurt {
			times++
			step = func(ctx context.Context, h *nemesis.Hit) error {
				return onEach(ctx, h, h.Targets, a.do, a.hurt)
			}
		}
		if err := unbroken(ctx, func(ctx context.Context) error { return step(ctx, h) }); err != nil {
			return err
		}
		hurt = !hurt
		h.Forget() // of each step, that it was seen is enough
	}
	h.Prove(history.Measure{What: what, Value: float64(times), Unit: "times"})
	return nil
}
