package transactions

import (
	"math"

	"squall/history"
	"squall/history/check"
)

// across looks for what is wrong between lists: each has an order of its own, and there must be one of
// all transactions. nil: there is one, or a limit was reached, which stop then says.
func (c *appendLists) across() *finding {
	p := c.past()
	if c.stop != "" {
		return nil
	}
	f, stop := p.judge(c.in, c.budget)
	c.stop = stop
	return f
}

// past is what happened, where every list has an order. The elements of a transaction stand
// in a row there, so what a list held between transactions is its versions.
func (c *appendLists) past() *past {
	p := &past{words: listWords, txns: make([]txn, 0, len(c.txns))}
	for _, l := range c.all {
		c.versions(p, l)
		if c.over() {
			return nil
		}
	}
	for _, t := range c.txns {
		if c.over() {
			return nil
		}
		if t.op.Outcome == history.Fail || t.known == math.MaxInt64 {
			continue // it took no effect, or none that anybody saw
		}
		p.begin(t.op)
		for i := range t.accesses {
			a := &t.accesses[i]
			done := access{object: a.list.object, reads: none, writes: none}
			if a.placed {
				done.reads = a.list.at(p, a.n)
			}
			if len(a.appends) > 0 {
				done.writes = a.version
			}
			p.touch(done)
		}
	}
	p.heads()
	return p
}

// versions makes those of a list: one for each transaction that appended to it, in the order of the
// list as far as it was read. What nobody has read comes behind that, in any order, but for what
// comes right behind a read of all of it.
func (c *appendLists) versions(p *past, l *appendList) {
	l.object = p.object(l.key)
	last := p.objects[l.object].first
	write := func(a *listAccess) {
		a.version = p.version(l.object)
		v := &p.versions[a.version]
		v.begin, v.end = a.appends[0].value, a.appends[len(a.appends)-1].value
	}
	for _, e := range l.order {
		if a := e.access; e == &a.appends[0] {
			write(a)
			p.replaces(last, a.version)
			last = a.version
		}
	}
	for _, a := range l.accesses {
		if len(a.appends) > 0 && a.appends[0].at == 0 && a.txn.known < math.MaxInt64 {
			if write(a); a.placed {
				p.replaces(last, a.version)
			}
		}
	}
}

// at is the version of a list with so many elements.
func (l *appendList) at(p *past, n int) int32 {
	if n == 0 {
		return p.objects[l.object].first
	}
	return l.order[n-1].access.version
}

// named is what the field calls a finding of one list.
func (f *appendFinding) named() anomaly {
	switch f.kind {
	case check.KindInternal:
		return internal()
	case check.KindNowhere:
		return garbageRead()
	case check.KindFailedEffect:
		return abortedRead()
	case check.KindElementTwice:
		return anomaly{name: "duplicate elements", weakest: readUncommitted}
	case check.KindOrder:
		return anomaly{name: "incompatible order", weakest: readUncommitted}
	case check.KindFractured:
		if f.twoLists {
			return anomaly{name: "G-single", weakest: repeatableRead}
		}
		return intermediateRead()
	case check.KindTorn:
		if f.torn {
			return anomaly{name: "G0", weakest: readUncommitted}
		}
		return lostUpdate()
	case check.KindStaleRead:
		return anomaly{name: "G-single-realtime", weakest: strictSerializable}
	case check.KindEarly:
		return anomaly{name: "G1c-realtime", weakest: strictSerializable}
	}
	return anomaly{name: "G0-realtime", weakest: strictSerializable}
}
