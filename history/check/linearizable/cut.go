package linearizable

import (
	"slices"
	"sort"
)

// cutLeft is what is left of a register's steps when the history is taken up at a
// moment, with nothing known of before: the register may hold anything.
//
// If the whole is possible, so is the rest. Take an order of the whole, and each
// step's point in it. A step that returned before the moment has its point before
// it, and is left out. One that is called later has its point after it. One under
// way at the moment may have it on either side, so an observer says nothing and is
// left out, and a mutator may or may not take effect: it is soft, unless its
// outcome was unknown anyway. What the register held at the moment in that order
// is one of the values that it may hold. So the order's second half is an order of
// the rest, and a rest that is impossible makes the whole impossible. Steps called
// later tell no lies about the past: nothing is assumed of it.
func cutLeft(steps []step, at int64) []step {
	var out []step
	for _, s := range steps {
		switch {
		case s.ret < at:
			continue
		case s.call >= at:
		case !s.mutates():
			continue
		case s.ret != forever:
			s.soft = true
		}
		out = append(out, s)
	}
	return out
}

// latestCut finds the latest moment at which an impossible register can be taken
// up with nothing known of before, and still be impossible. It looks back in ever
// longer steps, so that the work goes with the length of what remains. The result
// is nil when there is none: then what it held at the very first matters.
func (m *minimiser) latestCut(r *register) *register {
	moments := make([]int64, 0, len(r.steps))
	for i := range r.steps {
		moments = append(moments, r.steps[i].call)
	}
	slices.Sort(moments)
	moments = slices.Compact(moments)
	cut := func(i int) *register {
		part := &register{steps: cutLeft(r.steps, moments[i]), values: r.values, start: start{anything: true, at: moments[i]}}
		part = part.compact()
		if !m.illegal(part) {
			return nil
		}
		return part
	}
	var best *register
	lo, hi := 0, len(moments) // best is at lo; hi is too late
	for back := 8; best == nil; back *= 2 {
		lo = max(0, len(moments)-back)
		if best = cut(lo); best != nil {
			break
		}
		hi = lo
		if lo == 0 || m.over() {
			return nil
		}
	}
	sort.Search(hi-lo, func(i int) bool {
		part := cut(lo + i)
		if part != nil {
			best = part
		}
		return part == nil
	})
	return best
}
