package faults

import (
	"errors"
	"time"

	"squall/internal/declare"
	"squall/nemesis"
)

// delay makes packets late, each by a time of its own when there is jitter.
func delay() nemesis.Fault {
	return shaping{
		name: "delay",
		doc:  "packets arrive late",
		params: []declare.Param{
			{Name: "delay", Kind: declare.Duration, Default: "50ms", Draw: []string{"10ms", "25ms", "50ms", "100ms", "200ms"},
				Min: "1ms", Max: "10s", Spread: "jitter", Doc: "how late a packet is, in each direction"},
			{Name: "jitter", Kind: declare.Duration, Default: "0s", Draw: []string{"0s", "5ms", "8ms"},
				Min: "0s", Max: "10s", Doc: "by how much the delay varies; packets that are less late overtake others"},
			distribution(),
		},
		check: jitterFits,
		of:    delayOf,
		flow:  func(declare.Args) flowPlan { return flowPlan{count: 25, interval: 3 * time.Millisecond, size: 64} },
		claims: func(a declare.Args, _ int) []claim {
			return delayed(a.Duration("delay"), a.Duration("jitter"))
		},
	}.fault()
}

func distribution() declare.Param {
	return declare.Param{Name: "distribution", Kind: declare.Word, Default: "uniform", Words: []string{"uniform", "normal", "pareto"},
		Doc: "of the jitter: uniform is ± jitter, of normal jitter is the standard deviation, pareto has a long tail"}
}

func delayOf(a declare.Args) nemesis.Shaping {
	return nemesis.Shaping{Delay: a.Duration("delay"), Jitter: a.Duration("jitter"), Distribution: a["distribution"]}
}

func jitterFits(a declare.Args) error {
	if a.Duration("jitter") > a.Duration("delay") {
		return errors.New("jitter must not be above delay: no packet can arrive before it was sent")
	}
	return nil
}
