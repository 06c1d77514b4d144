package situations

import "squall/history/trace"

// receive follows a message that a node begins to handle, in the state that it had before.
func (t *Tracker) receive(n *node, e *trace.Event) {
	m := e.Message
	n.asked.earlier, n.asked.now = n.asked.earlier|n.asked.now, 0
	from := t.other(m.From)
	if from == nil || from == n {
		return
	}
	if m.Number != 0 {
		t.number(n, m, from)
	}
	switch m.Type {
	case trace.PreVote:
		t.asksForPreVote(n, m, from)
	case trace.Vote:
		t.asksForVote(n, m, from)
	case trace.VoteReply:
		if !m.Reject && m.Term < n.term && n.role == trace.Candidate {
			t.found(staleGrant, n, from)
		}
	case trace.AppendReply:
		if n.leads() {
			t.acknowledged(n, m, from)
		}
	case trace.AppendEntries, trace.Heartbeat, trace.InstallSnapshot:
		t.fromLeader(n, m, from)
	}
}

// number looks whether a message comes late or twice. Numbers begin anew with each boot
// of the sender; one that it has not reached yet is left from the boot before.
func (t *Tracker) number(n *node, m *trace.Message, from *node) {
	if m.Number > from.sent {
		return
	}
	p := n.of(from.at)
	switch {
	case p.highBoot != from.boot:
		p.high, p.highBoot = m.Number, from.boot
	case m.Number > p.high:
		p.high = m.Number
	default:
		t.found(messageOutOfOrder, n, from)
	}
}

// acknowledged follows an answer to an append that a leader receives.
func (t *Tracker) acknowledged(n *node, m *trace.Message, from *node) {
	p := n.of(from.at)
	switch {
	case m.Term < n.term:
		t.found(ackOfOlderTerm, n, from)
	case m.Term > n.term:
	case m.Reject:
		p.rejected = m.Mark.Index + 1
	case p.ackedTerm != n.term:
		p.acked, p.ackedTerm = m.Mark.Index, n.term
	case m.Mark.Index < p.acked:
		t.found(ackGoesBack, n, from)
	default:
		p.acked = m.Mark.Index
	}
}

// fromLeader follows what only leaders send.
func (t *Tracker) fromLeader(n *node, m *trace.Message, from *node) {
	if m.Term < n.term {
		t.found(messageOfOlderTerm, n, from)
		return
	}
	switch m.Type {
	case trace.AppendEntries:
		if len(m.Runs) == 0 {
			return
		}
		r := m.Runs[len(m.Runs)-1]
		end := trace.Mark{Index: end(r), Term: r.Term}
		if end.Index < n.log.last().Index && n.log.holds(end) {
			t.found(appendWithinLog, n, from)
		}
	case trace.InstallSnapshot:
		t.receivesSnapshot(n, m, from)
	}
}

// send follows a message that leaves a node.
func (t *Tracker) send(n *node, e *trace.Event) {
	m := e.Message
	n.sent = max(n.sent, m.Number)
	to := t.other(m.To)
	if to == nil || to == n {
		return
	}
	if m.Type != trace.PreVoteReply && n.asked.earlier != 0 {
		t.leftUnanswered(n)
	}
	switch m.Type {
	case trace.PreVoteReply:
		t.answersPreVote(n, m, to)
	case trace.VoteReply:
		t.answersVote(n, m, to)
	case trace.AppendReply:
		if m.Mark.Index >= n.durable.Index {
			n.unacked = false
		}
	case trace.AppendEntries:
		t.replicates(n, m, to)
		t.actsAsLeader(n)
	case trace.Heartbeat, trace.InstallSnapshot:
		t.actsAsLeader(n)
	}
}

// replicates follows an append that leaves a leader.
func (t *Tracker) replicates(n *node, m *trace.Message, to *node) {
	p := n.of(to.at)
	if p.rejected != 0 && m.Mark.Index+2 < p.rejected {
		t.found(probedFarBack, n, to)
	}
	p.rejected = 0
}

// actsAsLeader is called when a node does what only leaders do.
func (t *Tracker) actsAsLeader(n *node) {
	if t.succeeded(n) && !n.doubled {
		n.doubled = true
		t.found(twoLeaders, n, t.leader)
	}
}
