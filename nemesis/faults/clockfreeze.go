package faults

import (
	"squall/internal/declare"
	"squall/nemesis"
)

// clockFreeze stops clocks: nothing that waits for a time ever happens.
func clockFreeze() nemesis.Fault {
	return bending{
		name:  "clock-freeze",
		doc:   "servers' clocks stand still",
		bend:  func(*nemesis.Hit) nemesis.Bend { return nemesis.Bend{Frozen: true} },
		shown: func(declare.Args) clockClaim { return standing },
	}.fault()
}

// standing is what a clock shows that stands still.
var standing = clockClaim{rate: 0, drifts: true}
