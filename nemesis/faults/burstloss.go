package faults

import (
	"math"

	"squall/internal/declare"
	"squall/nemesis"
)

// burstLoss loses packets in bursts, as a bad cable or a full queue does: a
// Gilbert–Elliott chain of a good and a bad state.
func burstLoss() nemesis.Fault {
	return shaping{
		name: "burst-loss",
		doc:  "packets are lost in bursts (Gilbert–Elliott)",
		params: []declare.Param{
			{Name: "begin", Kind: declare.Share, Default: "2%", Draw: []string{"1%", "2%", "5%"}, Min: "0.1%", Max: "100%",
				Doc: "chance, for each packet, that a bad period begins with it"},
			{Name: "end", Kind: declare.Share, Default: "20%", Draw: []string{"10%", "20%", "30%"}, Min: "0.1%", Max: "100%",
				Doc: "chance, for each packet, that a bad period ends with it"},
			{Name: "bad", Kind: declare.Share, Default: "100%", Min: "1%", Max: "100%", Doc: "how many are lost in a bad period"},
			{Name: "good", Kind: declare.Share, Default: "0%", Min: "0%", Max: "99%", Doc: "how many are lost in a good period"},
		},
		of: func(a declare.Args) nemesis.Shaping {
			b := burstOf(a)
			return nemesis.Shaping{Burst: &b}
		},
		flow: manyDatagrams,
		claims: func(a declare.Args, n int) []claim {
			// Losses come together, so their number varies much more than that
			// of single ones: as if a burst were one throw.
			p := burstOf(a).Loss()
			c := share("lost", p, max(int(float64(n)*a.Float("end")), 1), lost)
			c.lo, c.hi = 100*math.Max(c.lo/100, 0.5/float64(n)), math.Min(100, max(c.hi, 300*p))
			return []claim{c}
		},
	}.fault()
}

func burstOf(a declare.Args) nemesis.Burst {
	return nemesis.Burst{Begin: a.Float("begin"), End: a.Float("end"), LossBad: a.Float("bad"), LossGood: a.Float("good")}
}
