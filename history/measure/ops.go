package measure

import (
	"math"
	"slices"

	"squall/history"
)

// countOps counts the operations that clients called during the load phase.
func countOps(in *history.History, s *samples) Ops {
	out := Ops{LoadSeconds: s.load.Seconds(), Functions: in.Header.Functions.Names(), ByFunc: map[string]FuncOps{}, Keys: countKeys(in, s.load)}
	counts := make([][isInfo + 1]int64, len(s.funcs))
	for i := range s.list {
		if op := &s.list[i]; s.called(op) {
			counts[op.fn][op.outcome]++
		}
	}
	latencies := s.scratch // of one function after another
	for f, n := range counts {
		if n == [isInfo + 1]int64{} {
			continue
		}
		latencies = slices.Grow(latencies[:0], int(n[isOK]))
		for i := range s.list {
			if op := &s.list[i]; int(op.fn) == f && op.outcome == isOK && s.called(op) {
				latencies = append(latencies, op.ret-op.call)
			}
		}
		out.ByFunc[s.funcs[f]] = FuncOps{OK: n[isOK], Fail: n[isFail], Info: n[isInfo],
			Latency: quantiles(latencies), Histogram: writeHistogram(latencies)}
		out.OK, out.Fail, out.Info = out.OK+n[isOK], out.Fail+n[isFail], out.Info+n[isInfo]
	}
	s.scratch = latencies
	out.Total = out.OK + out.Fail + out.Info
	out.Beside = int64(len(in.Ops)) - out.Total
	if out.LoadSeconds > 0 {
		out.Throughput = float64(out.OK) / out.LoadSeconds
	}
	out.Availability = share(out.OK, out.Total)
	out.NoSuccessMax = longestSilence(s)
	return out
}

// longestSilence is the longest time in the load without a success.
func longestSilence(s *samples) Millis {
	begin, end := s.load.Begin+s.mono, s.load.End+s.mono
	last, longest := begin, int64(0)
	for i := range s.list {
		if op := &s.list[i]; op.outcome == isOK && !op.final && op.ret > begin && op.ret < end {
			last, longest = op.ret, max(longest, op.ret-last) // they are in the order of their returns
		}
	}
	return millis(max(longest, end-last))
}

// countKeys counts the keys that operations of the load name.
func countKeys(in *history.History, load Window) int64 {
	keys := map[string]struct{}{}
	for i := range in.Ops {
		if op := &in.Ops[i]; op.Key != "" && !op.Final && load.Holds(op.Call-in.Header.Mono) {
			keys[op.Key] = struct{}{}
		}
	}
	return int64(len(keys))
}

// share is part of whole; 0 of nothing.
func share(part, whole int64) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole)
}

// Latency is the latency of the OK operations of every function together, over
// the load phase.
func Latency(in *history.History) Quantiles {
	load := LoadWindow(in)
	l := make([]int64, 0, len(in.Ops))
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
