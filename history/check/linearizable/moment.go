package linearizable

import (
	"slices"
	"time"
)

// momentOf is firstMoment for a register of which it is known how it was found that it
// has no order.
func (j *judge) momentOf(r *register, seen refutation) moment {
	return func(deadline time.Time) (int64, bool) { return j.firstMoment(r, seen, deadline) }
}

// firstMoment finds the return at which it became certain that a register is not
// linearizable: the steps up to there are not, and those up to the return before
// are. exact is false when the limits allowed only a bound: it was certain then,
// and perhaps earlier.
//
// A sweep runs out of configurations at that return or earlier, because it looks
// ahead, but not by more than its lookahead. So all that came before is known, and
// only a short stretch is left to be looked at again, from the set that the sweep
// had a little before.
func (j *judge) firstMoment(r *register, seen refutation, deadline time.Time) (at int64, exact bool) {
	g, release := j.watch.guard(deadline)
	defer release()
	if seen.sweep == nil && seen.steps != nil {
		// Zones know at once that there is no order, and not when that was certain.
		half, done := j.watch.guard(time.Now().Add(time.Until(deadline) / 2))
		got, swept := j.sweeps(r, seen.steps, half)
		done()
		if got == illegal {
			seen = swept
		}
	}
	if seen.sweep == nil {
		if seen.steps != nil {
			r = r.with(seen.steps)
		}
		return j.firstByHalving(r, deadline)
	}
	s := seen.sweep
	var returns []int64
	last := min(seen.at.pos+lookahead, len(s.events)-1)
	for _, e := range s.events[seen.at.pos : last+1] {
		if e.ret && (len(returns) == 0 || returns[len(returns)-1] != e.at) {
			returns = append(returns, e.at)
		}
	}
	// The sweep saw that there is a way up to before the first of these, and that
	// there is none up to the last.
	sn := s.snapBefore(seen.at.pos - lookahead)
	lo, hi := 0, len(returns)-1
	for lo < hi {
		mid := (lo + hi) / 2
		p := s.upTo(sn, returns[mid])
		got := newSweep(p, g, 0).run().answer
		switch {
		case g.stopped():
			return returns[hi], false
		case got == illegal:
			hi = mid
		default:
			lo = mid + 1
		}
	}
	return returns[hi], true
}

// firstByHalving finds the moment where a sweep could not tell.
func (j *judge) firstByHalving(r *register, deadline time.Time) (at int64, exact bool) {
	returns := make([]int64, 0, len(r.steps))
	for i := range r.steps {
		if r.steps[i].ret != forever {
			returns = append(returns, r.steps[i].ret)
		}
	}
	return halve(returns, deadline, func(at int64, until time.Time) answer { return j.decide(r.with(prefix(r.steps, at)), until).answer })
}

// halve finds the first of some moments up to which decide says illegal, when it does so
// of the last one.
func halve(returns []int64, deadline time.Time, decide func(at int64, until time.Time) answer) (at int64, exact bool) {
	slices.Sort(returns)
	returns = slices.Compact(returns)
	lo, hi := 0, len(returns)-1
	for exact = true; lo < hi; {
		mid := (lo + hi) / 2
		if !time.Now().Before(deadline) {
			return returns[hi], false
		}
		// Each gets half of what is left: an earlier moment is worth less than
		// having one at all.
		until := time.Now().Add(time.Until(deadline) / 2)
		switch decide(returns[mid], until) {
		case illegal:
			hi = mid
		case undecided:
			exact = false
			fallthrough
		default:
			lo = mid + 1
		}
	}
	return returns[hi], exact
}

// snapBefore is the latest snapshot that looks no further than to the given
// position plus the lookahead, or else the first.
func (s *sweep) snapBefore(pos int) *snapshot {
	best := &s.snaps[0]
	for i := range s.snaps {
		if s.snaps[i].pos <= pos {
			best = &s.snaps[i]
		}
	}
	return best
}

// upTo is the problem that begins at a snapshot and ends with what was known at a
// moment behind it.
func (s *sweep) upTo(sn *snapshot, at int64) *problem {
	p := &problem{values: s.p.values, start: s.p.start, resume: []resumed{}}
	place := make(map[int32]int32) // of a step of the sweep in the problem
	begin := s.events[0].at
	for i := range sn.classes {
		u := &sn.classes[i]
		st := step{kind: store, arg: u.arg, expect: u.expect, call: begin, ret: forever}
		if u.swap {
			st.kind = maybe
		}
		for range u.called {
			p.steps = append(p.steps, st)
		}
	}
	open := slices.Clone(sn.steps)
	slices.Sort(open)
	for _, i := range open {
		if cut := prefix(s.p.steps[i:i+1], at); len(cut) > 0 {
			place[i] = int32(len(p.steps))
			p.steps = append(p.steps, cut[0])
		}
	}
	p.called = len(p.steps)
	for _, e := range s.events[sn.pos:] {
		if e.at > at {
			break
		}
		if !e.ret {
			p.steps = append(p.steps, prefix(s.p.steps[e.step:e.step+1], at)...)
		}
	}
	words := s.words
	for c := range sn.state {
		r := resumed{state: sn.state[c]}
		for k, i := range sn.steps {
			slot := sn.slots[k]
			if sn.bits[c*words+int(slot/64)]&(1<<(slot%64)) == 0 {
				continue
			}
			to, is := place[i]
			switch {
			case !is: // an observer that was not answered by then
			case p.steps[to].ret == forever:
				r.used = append(r.used, resumedUse{keyOf(&p.steps[to]), 1})
			default:
				r.done = append(r.done, to)
			}
		}
		for _, u := range sn.used[c] {
			r.used = append(r.used, resumedUse{sn.classes[u.class].classKey, u.n})
		}
		p.resume = append(p.resume, r)
	}
	return p.compact()
}

// compact gives the values of a problem that goes on from a snapshot new numbers,
// those that occur alone: they are few, and the whole history's are many.
func (p *problem) compact() *problem {
	numbers := map[int32]int32{absent: absent}
	number := func(v int32) int32 {
		n, ok := numbers[v]
		if !ok {
			n = int32(len(numbers))
			numbers[v] = n
		}
		return n
	}
	for i := range p.steps {
		st := &p.steps[i]
		st.arg, st.expect, st.seen = number(st.arg), number(st.expect), number(st.seen)
	}
	for i := range p.resume {
		if st := &p.resume[i].state; *st < int32(p.values) {
			*st = number(*st)
		}
		for k := range p.resume[i].used {
			key := &p.resume[i].used[k].class
			key.arg, key.expect = number(key.arg), number(key.expect)
		}
	}
	p.start.values = slices.Clone(p.start.values)
	for i := range p.start.values {
		p.start.values[i] = number(p.start.values[i])
	}
	old := int32(p.values)
	p.values = len(numbers)
	for i := range p.resume {
		if st := &p.resume[i].state; *st >= old {
			*st += int32(p.values) - old // dead, or what it held at first
		}
	}
	return p
}
