package linearizable

import (
	"cmp"
	"slices"
)

// sweep decides whether steps are linearizable by going through their calls and
// returns in the order of time (just-in-time linearization: Lowe, "Testing for
// linearizability", 2017). It keeps the set of all configurations that the
// register can be in: its value, and which of the steps under way have taken
// effect. At a return, each configuration in which that step has not taken effect
// is replaced by all that it leads to until it has. When none is left, what
// happened up to that return is not linearizable. So memory goes with the number
// of steps under way and not with the length of the history, and a violation is
// found where it becomes certain.
//
// Many values written again and again, and many steps of unknown outcome, would
// make too many configurations. These keep them few, and none changes the answer:
//
//  1. Steps of one kind with the same values are interchangeable, so the one that
//     returns first goes first: in any order in which a later one p is at x and an
//     earlier one q behind it at y, or nowhere, the two change places. q fits at x,
//     for it was called before; p fits at y, which is before q's return and so
//     before p's. Steps of unknown outcome never return: of them only the number
//     used up is kept, for each kind and values.
//  2. Of two configurations alike but for this, the first stands for both: it used
//     up fewer steps of unknown outcome (what remains may be left out), or more
//     observers have had their answer (that costs nothing later).
//  3. A value that no observer still to return looks for is dead. Dead values are
//     one. A step that writes one takes effect as soon as another step overwrites
//     it at once, or the register is dead already: nobody can miss it.
//  4. A step of unknown outcome takes effect only when a step under way can make something
//     of its value: see want.
//  5. A value is not left while somebody will still look for it and nobody will
//     write it again: nothing follows from there. This looks ahead by at most
//     lookahead events, so that the moment found is near the one at which the
//     violation is certain (see firstMoment).
type sweep struct {
	p       *problem
	words   int // of the bits of a configuration
	guard   *guard
	limit   int  // most configurations; more are left out, and lossy is set
	lossy   bool // some were left out: running out of them means nothing
	endless bool // steps of unknown outcome are never used up: getting through means nothing
	snaps   []snapshot
	keep    bool // snapshots
	now     int64
	pos     int
	events  []event
	retPos  []int32 // position of a step's return; of none far away
	lastUse []int64 // until when somebody looks for a value
	// Observers of each value by call; next is the first not yet called.
	seenBy, first, next []int32
	writersLeft         []int32 // writers of a value not yet called
	wanted              []int   // by value: the last time that it was found to be wanted
	wanting             int     // how often that was asked

	slotOf   []int32 // by step
	slotStep []int32 // by slot
	free     []int32
	reads    []int32 // slots of observers under way
	muts     []int32 // slots of mutators under way that return, by return
	masks    masks
	unknown  []unknownClass
	classOf  map[classKey]int32

	cur, after, work configs
	scratch          []uint64
}

// problem is steps to be decided, and what the register holds before them.
type problem struct {
	steps  []step
	values int // how many there are; absent is the first
	start  start
	// resume goes on in the middle: the first called steps are under way, and the
	// register is in one of these configurations.
	resume []resumed
	called int
}

// start is what a register may hold at first. The zero start is a register that
// holds nothing, as every key does before its first write.
type start struct {
	anything bool    // whatever value, also one that occurs nowhere
	values   []int32 // one of these
	other    bool    // or a value that nobody looks for
	at       int64   // the moment, where it is not the key's beginning
}

func (s start) isAbsent() bool { return !s.anything && !s.other && len(s.values) == 0 }

func (s start) has(v int32) bool {
	if s.isAbsent() {
		return v == absent
	}
	return s.anything || slices.Contains(s.values, v)
}

// event is the call or the return of a step.
type event struct {
	at   int64
	step int32
	ret  bool
}

// classKey is what makes steps interchangeable.
type classKey struct {
	swap        bool
	arg, expect int32
}

func keyOf(s *step) classKey {
	if s.kind == store {
		return classKey{arg: s.arg}
	}
	return classKey{swap: true, arg: s.arg, expect: s.expect}
}

// unknownClass is the steps of unknown outcome of one kind and values.
type unknownClass struct {
	classKey
	called int32
}

const (
	lookahead = 4096 // events
	snapEvery = 2048 // events; several lie within the lookahead
	snapsKept = 5
	farAway   = 1 << 30

	guardEvery = 1024
)

// swept is what a sweep found.
type swept struct {
	answer answer // undecided when it was stopped, or left configurations out
	pos    int    // of the return after which no configuration was left
}

func newSweep(p *problem, g *guard, limit int) *sweep {
	s := &sweep{p: p, guard: g, limit: limit}
	if !g.room(len(p.steps) * bytesPerStep) {
		return s
	}
	s.order()
	if g.stopped() {
		return s
	}
	s.prepareValues()
	if g.stopped() {
		return s
	}
	s.prepareSlots()
	return s
}

// order makes the events: calls before returns of the same moment, since both
// ends belong to an operation.
func (s *sweep) order() {
	steps := s.p.steps
	s.events = make([]event, 0, 2*len(steps))
	for i := range steps {
		s.events = append(s.events, event{at: steps[i].call, step: int32(i)})
		if steps[i].ret != forever {
			s.events = append(s.events, event{at: steps[i].ret, step: int32(i), ret: true})
		}
	}
	if !sortGuarded(s.events, compareEvents, s.guard) {
		return
	}
	s.retPos = make([]int32, len(steps))
	for i := range s.retPos {
		s.retPos[i] = farAway
	}
	for pos := range s.events {
		if s.events[pos].ret {
			s.retPos[s.events[pos].step] = int32(pos)
		}
	}
}

func compareEvents(a, b event) int {
	if c := cmp.Compare(a.at, b.at); c != 0 {
		return c
	}
	if a.ret != b.ret {
		if b.ret {
			return -1
		}
		return 1
	}
	return cmp.Compare(a.step, b.step)
}

// prepareValues finds, for each value, its observers by call, how many write it,
// and when the last observer returns.
func (s *sweep) prepareValues() {
	steps, n := s.p.steps, s.p.values
	s.writersLeft, s.wanted = make([]int32, n), make([]int, n)
	s.first, s.next = make([]int32, n+1), make([]int32, n)
	s.lastUse = make([]int64, n)
	for v := range s.lastUse {
		s.lastUse[v] = -1
	}
	for i := range steps {
		if v, ok := steps[i].looksFor(); ok {
			s.first[v+1]++
			s.lastUse[v] = max(s.lastUse[v], steps[i].ret)
		}
		if steps[i].mutates() {
			s.writersLeft[steps[i].arg]++
		}
	}
	for v := range n {
		s.first[v+1] += s.first[v]
		s.next[v] = s.first[v]
	}
	s.seenBy = make([]int32, s.first[n])
	fill := slices.Clone(s.next)
	for _, e := range s.events {
		if v, ok := steps[e.step].looksFor(); ok && !e.ret {
			s.seenBy[fill[v]] = e.step
			fill[v]++
		}
	}
	s.extendUse()
}

// extendUse keeps a value alive as long as what a CAS of unknown outcome could
// make of it: longest first, so that each value is visited once.
func (s *sweep) extendUse() {
	from := make(map[int32][]int32)
	for i := range s.p.steps {
		if st := &s.p.steps[i]; st.kind == maybe || st.kind == swap && st.soft {
			from[st.arg] = append(from[st.arg], st.expect)
		}
	}
	if len(from) == 0 {
		return
	}
	byUse := make([]int32, len(s.lastUse))
	for v := range byUse {
		byUse[v] = int32(v)
	}
	slices.SortFunc(byUse, func(a, b int32) int { return cmp.Compare(s.lastUse[b], s.lastUse[a]) })
	done := make([]bool, len(s.lastUse))
	for _, v := range byUse {
		use := s.lastUse[v]
		for todo := []int32{v}; len(todo) > 0; {
			v := todo[len(todo)-1]
			todo = todo[:len(todo)-1]
			if done[v] {
				continue
			}
			done[v] = true
			s.lastUse[v] = max(s.lastUse[v], use)
			todo = append(todo, from[v]...)
		}
	}
}

// prepareSlots gives out as many slots as there are ever steps under way.
func (s *sweep) prepareSlots() {
	steps := s.p.steps
	open, most := 0, 0
	for _, e := range s.events {
		switch {
		case e.ret:
			open--
		case steps[e.step].ret != forever:
			open++
			most = max(most, open)
		}
	}
	s.words = max(1, (most+63)/64)
	s.slotOf = make([]int32, len(steps))
	s.slotStep = make([]int32, most)
	s.free = make([]int32, most)
	for i := range s.free {
		s.free[i] = int32(most - 1 - i)
	}
	s.classOf = make(map[classKey]int32)
	s.masks = masks{must: make([]uint64, s.words), more: make([]uint64, s.words), less: make([]uint64, s.words)}
	s.scratch = make([]uint64, s.words)
	for _, set := range []*configs{&s.cur, &s.after, &s.work} {
		set.words = s.words
		set.most = crowdOf(s.limit)
	}
}

// run goes through all events.
func (s *sweep) run() swept {
	if s.guard.stopped() {
		return swept{}
	}
	if s.p.resume == nil {
		s.cur.append(s.startState(), s.scratch, nil)
	}
	for pos, e := range s.events {
		if s.guard.stopped() {
			return swept{}
		}
		s.pos, s.now = pos, e.at
		if s.p.resume != nil && pos == s.p.called {
			s.install()
		}
		if !e.ret {
			s.call(e.step)
			continue
		}
		if s.keep && (len(s.snaps) == 0 || pos >= s.snaps[len(s.snaps)-1].pos+snapEvery) {
			s.snap()
		}
		s.returns(e.step)
		if s.cur.len() == 0 {
			if s.lossy || s.guard.stopped() {
				return swept{}
			}
			return swept{answer: illegal, pos: pos}
		}
	}
	if s.endless {
		return swept{}
	}
	return swept{answer: legal}
}

// Two states besides the values: dead is any value that nobody looks for any
// more, and unknown is what the register held at first, not yet said to be one.
func (s *sweep) dead() int32    { return int32(s.p.values) }
func (s *sweep) anybody() int32 { return int32(s.p.values) + 1 }

func (s *sweep) startState() int32 {
	if s.p.start.isAbsent() {
		return absent
	}
	return s.anybody()
}

func (s *sweep) isDead(v int32) bool { return v == s.dead() || v < s.dead() && s.lastUse[v] < s.now }

// call puts a step under way.
func (s *sweep) call(i int32) {
	st := &s.p.steps[i]
	if v, ok := st.looksFor(); ok {
		s.next[v]++
	}
	if st.mutates() {
		s.writersLeft[st.arg]--
		if st.ret == forever {
			s.unknown[s.class(keyOf(st))].called++
			return
		}
	}
	slot := s.free[len(s.free)-1]
	s.free = s.free[:len(s.free)-1]
	s.slotOf[i], s.slotStep[slot] = slot, i
	word, bit := slot/64, uint64(1)<<(slot%64)
	switch {
	case !st.mutates():
		s.reads = append(s.reads, slot)
		s.masks.more[word] |= bit
	default:
		at, _ := slices.BinarySearchFunc(s.muts, i, func(slot, i int32) int {
			other := s.slotStep[slot]
			return cmp.Or(cmp.Compare(s.p.steps[other].ret, s.p.steps[i].ret), cmp.Compare(other, i))
		})
		s.muts = slices.Insert(s.muts, at, slot)
		if st.soft {
			s.masks.less[word] |= bit
		} else {
			s.masks.must[word] |= bit
		}
	}
}

// class gives the number of a class of steps of unknown outcome.
func (s *sweep) class(k classKey) int32 {
	c, ok := s.classOf[k]
	if !ok {
		c = int32(len(s.unknown))
		s.classOf[k] = c
		s.unknown = append(s.unknown, unknownClass{classKey: k})
	}
	return c
}
