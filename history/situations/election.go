package situations

import "squall/history/trace"

// maxElections bounds how many terms are remembered.
const maxElections = 256

// election is what is known of a term.
type election struct {
	stood    set // who has been a candidate
	standing set // who still is
	won      bool
	split    bool // it was counted as a split vote
	restarts set  // who was restarted with this term stored
	majority bool // it was counted that a majority was
}

// election is that of a term; a forgotten one begins anew.
func (t *Tracker) election(term uint64) *election {
	el := t.elections[term]
	if el == nil {
		if len(t.elections) >= maxElections {
			t.forgetOldest()
		}
		el = &election{}
		t.elections[term] = el
	}
	return el
}

func (t *Tracker) forgetOldest() {
	first, oldest := true, uint64(0)
	for term := range t.elections {
		if first || term < oldest {
			first, oldest = false, term
		}
	}
	delete(t.elections, oldest)
}

// role follows a change of a node's role.
func (t *Tracker) role(n *node, e *trace.Event) {
	was, term := n.role, n.roleTerm
	t.leavesTransfer(n, e)
	switch {
	case was == trace.Leader && e.Role != trace.Leader:
		t.stepsDown(n, e)
	case was == trace.Candidate && e.Role == trace.Follower && e.Term == term && e.Peer != 0 && t.election(term).standing.has(n.at):
		t.found(candidateFollowsWinner, n)
	}
	if was == trace.Candidate && (e.Term != term || e.Role != trace.Candidate && e.Role != trace.Leader) {
		t.stopsStanding(n, term)
	}
	if e.Term != term || e.Peer != n.leader {
		n.unacked = false // what is on disk is the new leader's to ask for
	}
	n.role, n.roleTerm, n.leader, n.term = e.Role, e.Term, e.Peer, e.Term
	switch {
	case e.Role == trace.Candidate && (was != trace.Candidate || e.Term != term):
		t.stands(n)
	case e.Role == trace.Leader && (was != trace.Leader || e.Term != term):
		n.leader = n.id
		t.wins(n, e)
	}
}

func (t *Tracker) stands(n *node) {
	el := t.election(n.term)
	if el.won {
		return // some systems call a node that asks for pre-votes a candidate of its old term
	}
	el.stood |= 1 << n.at
	el.standing |= 1 << n.at
	t.standsWhileConfiguring(n)
}

// stopsStanding ends a candidacy; with the last one of a term ends its election.
func (t *Tracker) stopsStanding(n *node, term uint64) {
	el := t.election(term)
	el.standing &^= 1 << n.at
	if el.standing == 0 && !el.won && !el.split && el.stood.len() > 1 {
		el.split = true
		t.found(splitVote, t.members(n, el.stood)...)
	}
}

// members are the nodes of a set, n first.
func (t *Tracker) members(n *node, s set) []*node {
	list := []*node{n}
	for _, m := range t.nodes {
		if s.has(m.at) && m != n {
			list = append(list, m)
		}
	}
	return list
}

func (t *Tracker) stepsDown(n *node, e *trace.Event) {
	if n.roundBegun > n.roundDone {
		t.found(readRoundOvertaken, n)
	}
	switch {
	case e.Role != trace.Follower:
	case e.Term > n.roleTerm:
		t.found(leaderDeposed, n)
	default:
		t.found(leaderWithoutQuorum, n)
	}
}

// wins begins a leadership. e is its change of role.
func (t *Tracker) wins(n *node, e *trace.Event) {
	el := t.election(n.term)
	el.won = true
	el.standing &^= 1 << n.at
	n.firstCommit, n.readsCame, n.doubled, n.outranked, n.figure8 = false, false, false, false, false
	n.roundBegun, n.roundDone = 0, 0
	for i := range n.peers {
		n.peers[i].rejected, n.peers[i].acked = 0, 0
	}
	if n.term <= t.term {
		return // it hears of its success when the next leader is elected already
	}
	if t.candidacies(t.term, n.term) >= 3 {
		t.found(threeTermsWithoutLeader, n)
	}
	if t.transfer.to == n.id && t.transfer.term == t.term && t.term > 0 {
		t.found(leadershipTransferred, n)
	}
	t.leader, t.term = n, n.term
	t.inherited = e.Mark.Index > t.commit && e.Mark.Term < n.term
	if t.inherited {
		t.found(leaderInheritsUncommitted, n)
		t.figure8()
	}
}

// candidacies counts the terms between two in which somebody stood.
func (t *Tracker) candidacies(after, until uint64) (terms int) {
	for term, el := range t.elections {
		if term > after && term < until && el.stood != 0 {
			terms++
		}
	}
	return terms
}

// asksForVote follows a request for a vote that n receives.
func (t *Tracker) asksForVote(n *node, m *trace.Message, from *node) {
	p := n.of(from.at)
	p.voteTerm, p.refusal = m.Term, noRefusal
	switch {
	case m.Term < n.term:
	case n.vote.term == m.Term && n.vote.peer != from.id:
		p.refusal = votedRefusal
	case before(m.Mark, n.log.last()):
		p.refusal = logRefusal
	}
	if n.atStart.vote != 0 && n.atStart.term == m.Term && n.atStart.vote != from.id && n.term == m.Term {
		t.found(askedAgainAfterRestart, n, from)
	}
}

// answersVote follows the answer.
func (t *Tracker) answersVote(n *node, m *trace.Message, to *node) {
	p := n.of(to.at)
	if !m.Reject || p.voteTerm != m.Term {
		return
	}
	switch p.refusal {
	case logRefusal:
		t.found(voteRefusedLog, n, to)
	case votedRefusal:
		t.found(voteRefusedVoted, n, to)
	}
	p.refusal = noRefusal
}

// asksForPreVote follows a pre-vote that a node receives: one that would get the node's
// consent if there was no leader is remembered.
func (t *Tracker) asksForPreVote(n *node, m *trace.Message, from *node) {
	if n.leader != 0 && m.Term > n.term && !before(m.Mark, n.log.last()) {
		n.asked.now |= 1 << from.at
	}
}

// answersPreVote follows the answer, which need not come at all: that a pre-vote is left
// unanswered shows when the node has something to say about what it received later.
func (t *Tracker) answersPreVote(n *node, m *trace.Message, to *node) {
	bit := set(1) << to.at
	if (n.asked.now|n.asked.earlier)&bit != 0 && m.Reject {
		t.found(preVoteRefused, n, to)
	}
	n.asked.now &^= bit
	n.asked.earlier &^= bit
}

func (t *Tracker) leftUnanswered(n *node) {
	for _, m := range t.nodes {
		if n.asked.earlier.has(m.at) {
			t.found(preVoteRefused, n, m)
		}
	}
	n.asked.earlier = 0
}
