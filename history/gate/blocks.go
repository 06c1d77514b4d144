package gate

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/gonum/stat/distuv"

	"squall/history/check"
	"squall/internal/number"
)

// block is the value of a metric in one block of a run, and which faults were in
// force then: their IDs, "" for none.
type block struct {
	value float64
	hurt  string
}

// blockRuns are the values of the blocks, run by run. A block without any
// success has no latency, and is left out of these.
func blockRuns(q quantity, rs []*check.Results) [][]block {
	var runs [][]block
	for _, r := range rs {
		var values []block
		for i, ok := range r.Blocks.OK {
			if v, has := blockValue(q, r, i, ok); has {
				values = append(values, block{v, faultsIn(r, i)})
			}
		}
		runs = append(runs, values)
	}
	return runs
}

// faultsIn are the faults that were in force in block i.
func faultsIn(r *check.Results, i int) string {
	length := int64(r.Blocks.Seconds * 1e9)
	begin := r.Blocks.Begin + int64(i)*length
	var ids []string
	for _, f := range r.Faults {
		if f.Verified && f.Begin < begin+length && (f.Healed == 0 || f.Healed > begin) {
			ids = append(ids, strconv.Itoa(f.ID))
		}
	}
	return strings.Join(ids, " ")
}

func blockValue(q quantity, r *check.Results, i int, ok int64) (float64, bool) {
	b := &r.Blocks
	switch q.metric.Name {
	case "throughput":
		return float64(ok) / b.Seconds, b.Seconds > 0
	case "availability":
		if i >= len(b.Fail) || i >= len(b.Info) {
			return 0, false
		}
		all := ok + b.Fail[i] + b.Info[i]
		return 100 * float64(ok) / float64(max(all, 1)), all > 0
	}
	values := b.P50[q.op]
	if q.agg.percent == 99 {
		values = b.P99[q.op]
	}
	if i >= len(values) || values[i] <= 0 {
		return 0, false
	}
	return float64(values[i]), true
}

func blockSeconds(rs []*check.Results) float64 {
	var s float64
	for _, r := range rs {
		s = max(s, r.Blocks.Seconds)
	}
	return s
}

// stretch is the length of a block, in words.
func stretch(seconds float64) string {
	if seconds == 1 {
		return "a second"
	}
	return number.Digits(seconds, 1) + " seconds"
}

// clumping is by how much values that follow each other say less than as many
// that have nothing to do with each other: n of them are worth n divided by it.
// It takes the course of the load for one in which each block leans on the one
// before it by a constant share rho, the autocorrelation of neighbours, which a
// short series makes too small by about (1+3 rho)/n (Kendall 1954); then it is
// (1+rho)/(1-rho).
//
// Where only one of the two sides had faults, these are what is compared, and
// that a slow block follows another while one of them holds is no chance: then
// each block is held against the mean of those with the same faults. Each such
// mean takes something off the autocorrelation, as that of a run does.
func clumping(old, new [][]block) float64 {
	const most = 0.95
	apart := anyHurt(old) != anyHurt(new)
	var above, below, n, means, longest float64
	runs := slices.Concat(old, new)
	for _, x := range runs {
		rest, groups := residuals(x, apart)
		for i := range rest {
			below += rest[i] * rest[i]
			if i > 0 {
				above += rest[i] * rest[i-1]
			}
		}
		n, means = n+float64(len(x)), means+float64(groups)
		longest = max(longest, float64(len(x)))
	}
	if below == 0 {
		return 1
	}
	rho := above / below
	rho += (1 + 3*rho) * means / n
	rho = min(max(rho, 0), most)
	clump := (1 + rho) / (1 - rho)
	if longest >= longLoad {
		clump = min(clump, longest/worthAtLeast)
	}
	return max(1, clump)
}

// A load of longLoad blocks is worth at least worthAtLeast independent values,
// however much its blocks hang together: two such loads that lie apart altogether
// are different.
const (
	longLoad     = 20
	worthAtLeast = 5
)

func anyHurt(runs [][]block) bool {
	return slices.ContainsFunc(runs, func(x []block) bool {
		return slices.ContainsFunc(x, func(b block) bool { return b.hurt != "" })
	})
}

// residuals are the values less their mean or, apart, less that of those with the
// same faults; groups is how many means there were.
func residuals(x []block, apart bool) (rest []float64, groups int) {
	type total struct{ sum, count float64 }
	totals := map[string]total{}
	group := func(b block) string {
		if !apart {
			return ""
		}
		return b.hurt
	}
	for _, b := range x {
		t := totals[group(b)]
		totals[group(b)] = total{t.sum + b.value, t.count + 1}
	}
	for _, b := range x {
		t := totals[group(b)]
		rest = append(rest, b.value-t.sum/t.count)
	}
	return rest, len(totals)
}

// valuesOf are the values of all runs.
func valuesOf(runs [][]block) []float64 {
	var out []float64
	for _, x := range runs {
		for _, b := range x {
			out = append(out, b.value)
		}
	}
	return out
}

// weaken is a p value of n samples in all of which each is worth 1/clump: the p
// of the normal deviate, less by the root of that. How much the samples hang
// together is itself made of few values then, which Student's t allows for.
func weaken(p float64, n int, clump float64) float64 {
	if clump == 1 {
		return p
	}
	deviate := distuv.UnitNormal.Quantile(max(p, math.SmallestNonzeroFloat64) / 2) // negative: the tail keeps its digits
	t := distuv.StudentsT{Sigma: 1, Nu: max(1, float64(n)/clump-3)}
	return min(1, 2*t.CDF(deviate/math.Sqrt(clump)))
}

// widen is the confidence that an interval of such samples must be asked for, to
// be one at the confidence that is wanted.
func widen(confidence, clump float64) float64 {
	deviate := distuv.UnitNormal.Quantile((1 - confidence) / 2)
	return 1 - 2*distuv.UnitNormal.CDF(deviate*math.Sqrt(clump))
}
