package measure

import "time"

// A block is a second, or as many whole seconds as it takes to have no more
// blocks than this: a long test gets longer ones, and results.json stays small.
const maxBlocks = 200

// blocks cuts the load into blocks. Final reads are none of the load.
func blocks(s *samples) Blocks {
	second := int64(time.Second)
	length := max(s.load.End-s.load.Begin, 0)
	step := second * max(1, (length/second+maxBlocks-1)/maxBlocks)
	n := int(length / step)
	b := Blocks{
		Begin: s.load.Begin, Seconds: float64(step) / 1e9,
		OK: make([]int64, n), Fail: make([]int64, n), Info: make([]int64, n),
		P50: map[string][]Millis{}, P99: map[string][]Millis{},
	}
	if n == 0 {
		return b
	}
	put := func(f string, block int, q Quantiles) {
		if b.P50[f] == nil {
			b.P50[f], b.P99[f] = make([]Millis, n), make([]Millis, n)
		}
		b.P50[f][block], b.P99[f][block] = q.P50, q.P99
	}
	latencies := make([][]int64, len(s.funcs)) // by function
	var all []int64
	for i := range n {
		begin := s.load.Begin + int64(i)*step
		all = all[:0]
		for f := range latencies {
			latencies[f] = latencies[f][:0]
		}
		for _, op := range s.returned(Window{begin, begin + step}) {
			switch {
			case op.final:
			case op.outcome == isOK:
				b.OK[i]++
				latencies[op.fn] = append(latencies[op.fn], op.ret-op.call)
				all = append(all, op.ret-op.call)
			case op.outcome == isFail:
				b.Fail[i]++
			default:
				b.Info[i]++
			}
		}
		for f, l := range latencies {
			if len(l) > 0 {
				put(s.funcs[f], i, quantiles(l))
			}
		}
		if len(all) > 0 {
			put("", i, quantiles(all))
		}
	}
	return b
}
