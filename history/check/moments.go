package check

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"squall/history"
)

// since is a time of the machines' clock in seconds since the start of the test.
func (in *Input) since(t int64) float64 { return float64(t-in.Mono) / 1e9 }

// firstAt is Result.FirstAt for a guarantee that was seen to be broken at t, a time
// of the machines' clock.
func (in *Input) firstAt(t int64) *float64 {
	s := in.since(t)
	return &s
}

// clock writes a time of the machines' clock as people read it: "7.7 s".
func (in *Input) clock(t int64) string { return fmt.Sprintf("%.1f s", in.since(t)) }

// took writes how long something took: "12 ms", "7.7 s".
func took(ns int64) string {
	if ns < int64(time.Second) {
		return fmt.Sprintf("%d ms", max(ns, 0)/int64(time.Millisecond))
	}
	return fmt.Sprintf("%.1f s", float64(ns)/1e9)
}

// counted writes a number with its noun.
func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// markOf is the last mark of that name.
func (in *Input) markOf(name string) (history.Mark, bool) {
	for i := len(in.Marks) - 1; i >= 0; i-- {
		if in.Marks[i].Name == name {
			return in.Marks[i], true
		}
	}
	return history.Mark{}, false
}

// span is a stretch of time on the machines' clock, ns.
type span struct{ from, to int64 }

func (s span) length() int64 { return max(s.to-s.from, 0) }

// faultTimes are the stretches in which a fault was in force, from the command to
// inject to the verified heal, in order and without overlaps. A fault that was
// never healed holds until the end of time. One that did not take effect counts
// too: what it did half is not known.
func faultTimes(faults []history.Fault) []span {
	const forever = int64(1) << 62
	var spans []span
	open := map[int]int{} // fault to its place in spans
	for i := range faults {
		f := &faults[i]
		switch f.Phase {
		case history.Inject:
			open[f.ID] = len(spans)
			spans = append(spans, span{f.Begin, forever})
		case history.Heal:
			if at, known := open[f.ID]; known && f.Err == "" {
				spans[at].to = max(f.End, spans[at].from)
				delete(open, f.ID)
			}
		}
	}
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	merged := spans[:0]
	for _, s := range spans {
		if n := len(merged); n > 0 && s.from <= merged[n-1].to {
			merged[n-1].to = max(merged[n-1].to, s.to)
			continue
		}
		merged = append(merged, s)
	}
	return merged
}

// calmTime is how much of a stretch no fault was in force, ns.
func calmTime(faults []span, s span) int64 {
	calm := s.length()
	// The first that ends after the stretch begins, and those after it.
	i, _ := slices.BinarySearchFunc(faults, s.from, func(f span, t int64) int { return cmp.Compare(f.to, t) })
	for ; i < len(faults) && faults[i].from < s.to; i++ {
		calm -= span{max(faults[i].from, s.from), min(faults[i].to, s.to)}.length()
	}
	return calm
}

// budget bounds a checker that goes through a history once: what it may take of
// time and memory, and whether somebody wants it to end.
type budget struct {
	ctx    context.Context
	cancel context.CancelFunc
	limits Limits
	parent context.Context
	steps  int
}

// newBudget begins to count. The caller must call cancel.
func newBudget(ctx context.Context, l Limits) *budget {
	b := &budget{parent: ctx, limits: l.withDefaults()}
	b.ctx, b.cancel = context.WithTimeout(ctx, b.limits.Time)
	return b
}

// spent counts a step, and says now and then which limit was reached; "" for none.
func (b *budget) spent() string {
	const everyTime, everyMemory = 1 << 10, 1 << 16
	if b.steps++; b.steps%everyTime != 1 {
		return ""
	}
	switch {
	case b.parent.Err() != nil:
		return stopCancelled.describe(b.limits)
	case b.ctx.Err() != nil:
		return stopTime.describe(b.limits)
	case b.steps%everyMemory == 1 && (&watch{memory: b.limits.Memory}).memoryFull():
		return stopMemory.describe(b.limits)
	}
	return ""
}
