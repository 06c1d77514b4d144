package conformance

import (
	"slices"

	"squall/history/trace"
)

// reads are the reads without an entry (ReadIndex) of a node.
type reads struct {
	came   uint64 // the highest number of one that came
	rounds []round
	forgot bool // there were more rounds than are kept
}

// round is a round of confirmation and the reads that wait for it.
type round struct {
	number, term uint64
	first, last  uint64 // of the reads that are not served yet
	index        uint64
	done         bool
	begun        trace.Event
}

// mostRounds bounds the rounds that are kept.
const mostRounds = 1 << 12

// rounds are those that the leader of a term told a node of, in heartbeats.
type rounds struct{ term, newest uint64 }

// abandon drops the rounds that will not be confirmed any more: the node does not lead.
func (r *reads) abandon() {
	r.rounds = slices.DeleteFunc(r.rounds, func(r round) bool { return !r.done })
}

// beginRound takes a RoundBegun.
func (n *node) beginRound(e *trace.Event) {
	if n.decide(roundReadCame, e.Last > n.reads.came) {
		n.violation(roundReadCame, []*trace.Event{&n.last[trace.ReadCame], e},
			"begins round %d for %s, of which only those up to %d had come", e.Round, readsFrom(e.First, e.Last), n.reads.came)
	}
	if n.decide(roundTermCommitted, n.role != trace.Leader || !n.committedInTerm()) {
		n.violation(roundTermCommitted, []*trace.Event{&n.last[trace.RoleChange], &n.last[trace.Commit], e},
			"begins round %d of reads in term %d, of which it has committed no entry as leader", e.Round, n.term)
	}
	if n.decide(roundIndex, e.Mark.Index < n.commit) {
		n.violation(roundIndex, []*trace.Event{&n.last[trace.Commit], e}, "begins round %d of reads at entry %d, and its commit index is %d",
			e.Round, e.Mark.Index, n.commit)
	}
	if n.decide(roundNumber, n.role == trace.Leader && e.Round <= n.lead.begun) {
		n.violation(roundNumber, []*trace.Event{&n.last[trace.RoundBegun], e}, "begins round %d of reads in term %d, in which it had begun round %d",
			e.Round, n.term, n.lead.begun)
	}
	n.lead.begun = max(n.lead.begun, e.Round)
	r := &n.reads
	if len(r.rounds) == mostRounds {
		r.rounds = append(r.rounds[:0], r.rounds[mostRounds/2:]...)
		r.forgot = true
	}
	r.rounds = append(r.rounds, round{number: e.Round, term: n.term, first: e.First, last: e.Last, index: e.Mark.Index, begun: bare(e)})
}

// endRound takes a RoundDone.
func (n *node) endRound(e *trace.Event) {
	cfg := n.config()
	confirmed := func(id trace.NodeID) uint64 {
		if other := n.c.node(id); id != n.id && other != nil {
			return at(n.lead.round, other.slot)
		}
		return e.Round
	}
	if q := cfg.quorum(confirmed); len(cfg.members) > 0 && n.decide(roundConfirmed, q < e.Round) {
		n.violation(roundConfirmed, []*trace.Event{n.beginning(e.Round), n.newestReply(), e},
			"takes round %d of term %d as confirmed, and a quorum of %s has answered only up to round %d", e.Round, n.term, n.voters(cfg), q)
	}
	for i := range n.reads.rounds {
		if r := &n.reads.rounds[i]; r.term == n.term && r.number <= e.Round {
			r.done = true
		}
	}
}

func (n *node) beginning(number uint64) *trace.Event {
	for i := range n.reads.rounds {
		if r := &n.reads.rounds[i]; r.term == n.term && r.number == number {
			return &r.begun
		}
	}
	return nil
}

// newestReply is the last answer to a heartbeat.
func (n *node) newestReply() *trace.Event {
	var newest *trace.Event
	for slot := range n.received {
		if e := lastOf(&n.received, slot, trace.HeartbeatReply); e.Kind != 0 && (newest == nil || e.Time > newest.Time) {
			newest = e
		}
	}
	return newest
}

// serveReads takes a ReadServed.
func (n *node) serveReads(e *trace.Event) {
	if n.decide(readApplied, !n.holdsState(e.Mark.Index)) {
		n.violation(readApplied, []*trace.Event{&n.last[trace.Apply], e}, "serves %s from the state after entry %d, and has applied only up to %d",
			readsFrom(e.First, e.Last), e.Mark.Index, n.applied)
	}
	if e.Reason != "" {
		n.c.readsOtherwise(n, e.Reason)
		return
	}
	next := e.First
	for i := range n.reads.rounds {
		r := &n.reads.rounds[i]
		if r.last < e.First || r.first > e.Last || r.last == 0 {
			continue
		}
		n.judgeRead(e, r)
		if r.first <= next {
			next = max(next, r.last+1)
		}
		r.serve(e.First, e.Last)
	}
	if n.decide(readConfirmed, next <= e.Last && !n.reads.forgot) {
		n.violation(readConfirmed, []*trace.Event{&n.last[trace.ReadCame], e}, "serves read %d, for which no round was begun that still holds", next)
	}
	n.reads.rounds = slices.DeleteFunc(n.reads.rounds, func(r round) bool { return r.first > r.last })
}

// serve takes the reads from first to last out of a round.
func (r *round) serve(first, last uint64) {
	if first <= r.first {
		r.first = max(r.first, last+1)
	} else if last >= r.last {
		r.last = first - 1
	}
}

func (n *node) judgeRead(e *trace.Event, r *round) {
	if n.decide(readConfirmed, !r.done) {
		n.violation(readConfirmed, []*trace.Event{&r.begun, e}, "serves %s, whose round %d is not confirmed", readsFrom(e.First, e.Last), r.number)
	}
	if n.decide(readIndex, e.Mark.Index < r.index) {
		n.violation(readIndex, []*trace.Event{&r.begun, e}, "serves %s from the state after entry %d; round %d began at entry %d",
			readsFrom(e.First, e.Last), e.Mark.Index, r.number, r.index)
	}
}

// receiveHeartbeat takes a heartbeat that the node has received.
func (n *node) receiveHeartbeat(m *trace.Message) {
	n.in.enter(m.Term)
	n.in.told = max(n.in.told, m.Commit)
	n.learnCommit()
	if n.roundsHeard.term != m.Term {
		n.roundsHeard = rounds{term: m.Term}
	}
	n.roundsHeard.newest = max(n.roundsHeard.newest, m.Round)
}

// sendHeartbeat judges a heartbeat that leaves.
func (n *node) sendHeartbeat(e *trace.Event) {
	m := e.Message
	if n.role != trace.Leader || m.Term != n.term {
		return
	}
	n.judgeTold(e)
	n.judgeStarved(e)
	if m.Commit > n.commit {
		return
	}
	if match := n.matchOf(m.To); n.decide(heartbeatCommit, m.Commit > match) {
		n.violation(heartbeatCommit, []*trace.Event{n.lastReceived(m.To, trace.AppendReply), e},
			"tells %s in a heartbeat that entry %d is committed, and that has acknowledged only up to %d", n.c.name(m.To), m.Commit, match)
	}
	n.judgeForward(e)
}

// judgeForward: heartbeats tell one node of more and more.
func (n *node) judgeForward(e *trace.Event) {
	m := e.Message
	to := n.c.node(m.To)
	if to == nil {
		return
	}
	told := at(n.lead.told, to.slot)
	if n.decide(heartbeatForward, m.Commit < told) {
		n.violation(heartbeatForward, []*trace.Event{lastOf(&n.sent, to.slot, trace.Heartbeat), n.lastReceived(m.To, trace.AppendReply), e},
			"tells %s in a heartbeat that entry %d is committed, and had told it before that %d is", n.c.name(m.To), m.Commit, told)
	}
	raise(&n.lead.told, to.slot, m.Commit)
}

// replyHeartbeat judges an answer to a heartbeat.
func (n *node) replyHeartbeat(e *trace.Event) {
	m := e.Message
	newest := uint64(0)
	if n.roundsHeard.term == m.Term {
		newest = n.roundsHeard.newest
	}
	if n.decide(roundReply, m.Round > newest) {
		n.violation(roundReply, []*trace.Event{n.lastReceived(m.To, trace.Heartbeat), e},
			"answers round %d of reads in term %d, and had heard only of round %d", m.Round, m.Term, newest)
	}
}
