package measure

import (
	"math"
	"slices"

	"squall/history"
)

// countOps counts the operations that clients called during the load phase.
func countOps(in Input) Ops {
	load := LoadWindow(in)
	out := Ops{LoadSeconds: load.Seconds(), ByFunc: map[string]FuncOps{}}
	latencies := map[string][]int64{}
	keys := map[string]struct{}{}
	for i := range in.Ops {
		op := &in.Ops[i]
		if op.Final || !load.Holds(op.Call-in.Header.Mono) {
			continue
		}
		f := string(op.Func)
		by := out.ByFunc[f]
		out.Total++
		keys[op.Key] = struct{}{}
		switch op.Outcome {
		case history.OK:
			out.OK++
			by.OK++
			latencies[f] = append(latencies[f], op.Return-op.Call)
		case history.Fail:
			out.Fail++
			by.Fail++
		default:
			// Info, and anything this version does not know: not known to
			// have succeeded, not known to have failed.
			out.Info++
			by.Info++
		}
		out.ByFunc[f] = by
	}
	for f, l := range latencies {
		by := out.ByFunc[f]
		by.Latency = quantiles(l)
		out.ByFunc[f] = by
	}
	out.Keys = int64(len(keys))
	if out.LoadSeconds > 0 {
		out.Throughput = float64(out.OK) / out.LoadSeconds
	}
	return out
}

// Latency is the latency of the OK operations of every function together, over
// the load phase.
func Latency(in Input) Quantiles {
	load := LoadWindow(in)
	var l []int64
	for i := range in.Ops {
		op := &in.Ops[i]
		if op.Outcome == history.OK && !op.Final && load.Holds(op.Call-in.Header.Mono) {
			l = append(l, op.Return-op.Call)
		}
	}
	return quantiles(l)
}

// quantiles are exact, by nearest rank: each is a latency that was measured.
// It sorts ns.
func quantiles(ns []int64) Quantiles {
	if len(ns) == 0 {
		return Quantiles{}
	}
	slices.Sort(ns)
	rank := func(q float64) Millis {
		i := int(math.Ceil(q*float64(len(ns)))) - 1
		return millis(ns[max(i, 0)])
	}
	return Quantiles{
		Count: int64(len(ns)),
		P50:   rank(0.50), P90: rank(0.90), P99: rank(0.99),
		Max: millis(ns[len(ns)-1]),
	}
}

func millis(ns int64) Millis { return Millis(float64(ns) / 1e6) }

// median is the middle of values, or the mean of the two in the middle; 0 of
// none. It sorts values.
func median(values []Millis) Millis {
	n := len(values)
	if n == 0 {
		return 0
	}
	slices.Sort(values)
	return (values[(n-1)/2] + values[n/2]) / 2
}
