package transactions

import (
	"cmp"
	"container/heap"
	"slices"

	"squall/history/check"
)

// serialize puts transactions one after the other, so that each reads what was written
// last before it, and none stands before one that had been answered when it was called.
//
// Whatever can come next without beginning a chain comes next: that never stands in the
// way of anything. Only where chains are begun is there a choice, and of those the one
// that was seen first is taken. So it may get stuck where there is an order, but if no
// object has more than its first chain, it does not.
type serialize struct {
	*past
	budget  *check.Budget
	placed  []bool  // transactions
	count   int     // how many
	current []int32 // the version of each object
	unread  []int32 // of each version, accesses that have yet to read it, but for the one that replaces it

	ready   []int32 // transactions that can come next
	choices choices // those that can, and begin a chain
	// Whoever cannot waits for one thing: that a version is current, that it was read by all, or that an
	// object is at the end of a chain.
	next                  []int32 // that waits for the same
	forCurrent, forUnread []int32 // by version
	forEnd                []int32 // by object

	open  map[int32][]chain // by object, its chains that were not begun, those that were seen first first
	first map[int32][]int32 // by head, heads that must be begun before it
	ahead *lookahead        // nil: chains are begun as they come

	byCall, byReturn []int32
	calls, returns   []int32 // where a transaction stands in them
	called, returned int     // how many of them were let in, and were placed
	low              int     // how many of those by call were placed for certain

	moves []move        // all that were placed, where it looks ahead
	back  int           // how often it went back
	tried map[open]bool // pairs of chains of which the first was tried to be begun first
}

// chain is one whose place is open.
type chain struct {
	head, end int32 // versions
	zone
}

func newSerialize(p *past, b *check.Budget) *serialize {
	n := len(p.txns)
	s := &serialize{past: p, budget: b, placed: make([]bool, n), current: make([]int32, len(p.objects)), unread: make([]int32, len(p.versions)),
		next: make([]int32, n), forCurrent: nobody(len(p.versions)), forUnread: nobody(len(p.versions)), forEnd: nobody(len(p.objects)),
		open: map[int32][]chain{}, first: map[int32][]int32{}, byCall: make([]int32, n), byReturn: make([]int32, n)}
	for i := range p.objects {
		s.current[i] = p.objects[i].first
		if chains := p.chains(int32(i)); chains != nil {
			s.open[int32(i)] = chains
		}
	}
	for i := range p.accesses {
		if a := &p.accesses[i]; a.reads != none && !p.succeeds(a) {
			s.unread[a.reads]++
		}
	}
	for i := range n {
		s.byCall[i], s.byReturn[i] = int32(i), int32(i)
	}
	slices.SortFunc(s.byCall, func(a, b int32) int { return cmp.Compare(p.txns[a].op.Call, p.txns[b].op.Call) })
	slices.SortFunc(s.byReturn, func(a, b int32) int { return cmp.Compare(p.txns[a].ret, p.txns[b].ret) })
	return s
}

// careful is one that looks ahead before it begins a chain, and goes back where that was wrong.
func careful(p *past, b *check.Budget, first map[int32][]int32) *serialize {
	s := newSerialize(p, b)
	s.first, s.ahead, s.tried = cloned(first), newLookahead(s), map[open]bool{}
	s.calls, s.returns = make([]int32, len(p.txns)), make([]int32, len(p.txns))
	for i := range p.txns {
		s.calls[s.byCall[i]], s.returns[s.byReturn[i]] = int32(i), int32(i)
	}
	return s
}

func nobody(n int) []int32 {
	all := make([]int32, n)
	for i := range all {
		all[i] = none
	}
	return all
}

// chains are those of an object whose places are open, by when they were seen.
func (p *past) chains(object int32) []chain {
	heads := p.objects[object].heads
	if len(heads) == 0 {
		return nil
	}
	all := make([]chain, len(heads))
	for i, h := range heads {
		all[i] = chain{h, p.tail(h), p.zone(h)}
	}
	slices.SortFunc(all, func(a, b chain) int { return cmp.Compare(a.first, b.first) })
	return all
}

// succeeds reports whether an access writes the version that replaced the one that it read.
func (p *past) succeeds(a *access) bool {
	return a.writes != none && p.versions[a.writes].before == a.reads
}

// run reports whether it found an order of all transactions. stop is the limit that was
// reached before.
func (s *serialize) run() (found bool, stop string) {
	s.admit()
	for {
		if stop = s.budget.Spent(); stop != "" {
			return false, stop
		}
		switch n := len(s.ready); {
		case n > 0:
			t := s.ready[n-1]
			s.ready = s.ready[:n-1]
			s.place(t)
		case len(s.choices) > 0:
			c := heap.Pop(&s.choices).(choice)
			if s.fits(c.txn) && s.comesNext(c.txn) {
				s.place(c.txn)
			}
		default:
			if s.count == len(s.txns) || !s.goBack() {
				return s.count == len(s.txns), ""
			}
		}
	}
}

// admit lets those in that were called before the first that is not placed had been answered.
func (s *serialize) admit() {
	for s.returned < len(s.byReturn) && s.placed[s.byReturn[s.returned]] {
		s.returned++
	}
	for ; s.called < len(s.byCall); s.called++ {
		t := s.byCall[s.called]
		if s.placed[t] {
			continue
		}
		if s.returned < len(s.byReturn) && s.txns[t].op.Call > s.txns[s.byReturn[s.returned]].ret {
			return
		}
		s.look(t)
	}
}

// look puts a transaction where it belongs: among the ready, the choices, or those that wait.
func (s *serialize) look(t int32) {
	if !s.fits(t) {
		return
	}
	seen, begins := int64(0), false
	for i := s.txns[t].from; i < s.txns[t].to; i++ {
		if a := &s.accesses[i]; a.writes != none && s.versions[a.writes].before == none {
			for _, c := range s.open[a.object] {
				if c.head == a.writes && (!begins || c.first < seen) {
					seen, begins = c.first, true
				}
			}
		}
	}
	if begins {
		heap.Push(&s.choices, choice{t, seen})
		return
	}
	s.ready = append(s.ready, t)
}

// fits reports whether a transaction can come next. If it cannot, it waits.
func (s *serialize) fits(t int32) bool {
	for i := s.txns[t].from; i < s.txns[t].to; i++ {
		a := &s.accesses[i]
		now := s.current[a.object]
		if a.reads != none && now != a.reads {
			return s.wait(t, &s.forCurrent[a.reads])
		}
		if a.writes == none {
			continue
		}
		switch old := s.versions[a.writes].before; {
		case old != none && now != old:
			return s.wait(t, &s.forCurrent[old])
		case old != none && s.unread[old] > 0:
			return s.wait(t, &s.forUnread[old])
		case old == none && !s.mayBegin(a):
			return s.wait(t, &s.forEnd[a.object])
		}
	}
	return true
}

func (s *serialize) wait(t int32, list *int32) bool {
	s.next[t], *list = *list, t
	return false
}

func (s *serialize) wake(list *int32) {
	t := *list
	for *list = none; t != none; {
		next := s.next[t]
		s.look(t)
		t = next
	}
}

// mayBegin reports whether a chain can be begun: the one before is over, and no other must
// come first.
func (s *serialize) mayBegin(a *access) bool {
	now := s.current[a.object]
	if s.versions[now].after != none || s.unread[now] > 0 {
		return false
	}
	open := s.open[a.object]
	last := int64(0)
	for i := range open {
		if open[i].head == a.writes {
			last = open[i].last
		}
	}
	for i := range open {
		c := &open[i]
		if c.head != a.writes && c.zone.first < last || slices.Contains(s.first[a.writes], c.head) {
			return false
		}
	}
	return true
}

// comesNext reports whether the chains that a transaction begins can all come before those
// that are then still to be begun. If not, it waits.
func (s *serialize) comesNext(t int32) bool {
	if s.ahead == nil {
		return true
	}
	for i := s.txns[t].from; i < s.txns[t].to; i++ {
		a := &s.accesses[i]
		if a.writes == none || s.versions[a.writes].before != none {
			continue
		}
		open := s.open[a.object]
		at := slices.IndexFunc(open, func(c chain) bool { return c.head == a.writes })
		for k := range open {
			if k != at && s.ahead.precedes(open[k], open[at]) {
				return s.wait(t, &s.forEnd[a.object])
			}
		}
	}
	return true
}

// place makes a transaction the next one. What it changes is changed before anybody else
// looks.
func (s *serialize) place(t int32) {
	s.placed[t] = true
	s.count++
	s.remember(t)
	for i := s.txns[t].from; i < s.txns[t].to; i++ {
		a := &s.accesses[i]
		if a.reads != none && !s.succeeds(a) {
			s.unread[a.reads]--
		}
		if a.writes == none {
			continue
		}
		if s.versions[a.writes].before == none {
			s.open[a.object] = slices.DeleteFunc(s.open[a.object], func(c chain) bool { return c.head == a.writes })
			if s.ahead != nil {
				s.ahead.ends[a.object] = s.tail(a.writes)
			}
		}
		s.current[a.object] = a.writes
	}
	for i := s.txns[t].from; i < s.txns[t].to; i++ {
		a := &s.accesses[i]
		if a.reads != none && s.unread[a.reads] == 0 {
			s.wake(&s.forUnread[a.reads])
		}
		if a.writes != none {
			s.wake(&s.forCurrent[a.writes])
		}
		s.ended(a.object)
	}
	s.admit()
}

// remember keeps what a transaction is about to change.
func (s *serialize) remember(t int32) {
	if s.ahead == nil {
		return
	}
	m := move{txn: t}
	for i := s.txns[t].from; i < s.txns[t].to; i++ {
		a := &s.accesses[i]
		if a.writes == none {
			continue
		}
		c := change{object: a.object, current: s.current[a.object], end: s.ahead.ends[a.object]}
		if s.versions[a.writes].before == none {
			open := s.open[a.object]
			begun := open[slices.IndexFunc(open, func(c chain) bool { return c.head == a.writes })]
			c.begun = &begun
		}
		m.changes = append(m.changes, c)
	}
	s.moves = append(s.moves, m)
	for s.low < s.called && s.placed[s.byCall[s.low]] {
		s.low++
	}
}

// ended wakes those that begin a chain of an object where it is at the end of one.
func (s *serialize) ended(object int32) {
	now := s.current[object]
	if s.versions[now].after == none && s.unread[now] == 0 {
		s.wake(&s.forEnd[object])
	}
}

// choice is a transaction that can come next and begins a chain that was seen at a time.
type choice struct {
	txn  int32
	seen int64
}

// choices is a heap.
type choices []choice

func (c choices) Len() int           { return len(c) }
func (c choices) Less(i, j int) bool { return c[i].seen < c[j].seen }
func (c choices) Swap(i, j int)      { c[i], c[j] = c[j], c[i] }

// Push implements heap.Interface.
func (c *choices) Push(x any) { *c = append(*c, x.(choice)) }

// Pop implements heap.Interface.
func (c *choices) Pop() any {
	last := len(*c) - 1
	x := (*c)[last]
	*c = (*c)[:last]
	return x
}
