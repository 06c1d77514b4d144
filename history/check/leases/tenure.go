package leases

import (
	"cmp"
	"fmt"
	"slices"

	"squall/history"
	"squall/history/check"
	"squall/history/objects"
)

// tenure is what an owner holds: from a grant to its end. All of its operations have moments
// between their calls and returns, and the earlier they are the better: every demand that a
// tenure ends in time is met best when it ends as early as it can. So one pass in the order of
// tokens, with the earliest moments, decides.
type tenure struct {
	grant leaseOp
	token int64 // 0: nobody was told
	lasts int64 // what the holder is sure of, ns
	// first is the operation of the tenure that returned first, last the one that was called
	// last, and extends the grant or keep-alive that was called last.
	first, last, extends *history.Op
	freed                *history.Op // a release that was answered true
	freeing              *history.Op // the first-called release of unknown outcome
	over                 *history.Op // the first-returned operation that found it to be over
}

// bound says that something cannot be before a moment, and why.
type bound struct {
	at    int64
	op    *history.Op // its call, or the lease that it began
	lease bool        // op holds the lock until then
	after *history.Op // op cannot have been before the call of this, which is later than its own; nil
}

func newTenure(o leaseOp) *tenure {
	t := &tenure{grant: o, token: o.said.Token, lasts: o.said.Lasts, last: o.Op, extends: o.Op}
	if o.said.Answered {
		t.first = o.Op
	}
	return t
}

// within takes an operation that fell into the tenure.
func (t *tenure) within(op *history.Op) {
	if t.first == nil || op.Return < t.first.Return {
		t.first = op
	}
	if op.Call > t.last.Call {
		t.last = op
	}
}

// prolongs takes a keep-alive that was answered true.
func (t *tenure) prolongs(op *history.Op) {
	t.within(op)
	if op.Call > t.extends.Call {
		t.extends = op
	}
}

// place puts the tenure behind what was before it, as early as it goes, and says when it has
// ended at the earliest.
func (t *tenure) place(from bound, bent []span) (end bound, c *conflict) {
	begin := bound{at: t.grant.Call, op: t.grant.Op}
	if from.at > begin.at {
		begin = from
	}
	if t.first != nil && begin.at > t.first.Return {
		return end, &conflict{op: t.first, tenure: t, bound: begin}
	}
	busy := begin
	if t.last.Call > busy.at {
		busy = bound{at: t.last.Call, op: t.last}
	}
	end = busy
	switch {
	case t.freed != nil:
		if t.freed.Call > end.at {
			end = bound{at: t.freed.Call, op: t.freed}
		}
		if end.at > t.freed.Return {
			return end, &conflict{op: t.freed, tenure: t, bound: end}
		}
	default:
		if lease := t.leaseFrom(begin, bent); lease.at > end.at {
			end = lease
		}
		if t.freeing != nil && max(busy.at, t.freeing.Call) < end.at {
			end = busy
			if t.freeing.Call > end.at {
				end = bound{at: t.freeing.Call, op: t.freeing}
			}
		}
	}
	if t.over != nil && end.at > t.over.Return {
		return end, &conflict{op: t.over, tenure: t, bound: end}
	}
	return end, nil
}

// leaseFrom is when the lease has ended at the earliest.
func (t *tenure) leaseFrom(begin bound, bent []span) bound {
	b := bound{op: t.extends, lease: true}
	from := t.extends.Call
	if begin.at > from {
		from, b.op, b.after = begin.at, t.grant.Op, begin.op
	}
	b.at = ends(from, t.lasts, bent)
	return b
}

// span is a stretch of time, ns.
type span struct{ from, to int64 }

// ends is when a lease has ended at the earliest that began at a moment: at the first at
// which some clock was bent, if that was before its own end.
func ends(from, lasts int64, bent []span) int64 {
	i, _ := slices.BinarySearchFunc(bent, from, func(s span, at int64) int { return cmp.Compare(s.to, at) })
	if i < len(bent) && bent[i].from <= from+lasts {
		return max(from, bent[i].from)
	}
	return from + lasts
}

// bentTimes are the times in which the clock of some server was, or may have been, bent: by
// time, none overlapping another.
func bentTimes(faults []history.Fault) []span {
	const endOfTime = int64(1<<63 - 1)
	bends := func(f *history.Fault) bool {
		return f.Kind == history.KindClock || slices.ContainsFunc(f.Measured, func(m history.Measure) bool { return m.What == history.ClockRate })
	}
	open := make(map[int]*span)
	var all []*span
	for i := range faults {
		switch f := &faults[i]; {
		case f.Phase == history.Inject && bends(f):
			open[f.ID] = &span{f.Begin, endOfTime}
			all = append(all, open[f.ID])
		case f.Phase == history.Heal && open[f.ID] != nil && f.Err == "":
			open[f.ID].to = f.End
		}
	}
	slices.SortFunc(all, func(a, b *span) int { return cmp.Compare(a.from, b.from) })
	var out []span
	for _, s := range all {
		if n := len(out); n > 0 && s.from <= out[n-1].to {
			out[n-1].to = max(out[n-1].to, s.to)
			continue
		}
		out = append(out, *s)
	}
	return out
}

// assign gives each operation to the tenure that it speaks of. It returns a conflict that
// needs no order to be seen.
func (l *lock) assign() (c *conflict, err error) {
	for i := range l.refused {
		c = earlier(c, l.observe(&l.refused[i]))
	}
	for i := range l.rest {
		o := &l.rest[i]
		t := l.byOwner[o.said.Owner]
		if t == nil || t.token != o.said.Token {
			if o.said.Yes {
				return nil, fmt.Errorf("key %s has %s, and no acquire was answered with this token", history.Show(l.key), o.Func)
			}
			continue // nothing can be said of a token that nobody was told
		}
		if o.Call < t.grant.Return {
			return nil, fmt.Errorf("key %s has a %s that was called before the token was told that it uses", history.Show(l.key), o.Func)
		}
		if o.Func == objects.KeepAlive && o.said.Yes && o.said.Lasts != t.lasts {
			return nil, fmt.Errorf("key %s has leases of several lengths for one owner, which this check does not judge", history.Show(l.key))
		}
		if o.Call == t.grant.Return && o.said.Answered && !o.said.Yes {
			continue // it may have been just before the grant
		}
		c = earlier(c, t.rest(o))
	}
	return c, nil
}

// observe takes an acquire that was answered with who holds the lock.
func (l *lock) observe(o *leaseOp) *conflict {
	asked := l.asked[o.said.Holder]
	if asked == nil || asked.Call > o.Return || asked.Outcome == history.Fail || asked.said.Answered && !asked.said.Granted {
		c := &conflict{op: o.Op, kind: check.KindWrongHolder}
		if asked != nil {
			c.against = asked.Op
			if asked.Outcome == history.Fail {
				c.kind = check.KindFailedEffect
			}
		}
		return c
	}
	t := l.byOwner[o.said.Holder]
	if t == nil { // an acquire of unknown outcome, which this shows to have taken effect
		t = newTenure(*asked)
		l.byOwner[o.said.Holder] = t
	}
	t.within(o.Op)
	return nil
}

// rest takes a keep-alive or a release of the tenure.
func (t *tenure) rest(o *leaseOp) *conflict {
	switch {
	case !o.said.Answered:
		if t.freeing == nil || o.Call < t.freeing.Call {
			t.freeing = o.Op
		}
	case !o.said.Yes:
		if t.over == nil || o.Return < t.over.Return {
			t.over = o.Op
		}
	case o.Func == objects.KeepAlive:
		t.prolongs(o.Op)
	case t.freed != nil:
		return &conflict{op: o.Op, against: t.freed, kind: check.KindWrongHolder}
	default:
		t.freed = o.Op
	}
	return nil
}
