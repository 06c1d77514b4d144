package faults

import (
	"time"

	"squall/internal/declare"
	"squall/nemesis"
)

// clockOffset sets clocks ahead, by a jump, and back again when it is healed.
func clockOffset() nemesis.Fault {
	return bending{
		name: "clock-offset",
		doc:  "servers' clocks are ahead of (or, below zero, behind) true time",
		params: []declare.Param{
			{Name: "offset", Kind: declare.Duration, Default: "1s", Draw: []string{"200ms", "1s", "1m0s", "1h0m0s"}, Min: "-24h", Max: "24h",
				Doc: "how far ahead"},
		},
		check: offsetNotZero,
		bend:  func(h *nemesis.Hit) nemesis.Bend { return nemesis.Bend{Offset: h.Args.Duration("offset")} },
		shown: func(a declare.Args) clockClaim { return clockClaim{offset: a.Duration("offset"), rate: 1} },
	}.fault()
}

func offsetNotZero(a declare.Args) error {
	if a.Duration("offset").Abs() < 10*time.Millisecond {
		return errTooLittle
	}
	return nil
}
