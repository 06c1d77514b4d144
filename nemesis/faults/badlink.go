package faults

import (
	"errors"
	"time"

	"squall/internal/declare"
	"squall/nemesis"
)

// badLink is everything that a link can do to packets, in one.
func badLink() nemesis.Fault {
	figure := func(name string, draw []string, doc string) declare.Param {
		return declare.Param{Name: name, Kind: declare.Share, Default: draw[0], Draw: draw, Min: "0%", Max: "100%", Doc: doc}
	}
	return shaping{
		name: "bad-link",
		doc:  "packets are late, lost, doubled and damaged all at once, as on a bad mobile network",
		params: []declare.Param{
			{Name: "delay", Kind: declare.Duration, Default: "30ms", Draw: []string{"20ms", "30ms", "60ms"}, Min: "1ms", Max: "10s", Spread: "jitter",
				Doc: "how late a packet is, in each direction"},
			{Name: "jitter", Kind: declare.Duration, Default: "10ms", Min: "0s", Max: "10s", Doc: "by how much the delay varies"},
			distribution(),
			figure("loss", []string{"3%", "5%", "10%"}, "how many are lost"),
			figure("duplicate", []string{"3%"}, "how many arrive twice"),
			figure("corrupt", []string{"1%"}, "how many are damaged, so that a checksum tells"),
		},
		raw: true,
		check: func(a declare.Args) error {
			if a.Float("loss")+a.Float("corrupt") >= 1 {
				return errors.New("loss and corrupt together must be below 100%: use partition for links that carry nothing")
			}
			return jitterFits(a)
		},
		of: func(a declare.Args) nemesis.Shaping {
			s := delayOf(a)
			s.Loss, s.Duplicate = a.Float("loss"), a.Float("duplicate")
			s.Corrupt, s.CorruptKind = a.Float("corrupt"), nemesis.CorruptChecksum
			return s
		},
		flow: func(declare.Args) flowPlan { return flowPlan{count: 80, interval: 4 * time.Millisecond, size: 64} },
		claims: func(a declare.Args, n int) []claim {
			claims := delayed(a.Duration("delay"), a.Duration("jitter"))
			gone := a.Float("loss") + (1-a.Float("loss"))*a.Float("corrupt")
			if gone > 0 {
				claims = append(claims, share("lost or damaged", gone, n, lost))
			}
			if d := a.Float("duplicate"); d > 0 {
				claims = append(claims, share("arrived twice", d, n, duplicated))
			}
			return claims
		},
	}.fault()
}
