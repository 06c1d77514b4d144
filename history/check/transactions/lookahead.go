package transactions

import (
	"math"
	"sort"
)

// lookahead finds out, while transactions are put in order, which chain of an object
// must be begun before another by what is placed so far.
type lookahead struct {
	*serialize
	round   int32
	seen    []int32 // by transaction, the round in which it was come to
	goal    []int32 // and in which it was what was looked for
	queue   []int32
	ends    []int32 // of each object, the last version of the chain that was begun last
	first   []int64 // of each version that ends a chain, when that was first seen
	earlier int64   // all that were called after this, up to the time that matters, were come to
	by      int64
}

// far is how many transactions are looked at before it is given up: then nothing is said.
const far = 2000

func newLookahead(s *serialize) *lookahead {
	l := &lookahead{serialize: s, seen: make([]int32, len(s.txns)), goal: make([]int32, len(s.txns)), ends: make([]int32, len(s.objects))}
	l.first = make([]int64, len(s.versions))
	for i := range s.objects {
		l.ends[i] = s.tail(s.objects[i].first)
		for _, c := range s.open[int32(i)] {
			l.first[c.end] = c.first
		}
	}
	return l
}

// precedes reports whether a chain must be begun before the other is over.
func (l *lookahead) precedes(a, b chain) bool {
	l.round++
	l.by = math.MinInt64
	l.aim(l.writer(b.end))
	for r := l.versions[b.end].readers; r != none; r = l.accesses[r].next {
		l.aim(l.accesses[r].txn)
	}
	l.earlier, l.queue = l.by, l.queue[:0]
	if l.visit(l.writer(a.head)) {
		return true
	}
	for i := 0; i < len(l.queue) && i < far; i++ {
		if l.from(l.queue[i]) {
			return true
		}
	}
	return false
}

func (l *lookahead) aim(t int32) {
	l.goal[t] = l.round
	l.by = max(l.by, l.known(t))
}

func (l *lookahead) visit(t int32) bool {
	if l.goal[t] == l.round {
		return true
	}
	if l.seen[t] != l.round && !l.placed[t] && l.txns[t].op.Call <= l.by {
		l.seen[t] = l.round
		l.queue = append(l.queue, t)
	}
	return false
}

// from goes to all that must come after a transaction.
func (l *lookahead) from(t int32) bool {
	for i := l.txns[t].from; i < l.txns[t].to; i++ {
		a := &l.accesses[i]
		if a.writes != none {
			for r := l.versions[a.writes].readers; r != none; r = l.accesses[r].next {
				if l.visit(l.accesses[r].txn) {
					return true
				}
			}
			if l.after(a, a.writes) {
				return true
			}
		} else if l.after(a, a.reads) {
			return true
		}
	}
	ret := l.txns[t].ret
	if ret >= l.earlier {
		return false
	}
	first := sort.Search(len(l.byCall), func(i int) bool { return l.txns[l.byCall[i]].op.Call > ret })
	for _, next := range l.byCall[first:] {
		if l.txns[next].op.Call > l.earlier {
			break
		}
		if l.visit(next) {
			return true
		}
	}
	l.earlier = ret
	return false
}

// after goes to those that replace a version.
func (l *lookahead) after(a *access, v int32) bool {
	if v == none {
		return false
	}
	if next := l.versions[v].after; next != none {
		return l.visit(l.writer(next))
	}
	begun := v == l.ends[a.object]
	for _, c := range l.open[a.object] {
		if c.end != v && (begun || l.first[v] < c.last) && l.visit(l.writer(c.head)) {
			return true
		}
	}
	return false
}
