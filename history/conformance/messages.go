package conformance

import "squall/history/trace"

// fromLeader says whether only a leader sends messages of this type.
func fromLeader(t trace.MessageType) bool {
	switch t {
	case trace.AppendEntries, trace.Heartbeat, trace.InstallSnapshot, trace.TimeoutNow:
		return true
	}
	return false
}

// ofNextTerm says whether a message speaks of a term that its sender is not in yet.
func ofNextTerm(m *trace.Message) bool {
	return m.Type == trace.PreVote || m.Type == trace.PreVoteReply && !m.Reject
}

// send judges a message that leaves.
func (n *node) send(e *trace.Event) {
	m := e.Message
	if m.From != n.id {
		n.contradicts(e, "it sends a message in the name of %s", n.c.name(m.From))
		return
	}
	n.outbox.put(n.c, n, e)
	n.judgeTerm(e)
	if fromLeader(m.Type) {
		n.judgeLeads(e)
	}
	switch m.Type {
	case trace.Vote:
		n.askVote(e)
	case trace.VoteReply:
		n.replyVote(e)
	case trace.PreVoteReply:
		n.replyPreVote(e)
	case trace.AppendEntries:
		n.sendEntries(e)
	case trace.AppendReply:
		if !m.Reject {
			n.acknowledge(e)
		}
	case trace.Heartbeat:
		n.sendHeartbeat(e)
	case trace.HeartbeatReply:
		n.replyHeartbeat(e)
	case trace.InstallSnapshot:
		n.sendSnapshot(e)
	}
}

// judgeTerm judges the term of a message that leaves, and the node's.
func (n *node) judgeTerm(e *trace.Event) {
	m := e.Message
	most := n.term
	if ofNextTerm(m) {
		most++
	}
	if m.Type == trace.PreVoteReply {
		most = max(most, m.Term) // it repeats the term that was asked about
	}
	if n.decide(messageTerm, m.Term > most) {
		n.violation(messageTerm, []*trace.Event{n.newest(), e}, "sends %s of term %d in term %d", n.message(m), m.Term, n.term)
		return
	}
	if n.decide(higherTermObeyed, n.mustReach > n.term) {
		n.violation(higherTermObeyed, []*trace.Event{n.obeyEvent(), e}, "sends %s in term %d after it received a message of term %d",
			n.message(m), n.term, n.mustReach)
		n.mustReach = 0
	}
	if !ofNextTerm(m) && n.decide(termDurable, m.Term > n.disk.term) {
		n.violation(termDurable, []*trace.Event{&n.last[trace.Persist], e}, "sends %s of term %d, and term %d is what it has stored",
			n.message(m), m.Term, n.disk.term)
	}
}

// obeyEvent is the message whose term the node had to obey.
func (n *node) obeyEvent() *trace.Event {
	for slot := range n.received {
		for _, e := range n.received[slot] {
			if e.Kind != 0 && e.Message.Term == n.mustReach {
				return e
			}
		}
	}
	return nil
}

// message names a message: "a heartbeat to n2".
func (n *node) message(m *trace.Message) string {
	name := m.Type.String()
	article := "a "
	if name[0] == 'a' {
		article = "an "
	}
	return article + name + " to " + n.c.name(m.To)
}

func (n *node) judgeLeads(e *trace.Event) {
	m := e.Message
	if n.decide(senderLeads, n.led != m.Term) {
		n.violation(senderLeads, []*trace.Event{&n.last[trace.RoleChange], e}, "sends %s in term %d, which it does not lead", n.message(m), m.Term)
	}
}

// askVote judges a request for a vote.
func (n *node) askVote(e *trace.Event) {
	m := e.Message
	if n.decide(senderCampaigns, n.campaign.term != m.Term) {
		n.violation(senderCampaigns, []*trace.Event{n.voteEvent(), e}, "asks %s for its vote in term %d, in which it does not vote for itself",
			n.c.name(m.To), m.Term)
		return
	}
	if own := n.campaign.mark; n.decide(candidateLog, m.Mark != own) {
		n.violation(candidateLog, []*trace.Event{n.voteEvent(), e},
			"asks for votes in term %d as one whose log ends with entry %d of term %d; it ended with %d of term %d when it began to campaign",
			m.Term, m.Mark.Index, m.Mark.Term, own.Index, own.Term)
	}
}

// replyVote judges an answer to a request for a vote.
func (n *node) replyVote(e *trace.Event) {
	m := e.Message
	if m.Term != n.term {
		return
	}
	if m.Reject {
		n.judgeRefusal(e)
		return
	}
	if n.decide(voteReplyGranted, n.vote != m.To) {
		n.violation(voteReplyGranted, []*trace.Event{n.voteEvent(), e}, "tells %s that it has its vote in term %d, which is %s",
			n.c.name(m.To), m.Term, n.given(n.vote))
		return
	}
	stored := n.disk.term > m.Term || n.disk.term == m.Term && n.disk.vote == m.To
	if n.decide(voteDurable, n.disk.term >= m.Term && !stored) {
		n.violation(voteDurable, []*trace.Event{n.voteEvent(), &n.last[trace.Persist], e},
			"tells %s that it has its vote in term %d before that is durable", n.c.name(m.To), m.Term)
	}
}

// sendEntries judges an AppendEntries: it tells the leader's own log.
func (n *node) sendEntries(e *trace.Event) {
	m := e.Message
	if n.role != trace.Leader || m.Term != n.term {
		return // one that was on its way when the leadership ended
	}
	if n.decide(appendOwnLog, !n.log.agrees(m)) {
		n.violation(appendOwnLog, []*trace.Event{n.logEvent(), e},
			"sends %s the entry %d of term %d and what follows; its own log, up to entry %d, does not have that so",
			n.c.name(m.To), m.Mark.Index, m.Mark.Term, n.log.last)
	}
	n.judgeTold(e)
	n.judgeBeyond(e)
	n.lead.sends(n, m.To, endOf(m).Index)
}

// judgeBeyond: what a node has acknowledged is not sent to it.
func (n *node) judgeBeyond(e *trace.Event) {
	m, match := e.Message, n.matchOf(e.Message.To)
	isSnapshot := m.Type == trace.InstallSnapshot
	if !n.decide(sendBeyondMatch, m.Mark.Index < match || isSnapshot && match > 0 && m.Mark.Index == match) {
		return
	}
	what := sprintf("what follows entry %d", m.Mark.Index)
	if isSnapshot {
		what = snapshotUpTo(m.Mark.Index)
	}
	n.violation(sendBeyondMatch, []*trace.Event{n.lastReceived(m.To, trace.AppendReply), e},
		"sends %s %s, and that has acknowledged entry %d", n.c.name(m.To), what, match)
}

// judgeTold: a leader tells no commit index beyond its own.
func (n *node) judgeTold(e *trace.Event) {
	m := e.Message
	if n.decide(commitToldOwn, m.Commit > n.commit) {
		n.violation(commitToldOwn, []*trace.Event{&n.last[trace.Commit], e}, "tells %s that entry %d is committed; its own commit index is %d",
			n.c.name(m.To), m.Commit, n.commit)
	}
}

// agrees says whether a message tells this log, as far as that is not compacted.
func (l *termLog) agrees(m *trace.Message) bool {
	if m.Mark.Index >= l.base.Index && !l.holds(m.Mark) || m.Mark.Index > 0 && m.Mark.Term == 0 {
		return false
	}
	for _, r := range m.Runs {
		last := r.First + r.Count - 1
		if last > l.last {
			return false
		}
		if r.First > l.base.Index && !l.covers(r) {
			return false
		}
	}
	return true
}

// receive takes a message that the node begins to handle.
func (n *node) receive(e *trace.Event) {
	m := e.Message
	if m.To != n.id {
		n.contradicts(e, "it receives a message to %s", n.c.name(m.To))
		return
	}
	n.c.match(n, e)
	n.obey(m)
	switch m.Type {
	case trace.PreVote:
		n.receivePreVote(m)
	case trace.Vote:
		n.receiveVote(m)
	case trace.AppendEntries:
		if m.Term >= n.term {
			n.receiveEntries(m)
		}
	case trace.InstallSnapshot:
		if m.Term >= n.term {
			n.receiveSnapshot(m)
		}
	case trace.Heartbeat:
		if m.Term >= n.term {
			n.receiveHeartbeat(m)
		}
	case trace.AppendReply:
		n.lead.acknowledged(n, m)
	case trace.SnapshotReply:
		n.lead.received(n, m)
	case trace.HeartbeatReply:
		n.lead.answered(n, m)
	}
}

// obey notes the term of a message that the node received.
func (n *node) obey(m *trace.Message) {
	if ofNextTerm(m) {
		return
	}
	n.heard = max(n.heard, m.Term)
	if !n.config().votes(m.From) {
		return // one that was removed may be ignored
	}
	if m.Type != trace.Vote && m.Type != trace.TimeoutNow && m.Term > n.term {
		// A request for a vote may be ignored while there is a leader (T 4.2.3).
		n.mustReach = max(n.mustReach, m.Term)
	}
}
