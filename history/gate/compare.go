package gate

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"golang.org/x/perf/benchmath"

	"squall/history/check"
	"squall/history/ledger"
)

// DefaultTolerance is the share of a median that may be lost before a gate
// fails, when nothing else is said.
const DefaultTolerance = 0.05

// minRuns is how many runs each side must have for runs to be the samples. With
// fewer no difference could ever be told: of three and three values at their
// most different, p is 0.1.
const minRuns = 4

// confidence is that of the intervals.
const confidence = 0.95

// Compare compares the runs of a group, old and new, metric by metric: medians
// with their 95 % intervals, and a Mann-Whitney U test at 0.05, as benchstat
// does it. Better and Worse are changes that are significant, Lost are those for
// the worse by more than the tolerance, a share of the old median.
//
// Where each side has at least four runs, a sample is the value of a run. With
// fewer, samples are taken within the runs: the losses of leaders, which have
// little to do with each other, and the blocks of the load, which have: a slow
// second follows a slow second. Of these only every k-th is taken, so far apart
// that they hardly hang together. Such a comparison is about these runs, and
// says nothing of how much runs differ by themselves; Note says so.
func Compare(group string, old, new []*check.Results, tolerance float64) []ledger.Row {
	rows := []ledger.Row{}
	for _, q := range compared(old, new) {
		a, b := samplesFor(q, old, new)
		if len(a.values) == 0 && len(b.values) == 0 {
			continue
		}
		row := ledger.Row{Group: group, Metric: q.String(), Unit: q.unit(), Old: center(a.values), New: center(b.values), P: 1}
		row.Note = test(&row, q, a, b, tolerance)
		rows = append(rows, row)
	}
	return rows
}

// compared are the quantities to compare: latencies also by the operations that
// both sides have.
func compared(old, new []*check.Results) []quantity {
	keys := []string{"throughput", "latency p(50)", "latency p(99)"}
	for _, op := range Operations() {
		if succeeded(old, op) && succeeded(new, op) {
			keys = append(keys, "latency{op="+op+"} p(50)", "latency{op="+op+"} p(99)")
		}
	}
	keys = append(keys, "availability", "election p(50)", "unavailability p(50)", "recovery p(50)")
	var out []quantity
	for _, key := range keys {
		out = append(out, mustQuantity(key))
	}
	return out
}

func succeeded(rs []*check.Results, op string) bool {
	return slices.ContainsFunc(rs, func(r *check.Results) bool { return r.Ops.ByFunc[op].OK > 0 })
}

// sample is one side of a comparison.
type sample struct {
	values []float64
	note   string
}

// samplesFor decides what a sample is, and takes them.
func samplesFor(q quantity, old, new []*check.Results) (sample, sample) {
	if len(old) >= minRuns && len(new) >= minRuns {
		return sample{values: perRun(q, old)}, sample{values: perRun(q, new)}
	}
	if q.metric.samples != nil && q.metric.Name != "latency" && q.metric.Name != "throughput" {
		note := "each sample is a loss of a leader"
		if q.metric.Name == "recovery" {
			note = "each sample is a fault"
		}
		return sample{q.metric.samples(old, "").values, note}, sample{q.metric.samples(new, "").values, note}
	}
	a, b := blockRuns(q, old), blockRuns(q, new)
	step := min(apart(append(slices.Clone(a), b...)), widest(a), widest(b))
	seconds := max(blockSeconds(old), blockSeconds(new))
	note := fmt.Sprintf("each sample is %s of a run: this is about these runs, not about any", stretch(seconds, step))
	if blockSeconds(old) != blockSeconds(new) {
		note += "; the blocks of the two sides differ in length"
	}
	return sample{thin(a, step), note}, sample{thin(b, step), note}
}

// stretch says which seconds of a run are samples.
func stretch(seconds float64, step int) string {
	unit := "a second"
	if seconds != 1 {
		unit = digits(seconds, 1) + " seconds"
	}
	if step == 1 {
		return unit
	}
	return fmt.Sprintf("%s in %s", unit, digits(seconds*float64(step), 1))
}

func perRun(q quantity, rs []*check.Results) []float64 {
	var values []float64
	for _, r := range rs {
		if got := q.read([]*check.Results{r}); got.none == "" && got.err == nil {
			values = append(values, got.value)
		}
	}
	return values
}

// blockRuns are the values of the blocks, run by run. A block without any
// success has no latency, and is left out of these.
func blockRuns(q quantity, rs []*check.Results) [][]float64 {
	var runs [][]float64
	for _, r := range rs {
		var values []float64
		for i, ok := range r.Blocks.OK {
			if v, has := blockValue(q, r, i, ok); has {
				values = append(values, v)
			}
		}
		runs = append(runs, values)
	}
	return runs
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

// apart is how many blocks apart samples must be to hardly hang together. It
// takes the course of the load for one in which each block leans on the one
// before it by a constant share rho: the autocorrelation of neighbours, which a
// short series makes too small by about (1+3 rho)/n (Kendall 1954). Such a
// series says as much as one of n(1-rho)/(1+rho) independent values.
func apart(runs [][]float64) int {
	const most = 0.95
	var above, below, n float64
	for _, x := range runs {
		m := mean(x)
		for i := range x {
			below += (x[i] - m) * (x[i] - m)
			if i > 0 {
				above += (x[i] - m) * (x[i-1] - m)
			}
		}
		n += float64(len(x))
	}
	if below == 0 {
		return 1
	}
	rho := above / below
	rho += (1 + 3*rho) * float64(len(runs)) / n
	rho = min(max(rho, 0), most)
	distance := (1 + rho) / (1 - rho)
	if distance <= 1.2 {
		return 1
	}
	return int(math.Ceil(distance))
}

// widest is the greatest distance that leaves enough samples to tell a difference:
// in a long enough load, four whose values lie apart altogether are one, however
// much they hang together.
func widest(runs [][]float64) int {
	const long = 20
	n := 0
	for _, x := range runs {
		n = max(n, len(x))
	}
	if n < long {
		return math.MaxInt
	}
	return (n - 1) / (minRuns - 1)
}

func mean(x []float64) float64 {
	var sum float64
	for _, v := range x {
		sum += v
	}
	return sum / float64(max(len(x), 1))
}

// thin takes every step-th value of each run.
func thin(runs [][]float64, step int) []float64 {
	var out []float64
	for _, x := range runs {
		for i := 0; i < len(x); i += step {
			out = append(out, x[i])
		}
	}
	return out
}

// center is the median of values and its interval. Of fewer than six values there
// is none at 95 %: then it is their range.
func center(values []float64) ledger.Center {
	if len(values) == 0 {
		return ledger.Center{}
	}
	s := benchmath.NewSample(slices.Clone(values), &benchmath.DefaultThresholds)
	sum := benchmath.AssumeNothing.Summary(s, confidence)
	c := ledger.Center{Median: sum.Center, Low: sum.Lo, High: sum.Hi, Count: len(values)}
	if math.IsInf(c.Low, 0) || math.IsInf(c.High, 0) {
		c.Low, c.High = s.Values[0], s.Values[len(s.Values)-1]
	}
	return c
}

// MinForInterval is the least number of samples of which a median has a 95 %
// interval; of fewer, Low and High of a ledger.Center are the range.
const MinForInterval = 6

// test fills in whether the two sides differ; it returns the note.
func test(row *ledger.Row, q quantity, a, b sample, tolerance float64) string {
	note := a.note
	add := func(text string) {
		if note != "" {
			text += "; " + note
		}
		note = text
	}
	if len(a.values) == 0 || len(b.values) == 0 {
		side := "old"
		if len(b.values) == 0 {
			side = "new"
		}
		add("there is nothing of this in the " + side)
		return note
	}
	if row.Old.Median != 0 {
		row.Delta = 100 * (row.New.Median/row.Old.Median - 1)
	}
	if len(a.values) < minRuns || len(b.values) < minRuns {
		add(fmt.Sprintf("too few samples: %d and %d, and it takes %d of each to tell a difference", len(a.values), len(b.values), minRuns))
		return note
	}
	s, t := benchmath.NewSample(slices.Clone(a.values), &benchmath.DefaultThresholds), benchmath.NewSample(slices.Clone(b.values), &benchmath.DefaultThresholds)
	c := benchmath.AssumeNothing.Compare(s, t)
	row.P = c.P
	if c.P > c.Alpha || row.Old.Median == row.New.Median {
		return note
	}
	row.Better = (row.New.Median > row.Old.Median) == q.metric.HigherBetter
	row.Worse = !row.Better
	row.Lost = row.Worse && math.Abs(row.New.Median-row.Old.Median) > tolerance*math.Abs(row.Old.Median)
	return note
}

// Lost are the rows by which a gate fails.
func Lost(rows []ledger.Row) []ledger.Row {
	return slices.DeleteFunc(slices.Clone(rows), func(r ledger.Row) bool { return !r.Lost })
}

// errNothing says that a side has no run to compare.
var errNothing = errors.New("there is no run in it to compare with")
