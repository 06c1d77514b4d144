package linearizable

import (
	"cmp"
	"slices"
)

// walk decides whether the entries of an object are linearizable, as sweep does for
// registers: it goes through calls and returns in the order of time and keeps the set of
// all configurations that the object can be in: its state, and which of the operations
// under way have taken effect. A step is made only when a return demands it, so when the
// set runs out, it does so at the return at which that became certain.
//
// Of a spec it knows less than sweep knows of a register. What keeps the set small:
//
//  1. Operations of one class stand for each other, so the one that returns first goes
//     first. Of those of unknown outcome only the number used up is kept.
//  2. Of two configurations alike but for this, the first stands for both: it used up
//     fewer operations of unknown outcome, or more reads have had their answer.
type walk[S comparable, O any] struct {
	e     *entries[S, O]
	guard *guard
	limit int  // most configurations; more are left out, and lossy is set
	lossy bool // some were left out: running out of them means nothing
	words int  // of the bits of a configuration

	events   []event
	slotOf   []int32 // by entry
	slotNode []int32 // entry by slot
	free     []int32
	reads    []int32 // slots of reads under way
	muts     []int32 // slots of others under way, by return
	masks    masks
	unknown  []unknownEntries
	placeOf  map[int32]int32 // of a class in unknown

	states  []S // by number
	numbers map[S]int32
	next    map[uint64][]int32 // of a state and a class
	moving  map[int32]*moves   // of a state
	most    int                // states; then those that no configuration is in are forgotten

	cur, after, work configs
	scratch          []uint64

	// before is called before each return; nil: it is not.
	before func(pos int)
}

// moves are those of the unknown entries, by place, that lead from a state to another one.
type moves struct {
	asked  int // how many places were asked about
	places []int32
}

// unknownEntries are those of unknown outcome of one class, called so far.
type unknownEntries struct {
	class  int32
	like   int32 // one of them
	called int32
}

// mostStates is how many states are known at once, besides twice those in use.
const mostStates = 1 << 14

func newWalk[S comparable, O any](e *entries[S, O], g *guard, limit int) *walk[S, O] {
	w := &walk[S, O]{e: e, guard: g, limit: limit, placeOf: make(map[int32]int32), numbers: make(map[S]int32),
		next: make(map[uint64][]int32), moving: make(map[int32]*moves), most: mostStates}
	if !g.room(len(e.list) * bytesPerEntry) {
		return w
	}
	e.classify()
	w.events = make([]event, 0, 2*len(e.list))
	for i := range e.list {
		w.events = append(w.events, event{at: e.list[i].call, step: int32(i)})
		if e.list[i].ret != forever {
			w.events = append(w.events, event{at: e.list[i].ret, step: int32(i), ret: true})
		}
	}
	if !sortGuarded(w.events, compareEvents, g) {
		return w
	}
	open, most := 0, 0
	for _, ev := range w.events {
		switch {
		case ev.ret:
			open--
		case e.list[ev.step].ret != forever:
			open++
			most = max(most, open)
		}
	}
	w.words = max(1, (most+63)/64)
	w.slotOf, w.slotNode = make([]int32, len(e.list)), make([]int32, most)
	for i := range most {
		w.free = append(w.free, int32(most-1-i))
	}
	w.masks = masks{must: make([]uint64, w.words), more: make([]uint64, w.words), less: make([]uint64, w.words)}
	w.scratch = make([]uint64, w.words)
	for _, set := range []*configs{&w.cur, &w.after, &w.work} {
		set.words, set.most = w.words, crowdOf(w.limit)
	}
	return w
}

// run goes through all events. at is the return after which no configuration was left.
func (w *walk[S, O]) run() (got answer, at int64) {
	if w.guard.stopped() {
		return undecided, 0
	}
	begun := false
	for pos, ev := range w.events {
		if w.guard.stopped() {
			return undecided, 0
		}
		if !begun && (ev.ret || w.e.begin == nil || ev.at >= w.e.at) {
			w.install()
			begun = true
		}
		if !ev.ret {
			w.call(ev.step)
			continue
		}
		if w.before != nil {
			w.before(pos)
		}
		w.returns(ev.step)
		if w.cur.len() == 0 {
			if w.lossy || w.guard.stopped() {
				return undecided, 0
			}
			return illegal, ev.at
		}
		w.forget()
	}
	return legal, 0
}

// install puts in the configurations with which the entries begin.
func (w *walk[S, O]) install() {
	for _, b := range w.e.start() {
		clear(w.scratch)
		var used []use
		for i := range w.e.list {
			n := &w.e.list[i]
			switch {
			case !b.done.has(n.bit):
			case n.ret == forever:
				used = withUse(used, w.placeOf[n.class], 1)
			default:
				w.scratch[w.slotOf[i]/64] |= 1 << (w.slotOf[i] % 64)
			}
		}
		w.cur.add(w.number(b.state), w.scratch, used, &w.masks)
	}
}

// number is the number of a state.
func (w *walk[S, O]) number(s S) int32 {
	n, known := w.numbers[s]
	if !known {
		n = int32(len(w.states))
		w.numbers[s] = n
		w.states = append(w.states, s)
	}
	return n
}

// step lists the states to which an entry leads from one.
func (w *walk[S, O]) step(state, i int32) []int32 {
	n := &w.e.list[i]
	key := uint64(uint32(state))<<32 | uint64(uint32(n.class))
	to, known := w.next[key]
	if !known {
		for _, s := range w.e.spec.Step(w.states[state], n.said) {
			if number := w.number(s); !slices.Contains(to, number) {
				to = append(to, number)
			}
		}
		w.next[key] = to
	}
	return to
}

// forget gives the states in use new numbers when there are very many.
func (w *walk[S, O]) forget() {
	if len(w.states) <= w.most && len(w.next) <= 4*w.most {
		return
	}
	old := w.states
	w.states = nil
	clear(w.numbers)
	clear(w.next)
	clear(w.moving)
	kept := configs{words: w.words, most: w.cur.most, lossy: w.cur.lossy}
	for c := range w.cur.state {
		if !w.cur.gone[c] {
			kept.append(w.number(old[w.cur.state[c]]), w.cur.at(c), w.cur.used[c])
		}
	}
	w.cur = kept
	w.most = mostStates + 2*len(w.states)
}

// call puts an entry under way.
func (w *walk[S, O]) call(i int32) {
	n := &w.e.list[i]
	if n.ret == forever {
		place, known := w.placeOf[n.class]
		if !known {
			place = int32(len(w.unknown))
			w.placeOf[n.class] = place
			w.unknown = append(w.unknown, unknownEntries{class: n.class, like: i})
		}
		w.unknown[place].called++
		return
	}
	slot := w.free[len(w.free)-1]
	w.free = w.free[:len(w.free)-1]
	w.slotOf[i], w.slotNode[slot] = slot, i
	word, bit := slot/64, uint64(1)<<(slot%64)
	if n.reads {
		w.reads = append(w.reads, slot)
		w.masks.more[word] |= bit
		return
	}
	at, _ := slices.BinarySearchFunc(w.muts, i, func(slot, i int32) int {
		other := w.slotNode[slot]
		return cmp.Or(cmp.Compare(w.e.list[other].ret, w.e.list[i].ret), cmp.Compare(other, i))
	})
	w.muts = slices.Insert(w.muts, at, slot)
	w.masks.must[word] |= bit
}

// returns takes the set of configurations over the return of an entry.
func (w *walk[S, O]) returns(i int32) {
	slot := w.slotOf[i]
	word, bit := int(slot/64), uint64(1)<<(slot%64)
	w.after.reset()
	w.work.reset()
	for c := range w.cur.state {
		if c%guardEvery == 0 && w.guard.stopped() {
			w.cur.reset() // to nothing, which means nothing once the guard has stopped
			return
		}
		if w.cur.gone[c] {
			continue
		}
		copy(w.scratch, w.cur.at(c))
		w.put(w.cur.state[c], w.cur.used[c], word, bit)
	}
	for c := 0; c < len(w.work.state); c++ {
		if w.guard.stopped() {
			break
		}
		if w.limit > 0 && (w.after.len() > w.limit || w.work.len() > 8*w.limit) {
			w.lossy = true
			break
		}
		if !w.work.gone[c] {
			w.expand(c, word, bit)
			w.expandUnknown(c, word, bit)
		}
	}
	w.lossy = w.lossy || w.work.lossy || w.after.lossy
	w.cur, w.after = w.after, w.cur
	w.release(i, slot)
}

// put adds the configuration whose bits are in scratch: to after when the entry at this
// bit has taken effect, and else to work. Reads that the state answers have their answer.
func (w *walk[S, O]) put(state int32, used []use, word int, bit uint64) {
	for _, slot := range w.reads {
		if w.scratch[slot/64]&(1<<(slot%64)) == 0 && len(w.step(state, w.slotNode[slot])) > 0 {
			w.scratch[slot/64] |= 1 << (slot % 64)
		}
	}
	if w.scratch[word]&bit != 0 {
		w.scratch[word] &^= bit
		w.after.add(state, w.scratch, used, &w.masks)
		return
	}
	w.work.add(state, w.scratch, used, &w.masks)
}

// expand adds what a configuration of work leads to by one step of those that return.
func (w *walk[S, O]) expand(c, word int, bit uint64) {
	state, used := w.work.state[c], w.work.used[c]
	for at, slot := range w.muts {
		if w.done(c, slot) || w.shadowed(c, at) {
			continue
		}
		for _, to := range w.step(state, w.slotNode[slot]) {
			copy(w.scratch, w.work.at(c))
			w.scratch[slot/64] |= 1 << (slot % 64)
			w.put(to, used, word, bit)
		}
	}
}

// expandUnknown adds what a configuration of work leads to by one step of unknown outcome.
func (w *walk[S, O]) expandUnknown(c, word int, bit uint64) {
	state, used := w.work.state[c], w.work.used[c]
	for _, i := range w.movesFrom(state) {
		u := &w.unknown[i]
		if usedOf(used, i) >= u.called {
			continue
		}
		for _, to := range w.step(state, u.like) {
			if to != state {
				copy(w.scratch, w.work.at(c))
				w.put(to, withUse(used, i, 1), word, bit)
			}
		}
	}
}

// movesFrom lists the unknown entries, by place, that lead from a state to another one.
func (w *walk[S, O]) movesFrom(state int32) []int32 {
	m := w.moving[state]
	if m == nil {
		m = &moves{}
		w.moving[state] = m
	}
	for ; m.asked < len(w.unknown); m.asked++ {
		s := w.states[state]
		if slices.ContainsFunc(w.e.spec.Step(s, w.e.list[w.unknown[m.asked].like].said), func(to S) bool { return to != s }) {
			m.places = append(m.places, int32(m.asked))
		}
	}
	return m.places
}

func (w *walk[S, O]) done(c int, slot int32) bool {
	return w.work.at(c)[slot/64]&(1<<(slot%64)) != 0
}

// shadowed says whether an entry like the at-th returns earlier and has not taken effect
// yet: then that one goes first.
func (w *walk[S, O]) shadowed(c, at int) bool {
	class := w.e.list[w.slotNode[w.muts[at]]].class
	for _, slot := range w.muts[:at] {
		if w.e.list[w.slotNode[slot]].class == class && !w.done(c, slot) {
			return true
		}
	}
	return false
}

// release takes an entry that returned out of what is under way.
func (w *walk[S, O]) release(i, slot int32) {
	word, bit := slot/64, uint64(1)<<(slot%64)
	w.masks.must[word] &^= bit
	w.masks.more[word] &^= bit
	list := &w.muts
	if w.e.list[i].reads {
		list = &w.reads
	}
	at := slices.Index(*list, slot)
	*list = slices.Delete(*list, at, at+1)
	w.free = append(w.free, slot)
}
