package faults

import (
	"math"
	"time"

	"squall/internal/declare"
	"squall/nemesis"
)

// reorder lets some packets overtake the others, which are late.
func reorder() nemesis.Fault {
	return shaping{
		name: "reorder",
		doc:  "packets overtake each other",
		params: []declare.Param{
			{Name: "share", Kind: declare.Share, Default: "25%", Draw: []string{"10%", "25%", "50%"}, Min: "1%", Max: "99%",
				Doc: "how many are sent at once and overtake the others"},
			{Name: "delay", Kind: declare.Duration, Default: "20ms", Draw: []string{"10ms", "20ms"}, Min: "5ms", Max: "1s",
				Doc: "how late the others are"},
		},
		of: func(a declare.Args) nemesis.Shaping {
			return nemesis.Shaping{Delay: a.Duration("delay"), Reorder: a.Float("share")}
		},
		flow: func(declare.Args) flowPlan { return flowPlan{count: 80, interval: 2 * time.Millisecond, size: 64} },
		claims: func(a declare.Args, n int) []claim {
			// How many are seen out of order depends on what surrounds them:
			// of a run that overtakes, each is.
			c := share("out of order", a.Float("share"), n, reordered)
			c.lo, c.hi = max(c.lo/4, 100/float64(n)), math.Inf(1)
			return []claim{c}
		},
	}.fault()
}
