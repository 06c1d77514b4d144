package situations

import (
	"slices"

	"squall/history/trace"
)

// start follows the beginning of a boot: what the one before it left behind.
func (t *Tracker) start(n *node, e *trace.Event) {
	t.lack(e.Lacks)
	again := e.Boot > 1
	if n.started && again && !n.dark {
		t.ended(n)
	}
	if again && n.role == trace.Candidate {
		t.stopsStanding(n, n.roleTerm)
	}
	lost := n.log.last()
	t.load(n, e)
	if again {
		t.restarted(n, e)
		if lost.Index > 0 && !n.log.holds(lost) && lost.Index > n.log.base.Index {
			t.gone(n, lost)
		}
	}
}

// ended looks at how a boot ended, at the time of its last event.
func (t *Tracker) ended(n *node) {
	if n.role == trace.Stopped {
		return
	}
	if before(n.durable, n.log.last()) {
		t.foundAt(crashBeforePersist, n.seen, n)
	}
	if n.unacked && n.role == trace.Follower {
		t.foundAt(crashBeforeAck, n.seen, n)
	}
	if n.vote.term > n.durableTerm || n.vote.term == n.durableTerm && n.vote.peer != n.durableVote && n.vote.peer != 0 {
		t.foundAt(crashBeforeVoteDurable, n.seen, n)
	}
	if n.receiving.Index > n.commit {
		t.foundAt(snapshotInterrupted, n.seen, n)
	}
}

// load makes n what a server has loaded.
func (t *Tracker) load(n *node, e *trace.Event) {
	away := n.away
	if e.Boot > 1 && n.seen != 0 && !n.dark {
		away.from, away.to = n.seen, e.Time
	}
	*n = node{id: n.id, at: n.at, boot: e.Boot, seen: n.seen, away: away, peers: n.peers, behind: n.behind, started: true,
		log:  terms{base: e.Base, runs: slices.Clone(e.Runs)},
		term: e.Term, role: trace.Follower, roleTerm: e.Term, config: n.config,
		durableTerm: e.Term, durableVote: e.Vote, members: t.setOf(e.Members)}
	n.vote.term, n.vote.peer = e.Term, e.Vote
	n.commit = e.Mark.Index
	n.durable = n.log.last()
	if n.durable.Index < e.Mark.Index { // a snapshot is all that there is
		n.log.reset(e.Mark)
		n.durable = e.Mark
	}
	for i := range n.peers {
		n.peers[i] = peer{}
	}
}

// restarted looks at what a server found when it was started again.
func (t *Tracker) restarted(n *node, e *trace.Event) {
	n.atStart.term, n.atStart.vote, n.atStart.last = e.Term, e.Vote, n.log.last().Index
	if n.log.last().Index > t.commit {
		t.foundAt(restartWithUncommitted, e.Time, n)
	}
	if e.Term > 0 {
		el := t.election(e.Term)
		el.restarts |= 1 << n.at
		if !el.majority && n.quorum(el.restarts) {
			el.majority = true
			t.foundAt(majorityRestartedInTerm, e.Time, t.members(n, el.restarts)...)
		}
	}
	if t.allWereAway(n) {
		t.foundAt(allDown, e.Time, t.members(n, n.members)...)
	}
}

// allWereAway says whether there was a moment at which all members were down, and n is
// the last of them to return. A node is down from its last event to its next start.
func (t *Tracker) allWereAway(n *node) bool {
	from, to := n.away.from, n.away.to
	for _, m := range t.nodes {
		if !n.members.has(m.at) {
			continue
		}
		if m.away.to == 0 {
			return false
		}
		from, to = max(from, m.away.from), min(to, m.away.to)
	}
	return n.members.len() > 1 && from < to
}
