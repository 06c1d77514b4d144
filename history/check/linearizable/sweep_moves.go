package linearizable

import "slices"

// returns takes the set of configurations over the return of a step.
func (s *sweep) returns(i int32) {
	st := &s.p.steps[i]
	if st.kind == broken {
		s.cur.reset()
		return
	}
	slot := s.slotOf[i]
	word, bit := int(slot/64), uint64(1)<<(slot%64)
	s.refreshMasks()
	s.after.reset()
	s.work.reset()
	for c := range s.cur.state {
		if c%guardEvery == 0 && s.guard.stopped() {
			s.cur.reset() // to nothing, which means nothing once the guard has stopped
			return
		}
		if s.cur.gone[c] {
			continue
		}
		copy(s.scratch, s.cur.at(c))
		state := s.settle(s.cur.state[c], s.scratch, false)
		taken := s.scratch[word]&bit != 0
		if !taken {
			s.work.add(state, s.scratch, s.cur.used[c], &s.masks)
		}
		// A soft step may go without having taken effect, but this is also the
		// last moment for it to do so: both ways are followed.
		if taken || st.soft {
			s.scratch[word] &^= bit
			s.after.add(state, s.scratch, s.cur.used[c], &s.masks)
		}
	}
	for c := 0; c < len(s.work.state); c++ {
		if s.guard.stopped() {
			break
		}
		if s.limit > 0 && (s.after.len() > s.limit || s.work.len() > 8*s.limit) {
			s.lossy = true
			break
		}
		if !s.work.gone[c] {
			s.expand(c, word, bit)
		}
	}
	s.lossy = s.lossy || s.work.lossy || s.after.lossy
	s.cur, s.after = s.after, s.cur
	s.release(i, slot)
}

// release takes a step that returned out of what is under way.
func (s *sweep) release(i, slot int32) {
	word, bit := slot/64, uint64(1)<<(slot%64)
	s.masks.must[word] &^= bit
	s.masks.more[word] &^= bit
	s.masks.less[word] &^= bit
	list := &s.muts
	if !s.p.steps[i].mutates() {
		list = &s.reads
	}
	*list = slices.Delete(*list, slices.Index(*list, slot), slices.Index(*list, slot)+1)
	s.free = append(s.free, slot)
}

// refreshMasks lets steps that write a dead value count as what they are: the
// earlier they take effect, the better.
func (s *sweep) refreshMasks() {
	for _, slot := range s.muts {
		st := &s.p.steps[s.slotStep[slot]]
		word, bit := slot/64, uint64(1)<<(slot%64)
		if !st.soft && s.masks.must[word]&bit != 0 && s.isDead(st.arg) {
			s.masks.must[word] &^= bit
			s.masks.more[word] |= bit
		}
	}
}

// settle gives a configuration what costs nothing: observers of its value have
// their answer; where the register is dead, or was overwritten just now, steps
// that write a dead value have taken effect.
func (s *sweep) settle(state int32, bits []uint64, overwrote bool) int32 {
	if s.isDead(state) {
		state = s.dead()
	}
	for _, slot := range s.reads {
		if s.p.steps[s.slotStep[slot]].seen == state {
			bits[slot/64] |= 1 << (slot % 64)
		}
	}
	if overwrote || state == s.dead() {
		for _, slot := range s.muts {
			st := &s.p.steps[s.slotStep[slot]]
			if st.kind == store && !st.soft && s.isDead(st.arg) {
				bits[slot/64] |= 1 << (slot % 64)
			}
		}
	}
	return state
}

// expand adds what a configuration of work leads to by one step: to after when the
// step at this bit has taken effect, and else to work.
func (s *sweep) expand(c, word int, bit uint64) {
	state, used := s.work.state[c], s.work.used[c]
	put := func(to int32, used []use, overwrote bool) {
		// scratch holds the bits, with the step that moved.
		to = s.settle(to, s.scratch, overwrote)
		if s.scratch[word]&bit != 0 {
			s.scratch[word] &^= bit
			s.after.add(to, s.scratch, used, &s.masks)
		} else {
			s.work.add(to, s.scratch, used, &s.masks)
		}
	}
	for at, slot := range s.muts {
		if s.done(c, slot) || s.shadowed(c, at) {
			continue
		}
		st := &s.p.steps[s.slotStep[slot]]
		if st.soft && s.isDead(st.arg) || st.kind != store && !s.holds(state, st.expect) {
			continue
		}
		if st.arg != state && s.stranded(c, state, slot) {
			continue
		}
		copy(s.scratch, s.work.at(c))
		s.scratch[slot/64] |= 1 << (slot % 64)
		put(st.arg, used, st.kind == store)
	}
	if len(s.unknown) > 0 {
		s.want(c)
	}
	for i := range s.unknown {
		u := &s.unknown[i]
		if u.arg == state || s.isDead(u.arg) || u.swap && !s.holds(state, u.expect) ||
			usedOf(used, int32(i)) >= u.called || s.waits(c, u.classKey) || s.wanted[u.arg] != s.wanting || s.stranded(c, state, -1) {
			continue
		}
		copy(s.scratch, s.work.at(c))
		put(u.arg, s.using(used, int32(i)), !u.swap)
	}
	if state == s.anybody() {
		for _, slot := range s.reads {
			if v := s.p.steps[s.slotStep[slot]].seen; !s.done(c, slot) && s.p.start.has(v) {
				copy(s.scratch, s.work.at(c))
				put(v, used, false)
			}
		}
	}
}

// holds says whether a register in this state may hold v.
func (s *sweep) holds(state, v int32) bool {
	return state == v || state == s.anybody() && s.p.start.has(v)
}

func (s *sweep) done(c int, slot int32) bool { return s.work.at(c)[slot/64]&(1<<(slot%64)) != 0 }

// shadowed says whether a step like the at-th mutator returns earlier and has not
// taken effect yet: then that one goes first.
func (s *sweep) shadowed(c, at int) bool {
	st := &s.p.steps[s.slotStep[s.muts[at]]]
	for _, slot := range s.muts[:at] {
		other := &s.p.steps[s.slotStep[slot]]
		if other.arg == st.arg && other.soft == st.soft && keyOf(other) == keyOf(st) && !s.done(c, slot) {
			return true
		}
	}
	return false
}

// using is used with one more step of a class.
func (s *sweep) using(used []use, class int32) []use {
	if s.endless {
		return used
	}
	return withUse(used, class, 1)
}

// want finds the values that a step under way can make something of: it looks for one, or
// for what steps of unknown outcome make of it. A step of unknown outcome that writes
// another value can wait, for it may take effect at any time: until its value is wanted,
// nothing comes of its having taken effect but that it is used up.
func (s *sweep) want(c int) {
	s.wanting++
	for _, slot := range s.reads {
		if !s.done(c, slot) {
			s.wanted[s.p.steps[s.slotStep[slot]].seen] = s.wanting
		}
	}
	for _, slot := range s.muts {
		if st := &s.p.steps[s.slotStep[slot]]; st.kind != store && !s.done(c, slot) {
			s.wanted[st.expect] = s.wanting
		}
	}
	for more := true; more; {
		more = false
		for i := range s.unknown {
			u := &s.unknown[i]
			if u.swap && s.wanted[u.arg] == s.wanting && s.wanted[u.expect] != s.wanting && usedOf(s.work.used[c], int32(i)) < u.called {
				s.wanted[u.expect], more = s.wanting, true
			}
		}
	}
}

// waits says whether a step of this class that returns has not taken effect yet.
func (s *sweep) waits(c int, k classKey) bool {
	for _, slot := range s.muts {
		if st := &s.p.steps[s.slotStep[slot]]; st.arg == k.arg && keyOf(st) == k && !s.done(c, slot) {
			return true
		}
	}
	return false
}

// stranded says whether leaving a value, by the step in slot or (-1) by one of
// unknown outcome, leads nowhere: somebody will look for it soon, and nobody can
// write it again.
func (s *sweep) stranded(c int, v, slot int32) bool {
	if v >= s.dead() || !s.looked(c, v, slot) || s.writersLeft[v] > 0 {
		return false
	}
	for _, m := range s.muts {
		if m != slot && s.p.steps[s.slotStep[m]].arg == v && !s.done(c, m) {
			return false
		}
	}
	for i := range s.unknown {
		if u := &s.unknown[i]; u.arg == v && usedOf(s.work.used[c], int32(i)) < u.called {
			return false
		}
	}
	return true
}

// looked says whether a step other than that in slot will look for v and return
// within the lookahead. Reads under way have had their answer while v is there.
func (s *sweep) looked(c int, v, slot int32) bool {
	soon := int32(s.pos + lookahead)
	if i := s.next[v]; i < s.first[v+1] && s.retPos[s.seenBy[i]] <= soon {
		return true
	}
	for _, m := range s.muts {
		if m == slot || s.done(c, m) {
			continue
		}
		i := s.slotStep[m]
		if w, ok := s.p.steps[i].looksFor(); ok && w == v && s.retPos[i] <= soon {
			return true
		}
	}
	return false
}

// snapshot is the set of configurations at a moment, and what was under way.
type snapshot struct {
	pos     int
	state   []int32
	bits    []uint64
	used    [][]use
	slots   []int32 // of the steps under way
	steps   []int32 // those steps
	classes []unknownClass
}

// snap keeps the set as it is before the event at pos. The first is kept for ever,
// the others until there are newer ones.
func (s *sweep) snap() {
	sn := snapshot{pos: s.pos, classes: slices.Clone(s.unknown)}
	for c := range s.cur.state {
		if !s.cur.gone[c] {
			sn.state = append(sn.state, s.cur.state[c])
			sn.bits = append(sn.bits, s.cur.at(c)...)
			sn.used = append(sn.used, s.cur.used[c])
		}
	}
	for _, list := range [][]int32{s.reads, s.muts} {
		for _, slot := range list {
			sn.slots = append(sn.slots, slot)
			sn.steps = append(sn.steps, s.slotStep[slot])
		}
	}
	if len(s.snaps) > snapsKept {
		s.snaps = slices.Delete(s.snaps, 1, 2)
	}
	s.snaps = append(s.snaps, sn)
}

// resumed is a configuration to go on from.
type resumed struct {
	state int32
	done  []int32 // steps under way that have taken effect
	used  []resumedUse
}

type resumedUse struct {
	class classKey
	n     int32
}

// install makes the set that a problem goes on from.
func (s *sweep) install() {
	s.cur.reset()
	for _, r := range s.p.resume {
		clear(s.scratch)
		for _, i := range r.done {
			slot := s.slotOf[i]
			s.scratch[slot/64] |= 1 << (slot % 64)
		}
		var used []use
		for _, u := range r.used {
			used = withUse(used, s.class(u.class), u.n)
		}
		s.cur.add(r.state, s.scratch, used, &s.masks)
	}
}
