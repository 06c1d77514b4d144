package linearizable

import (
	"slices"
	"sort"
)

const (
	// cutsKept is how many moments, from the last one back, entries may be cut at.
	cutsKept = 1024
	// cutWidth is in how many ways an object may be at such a moment.
	cutWidth = 64
)

// cut is a moment, and what is known of an object then.
type cut[S comparable] struct {
	at    int64
	begin []beginning[S]
	open  []int32 // entries under way, by call; those of unknown outcome too
	was   []S     // see entries.was
}

// latestCut finds the latest moment at which illegal entries can be taken up, with what
// is known of the object then, and still be illegal; nil when there is none. What is
// known is exact: the configurations that a walk had. So a part that has no order proves
// that the whole has none.
func (e *entries[S, O]) latestCut(m *minimiser) *entries[S, O] {
	cuts := e.cuts(m.guard)
	if len(cuts) == 0 {
		return nil
	}
	var best *entries[S, O]
	illegal := func(i int) bool {
		part := e.from(&cuts[i])
		if !m.illegal(part) {
			return false
		}
		best = part
		return true
	}
	lo, hi := 0, len(cuts) // best is at lo; hi is too late
	for back := 8; best == nil; back *= 2 {
		lo = max(0, len(cuts)-back)
		if illegal(lo) {
			break
		}
		hi = lo
		if lo == 0 || m.over() {
			return nil
		}
	}
	sort.Search(hi-lo, func(i int) bool { return !illegal(lo + i) })
	return best
}

// cuts are the moments at which the entries may be cut, in order.
func (e *entries[S, O]) cuts(g *guard) []cut[S] {
	for _, limit := range sweepWidths() {
		var cuts []cut[S]
		w := newWalk(e, g, limit)
		from := len(w.events) - 2*cutsKept
		w.before = func(pos int) {
			at := w.events[pos].at
			if pos < from || len(cuts) > 0 && cuts[len(cuts)-1].at == at || w.cur.len() > cutWidth {
				return
			}
			if c := w.cutAt(at); c.begin != nil {
				cuts = append(cuts, c)
			}
		}
		if got, _ := w.run(); got != undecided || !w.lossy {
			return cuts
		}
	}
	return nil
}

// cutAt is what is known at a return, before it.
func (w *walk[S, O]) cutAt(at int64) cut[S] {
	c := cut[S]{at: at}
	ofClass := make(map[int32][]int16) // bits of those of unknown outcome
	bits := make(map[int32]int16)      // of the others, by slot
	for i := range w.e.list {
		n := &w.e.list[i]
		if n.call >= at || n.ret < at {
			continue
		}
		if c.open = append(c.open, int32(i)); len(c.open) > len(doneBits{})*64 {
			return cut[S]{}
		}
		bit := int16(len(c.open))
		if n.ret == forever {
			ofClass[n.class] = append(ofClass[n.class], bit)
		} else {
			bits[w.slotOf[i]] = bit
		}
	}
	for k := range w.cur.state {
		if w.cur.gone[k] {
			continue
		}
		b := beginning[S]{state: w.states[w.cur.state[k]]}
		for slot, bit := range bits {
			if w.cur.at(k)[slot/64]&(1<<(slot%64)) != 0 {
				b.done.set(bit)
			}
		}
		for _, u := range w.cur.used[k] {
			for _, bit := range ofClass[w.unknown[u.class].class][:u.n] {
				b.done.set(bit)
			}
		}
		c.begin = append(c.begin, b)
	}
	c.was = w.e.everyState(&c)
	return c
}

// everyState lists the states that the object can have been in at a cut: a walk makes
// steps only when it must, and what was under way may have taken effect before.
func (e *entries[S, O]) everyState(c *cut[S]) []S {
	var out []S
	seen := make(map[beginning[S]]bool)
	todo := slices.Clone(c.begin)
	for len(todo) > 0 {
		b := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if seen[b] {
			continue
		}
		if seen[b] = true; len(seen) > cutWidth {
			return nil
		}
		if !slices.Contains(out, b.state) {
			out = append(out, b.state)
		}
		for k, i := range c.open {
			n, bit := &e.list[i], int16(k+1)
			if n.reads || b.done.has(bit) {
				continue
			}
			for _, s := range e.spec.Step(b.state, n.said) {
				next := beginning[S]{s, b.done}
				next.done.set(bit)
				todo = append(todo, next)
			}
		}
	}
	return out
}

// from is the entries taken up at a cut.
func (e *entries[S, O]) from(c *cut[S]) *entries[S, O] {
	out := &entries[S, O]{spec: e.spec, begin: c.begin, at: c.at, was: c.was}
	for k, i := range c.open {
		n := e.list[i]
		n.bit = int16(k + 1)
		out.list = append(out.list, n)
	}
	for _, n := range e.list {
		if n.call >= c.at {
			out.list = append(out.list, n)
		}
	}
	return out
}
