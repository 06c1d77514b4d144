package situations

import "squall/history/trace"

// Occurrence is one time that a situation occurred.
type Occurrence struct {
	Situation int // its place in All
	Moment
}

// Moment is when and where something occurred.
type Moment struct {
	Time  int64          // CLOCK_MONOTONIC, ns. Of a crash: that of the last event before it
	Event int64          // the number of the event that showed it, from 1 on
	Nodes []trace.NodeID // whom it concerns, the node that took the step first
}

// Tracker follows the events of a cluster and counts situations.
type Tracker struct {
	// Found, if set, is called for each occurrence, in the order in which they show.
	Found func(Occurrence)

	nodes   []*node
	known   map[trace.NodeID]*node
	last    *node // whose event was the last
	crowded bool  // there were more nodes than can be followed
	events  int64

	elections map[uint64]*election // by term
	leader    *node                // of the newest term that has one
	term      uint64               // that term
	transfer  struct {             // a hand-over under way
		to   trace.NodeID
		term uint64
	}

	commit    uint64 // the furthest that any node reported
	committed terms
	config    uint64 // up to here a candidacy while configurations were pending was counted
	inherited bool   // the leader's log has entries of older terms that are not committed

	all    [howMany]Situation
	counts [howMany]count
	blind  [howMany]bool // some server does not tell what is needed
	lacks  trace.Lacks
	silent set
}

type count struct {
	n           int
	first, last Moment
}

// New makes a tracker that has seen nothing.
func New() *Tracker {
	return &Tracker{known: map[trace.NodeID]*node{}, elections: map[uint64]*election{}, all: catalogue()}
}

// Observe takes the next event. It keeps nothing of it.
func (t *Tracker) Observe(e *trace.Event) {
	t.events++
	n := t.node(e.Node)
	if n == nil || e.Boot < n.boot && e.Kind != trace.Silent { // which may be of no boot at all
		return
	}
	if e.Kind == trace.Start {
		t.start(n, e)
		n.seen = e.Time
		return
	}
	n.boot, n.seen = max(n.boot, e.Boot), max(n.seen, e.Time)
	t.follow(n, e)
}

func (t *Tracker) follow(n *node, e *trace.Event) {
	switch e.Kind {
	case trace.Receive:
		if e.Message != nil {
			t.receive(n, e)
		}
	case trace.Send:
		if e.Message != nil {
			t.send(n, e)
		}
	case trace.Append:
		t.append(n, e)
	case trace.Persist:
		t.persist(n, e)
	case trace.Commit:
		t.commits(n, e)
	case trace.Truncate:
		t.truncate(n, e)
	case trace.Compact:
		t.compact(n, e.Mark)
	case trace.RoleChange:
		t.role(n, e)
	case trace.Grant:
		n.vote.term, n.vote.peer = e.Term, e.Peer
	case trace.ReadCame, trace.RoundBegun, trace.RoundDone, trace.ReadServed:
		t.read(n, e)
	case trace.Snapshot:
		t.snapshot(n, e)
	case trace.Transfer:
		t.transfer.to, t.transfer.term = e.Peer, e.Term
	case trace.Config:
		t.configuration(n, e)
	case trace.Silent:
		n.dark = true
		t.silent |= 1 << n.at
	}
	n.term = max(n.term, e.Term)
}

// node is the node with an id; nil when there are too many.
func (t *Tracker) node(id trace.NodeID) *node {
	if t.last != nil && t.last.id == id {
		return t.last
	}
	n := t.known[id]
	if n == nil {
		if t.crowded = t.crowded || len(t.nodes) == maxNodes; len(t.nodes) == maxNodes {
			return nil
		}
		n = &node{id: id, at: len(t.nodes), boot: 1}
		t.nodes, t.known[id] = append(t.nodes, n), n
	}
	t.last = n
	return n
}

// other is a node that an event of another names: last is kept.
func (t *Tracker) other(id trace.NodeID) *node {
	for _, n := range t.nodes {
		if n.id == id {
			return n
		}
	}
	last := t.last
	n := t.node(id)
	t.last = last
	return n
}

func (t *Tracker) setOf(ids []trace.NodeID) (s set) {
	for _, id := range ids {
		if n := t.other(id); n != nil {
			s |= 1 << n.at
		}
	}
	return s
}

// found counts an occurrence at the time of the newest event of its first node.
func (t *Tracker) found(what id, nodes ...*node) { t.foundAt(what, nodes[0].seen, nodes...) }

func (t *Tracker) foundAt(what id, time int64, nodes ...*node) {
	if t.blind[what] {
		return
	}
	c := &t.counts[what]
	c.n++
	c.last.Time, c.last.Event, c.last.Nodes = time, t.events, c.last.Nodes[:0]
	for _, n := range nodes {
		c.last.Nodes = append(c.last.Nodes, n.id)
	}
	if c.n == 1 {
		c.first = c.last.clone()
	}
	if t.Found != nil {
		t.Found(Occurrence{int(what), c.last.clone()})
	}
}

func (m Moment) clone() Moment {
	m.Nodes = append([]trace.NodeID(nil), m.Nodes...)
	return m
}
