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
// second follows a slow second, so that they are worth less than as many
// independent values, and p and the intervals are made larger by that. Such a
// comparison is about these runs, and says nothing of how much runs differ by
// themselves; Note says so.
func Compare(group string, old, new []*check.Results, tolerance float64) []ledger.Row {
	rows := []ledger.Row{}
	for _, q := range compared(old, new) {
		a, b := samplesFor(q, old, new)
		if len(a.values) == 0 && len(b.values) == 0 {
			continue
		}
		row := ledger.Row{Group: group, Metric: q.String(), Unit: q.unit(), Old: center(a), New: center(b), P: 1}
		row.Note = test(&row, q, a, b, tolerance)
		rows = append(rows, row)
	}
	return rows
}

// compared are the quantities to compare: latencies also by the operations that
// both sides have.
func compared(old, new []*check.Results) []quantity {
	keys := []string{"throughput", "latency p(50)", "latency p(99)"}
	for _, op := range Operations(slices.Concat(old, new)) {
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
	clump  float64 // each value is worth 1/clump of an independent one
}

// samplesFor decides what a sample is, and takes them.
func samplesFor(q quantity, old, new []*check.Results) (sample, sample) {
	if len(old) >= minRuns && len(new) >= minRuns {
		return sample{values: perRun(q, old), clump: 1}, sample{values: perRun(q, new), clump: 1}
	}
	if q.metric.samples != nil && q.metric.Name != "latency" && q.metric.Name != "throughput" {
		note := "each sample is a loss of a leader"
		if q.metric.Name == "recovery" {
			note = "each sample is a fault"
		}
		return sample{q.metric.samples(old, "").values, note, 1}, sample{q.metric.samples(new, "").values, note, 1}
	}
	a, b := blockRuns(q, old), blockRuns(q, new)
	clump := clumping(a, b)
	note := fmt.Sprintf("each sample is %s of a run: this compares these runs only", stretch(max(blockSeconds(old), blockSeconds(new))))
	if blockSeconds(old) != blockSeconds(new) {
		note += "; the blocks of the two sides differ in length"
	}
	return sample{valuesOf(a), note, clump}, sample{valuesOf(b), note, clump}
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

// center is the median of values and its interval. Of too few values there is
// none at 95 %: then it is their range.
func center(of sample) ledger.Center {
	if len(of.values) == 0 {
		return ledger.Center{}
	}
	s := benchmath.NewSample(slices.Clone(of.values), &benchmath.DefaultThresholds)
	sum := benchmath.AssumeNothing.Summary(s, widen(confidence, of.clump))
	c := ledger.Center{Median: sum.Center, Low: sum.Lo, High: sum.Hi, Count: len(of.values)}
	if math.IsInf(c.Low, 0) || math.IsInf(c.High, 0) {
		c.Low, c.High, c.Range = s.Values[0], s.Values[len(s.Values)-1], true
	}
	return c
}

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
		add("there is no data for this in the " + side)
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
	row.P = weaken(c.P, len(a.values)+len(b.values), max(a.clump, b.clump))
	if row.P > c.Alpha || row.Old.Median == row.New.Median {
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
