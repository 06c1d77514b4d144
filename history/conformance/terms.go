package conformance

import "squall/history/trace"

// enterTerm follows the node's term, which each step of its loop tells.
func (n *node) enterTerm(e *trace.Event) {
	if n.decide(termMonotonic, e.Term < n.term) {
		n.violation(termMonotonic, []*trace.Event{n.newest(), e}, "went back from term %d to term %d", n.term, e.Term)
		return
	}
	if e.Term <= n.term {
		return
	}
	campaigns := e.Term == n.term+1 && (e.Kind == trace.Grant && e.Peer == n.id || e.Kind == trace.RoleChange && e.Role == trace.Candidate)
	if n.decide(termRaised, !campaigns && e.Term > n.heard) {
		n.violation(termRaised, []*trace.Event{n.newest(), e},
			"went from term %d to term %d, and had received no message of a term higher than %d", n.term, e.Term, n.heard)
	}
	n.term, n.vote = e.Term, 0
	if n.role != trace.Stopped {
		n.role = trace.Follower
	}
}

// newest is the last event of the node's loop.
func (n *node) newest() *trace.Event {
	var newest *trace.Event
	for i := range n.last {
		if e := &n.last[i]; e.Kind != 0 && e.Boot == n.boot && (newest == nil || e.Time > newest.Time) {
			newest = e
		}
	}
	return newest
}

// leadership is who led a term.
type leadership struct {
	term   uint64
	leader trace.NodeID // by its own word; 0: nobody said so yet
	since  trace.Event  // when it said so
	known  trace.NodeID // by the word of a follower
	said   trace.Event  // when that said so
	log    termLog      // the leader's log when it was elected; empty where not known
	judged bool         // its log was known
}

func (c *Checker) leadership(term uint64) *leadership {
	l := c.leaders[term]
	if l == nil {
		l = &leadership{term: term}
		c.leaders[term] = l
		c.forgetLeaders()
	}
	return l
}

// mostTerms bounds the terms whose leader is remembered.
const mostTerms = 1 << 16

// forgetLeaders drops the older half of the terms when there are too many. What a late
// event says of such a term is not compared any more.
func (c *Checker) forgetLeaders() {
	if len(c.leaders) <= mostTerms {
		return
	}
	terms := sortedKeys(c.leaders)
	for _, t := range terms[:len(terms)/2] {
		delete(c.leaders, t)
	}
}

// leads takes the word of a node about who leads its term: itself, or another.
func (n *node) leads(e *trace.Event) {
	switch {
	case e.Role == trace.Leader:
		n.saysItLeads(e)
	case e.Peer != 0 && e.Peer != n.id && e.Role == trace.Follower:
		n.saysItFollows(e)
	}
}

func (n *node) saysItLeads(e *trace.Event) {
	l := n.c.leadership(e.Term)
	if n.decide(oneLeader, l.leader != 0 && (l.leader != n.id || l.since.Boot != e.Boot)) {
		if l.leader != n.id {
			n.violation(oneLeader, []*trace.Event{&l.since, e}, "and %s both lead term %d", n.c.name(l.leader), e.Term)
		} else {
			n.violation(oneLeader, []*trace.Event{&l.since, e}, "led term %d, was restarted, and led it again", e.Term)
		}
		return
	}
	if l.leader == 0 {
		l.leader = n.id
		n.c.newestTerm = max(n.c.newestTerm, e.Term)
		keep(&l.since, e)
		n.compareKnown(l)
	}
}

func (n *node) saysItFollows(e *trace.Event) {
	l := n.c.leadership(e.Term)
	if l.known == 0 {
		l.known = e.Peer
		keep(&l.said, e)
		n.compareKnown(l)
		return
	}
	if n.decide(knownLeader, l.known != e.Peer) {
		n.violation(knownLeader, []*trace.Event{&l.said, e}, "follows %s in term %d, in which %s follows %s",
			n.c.name(e.Peer), e.Term, n.c.name(l.said.Node), n.c.name(l.known))
	}
}

// compareKnown compares what the leader of a term says with what its followers say.
func (n *node) compareKnown(l *leadership) {
	if l.known == 0 || l.leader == 0 {
		return
	}
	if n.decide(knownLeader, l.known != l.leader) {
		follower := n.c.node(l.said.Node)
		follower.violation(knownLeader, []*trace.Event{&l.since, &l.said}, "follows %s in term %d, which %s leads",
			n.c.name(l.known), l.term, n.c.name(l.leader))
	}
}

// termStart is where the entries of a term begin: which one is the first, and which
// entry it follows.
type termStart struct {
	first uint64
	prev  trace.Mark
	said  trace.Event
}

// checkBegin compares the beginning of a run with where other logs have it. The log
// still ends before r.
func (n *node) checkBegin(e *trace.Event, r trace.Run) {
	prev := n.log.end()
	if prev.Term == r.Term && prev.Index > 0 {
		return
	}
	s := n.c.starts[r.Term]
	if s == nil {
		if len(n.c.starts) < mostTerms*16 {
			s = &termStart{first: r.First, prev: prev}
			keep(&s.said, e)
			n.c.starts[r.Term] = s
		}
		return
	}
	if n.decide(logMatching, s.first != r.First || s.prev != prev) {
		n.violation(logMatching, []*trace.Event{&s.said, e},
			"has entry %d of term %d behind entry %d of term %d; in the log of %s the entries of that term begin with %d, behind entry %d of term %d",
			r.First, r.Term, prev.Index, prev.Term, n.c.name(s.said.Node), s.first, s.prev.Index, s.prev.Term)
	}
}
