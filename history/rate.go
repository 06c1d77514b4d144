package history

import (
	"cmp"
	"math"
	"slices"
	"sort"
)

// maxRate is the most operations a second that a test asks for.
const maxRate = 1e6

// Rate is how many operations a second arrive at the system, whether or not it keeps up.
type Rate struct {
	From float64 `json:"from"` // at first, operations a second
	To   float64 `json:"to"`   // at the end of For: the rate changes evenly
	For  int64   `json:"for"`  // ns; 0: From, to the end of the load
}

// valid reports whether a test may have asked for it.
func (r *Rate) valid() bool {
	return r.From >= 0 && r.From <= maxRate && r.To >= 0 && r.To <= maxRate && r.For >= 0 && r.For <= maxTest
}

// arrived is how many operations arrived in so many ns since it began. After For the rate
// stays as it is.
func (r *Rate) arrived(after int64) float64 {
	if r.For == 0 {
		return r.From * float64(after) / 1e9
	}
	changing := min(after, r.For)
	at := r.From + (r.To-r.From)*float64(changing)/float64(r.For)
	return ((r.From+at)/2*float64(changing) + at*float64(after-changing)) / 1e9
}

// Demand is how many operations were to arrive, by the marks of a history.
type Demand struct {
	marks  []Mark    // those with a Rate, by time
	before []float64 // how many had arrived at each
}

// DemandOf is what the marks of a history tell of.
func DemandOf(marks []Mark) *Demand {
	d := new(Demand)
	for i := range marks {
		if marks[i].Rate != nil {
			d.marks = append(d.marks, marks[i])
		}
	}
	slices.SortStableFunc(d.marks, func(a, b Mark) int { return cmp.Compare(a.Time, b.Time) })
	for i := range d.marks {
		d.before = append(d.before, d.until(d.marks[i].Time))
	}
	return d
}

// Between is how many operations were to arrive from one moment to another: infinitely
// many in a load that waits for answers.
func (d *Demand) Between(from, to int64) float64 {
	if len(d.marks) == 0 {
		return math.Inf(1)
	}
	return max(0, d.until(to)-d.until(from))
}

// until is how many had arrived at a moment, by the marks that before has.
func (d *Demand) until(t int64) float64 {
	i := sort.Search(len(d.before), func(i int) bool { return d.marks[i].Time > t }) - 1
	if i < 0 {
		return 0
	}
	return d.before[i] + d.marks[i].Rate.arrived(t-d.marks[i].Time)
}
