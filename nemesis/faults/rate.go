package faults

import (
	"math"

	"squall/internal/declare"
	"squall/nemesis"
)

// rate narrows links: packets wait in line, and when the line is full they are
// lost.
func rate() nemesis.Fault {
	return shaping{
		name: "rate",
		doc:  "links carry only so many bytes in a second",
		params: []declare.Param{
			{Name: "rate", Kind: declare.Rate, Default: "1MB/s", Draw: []string{"500kB/s", "1MB/s", "2MB/s"}, Min: "10kB/s", Max: "20MB/s",
				Doc: "what a link carries, in each direction"},
		},
		of:     func(a declare.Args) nemesis.Shaping { return nemesis.Shaping{Rate: int64(a.Float("rate"))} },
		flow:   burstOfDatagrams,
		claims: func(a declare.Args, _ int) []claim { return []claim{carried(a.Float("rate"))} },
	}.fault()
}

const datagram = 1200 // bytes

// burstOfDatagrams are what takes a fifth of a second at that rate, sent at
// once.
func burstOfDatagrams(a declare.Args) flowPlan {
	return flowPlan{count: max(8, min(int(a.Float("rate")/5/datagram), 1000)), size: datagram}
}

// carried claims that a link carries no more than that. What the servers send
// at the same time takes a part of it.
func carried(rate float64) claim {
	return claim{what: "carried", unit: "kB/s", each: true,
		lo: 0.001, hi: rate * 1.3 / 1e3,
		healed: math.Inf(1), // a healed link carries more than that
		value:  func(f nemesis.Flow) (float64, bool) { return f.Rate / 1e3, f.Received > 2 }}
}
