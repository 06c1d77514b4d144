package transactions

import (
	"cmp"
	"slices"
)

// move is a transaction that was placed, with what it changed, so that it can be taken back.
type move struct {
	txn     int32
	changes []change
}

// change is what an object was before.
type change struct {
	object, current, end int32
	begun                *chain // nil: no chain was begun
}

// mostBack is how often a search for an order goes back at most for one in so many transactions.
const mostBack, per = 200, 50

// near is how many moves back the one is looked for that was wrong.
const near = 200

// goBack takes back what was placed since a chain was begun too early: one that cannot be ended,
// since another must have come first; if there is none that certainly is, then the latest that may be. Either may
// be due to a choice that is wrong itself, so a search that gets nowhere has shown nothing.
// It reports whether there is more to try.
func (s *serialize) goBack() bool {
	if s.ahead == nil || s.back >= mostBack+len(s.txns)/per {
		return false
	}
	for _, how := range []struct{ certain, unfinished bool }{{true, true}, {false, true}, {false, false}} {
		for at := len(s.moves) - 1; at >= 0 && at >= len(s.moves)-near; at-- {
			for _, c := range s.moves[at].changes {
				if c.begun == nil || how.unfinished && !s.unfinished(c.object, c.begun.end) {
					continue
				}
				if first := s.tooEarly(c, how.certain); first != none {
					s.back++
					s.swap(first, c.begun.head)
					s.takeBack(at)
					return true
				}
			}
		}
	}
	return false
}

// tooEarly is the head of a chain that must have been begun before the one that was.
func (s *serialize) tooEarly(c change, certain bool) int32 {
	for _, other := range s.open[c.object] {
		switch pair := (open{other.head, c.begun.head}); {
		case certain && slices.Contains(s.first[pair.b], pair.a):
		case certain && s.ahead.precedes(other, *c.begun):
			return other.head
		case !certain && !s.tried[pair] && !(c.begun.first < other.last) && s.txns[s.writer(other.head)].op.Call <= s.txns[s.byReturn[s.returned]].ret:
			s.tried[pair] = true
			return other.head
		}
	}
	return none
}

// swap has one chain begun before another from now on.
func (s *serialize) swap(a, b int32) {
	s.first[b] = append(slices.Clip(s.first[b]), a)
	s.first[a] = slices.DeleteFunc(slices.Clone(s.first[a]), func(h int32) bool { return h == b })
}

// unfinished reports whether the chain that an object is in, which ends with that version,
// is not over.
func (s *serialize) unfinished(object, end int32) bool {
	return s.ahead.ends[object] == end && (s.current[object] != end || s.unread[end] > 0)
}

// takeBack takes all moves back from one on.
func (s *serialize) takeBack(from int) {
	for at := len(s.moves) - 1; at >= from; at-- {
		m := &s.moves[at]
		s.placed[m.txn] = false
		s.count--
		for i := s.txns[m.txn].from; i < s.txns[m.txn].to; i++ {
			if a := &s.accesses[i]; a.reads != none && !s.succeeds(a) {
				s.unread[a.reads]++
			}
		}
		for _, c := range m.changes {
			s.current[c.object], s.ahead.ends[c.object] = c.current, c.end
			if c.begun != nil {
				open := s.open[c.object]
				i, _ := slices.BinarySearchFunc(open, c.begun.zone.first, func(x chain, first int64) int { return cmp.Compare(x.first, first) })
				s.open[c.object] = slices.Insert(open, i, *c.begun)
			}
		}
		s.returned, s.low = min(s.returned, int(s.returns[m.txn])), min(s.low, int(s.calls[m.txn]))
	}
	s.moves = s.moves[:from]
	s.lookAgain()
}

// lookAgain looks at all transactions anew that were let in and are not placed.
func (s *serialize) lookAgain() {
	s.ready, s.choices = s.ready[:0], s.choices[:0]
	for _, t := range s.byCall[s.low:s.called] {
		if s.placed[t] {
			continue
		}
		for i := s.txns[t].from; i < s.txns[t].to; i++ {
			a := &s.accesses[i]
			s.forEnd[a.object] = none
			if a.reads != none {
				s.forCurrent[a.reads] = none
			}
			if a.writes == none {
				continue
			}
			if old := s.versions[a.writes].before; old != none {
				s.forCurrent[old], s.forUnread[old] = none, none
			}
		}
	}
	s.called = s.low
	s.admit()
}
