package measure

import (
	"math"
	"math/rand/v2"
	"slices"
	"sort"
	"time"

	"gonum.org/v1/gonum/stat/distuv"
)

// How sure a change is, is found by a moving-block bootstrap: a stretch is cut
// into buckets; from blocks of neighbouring buckets, drawn with replacement, as
// long a stretch is put together again, a thousand times for both stretches;
// and the middle 95 % of the differences are the interval. Blocks, because a
// moment resembles the one before it.
const (
	resamples    = 1000
	bucketWidth  = int64(100 * time.Millisecond)
	leastBuckets = 5   // in a stretch: with fewer there is nothing to draw from
	mostBuckets  = 600 // longer stretches get wider buckets
	confidence   = 0.95
)

// latencyRatio is from one step of the scale of latencies to the next. Between
// them quantiles of resamples are interpolated.
const latencyRatio = 1.01

// cells are a stretch in buckets, summed up from its begin so that any block of
// buckets is the difference of two of them.
type cells struct {
	seconds float64   // of a bucket
	ok, all []int64   // [b]: returned in buckets before b
	scale   []float64 // upper ends of the steps of latency, ms, ascending
	atMost  [][]int32 // [b][k]: OK ones in buckets before b with a latency of at most scale[k]
}

// cellsOf cuts a window into buckets; ok=false when it is too short.
func (s *samples) cellsOf(w Window) (c cells, ok bool) {
	width := max(bucketWidth, (w.End-w.Begin+int64(mostBuckets)-1)/int64(mostBuckets))
	n := int((w.End - w.Begin) / width)
	if n < leastBuckets {
		return c, false
	}
	ops := s.returned(Window{w.Begin, w.Begin + int64(n)*width})
	c = cells{seconds: float64(width) / 1e9, ok: make([]int64, n+1), all: make([]int64, n+1), scale: scaleOf(ops)}
	c.atMost = make([][]int32, n+1)
	for b := range c.atMost {
		c.atMost[b] = make([]int32, len(c.scale))
	}
	for i := range ops {
		op := &ops[i]
		if op.final {
			continue
		}
		b := int((op.ret-s.mono-w.Begin)/width) + 1
		c.all[b]++
		if op.outcome == isOK {
			c.ok[b]++
			k := sort.SearchFloat64s(c.scale, float64(millis(op.ret-op.call)))
			c.atMost[b][min(k, len(c.scale)-1)]++
		}
	}
	for b := 1; b <= n; b++ {
		c.ok[b] += c.ok[b-1]
		c.all[b] += c.all[b-1]
		sum := int32(0)
		for k := range c.atMost[b] {
			sum += c.atMost[b][k]
			c.atMost[b][k] = sum + c.atMost[b-1][k]
		}
	}
	return c, true
}

// scaleOf is a scale that spans the latencies of the OK ones.
func scaleOf(ops []sample) []float64 {
	low, high := int64(math.MaxInt64), int64(0)
	for i := range ops {
		if op := &ops[i]; op.outcome == isOK && !op.final {
			low, high = min(low, op.ret-op.call), max(high, op.ret-op.call)
		}
	}
	const least = int64(time.Microsecond) // finer is noise, and 0 has no logarithm
	low, high = max(low, least), max(high, least)
	scale := []float64{float64(millis(low))}
	for low <= high && scale[len(scale)-1] < float64(millis(high)) {
		scale = append(scale, scale[len(scale)-1]*latencyRatio)
	}
	return scale
}

// draw is one stretch put together from blocks: where each begins and ends.
type draw [][2]int

// blockLength is the usual n^⅓: long enough for what clings together, short
// enough that there are many.
func (c *cells) blockLength() int { return int(math.Ceil(math.Cbrt(float64(len(c.ok) - 1)))) }

func (c *cells) draw(rng *rand.Rand, d draw) draw {
	n, length := len(c.ok)-1, c.blockLength()
	d = d[:0]
	for left := n; left > 0; left -= length {
		l := min(length, left)
		from := rng.IntN(n - l + 1)
		d = append(d, [2]int{from, from + l})
	}
	return d
}

func sum(counts []int64, d draw) (total int64) {
	for _, b := range d {
		total += counts[b[1]] - counts[b[0]]
	}
	return total
}

// whole is the stretch as it was.
func (c *cells) whole() draw { return draw{{0, len(c.ok) - 1}} }

// metric is a figure of a stretch that changes are told of.
type metric struct {
	name, unit string
	exact      func(Stretch) float64
	of         func(c *cells, d draw) float64 // NaN when there is none
}

// metrics in the order in which they are told.
var metrics = []metric{
	{"throughput", "ops/s", func(s Stretch) float64 { return s.Throughput },
		func(c *cells, d draw) float64 { return float64(sum(c.ok, d)) / (c.seconds * float64(len(c.ok)-1)) }},
	{"latency p50", "ms", func(s Stretch) float64 { return float64(s.Latency.P50) },
		func(c *cells, d draw) float64 { return c.quantile(d, 0.50) }},
	{"latency p99", "ms", func(s Stretch) float64 { return float64(s.Latency.P99) },
		func(c *cells, d draw) float64 { return c.quantile(d, 0.99) }},
	{"availability", "%", func(s Stretch) float64 { return 100 * s.Availability },
		func(c *cells, d draw) float64 { return 100 * float64(sum(c.ok, d)) / float64(sum(c.all, d)) }},
}

// quantile of the latencies of a draw, interpolated within a step of the scale;
// NaN when the draw holds no success.
func (c *cells) quantile(d draw, q float64) float64 {
	rank := q * float64(sum(c.ok, d))
	if rank == 0 {
		return math.NaN()
	}
	atMost := func(k int) float64 {
		n := int64(0)
		for _, b := range d {
			n += int64(c.atMost[b[1]][k] - c.atMost[b[0]][k])
		}
		return float64(n)
	}
	k := sort.Search(len(c.scale)-1, func(k int) bool { return atMost(k) >= rank })
	if k == 0 {
		return c.scale[0]
	}
	below := atMost(k - 1)
	part := (rank - below) / (atMost(k) - below)
	return c.scale[k-1] + part*(c.scale[k]-c.scale[k-1])
}

// changes are the changes of every metric from one stretch to another, seeded so
// that the same history always gives the same. There are none where one of the
// two is too short, and no change of a metric that one of them lacks.
func (s *samples) changes(from, to Stretch, name string, seed int) []Change {
	old, ok := s.cellsOf(Window{from.Begin, from.End})
	if !ok {
		return nil
	}
	now, ok := s.cellsOf(Window{to.Begin, to.End})
	if !ok {
		return nil
	}
	rng := rand.New(rand.NewPCG(uint64(seed), uint64(len(name))))
	differences := make([][]float64, len(metrics))
	var a, b draw
	for range resamples {
		a, b = old.draw(rng, a), now.draw(rng, b)
		for m := range metrics {
			if diff := metrics[m].of(&now, b) - metrics[m].of(&old, a); !math.IsNaN(diff) {
				differences[m] = append(differences[m], diff)
			}
		}
	}
	wide := widening(&old, &now)
	var out []Change
	for m, ds := range differences {
		center := metrics[m].of(&now, now.whole()) - metrics[m].of(&old, old.whole())
		if math.IsNaN(center) || len(ds) < resamples/2 {
			continue
		}
		out = append(out, change(metrics[m], name, metrics[m].exact(to)-metrics[m].exact(from), center, ds, wide))
	}
	return out
}

// change makes an interval around value of the differences ds, which lie around
// center. It sorts ds.
func change(m metric, to string, value, center float64, ds []float64, wide float64) Change {
	slices.Sort(ds)
	cut := int(float64(len(ds)) * (1 - confidence) / 2)
	low := value + wide*min(ds[cut]-center, 0)
	high := value + wide*max(ds[len(ds)-1-cut]-center, 0)
	return Change{Metric: m.name, Unit: m.unit, From: "before", To: to, Value: value, Low: low, High: high,
		Sure: low > 0 || high < 0}
}

// widening makes up for how few blocks a stretch may have: a bootstrap of k of
// them is too narrow by √((k−1)/k), and by the normal where Student's t belongs.
func widening(a, b *cells) float64 {
	blocks := func(c *cells) float64 { return float64(len(c.ok)-1) / float64(c.blockLength()) }
	k := max(min(blocks(a), blocks(b)), 2)
	t := distuv.StudentsT{Mu: 0, Sigma: 1, Nu: k - 1}.Quantile((1 + confidence) / 2)
	z := distuv.UnitNormal.Quantile((1 + confidence) / 2)
	return t / z * math.Sqrt(k/(k-1))
}
