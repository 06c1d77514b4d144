package transactions

import (
	"cmp"
	"math"
	"slices"

	"squall/history"
)

// together sees to it that a list's transactions are whole: what one appended stands in a
// row, right behind what it read, and is read all or not at all.
func (c *appendLists) together(l *appendList) {
	var next []*listAccess // those that read all that is known of the list, and appended what nobody read
	for _, a := range l.accesses {
		if c.over() {
			return
		}
		if len(a.appends) == 0 {
			continue
		}
		if f := a.inARow(); f != nil {
			c.note(f)
			continue
		}
		first := &a.appends[0]
		switch {
		case !a.placed:
		case first.at == 0 && a.n == len(l.order):
			next = append(next, a)
		case first.at != a.n+1 && first.at > 0 && first.at <= a.n:
			c.note(itsOwnBefore(a, first))
		case first.at != a.n+1:
			c.note(tornApart(a, l.order[a.n], first))
		}
	}
	if len(next) > 1 {
		slices.SortStableFunc(next, func(a, b *listAccess) int { return cmp.Compare(a.txn.op.Return, b.txn.op.Return) })
		c.note(bothNext(next[0], next[1]))
	}
	for _, a := range l.reads {
		if c.over() {
			return
		}
		if !a.placed || a.n == 0 {
			continue
		}
		last := l.order[a.n-1]
		if all := last.access.appends; last != &all[len(all)-1] && last.access != a {
			c.note(seesAPart(a, last, last.next()))
		}
	}
}

// next is what the same transaction appended next to the same list, if anything.
func (e *listElement) next() *listElement {
	all := e.access.appends
	for i := range all[:len(all)-1] {
		if &all[i] == e {
			return &all[i+1]
		}
	}
	return nil
}

// inARow says what is wrong where the elements of a transaction that were read do not
// stand in a row.
func (a *listAccess) inARow() *appendFinding {
	for i := range a.appends[:len(a.appends)-1] {
		e, next := &a.appends[i], &a.appends[i+1]
		switch {
		case e.at == 0 && next.at == 0:
		case next.at == 0:
			return seesAPart(e.first, e, next)
		case e.at == 0:
			return seesAPart(next.first, next, e)
		case e.at != next.at-1:
			return notInARow(e, next)
		}
	}
	return nil
}

// inTime sees to it that a list's order goes with the time: that what was known to have
// taken effect before another transaction was called is before that one in the order.
//
// The order is a row of places: an element, the reads that end with it, the next
// element, and so on; at the end, what was appended and not read. Where none of a place returned before one of an
// earlier place was called, and only there, all of them can have taken effect in this order. So
// of each place the earliest return behind it and the latest call before it are enough.
func (c *appendLists) inTime(l *appendList) {
	behind := make([]*listElement, len(l.order)+1) // of those behind so many, the one that was known first
	last := &behind[len(l.order)]
	for _, a := range l.accesses {
		if c.over() {
			return
		}
		if len(a.appends) > 0 && a.appends[0].at == 0 && a.txn.known < math.MaxInt64 {
			*last = knownFirst(*last, &a.appends[0])
		}
	}
	for i := len(l.order) - 1; i >= 0; i-- {
		behind[i] = knownFirst(behind[i+1], l.order[i])
	}
	latest := make([]*listElement, len(l.order)+1) // of the first so many, the one that was called last
	for i, e := range l.order {
		if c.over() {
			return
		}
		latest[i+1] = latest[i]
		if latest[i] == nil || e.access.txn.op.Call > latest[i].access.txn.op.Call {
			latest[i+1] = e
		}
		if b := behind[i+1]; b != nil && b.access.txn.known < e.access.txn.op.Call {
			c.note(wrongWayRound(e, b))
		}
	}
	for _, a := range l.reads {
		if c.over() {
			return
		}
		if !a.placed {
			continue
		}
		if b := behind[a.n]; b != nil && b.access.txn.known < a.txn.op.Call {
			c.note(stale(a, b))
		}
		if e := latest[a.n]; e != nil && e.access.txn.op.Call > a.txn.op.Return {
			c.note(tooEarly(a, e))
		}
	}
}

func knownFirst(a, b *listElement) *listElement {
	if a == nil || b.access.txn.known < a.access.txn.known {
		return b
	}
	return a
}

// fractured looks for what a transaction read of others that appended to several lists:
// that must be there in all of them, or in none.
func (c *appendLists) fractured(t *appendTxn) {
	if t.op.Outcome != history.OK || len(t.accesses) < 2 {
		return
	}
	for i := range t.accesses {
		a := &t.accesses[i]
		if !a.placed {
			continue
		}
		for _, e := range a.list.order[:a.n] {
			if c.over() {
				return
			}
			if w := e.access.txn; len(w.accesses) > 1 && w != t {
				c.partOf(a, e)
			}
		}
	}
}

// partOf looks for the rest of a transaction of which an element was read.
func (c *appendLists) partOf(a *listAccess, e *listElement) {
	w := e.access.txn
	for i := range w.accesses {
		other := &w.accesses[i]
		if len(other.appends) == 0 || other.list == a.list {
			continue
		}
		for k := range a.txn.accesses {
			read, lacks := &a.txn.accesses[k], &other.appends[len(other.appends)-1]
			if read.list == other.list && read.placed && (lacks.at == 0 || lacks.at > read.n) {
				c.note(seesAPart(a, e, lacks))
			}
		}
	}
}
