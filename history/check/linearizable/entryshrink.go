package linearizable

import (
	"maps"
	"math"
	"slices"

	"squall/history"
)

// minimise implements object. Each thing that it takes away leaves entries that are
// illegal only if the whole is:
//
//   - what comes after a moment: the past of a possible history is possible;
//   - what comes before a moment, when what is known of the object then is kept: see
//     latestCut;
//   - a part of the state, with all that operations say of it, where the spec knows such;
//   - a read: it changed nothing;
//   - any other operation, when it stays as an optional one: it may take effect at any time or
//     never, so whoever depends on it is not wrong for its absence alone.
//
// At last the optional ones that matter are shown again: those without which some of what is
// shown would be wrong by itself.
func (e *entries[S, O]) minimise(m *minimiser, at int64) minimal {
	whole := e.upTo(at)
	if e.spec.parts != nil {
		whole = whole.withoutParts(m)
	}
	best := whole
	if len(whole.list) > readable {
		if open := whole.latestCut(m); open != nil {
			best = open.shrink(m)
		}
	}
	if best == whole || len(whole.list) <= closeMost {
		if closed := whole.shrink(m); best == whole || closed.shown() <= best.shown()+2 {
			best = closed
		}
	}
	best = best.restore(m)
	var ops []*history.Op
	var list []entry[O]
	for _, n := range best.list {
		if !n.optional {
			ops, list = append(ops, n.op), append(list, n)
		}
	}
	return minimalOf(best.with(list), ops)
}

// shown is how many entries are not optional.
func (e *entries[S, O]) shown() int {
	count := 0
	for i := range e.list {
		if !e.list[i].optional {
			count++
		}
	}
	return count
}

// shrink takes away what it can while the rest is illegal.
func (e *entries[S, O]) shrink(m *minimiser) *entries[S, O] {
	for {
		before := e.shown()
		e = e.weaken(m, func(n *entry[O]) bool { return n.reads })
		e = e.weaken(m, func(n *entry[O]) bool { return !n.reads && !n.optional })
		if e.shown() == before || m.over() {
			return e
		}
	}
}

// weaken makes weaker as many as it can of the entries that may be.
func (e *entries[S, O]) weaken(m *minimiser, may func(*entry[O]) bool) *entries[S, O] {
	places := func() (all []int) {
		for i := range e.list {
			if may(&e.list[i]) {
				all = append(all, i)
			}
		}
		return all
	}
	all := places()
	inGroups(m, func() int { return len(all) }, func(lo, hi int) bool {
		weak := make(map[int]bool, hi-lo)
		for _, i := range all[lo:hi] {
			weak[i] = true
		}
		rest := e.with(e.variant(weak, nil))
		if !m.illegal(rest) {
			return false
		}
		e, all = rest, places()
		return true
	})
	return e
}

// variant is the list with some entries gone and some weaker, by their places: of the
// weaker ones reads are gone, and others are optional.
func (e *entries[S, O]) variant(weak, gone map[int]bool) []entry[O] {
	list := make([]entry[O], 0, len(e.list))
	for i, n := range e.list {
		switch {
		case gone[i] || weak[i] && n.reads:
			continue
		case weak[i] && !n.optional:
			n = optional(n)
		}
		list = append(list, n)
	}
	return list
}

// optional makes an entry optional.
func optional[O any](n entry[O]) entry[O] {
	required := n
	n.optional, n.required = true, &required
	n.call, n.ret, n.bit = math.MinInt64, forever, 0
	return n
}

// inGroups tries to take away parts, of which there are n: first large groups of them, then
// ever smaller ones. A group that was taken is no longer counted.
func inGroups(m *minimiser, n func() int, take func(lo, hi int) bool) {
	for size := n(); size >= 1; size /= 2 {
		for at := 0; at < n(); {
			if m.over() {
				return
			}
			if !take(at, min(at+size, n())) {
				at += size
			}
		}
	}
}

// withoutParts takes away as many parts of the state as it can.
func (e *entries[S, O]) withoutParts(m *minimiser) *entries[S, O] {
	var parts []string
	known := make(map[string]bool)
	for i := range e.list {
		for _, p := range e.spec.parts(e.list[i].said) {
			if !known[p] {
				known[p] = true
				parts = append(parts, p)
			}
		}
	}
	inGroups(m, func() int { return len(parts) }, func(lo, hi int) bool {
		gone := make(map[string]bool, hi-lo)
		for _, p := range parts[lo:hi] {
			gone[p] = true
		}
		list := make([]entry[O], 0, len(e.list))
		for _, n := range e.list {
			var left bool
			if n.said, left = e.spec.without(n.said, gone); left {
				list = append(list, n)
			}
		}
		rest := e.with(list)
		if !m.illegal(rest) {
			return false
		}
		e, parts = rest, slices.Delete(parts, lo, hi)
		return true
	})
	return e
}

const (
	// restoreFrom is up to how many entries shown it is asked which optional ones matter, and
	// restoreMost how many of these are shown again.
	restoreFrom = 12
	restoreMost = 12
)

// restore requires again those optional entries that matter: those without which the entries that
// are shown would be wrong even if one of them were weaker.
func (e *entries[S, O]) restore(m *minimiser) *entries[S, O] {
	if !e.anyOptional() || e.shown() > restoreFrom {
		return e
	}
	var needed []int // those without which the rest is legal, with all optional ones
	var others []int
	for i := range e.list {
		switch {
		case e.list[i].optional:
			others = append(others, i)
		case m.legal(e.with(e.variant(map[int]bool{i: true}, nil))):
			needed = append(needed, i)
		}
	}
	gone := make(map[int]bool)
	inGroups(m, func() int { return len(others) }, func(lo, hi int) bool {
		try := maps.Clone(gone)
		for _, i := range others[lo:hi] {
			try[i] = true
		}
		for _, i := range needed {
			if !m.legal(e.with(e.variant(map[int]bool{i: true}, try))) {
				return false
			}
		}
		gone, others = try, slices.Delete(others, lo, hi)
		return true
	})
	if len(others) > restoreMost {
		return e
	}
	list := slices.Clone(e.list)
	for _, i := range others {
		list[i] = *list[i].required
	}
	return e.with(list)
}
