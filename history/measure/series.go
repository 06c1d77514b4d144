package measure

import (
	"time"

	"squall/history"
)

// Series is the course of the load in buckets of equal width. An operation
// falls into the bucket in which it returned.
type Series struct {
	Begin int64 // of the first bucket, ns since the start of the test
	Step  int64 // width of a bucket, ns
	OK    map[history.Func][]int64
	Fail  []int64
	Info  []int64
	// Latency holds the quantiles of the OK operations, a bucket each.
	Latency []Quantiles
}

// Len is the number of buckets.
func (s Series) Len() int { return len(s.Fail) }

// At is the middle of bucket i, ns since the start of the test.
func (s Series) At(i int) int64 { return s.Begin + int64(i)*s.Step + s.Step/2 }

// PerSecond turns a bucket's count into a rate.
func (s Series) PerSecond(count int64) float64 {
	return float64(count) / (float64(s.Step) / 1e9)
}

// Total is the count of OK operations of all functions in each bucket.
func (s Series) Total() []int64 {
	total := make([]int64, s.Len())
	for _, counts := range s.OK {
		for i, n := range counts {
			total[i] += n
		}
	}
	return total
}

// Over sorts the operations of the load phase into buckets of width step. The
// buckets cover the load phase. Operations that returned after it, having
// waited for their time-out, are left out, and so is the rest of the phase
// that does not fill a bucket, for its rate would be made of chance.
func Over(in *history.History, step time.Duration) Series {
	load := LoadWindow(in)
	n := 0
	if step > 0 {
		n = int((load.End - load.Begin) / int64(step))
	}
	s := Series{
		Begin: load.Begin, Step: int64(step),
		OK:   map[history.Func][]int64{},
		Fail: make([]int64, n), Info: make([]int64, n),
		Latency: make([]Quantiles, n),
	}
	if n == 0 {
		return s
	}
	latencies := make([][]int64, n)
	for i := range in.Ops {
		op := &in.Ops[i]
		since := op.Return - in.Header.Mono - load.Begin
		if op.Final || since < 0 || since >= int64(n)*int64(step) {
			continue
		}
		b := since / int64(step)
		switch op.Outcome {
		case history.OK:
			counts := s.OK[op.Func]
			if counts == nil {
				counts = make([]int64, n)
				s.OK[op.Func] = counts
			}
			counts[b]++
			latencies[b] = append(latencies[b], op.Return-op.Call)
		case history.Fail:
			s.Fail[b]++
		default:
			s.Info[b]++
		}
	}
	for b, l := range latencies {
		s.Latency[b] = quantiles(l)
	}
	return s
}
