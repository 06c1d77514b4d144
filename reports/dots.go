package reports

import (
	"cmp"
	"math"
	"slices"

	"squall/history"
	"squall/history/measure"
)

// dot is one operation in the latency figure.
type dot struct {
	at      int64 // when it returned, ns since the start of the test
	ms      float64
	outcome history.Outcome
	f       history.Func
}

// cloud is the operations of the load as far as a picture can show them.
type cloud struct {
	dots      []dot // by time of return
	total     int   // operations that there were
	low, high float64
}

// floor is where the axis of the latencies begins, in ms: a power of ten with at most
// one in a hundred of what is drawn below it, which stands at the edge. So a few
// answers within microseconds do not take the room of all others. above tells whether
// there are any below it.
func (c cloud) floor() (ms float64, above bool) {
	if len(c.dots) == 0 {
		return shortest, false
	}
	all := make([]float64, len(c.dots))
	for i, d := range c.dots {
		all[i] = d.ms
	}
	slices.Sort(all)
	low := math.Pow(10, math.Floor(math.Log10(all[len(all)/100])))
	return max(low, shortest), all[0] < low
}

// maxDots is how many operations are drawn one by one; beyond it, those that
// would fall on the same spot are drawn once.
const maxDots = 20_000

// shortest is the shortest latency shown, in ms: no operation takes less than
// the clock can tell, and 0 has no logarithm.
const shortest = 0.001

func dotOf(op *history.Op, mono int64) dot {
	return dot{op.Return - mono, max(float64(op.Return-op.Call)/1e6, shortest), op.Outcome, op.Func}
}

// cloudOf thins the operations of a load in one pass over them: of those that
// fall into the same cell of a grid and look alike one is left, on ever coarser
// grids until few enough are. So nothing that stands out disappears: the slowest
// and the quickest stay as they are, and what did not succeed goes last.
func cloudOf(in *history.History) cloud {
	var c cloud
	w := measure.Window{Begin: math.MaxInt64, End: math.MinInt64}
	var slowest, quickest dot
	others := 0
	for i := range in.Ops {
		op := &in.Ops[i]
		if op.Final {
			continue
		}
		d := dotOf(op, in.Header.Mono)
		if c.total == 0 || d.ms > slowest.ms {
			slowest = d
		}
		if c.total == 0 || d.ms < quickest.ms {
			quickest = d
		}
		w.Begin, w.End = min(w.Begin, d.at), max(w.End, d.at)
		if d.outcome != history.OK {
			others++
		}
		c.total++
	}
	c.low, c.high = quickest.ms, slowest.ms
	s := newSieve(w, c.low, c.high, finest)
	if c.total > maxDots {
		c.dots = s.keep(c.dots, slowest)
		c.dots = s.keep(c.dots, quickest)
	}
	c.sift(in, s, others > maxDots/2)
	slices.SortStableFunc(c.dots, func(a, b dot) int { return cmp.Compare(a.at, b.at) })
	return c
}

// sift takes up the operations of a load, through a sieve when they are too
// many. More dots than a few pictures take are never held.
func (c *cloud) sift(in *history.History, s *sieve, sieveOthers bool) {
	for i := range in.Ops {
		op := &in.Ops[i]
		if op.Final {
			continue
		}
		d := dotOf(op, in.Header.Mono)
		switch {
		case c.total <= maxDots, d.outcome != history.OK && !sieveOthers:
			c.dots = append(c.dots, d)
		default:
			c.dots = s.keep(c.dots, d)
		}
		if len(c.dots) > 4*maxDots {
			s = c.coarsen(s)
		}
	}
	for len(c.dots) > maxDots {
		s = c.coarsen(s)
	}
}

// coarsen sifts once more, with a coarser sieve that it returns. What did not
// succeed is thinned only when it alone is more than half of what can be shown.
func (c *cloud) coarsen(s *sieve) *sieve {
	others := 0
	for _, d := range c.dots {
		if d.outcome != history.OK {
			others++
		}
	}
	s = s.coarser()
	kept := c.dots[:0]
	for _, d := range c.dots {
		if d.outcome != history.OK && others <= maxDots/2 {
			kept = append(kept, d)
		} else {
			kept = s.keep(kept, d)
		}
	}
	c.dots = kept
	return s
}

// sieve lets through the first of the dots that look alike in each cell of a
// grid over time and the logarithm of the latency.
type sieve struct {
	begin, length int64
	low, span     float64 // logarithms
	columns, rows int
	seen          map[look][]uint64 // a bit for each cell
}

// look is what dots that are alike have in common.
type look struct {
	outcome history.Outcome
	f       history.Func
}

// maxLooks bounds the grids of a history with functions by the thousand: what
// comes later shares one.
const maxLooks = 24

// finest is how many columns the finest sieve has: as many as a wide picture
// has spots.
const finest = 1600

func newSieve(w measure.Window, low, high float64, columns int) *sieve {
	s := &sieve{begin: w.Begin, length: max(w.End-w.Begin, 1), low: math.Log(max(low, shortest))}
	s.span = max(math.Log(max(high, shortest))-s.low, 1e-9)
	s.size(columns)
	return s
}

func (s *sieve) size(columns int) {
	s.columns, s.rows, s.seen = max(columns, 8), max(columns/4, 4), map[look][]uint64{}
}

// coarser is a sieve with half as many cells, through which everything goes
// anew.
func (s *sieve) coarser() *sieve {
	c := *s
	c.size(int(float64(s.columns) / math.Sqrt2))
	return &c
}

// keep appends d unless there was one like it in its cell.
func (s *sieve) keep(kept []dot, d dot) []dot {
	l := look{d.outcome, d.f}
	grid, ok := s.seen[l]
	if !ok && len(s.seen) >= maxLooks {
		l = look{d.outcome, ""}
		grid, ok = s.seen[l]
	}
	if !ok {
		grid = make([]uint64, s.columns*s.rows/64+1)
		s.seen[l] = grid
	}
	x := int(float64(d.at-s.begin) / float64(s.length) * float64(s.columns-1))
	y := int((math.Log(d.ms) - s.low) / s.span * float64(s.rows-1))
	cell := x*s.rows + y
	if bit := uint64(1) << (cell % 64); grid[cell/64]&bit == 0 {
		grid[cell/64] |= bit
		return append(kept, d)
	}
	return kept
}
