package faults

import (
	"context"

	"squall/history"
	"squall/internal/declare"
	"squall/nemesis"
)

// crashLoop kills servers as often as they are started again: what they must
// recover is never much, and they are never up for long.
func crashLoop() nemesis.Fault {
	a := acting{do: nemesis.Node.Kill, undo: nemesis.Node.Start, hurt: dead, well: alive}
	return nemesis.Fault{
		Name: "crash-loop",
		Kind: history.KindProcess,
		Doc:  "servers are killed and started, over and over",
		Params: []declare.Param{
			{Name: "every", Kind: declare.Duration, Default: "400ms", Draw: []string{"200ms", "400ms", "800ms"}, Min: "50ms", Max: "1m",
				Doc: "how long a server is away, and how long it then runs"},
		},
		Variants: targets(),
		Holds:    []nemesis.Resource{nemesis.HoldServers},
		MinNodes: 1,
		Inject:   a.inject,
		Sustain: func(ctx context.Context, h *nemesis.Hit) error {
			return overAndOver(ctx, h, "killed", a)
		},
		Undo: a.heal,
	}
}
