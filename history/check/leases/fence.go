package leases

import (
	"cmp"
	"math"
	"slices"

	"squall/history"
	"squall/history/check"
)

// fence is what a lock protects: writes carry tokens.
//
// The operations stand in periods, one a token, in the order of tokens: a write that was
// accepted and a read belong to the period of their token, and one that was refused to any
// period of a higher one. A period begins with a write, after everything that belongs to those
// before it. So the earliest beginning of each is known, and must not be after the return of
// what belongs to it. A write of unknown outcome may make a period, which only those that were
// refused can need.
type fence struct {
	fixed  []leaseOp // writes that were accepted, and reads
	denied []leaseOp // writes that were refused
	maybe  []leaseOp // writes of unknown outcome
	failed map[int64]*history.Op
}

func (f *fence) take(o leaseOp) {
	switch {
	case o.Outcome == history.Fail && o.Func == history.Write:
		if f.failed == nil {
			f.failed = make(map[int64]*history.Op)
		}
		f.failed[o.said.Token] = o.Op
	case o.Func == history.Write && o.Outcome == history.Info:
		f.maybe = append(f.maybe, o)
	case !o.said.Answered:
	case o.Func == history.Write && !o.said.Yes:
		f.denied = append(f.denied, o)
	default:
		f.fixed = append(f.fixed, o)
	}
}

// period is when a token is the highest one.
type period struct {
	token   int64
	written *history.Op // the first-called write with it; nil: none
	first   *history.Op // what belongs to it and returned first
	last    *history.Op // what belongs to it and was called last
	begins  int64       // at the earliest
	cause   *history.Op // whose call that is
}

// periods are all that there may be, by token.
func (f *fence) periods() []*period {
	byToken := make(map[int64]*period)
	of := func(token int64) *period {
		p := byToken[token]
		if p == nil {
			p = &period{token: token}
			byToken[token] = p
		}
		return p
	}
	for _, o := range f.fixed {
		p := of(o.said.Token)
		if p.first == nil || o.Return < p.first.Return {
			p.first = o.Op
		}
		if p.last == nil || o.Call > p.last.Call {
			p.last = o.Op
		}
		if o.Func == history.Write {
			p.write(o.Op)
		}
	}
	for _, o := range f.maybe {
		of(o.said.Token).write(o.Op)
	}
	list := make([]*period, 0, len(byToken))
	for _, p := range byToken {
		list = append(list, p)
	}
	slices.SortFunc(list, func(a, b *period) int { return cmp.Compare(a.token, b.token) })
	return list
}

func (p *period) write(op *history.Op) {
	if p.written == nil || op.Call < p.written.Call {
		p.written = op
	}
}

// judge finds the first operation that has no place.
func (f *fence) judge() (c *conflict) {
	periods := f.periods()
	var last *history.Op // that was called last of all periods so far
	for _, p := range periods {
		p.begins = math.MinInt64
		if last != nil {
			p.begins, p.cause = last.Call, last
		}
		switch {
		case p.token == 0:
		case p.written == nil:
			c = earlier(c, f.nowhere(p))
			p.begins = math.MaxInt64 // it never does
		case p.written.Call > p.begins:
			p.begins, p.cause = p.written.Call, p.written
		}
		if p.first != nil && p.written != nil && p.begins > p.first.Return {
			c = earlier(c, p.conflict())
		}
		if p.last != nil && (last == nil || p.last.Call > last.Call) {
			last = p.last
		}
	}
	for i := len(periods) - 2; i >= 0; i-- { // the earliest of it and of all higher ones
		if next := periods[i+1]; next.begins < periods[i].begins {
			periods[i].begins, periods[i].cause = next.begins, next.cause
		}
	}
	for _, o := range f.denied {
		i, _ := slices.BinarySearchFunc(periods, o.said.Token+1, func(p *period, t int64) int { return cmp.Compare(p.token, t) })
		if i == len(periods) || periods[i].begins > o.Return {
			d := &conflict{op: o.Op, kind: check.KindRefused}
			if i < len(periods) {
				d.against = periods[i].cause
			}
			c = earlier(c, d)
		}
	}
	return c
}

// conflict tells what stands against what belongs to a period: what was called last of those
// before it, or its first write, when that was called too late.
func (p *period) conflict() *conflict {
	c := &conflict{op: p.cause, against: p.first, kind: check.KindStaleRead}
	switch {
	case p.cause == p.written:
		c.op, c.against, c.kind = p.first, p.written, check.KindPhantom
	case p.cause.Func == history.Write:
		c.kind = check.KindFence
	}
	return c
}

// nowhere tells of a token that was read and that no write can have left.
func (f *fence) nowhere(p *period) *conflict {
	c := &conflict{op: p.first, kind: check.KindPhantom}
	if failed := f.failed[p.token]; failed != nil {
		c.against, c.kind = failed, check.KindFailedEffect
	}
	return c
}
