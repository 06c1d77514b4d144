package faults

import (
	"errors"
	"math"

	"squall/internal/declare"
	"squall/nemesis"
)

// clockDrift makes clocks too fast or too slow.
func clockDrift() nemesis.Fault {
	return bending{
		name: "clock-drift",
		doc:  "servers' clocks go too fast or too slow",
		params: []declare.Param{
			{Name: "rate", Kind: declare.Number, Default: "2", Draw: []string{"0.3", "0.7", "1.5", "4"}, Min: "0.01", Max: "100",
				Doc: "seconds that pass on them in a true second"},
		},
		check: func(a declare.Args) error {
			if math.Abs(a.Float("rate")-1) < 0.1 {
				return errors.New("a rate from 0.9 to 1.1 is too close to a true clock's to measure")
			}
			return nil
		},
		bend:  func(h *nemesis.Hit) nemesis.Bend { return nemesis.Bend{Rate: h.Args.Float("rate")} },
		shown: func(a declare.Args) clockClaim { return clockClaim{rate: a.Float("rate"), drifts: true} },
	}.fault()
}
