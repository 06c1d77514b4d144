package faults

import (
	"context"

	"squall/history"
	"squall/internal/declare"
	"squall/nemesis"
)

// clockStrobe sets clocks ahead and right again, over and over.
func clockStrobe() nemesis.Fault {
	bend := func(h *nemesis.Hit) nemesis.Bend { return nemesis.Bend{Offset: h.Args.Duration("offset")} }
	shown := func(a declare.Args) clockClaim { return clockClaim{offset: a.Duration("offset"), rate: 1} }
	return bending{
		name: "clock-strobe",
		doc:  "servers' clocks jump ahead and back, over and over",
		params: []declare.Param{
			{Name: "offset", Kind: declare.Duration, Default: "400ms", Draw: []string{"200ms", "400ms", "2s"}, Min: "-24h", Max: "24h",
				Doc: "how far ahead"},
			{Name: "every", Kind: declare.Duration, Default: "250ms", Draw: []string{"100ms", "250ms"}, Min: "10ms", Max: "1m",
				Doc: "how long a clock stays as it is before it jumps"},
		},
		check: offsetNotZero,
		bend:  bend,
		shown: shown,
		sustain: func(ctx context.Context, h *nemesis.Hit) error {
			jumps := 1
			for ahead := true; sleep(ctx, h.Args.Duration("every")); ahead = !ahead {
				to, want := nemesis.Bend{}, clockClaim{rate: 1}
				if !ahead {
					to, want = bend(h), shown(h.Args)
				}
				if err := unbroken(ctx, func(ctx context.Context) error { return bendTo(ctx, h, to, want) }); err != nil {
					return err
				}
				h.Forget()
				jumps++
			}
			h.Prove(history.Measure{What: "jumped", Value: float64(jumps), Unit: "times"})
			return nil
		},
	}.fault()
}
