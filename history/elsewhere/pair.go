package elsewhere

import (
	"cmp"
	"slices"
	"time"

	"squall/history"
	"squall/internal/plain"
)

// call is one operation: what called it and how it ended.
type call struct {
	begin   event
	end     *event // nil: nothing tells its end
	process int64
	at, ret int64 // ns
	outcome history.Outcome
	// key is the name of its key; in and out are what was asked for, and what was told at its
	// end; nil: nothing.
	key     string
	in, out *value
}

const (
	// clockSlack is how far the times of events of different processes may go back, in the
	// order of the file, ns. Threads note the time a little before they add to the history, and
	// may be stopped in between, for a collection of garbage say.
	clockSlack = 10 * int64(time.Second)
	// mostSpan is how long a history may last, ns. The load of one lasts a day at most.
	mostSpan = 8 * 24 * int64(time.Hour)
)

// pairs puts events together to operations. The order of the file is the order of time; the
// times are only told.
type pairs struct {
	calls   []*call
	faults  []*fault        // of the nemesis
	open    map[int64]*call // by process
	waiting map[int64]bool  // the process's operation has ended with :info
	last    map[int64]int64 // the time of the last event of a process; of the nemesis: -1
	first   int64           // time, ns
	latest  int64           // time, ns
	timed   bool            // all events of clients have times
	moments []moment        // of all events
	most    int64           // process
	alias   map[int64]int64 // of a process that went on after an unknown outcome
	renamed int64
}

// fault is what the nemesis did.
type fault struct {
	event
	at int64 // ns
}

// moment is when an event was, and where to note it.
type moment struct {
	time int64
	line int32
	to   *int64
}

// readPairs reads all events.
func readPairs(in events) (*pairs, error) {
	p := &pairs{open: map[int64]*call{}, waiting: map[int64]bool{}, last: map[int64]int64{}, alias: map[int64]int64{}, timed: true}
	for {
		e, err := in.next()
		if err == errNothing {
			break
		}
		if err == nil {
			err = p.clock(&e)
		}
		if err == nil {
			err = p.add(e)
		}
		if err != nil {
			return nil, err
		}
	}
	if len(p.calls) == 0 {
		return nil, damaged(0, "it holds no operations of clients")
	}
	p.tellTimes()
	return p, nil
}

func (p *pairs) add(e event) error {
	if e.nemesis {
		f := &fault{event: e}
		p.faults = append(p.faults, f)
		p.note(&e, &f.at)
		return nil
	}
	p.timed = p.timed && e.timed
	p.most = max(p.most, e.process)
	open := p.open[e.process]
	switch {
	case e.typ == typeInvoke && open != nil && !p.waiting[e.process]:
		return damaged(int(e.line), "process %d calls %s while the %s that it called on line %d is under way: it runs one at a time",
			e.process, plain.Excerpt([]byte(e.f)), plain.Excerpt([]byte(open.begin.f)), open.begin.line)
	case e.typ == typeInvoke:
		if open != nil { // from now on it has another number: see renumber
			p.renamed++
			p.alias[e.process] = -p.renamed
		}
		c := &call{begin: e, process: e.process, outcome: history.Info}
		if other, is := p.alias[e.process]; is {
			c.process = other
		}
		p.calls = append(p.calls, c)
		p.open[e.process], p.waiting[e.process] = c, false
		p.note(&e, &c.at)
		return nil
	case open == nil:
		return damaged(int(e.line), "process %d ends an operation that it never called: :%s %s", e.process, e.typ, plain.Excerpt([]byte(e.f)))
	case e.f != open.begin.f:
		return damaged(int(e.line), "process %d ends %s, and called %s on line %d",
			e.process, plain.Excerpt([]byte(e.f)), plain.Excerpt([]byte(open.begin.f)), open.begin.line)
	}
	open.end, open.outcome = &e, history.Outcome(e.typ)
	p.note(&e, &open.ret)
	if e.typ == typeInfo { // it may still be told how it ended
		p.waiting[e.process] = true
		return nil
	}
	delete(p.open, e.process)
	delete(p.waiting, e.process)
	return nil
}

// clock refuses times that go back: a process does one thing after the other.
func (p *pairs) clock(e *event) error {
	if !e.timed {
		return nil
	}
	whose := e.process
	if e.nemesis {
		whose = -1
	}
	last, before := p.last[whose]
	switch {
	case len(p.last) == 0:
		p.first, p.latest = e.time, e.time
	case before && e.time < last && !e.nemesis:
		return damaged(int(e.line), "the clock goes backwards: process %d was at %d ns before, and is at %d ns", e.process, last, e.time)
	case e.time < p.latest-clockSlack:
		return damaged(int(e.line), "the clock goes backwards: the history was at %d ns before, and is at %d ns", p.latest, e.time)
	case e.time-p.first > mostSpan:
		return damaged(int(e.line), "the history began at %d ns, and is at %d ns: none lasts longer than %v", p.first, e.time, time.Duration(mostSpan))
	}
	p.last[whose], p.latest = e.time, max(p.latest, e.time)
	return nil
}

// note remembers where the time of an event is to be told.
func (p *pairs) note(e *event, to *int64) {
	p.moments = append(p.moments, moment{e.time, e.line, to})
}

// tellTimes gives each event a time later than that of the one before. In a history without
// times, what is on line n is at n seconds, or milliseconds where it is very long.
func (p *pairs) tellTimes() {
	const second, longLines = int64(time.Second), 600_000
	unit := second
	if last := p.moments[len(p.moments)-1]; last.line > longLines {
		unit = int64(time.Millisecond)
	}
	before := int64(2) // what objects hold at first is written before
	for _, m := range p.moments {
		at := int64(m.line) * unit
		if p.timed {
			at = m.time - p.base()
		}
		before = max(before+1, at)
		*m.to = before
	}
	for _, c := range p.calls {
		if c.end == nil {
			c.ret = before
		}
	}
}

// base is what times count from: as they are where they count from the begin of a test.
func (p *pairs) base() int64 {
	if p.first >= 0 && p.latest <= mostSpan {
		return 0
	}
	return p.first
}

// renumber gives numbers to processes that went on after an operation of unknown outcome:
// in squall's histories that is another process. It says how many operations they ran.
func (p *pairs) renumber() (n int) {
	for _, c := range p.calls {
		if c.process < 0 {
			n++
			c.process = p.most - c.process
		}
	}
	return n
}

// sorted are the operations by call.
func sorted(ops []history.Op) []history.Op {
	slices.SortStableFunc(ops, func(a, b history.Op) int {
		return cmp.Or(cmp.Compare(a.Call, b.Call), cmp.Compare(a.Process, b.Process))
	})
	return ops
}
