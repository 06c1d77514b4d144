package raft

import "slices"

// deliver lets the right role handle a message.
func (c *core) deliver(m *Message) {
	if !c.concerns(m) {
		return
	}
	c.steps.received(m)
	switch {
	case m.Term > c.term:
		c.deliverNewer(m)
	case m.Term < c.term:
		c.answerStale(m)
	default:
		c.role.message(m)
	}
}

// concerns says whether a message is from one member of the cluster to this one.
func (c *core) concerns(m *Message) bool {
	return m.To == c.id && slices.Contains(c.cfg.Members, m.From)
}

// deliverNewer handles a message of a later term.
func (c *core) deliverNewer(m *Message) {
	switch {
	case m.Type == MsgPreVote, m.Type == MsgPreVoteReply && !m.Reject:
		// A question about a later term, and its echo, do not begin that term.
		c.role.message(m)
		return
	case m.Type == MsgVote && c.hearsLeader():
		// Protection from disruptive servers: as long as there is a leader,
		// nobody who has missed it can depose it.
		return
	}
	leader := NodeID(0)
	if m.Type.fromLeader() {
		leader = m.From
	}
	c.toFollower(m.Term, leader, reasonHigherTerm)
	c.role.message(m)
}

// answerStale tells the sender of an old request that its term is over. It
// deposes a leader that was forgotten, and lets a member that lags behind in
// terms take part again.
func (c *core) answerStale(m *Message) {
	switch m.Type {
	case MsgPreVote:
		c.send(&Message{Type: MsgPreVoteReply, To: m.From, Reject: true})
	case MsgVote:
		c.send(&Message{Type: MsgVoteReply, To: m.From, Reject: true})
	case MsgAppend, MsgHeartbeat, MsgSnapshot:
		c.send(&Message{Type: MsgAppendReply, To: m.From, Reject: true})
	}
}

// hearsLeader says whether this node knows a leader that is certainly not yet
// due for an election.
func (c *core) hearsLeader() bool {
	if c.leader == c.id {
		return true // it steps down by itself when it loses its quorum
	}
	return c.leader != 0 && c.since(&c.heard) < c.cfg.ElectionMin
}

// answerPreVote says whether this node would grant a vote, unless there is a
// leader.
func (c *core) answerPreVote(m *Message) {
	if !c.hearsLeader() {
		c.replyPreVote(m)
	}
}

// replyPreVote says whether this node would grant a vote. It promises nothing and
// changes nothing, not even the election timer.
func (c *core) replyPreVote(m *Message) {
	reply := &Message{Type: MsgPreVoteReply, To: m.From, Reject: true}
	if m.Term > c.term && c.log.upToDate(LogMark{m.Index, m.LogTerm}) {
		// The grant carries the term asked about: the asker's own term is lower
		// than this one's might be, and it would ignore or obey that.
		reply.Term, reply.Reject = m.Term, false
	}
	c.send(reply)
}

// answerVote answers a request for a vote in the current term.
func (c *core) answerVote(m *Message) {
	last := LogMark{m.Index, m.LogTerm}
	grant := c.mayVoteFor(m.From) && c.log.upToDate(last)
	if grant {
		c.castVote(c.term, m.From, last)
		c.resetElectionTimer()
	}
	c.send(&Message{Type: MsgVoteReply, To: m.From, Reject: !grant})
}

// mayVoteFor: one vote a term, and none once the term's leader is known.
func (c *core) mayVoteFor(id NodeID) bool {
	return c.vote == id || c.vote == 0 && c.leader == 0
}

// castVote records a vote for a node whose log ends in last. The messages and events
// that tell of it wait until it is durable.
func (c *core) castVote(term uint64, id NodeID, last LogMark) {
	if c.term == term && c.vote == id {
		return
	}
	c.setHard(term, id)
	c.steps.granted(id, last)
	c.trace(Event{Kind: EventVote, Vote: id})
}
