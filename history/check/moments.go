package check

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"squall/history"
)

// Since is a time of the machines' clock in seconds since the start of the test.
func (in *Input) Since(t int64) float64 { return float64(t-in.Mono) / 1e9 }

// FirstAt is Result.FirstAt for a guarantee that was seen to be broken at t, a time
// of the machines' clock.
func (in *Input) FirstAt(t int64) *float64 {
	s := in.Since(t)
	return &s
}

// Clock writes a time of the machines' clock as people read it: "7.7 s".
func (in *Input) Clock(t int64) string { return fmt.Sprintf("%.1f s", in.Since(t)) }

// Took writes how long something took: "12 ms", "7.7 s".
func Took(ns int64) string {
	if ns < int64(time.Second) {
		return fmt.Sprintf("%d ms", max(ns, 0)/int64(time.Millisecond))
	}
	return fmt.Sprintf("%.1f s", float64(ns)/1e9)
}

// Counted writes a number with its noun.
func Counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// MarkOf is the last mark of that name.
func (in *Input) MarkOf(name string) (history.Mark, bool) {
	for i := len(in.Marks) - 1; i >= 0; i-- {
		if in.Marks[i].Name == name {
			return in.Marks[i], true
		}
	}
	return history.Mark{}, false
}

// HasMark reports whether there is a mark of that name.
func (in *Input) HasMark(name string) bool {
	_, ok := in.MarkOf(name)
	return ok
}

// Span is a stretch of time on the machines' clock, ns.
type Span struct{ From, To int64 }

// Length is how long it is, ns.
func (s Span) Length() int64 { return max(s.To-s.From, 0) }

// FaultTimes are the stretches in which a fault was in force, from the command to
// inject to the verified heal, in order and without overlaps. A fault that was
// never healed holds until the end of time. One that did not take effect counts
// too: what it did half is not known.
func FaultTimes(faults []history.Fault) []Span {
	const forever = int64(1) << 62
	var spans []Span
	open := map[int]int{} // fault to its place in spans
	for i := range faults {
		f := &faults[i]
		switch f.Phase {
		case history.Inject:
			open[f.ID] = len(spans)
			spans = append(spans, Span{f.Begin, forever})
		case history.Heal:
			if at, known := open[f.ID]; known && f.Err == "" {
				spans[at].To = max(f.End, spans[at].From)
				delete(open, f.ID)
			}
		}
	}
	slices.SortFunc(spans, func(a, b Span) int { return cmp.Compare(a.From, b.From) })
	merged := spans[:0]
	for _, s := range spans {
		if n := len(merged); n > 0 && s.From <= merged[n-1].To {
			merged[n-1].To = max(merged[n-1].To, s.To)
			continue
		}
		merged = append(merged, s)
	}
	return merged
}

// calmTime is how much of a stretch no fault was in force, ns.
func calmTime(faults []Span, s Span) int64 {
	calm := s.Length()
	// The first that ends after the stretch begins, and those after it.
	i, _ := slices.BinarySearchFunc(faults, s.From, func(f Span, t int64) int { return cmp.Compare(f.To, t) })
	for ; i < len(faults) && faults[i].From < s.To; i++ {
		calm -= Span{max(faults[i].From, s.From), min(faults[i].To, s.To)}.Length()
	}
	return calm
}
