package linearizable

// reduce makes a register's steps easier to search without changing whether
// they are linearizable. Operations of unknown outcome are what makes searching
// ruinous: each may take effect at any later time. It does three things:
//
//  1. A mutator of unknown outcome whose value nobody observed is dropped.
//  2. A mutator that is the only one ever to write its value returns, at the
//     latest, when the first observer of that value returns.
//  3. A CAS of unknown outcome that is the only writer of an observed value
//     took effect, and so observed the value that it expected.
//
// "Observed" means: found by a read or a failed CAS, or expected by a CAS that
// took effect; and for (1) also expected by a CAS of unknown outcome that is
// kept.
//
// Why that is sound. (1) Given an order of all steps, remove the mutator M of
// v. Between M and the next step that changes the state nobody observes v, so
// nothing there misses it; a CAS of unknown outcome that did nothing there and
// would now do something is moved to the end, where it is always possible and
// may stand because it has no return. Conversely, M can be put at the end of an
// order without it. Nothing here needs v to be written once. (2) The observer O
// of v needs M before it, so M's point is before O's, and that before O's
// return: the new bound is one that every order keeps already. This does need M
// to be the only writer of v, and v not to be the initial state: deletes, and
// values written twice, are left alone. (3) is the same argument, and then (2)
// holds for what that CAS expected.
//
// Where (2) would make a step return before its call (the observer returned
// before the mutator was called), the step is left as it is: no order can
// exist, and the search says so.
//
// A reduced register stays as possible or impossible as the whole at every moment,
// too: (1) needs no more of a register's beginning than of all of it, and (2) and
// (3) change nothing before the first observer has returned.
//
// It returns nil when g was stopped.
func reduce(r *register, g *guard) []step {
	steps := dropUnobserved(r.steps, len(r.values), g)
	if g.stopped() {
		return nil
	}
	if !r.start.isAbsent() {
		return steps // (2) and (3) need to know who wrote a value
	}
	writer, firstSeen := observers(steps, len(r.values))
	if g.stopped() {
		return nil
	}
	// Values whose writer may have to return earlier.
	todo := make([]int32, 0, len(r.values))
	for v := range firstSeen {
		todo = append(todo, int32(v))
	}
	for len(todo) > 0 {
		v := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if v == absent || writer[v] < 0 || firstSeen[v] == forever {
			continue
		}
		m := &steps[writer[v]]
		if firstSeen[v] < m.call {
			continue
		}
		m.ret = min(m.ret, firstSeen[v])
		if m.kind == maybe {
			m.kind = swap
		}
		if m.kind == swap && m.ret < firstSeen[m.expect] {
			firstSeen[m.expect] = m.ret
			todo = append(todo, m.expect)
		}
	}
	return steps
}

// dropUnobserved returns a copy of the steps without the mutators of unknown
// outcome whose value nobody observed; nil when g was stopped.
func dropUnobserved(steps []step, values int, g *guard) []step {
	if !g.room(len(steps) * bytesPerStep) {
		return nil
	}
	observed := make([]bool, values)
	pendingFor := make(map[int32][]int32) // value written → values expected, of pending CASes
	var todo []int32
	see := func(v int32) {
		if !observed[v] {
			observed[v] = true
			todo = append(todo, v)
		}
	}
	for i := range steps {
		if i%guardEvery == 0 && g.stopped() {
			return nil
		}
		switch s := &steps[i]; s.kind {
		case observe:
			see(s.seen)
		case swap:
			see(s.expect)
		case maybe:
			pendingFor[s.arg] = append(pendingFor[s.arg], s.expect)
		}
	}
	for len(todo) > 0 {
		v := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for _, expected := range pendingFor[v] {
			see(expected)
		}
	}
	kept := make([]step, 0, len(steps)+1) // never nil
	for _, s := range steps {
		pending := (s.ret == forever || s.soft) && s.mutates()
		if !pending || observed[s.arg] {
			kept = append(kept, s)
		}
	}
	return kept
}

const (
	nobody  = -1
	several = -2
)

// observers finds, for each value, the index of its only writer (nobody,
// several), and when the first step that observed it for certain returned.
func observers(steps []step, values int) (writer []int, firstSeen []int64) {
	writer, firstSeen = make([]int, values), make([]int64, values)
	for v := range writer {
		writer[v], firstSeen[v] = nobody, forever
	}
	for i := range steps {
		s := &steps[i]
		if s.mutates() {
			if writer[s.arg] == nobody {
				writer[s.arg] = i
			} else {
				writer[s.arg] = several
			}
		}
		switch s.kind {
		case observe:
			firstSeen[s.seen] = min(firstSeen[s.seen], s.ret)
		case swap:
			firstSeen[s.expect] = min(firstSeen[s.expect], s.ret)
		}
	}
	return writer, firstSeen
}
