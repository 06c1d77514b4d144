package raft

import "fmt"

// follower is the role of a node that does what a leader says, and waits for
// one when there is none.
type follower struct{ c *core }

func (*follower) kind() Role { return Follower }
func (*follower) leave()     {}

func (f *follower) handle(t task) {
	switch t := t.(type) {
	case *propose:
		f.c.refuse(t, ErrNotLeader)
	case *read:
		f.c.failReads([]*read{t}, ErrNotLeader)
	case receive:
		f.c.deliver(t.m)
	case electionTimeout:
		if f.c.electionDue(t.gen) {
			f.c.toPreCandidate()
		}
	default:
		f.c.common(t)
	}
}

func (f *follower) message(m *Message) {
	switch m.Type {
	case MsgPreVote:
		f.c.answerPreVote(m)
	case MsgVote:
		f.c.answerVote(m)
	case MsgAppend, MsgHeartbeat, MsgSnapshot:
		f.fromLeader(m)
	}
}

// fromLeader handles what the leader of the current term sent.
func (f *follower) fromLeader(m *Message) {
	c := f.c
	if c.leader != 0 && c.leader != m.From {
		c.fail(fmt.Errorf("raft: safety broken: nodes %d and %d both lead term %d", c.leader, m.From, c.term))
		return
	}
	c.leader, c.heard = m.From, c.cfg.Clock.Now()
	c.traceRole(reasonFollowing)
	c.resetElectionTimer()
	switch m.Type {
	case MsgAppend:
		f.append(m)
	case MsgHeartbeat:
		// The leader never sends more than this node acknowledged in this term.
		c.advanceCommit(min(m.Commit, c.log.last()))
		c.send(&Message{Type: MsgHeartbeatReply, To: m.From, Context: m.Context})
	case MsgSnapshot:
		c.receiveChunk(m)
	}
}

// append takes the leader's entries into the log and acknowledges them, once
// they are durable.
func (f *follower) append(m *Message) {
	c := f.c
	prev, entries := LogMark{m.Index, m.LogTerm}, m.Entries
	if prev.Index < c.log.base.Index {
		// A late append. What it says up to the base is in the snapshot.
		skip := min(c.log.base.Index-prev.Index, uint64(len(entries)))
		prev, entries = c.log.base, entries[skip:]
	}
	if !c.log.holds(prev) {
		if prev.Index <= c.log.commit {
			c.fail(fmt.Errorf("raft: safety broken: the leader's entry %d is of term %d, another is committed here", prev.Index, prev.Term))
			return
		}
		hint := c.log.conflictHint(prev.Index, prev.Term)
		if hint.Index < c.log.commit { // what is committed agrees for certain
			term, _ := c.log.term(c.log.commit)
			hint = LogMark{c.log.commit, term}
		}
		c.send(&Message{Type: MsgAppendReply, To: m.From, Index: prev.Index,
			Reject: true, Hint: hint.Index, LogTerm: hint.Term})
		return
	}
	if err := c.log.merge(entries); err != nil {
		c.fail(err)
		return
	}
	// Only up to here is the log known to equal the leader's; what may follow
	// is left from another term.
	matched := prev.Index + uint64(len(entries))
	c.advanceCommit(min(m.Commit, matched))
	c.sendAfter(c.nextSeq(), &Message{Type: MsgAppendReply, To: m.From, Index: matched})
}
