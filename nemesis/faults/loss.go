package faults

import (
	"time"

	"squall/internal/declare"
	"squall/nemesis"
)

// loss loses packets, each by a throw of its own.
func loss() nemesis.Fault {
	return shaping{
		name: "loss",
		doc:  "packets are lost at random",
		params: []declare.Param{
			{Name: "share", Kind: declare.Share, Default: "10%", Draw: []string{"5%", "10%", "20%", "30%"}, Min: "0.1%", Max: "100%",
				Doc: "how many are lost"},
		},
		of:   func(a declare.Args) nemesis.Shaping { return nemesis.Shaping{Loss: a.Float("share")} },
		flow: manyDatagrams,
		claims: func(a declare.Args, n int) []claim {
			return []claim{share("lost", a.Float("share"), n, lost)}
		},
	}.fault()
}

// manyDatagrams are so many that a share of some percent can be seen of them, and
// so slow that the receiving agent keeps up on a busy computer.
func manyDatagrams(declare.Args) flowPlan {
	return flowPlan{count: 100, interval: 2 * time.Millisecond, size: 64}
}
