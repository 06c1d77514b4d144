package linearizable

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"squall/history"
	"squall/history/check"
)

// minimiser makes an illegal register small, so that a person sees at once
// what is wrong with it. Each thing it takes away leaves a register that is
// illegal only if the whole one is:
//
//   - what comes after a moment: the past of a possible history is possible;
//   - what comes before a moment: see cutLeft;
//   - one observer: it changed nothing;
//   - a mutator whose value nobody looks for: the time in which the register held
//     that value becomes the time of the value before;
//   - a whole value: all who wrote it and all who observed it, and, where a
//     CAS turned it into another value, that one too. In any order of the whole,
//     the time in which the register held the value becomes the time of the
//     value before, and nobody who looked is left.
//
// Taking away a writer alone would not do: its readers would then be wrong for
// that reason only.
type minimiser struct {
	judge  *judge
	guard  *guard
	end    time.Time
	checks int
}

const (
	// maxMinimiseChecks and minimiseCheckTime bound the work on one key.
	maxMinimiseChecks = 4000
	minimiseCheckTime = time.Second
)

// minimal is a small part of an object's operations that is illegal by itself.
type minimal struct {
	part part          // nil when there is none
	ops  []*history.Op // those of the part, by time of call
	// It is not small, and ops are not it, but the last of it that are shown: of as many
	// operations as are needed, or where that is not known (0) of all that came before the
	// violation.
	large  bool
	needed int
	// hurried is that a limit ended the search for a smaller one.
	hurried bool
}

// minimalOf is a part with its operations, or the last of them where they are more than are
// shown.
func minimalOf(p part, ops []*history.Op) minimal {
	byCall(ops)
	if n := len(ops); n > check.WitnessMost {
		return minimal{large: true, needed: n, ops: ops[n-check.WitnessMost:]}
	}
	return minimal{part: p, ops: ops}
}

// byCall sorts operations by the time of their call.
func byCall(ops []*history.Op) {
	slices.SortStableFunc(ops, func(a, b *history.Op) int { return cmp.Compare(a.Call, b.Call) })
}

// latest is what there is to show of a key when there is no time to make it small:
// its last operations before it was certain that it is not linearizable.
func latest(does history.Functions, ops []*history.Op, at int64) minimal {
	m := minimal{large: true, hurried: true}
	for i := len(ops) - 1; i >= 0 && len(m.ops) < check.WitnessMost; i-- {
		if op := ops[i]; op.Call <= at && (op.Outcome == history.OK || op.Outcome == history.Info && !does.Reads(op.Func)) {
			m.ops = append(m.ops, op)
		}
	}
	byCall(m.ops)
	return m
}

// minimise implements object.
func (r *register) minimise(m *minimiser, at int64) minimal { return m.minimise(r, at) }

// minimise makes small what is illegal up to a moment. Of what it finds it prefers
// a part that begins where the key does, because that needs no telling.
func (m *minimiser) minimise(r *register, at int64) minimal {
	whole := r.with(prefix(r.steps, at))
	var open, closed *register
	if closed = m.close(whole, valuesAt(r.steps, at)); closed == nil {
		if open = m.latestCut(whole); open != nil {
			open = m.shrink(open)
			closed = m.close(whole, m.namesOf(whole, open))
		}
	}
	best := closed
	switch {
	case open != nil && (closed == nil || len(closed.steps) > len(open.steps)+2):
		best = open
	case closed == nil:
		best = m.shrink(whole)
	}
	var ops []*history.Op
	for i := range best.steps {
		ops = append(ops, best.steps[i].op)
	}
	return minimalOf(best, ops)
}

// valuesAt are the values looked for by the steps that return at a moment.
func valuesAt(steps []step, at int64) map[int32]bool {
	values := make(map[int32]bool)
	for i := range steps {
		if v, ok := steps[i].looksFor(); ok && steps[i].ret == at {
			values[v] = true
		}
	}
	return values
}

// namesOf are the values of a part that has numbers of its own, by the numbers of
// the whole.
func (m *minimiser) namesOf(whole, part *register) map[int32]bool {
	names := make(map[history.Data]bool)
	values := make(map[int32]bool)
	for i := range part.steps {
		for _, v := range valuesOfStep(&part.steps[i]) {
			if v == absent {
				values[absent] = true
			} else {
				names[part.values[v]] = true
			}
		}
	}
	for v := 1; v < len(whole.values); v++ {
		if names[whole.values[v]] {
			values[int32(v)] = true
		}
	}
	return values
}

// closeMost bounds what close shrinks: more would not come out better than a part
// that begins in the middle.
const closeMost = 60

// close keeps only the steps of some values, from the first write of the key on,
// and shrinks that. It returns nil when they are many, or not illegal.
func (m *minimiser) close(whole *register, wanted map[int32]bool) *register {
	// A value that a CAS made needs the one that it was made of.
	for grown := true; grown; {
		grown = false
		// From the end, since a CAS mostly comes after what it expects was written.
		for i := len(whole.steps) - 1; i >= 0; i-- {
			s := &whole.steps[i]
			if (s.kind == swap || s.kind == maybe) && wanted[s.arg] && !wanted[s.expect] {
				wanted[s.expect], grown = true, true
			}
		}
		if len(wanted) > closeMost || m.over() {
			return nil
		}
	}
	var kept []step
	for _, s := range whole.steps {
		if !slices.ContainsFunc(valuesOfStep(&s), func(v int32) bool { return !wanted[v] }) {
			kept = append(kept, s)
		}
		if len(kept) > closeMost {
			return nil
		}
	}
	part := whole.with(kept).compact()
	if !m.illegal(part) {
		return nil
	}
	return m.shrink(part)
}

// valuesOfStep are the values that a step needs or makes.
func valuesOfStep(s *step) []int32 {
	switch s.kind {
	case observe:
		return []int32{s.seen}
	case store:
		return []int32{s.arg}
	case swap, maybe:
		return []int32{s.arg, s.expect}
	}
	return nil
}

// over says whether nothing more may be tried.
func (m *minimiser) over() bool {
	return m.checks >= maxMinimiseChecks || m.guard.stopped() || !time.Now().Before(m.end)
}

// illegal says whether operations are illegal, for certain.
func (m *minimiser) illegal(o decidable) bool { return m.ask(o) == illegal }

// ask decides about operations, unless nothing more may be tried.
func (m *minimiser) ask(o decidable) answer {
	if m.over() {
		return undecided
	}
	m.checks++
	deadline := time.Now().Add(minimiseCheckTime)
	if deadline.After(m.end) {
		deadline = m.end
	}
	return o.decide(m.judge, deadline).answer
}

// legal says whether operations are linearizable, for certain.
func (m *minimiser) legal(o decidable) bool { return m.ask(o) == legal }

// prefix is what was known at a moment: later calls are not there, and what was
// under way has an unknown outcome.
func prefix(steps []step, at int64) []step {
	n := 0
	for i := range steps {
		if steps[i].call <= at {
			n++
		}
	}
	out := make([]step, 0, n)
	for _, s := range steps {
		if s.call > at {
			continue
		}
		if s.ret > at {
			if !s.mutates() {
				continue
			}
			s.ret, s.soft = forever, false
			if s.kind == swap {
				s.kind = maybe
			}
		}
		out = append(out, s)
	}
	return out
}

// shrink takes away what it can while the rest is illegal.
func (m *minimiser) shrink(r *register) *register {
	for {
		before := len(r.steps)
		r = m.takeAway(r, valuesOf, withoutValues)
		r = m.takeAway(r, observersOf, withoutSteps)
		r = m.takeAway(r, unseenOf, withoutSteps)
		if len(r.steps) == before || m.over() {
			return r
		}
	}
}

// takeAway takes away as many of the parts as it can while the rest is illegal:
// first large groups of them, then ever smaller ones.
func (m *minimiser) takeAway(r *register, parts func([]step) []int32, without func([]step, map[int32]bool) []step) *register {
	all := parts(r.steps)
	for size := len(all); size >= 1; size /= 2 {
		for at := 0; at < len(all); {
			if m.over() {
				return r
			}
			group := make(map[int32]bool, size)
			for _, p := range all[at:min(at+size, len(all))] {
				group[p] = true
			}
			rest := without(r.steps, group)
			if len(rest) == len(r.steps) || !m.illegal(r.with(rest)) {
				at += size
				continue
			}
			// The next group moves up to where this one was; what is missed
			// because a value took others with it, the next pass tries.
			r = r.with(rest)
			all = parts(r.steps)
		}
	}
	return r
}

// valuesOf lists the values that occur.
func valuesOf(steps []step) []int32 {
	var values []int32
	for i := range steps {
		s := &steps[i]
		switch {
		case s.mutates():
			values = append(values, s.arg)
		case s.kind == observe:
			values = append(values, s.seen)
		}
	}
	slices.Sort(values)
	return slices.Compact(values)
}

// withoutValues takes away values, with those that a CAS made of them.
func withoutValues(steps []step, gone map[int32]bool) []step {
	made := make(map[int32][]int32) // of a value, by CAS
	for i := range steps {
		if s := &steps[i]; s.kind == swap || s.kind == maybe {
			made[s.expect] = append(made[s.expect], s.arg)
		}
	}
	for todo := slices.Collect(maps.Keys(gone)); len(todo) > 0; {
		v := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for _, to := range made[v] {
			if !gone[to] {
				gone[to] = true
				todo = append(todo, to)
			}
		}
	}
	var out []step
	for _, s := range steps {
		switch {
		case s.mutates() && (gone[s.arg] || (s.kind != store && gone[s.expect])):
		case s.kind == observe && gone[s.seen]:
		default:
			out = append(out, s)
		}
	}
	return out
}

// observersOf lists the places of the steps that changed nothing.
func observersOf(steps []step) []int32 {
	var at []int32
	for i := range steps {
		if steps[i].kind == observe {
			at = append(at, int32(i))
		}
	}
	return at
}

// unseenOf lists the places of the mutators whose value nobody looks for. Several
// may go at once: none of them is looked for by another, or it would not be here.
func unseenOf(steps []step) []int32 {
	seen := make(map[int32]bool)
	for i := range steps {
		s := &steps[i]
		switch s.kind {
		case observe:
			seen[s.seen] = true
		case swap, maybe:
			seen[s.expect] = true
		}
	}
	var at []int32
	for i := range steps {
		if steps[i].mutates() && !seen[steps[i].arg] {
			at = append(at, int32(i))
		}
	}
	return at
}

func withoutSteps(steps []step, gone map[int32]bool) []step {
	var out []step
	for i, s := range steps {
		if !gone[int32(i)] {
			out = append(out, s)
		}
	}
	return out
}
