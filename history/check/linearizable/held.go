package linearizable

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"squall/history"
)

// heldMost is how many values are named; more tell nobody anything.
const heldMost = 4

// startText implements part.
func (r *register) startText(ops []*history.Op, seconds float64, deadline time.Time) string {
	return startText(showValues(heldAt(ops, r.start.at, deadline)), seconds)
}

// showValues gives values of a register for people.
func showValues(values []history.Value) (names []string) {
	for _, v := range values {
		names = append(names, showValue(v))
	}
	return names
}

// heldAt are the values that a register may have held at a moment by what was
// answered before, all of them, or nil when they are many or there was no time.
//
// A value is none of them when some answer shows that the register held another one
// after the last write of it had returned: the answer's operation was called after
// that, was answered before the moment, and wrote or found something else. A write of
// unknown outcome may take effect at any later time; but the only write of a value
// has done so when somebody was answered with it.
func heldAt(ops []*history.Op, at int64, deadline time.Time) []history.Value {
	type tally struct {
		writes int
		last   int64 // return of its last write
		seen   int64 // return of the first to find it
	}
	values := map[history.Value]*tally{history.None: {writes: 1, last: -1, seen: forever}}
	of := func(v history.Value) *tally {
		t := values[v]
		if t == nil {
			t = &tally{last: -1, seen: forever}
			values[v] = t
		}
		return t
	}
	news := latestShown{{call: -1}, {call: -1}}
	for i, op := range ops {
		if i%guardEvery == 0 && !time.Now().Before(deadline) {
			return nil
		}
		if op.Call > at || op.Outcome == history.Fail {
			continue
		}
		answered := op.Outcome == history.OK && op.Return < at
		if mayWrite(op) {
			t := of(written(op))
			t.writes++
			if answered {
				t.last = max(t.last, op.Return)
			} else {
				t.last = forever
			}
		}
		if !answered {
			continue
		}
		found, looked := observed(op)
		if looked {
			t := of(found)
			t.seen = min(t.seen, op.Return)
		}
		now := found
		if mayWrite(op) {
			now = written(op)
		}
		news.add(shownValue{op.Call, now})
	}
	var held []history.Value
	for v, t := range values {
		last := t.last
		if t.writes == 1 {
			last = min(last, t.seen)
		}
		if t.writes == 0 || last < news.other(v) {
			continue
		}
		if held = append(held, v); len(held) > heldMost {
			return nil
		}
	}
	slices.SortFunc(held, func(a, b history.Value) int { return strings.Compare(showValue(a), showValue(b)) })
	return held
}

// shownValue is a value that an operation showed, and when that was called.
type shownValue struct {
	call  int64
	value history.Value
}

// latestShown is the latest of them, and the latest that showed another value.
type latestShown [2]shownValue

func (l *latestShown) add(s shownValue) {
	switch {
	case s.value == l[0].value && l[0].call >= 0:
		l[0].call = max(l[0].call, s.call)
	case s.call > l[0].call:
		l[0], l[1] = s, l[0]
	case s.call > l[1].call:
		l[1] = s
	}
}

// other is when the latest that did not show v was called; -1 for never.
func (l *latestShown) other(v history.Value) int64 {
	if l[0].value == v {
		return l[1].call
	}
	return l[0].call
}

// startText tells what a register holds where a witness begins in the middle:
// "it held 3 or 5 at 7.512 s", "whatever it held at 7.512 s".
func startText(names []string, seconds float64) string {
	if len(names) == 0 {
		return fmt.Sprintf("whatever it held at %.3f s", seconds)
	}
	return fmt.Sprintf("it held %s at %.3f s", either(names), seconds)
}

// either joins what there may be: "3", "3 or 5", "3, 4 or 5".
func either(names []string) string {
	last := len(names) - 1
	if last == 0 {
		return names[0]
	}
	return strings.Join(names[:last], ", ") + " or " + names[last]
}
