package faults

import (
	"errors"

	"squall/internal/declare"
	"squall/nemesis"
)

var errTooLittle = errors.New("an offset of less than 10ms, ahead or behind, is too small to measure")

// clockBack sets clocks back, by a jump: deadlines that were near are far again.
func clockBack() nemesis.Fault {
	return bending{
		name: "clock-back",
		doc:  "servers' clocks jump back",
		params: []declare.Param{
			{Name: "by", Kind: declare.Duration, Default: "500ms", Draw: []string{"200ms", "500ms", "2s"}, Min: "10ms", Max: "24h",
				Doc: "how far back"},
		},
		bend:  func(h *nemesis.Hit) nemesis.Bend { return nemesis.Bend{Offset: -h.Args.Duration("by")} },
		shown: func(a declare.Args) clockClaim { return clockClaim{offset: -a.Duration("by"), rate: 1} },
	}.fault()
}
