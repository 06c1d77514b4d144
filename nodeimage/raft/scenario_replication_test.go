package raft

import (
	"slices"
	"testing"

	"squall/nodeimage/mutants/scenario"
)

var _ = scenarios.Add(scenario.Set{
	"ack-before-quorum": func(t *testing.T) {
		s := newScript(t, 3, HardState{})
		s.lead()
		s.sync() // the leader's own disk has its entry, and nobody else's
		s.want("committed", s.c.log.commit, 0)
		s.ack(2, 1)
		s.want("committed when a second node has it", s.c.log.commit, 1)
	},

	"half-quorum": func(t *testing.T) {
		s := newScript(t, 4, HardState{})
		s.electionTimeout()
		s.step(&Message{Type: MsgPreVoteReply, From: 2, Term: 1})
		s.want("campaigns with half of the nodes behind it", s.c.role.kind() == Candidate, false)
		s.step(&Message{Type: MsgPreVoteReply, From: 3, Term: 1})
		s.sync()
		s.step(&Message{Type: MsgVoteReply, From: 2, Term: 1})
		s.want("leads with half of the votes", s.c.role.kind() == Leader, false)
		s.step(&Message{Type: MsgVoteReply, From: 3, Term: 1})
		s.want("leads with three of four", s.c.role.kind() == Leader, true)
		s.sync()
		s.ack(2, 1)
		s.want("committed on half of the disks", s.c.log.commit, 0)
	},

	"stale-append-truncates": func(t *testing.T) {
		s := newScript(t, 3, HardState{Term: 1})
		s.append(LogMark{}, 0, 1, 1, 1)
		s.want("acknowledged", show(s.sync()), "append reply>2 t1 i3")
		s.append(LogMark{}, 0, 1, 1) // an older one, late
		s.want("log", s.terms(), []uint64{1, 1, 1})
	},

	"commit-past-match": func(t *testing.T) {
		s := newScript(t, 3, HardState{Term: 5}, 1, 1, 2) // the leader never had the last one
		s.append(LogMark{1, 1}, 3, 1)
		s.want("committed", s.c.log.commit, 2)
	},

	"ack-last-index": func(t *testing.T) {
		s := newScript(t, 3, HardState{Term: 5}, 1, 1, 2) // the leader never had the last one
		sent := s.append(LogMark{1, 1}, 0, 1)
		s.want("acknowledged", show(sent), "append reply>2 t5 i2")
	},

	"compacted-prev-matches": func(t *testing.T) {
		t.Run("leader", compactedPrevLeader)
		t.Run("follower", func(t *testing.T) {
			s := newScript(t, 3, HardState{Term: 5}, 1, 1)
			sent := s.append(LogMark{5, 0}, 0) // it has no entry 5
			s.want("answer", show(sent), "append reply!>2 t5 i5")
		})
	},

	"commit-regresses": func(t *testing.T) {
		s := newScript(t, 3, HardState{Term: 1}, 1, 1, 1)
		s.step(&Message{Type: MsgHeartbeat, From: 2, Term: 1, Commit: 3})
		s.step(&Message{Type: MsgHeartbeat, From: 3, Term: 2, Commit: 1}) // it knows of less
		s.want("committed", s.c.log.commit, 3)
	},

	"commits-skipped": func(t *testing.T) {
		const length = maxApplyEntries + 952
		s := newScript(t, 3, HardState{Term: 1}, slices.Repeat([]uint64{1}, length)...)
		s.step(&Message{Type: MsgHeartbeat, From: 2, Term: 1, Commit: length})
		a := &applier{cfg: &s.c.cfg, pending: &s.pending}
		for len(s.applies) > 0 {
			j := s.applies[0]
			s.applies = s.applies[1:]
			s.do(a.run(j))
		}
		s.want("applied entries", len(s.c.cfg.StateMachine.(*register).ids), length)
	},

	"late-ack-counts": func(t *testing.T) {
		s := newScript(t, 3, HardState{Term: 1})
		s.append(LogMark{}, 0, 1, 1)
		first := s.c.seq // the write of these entries takes long
		s.step(&Message{Type: MsgAppend, From: 3, Term: 2, Entries: entriesOf(0, 2)})
		s.step(&Message{Type: MsgHeartbeat, From: 2, Term: 3}) // node 2 leads again
		s.want("log", s.terms(), []uint64{2})
		s.want("answer when the first write ends", show(s.do(persisted{first})), "")
	},

	"old-term-commit": func(t *testing.T) {
		s := newScript(t, 3, HardState{Term: 2}, 1, 2)
		s.lead()
		s.sync()
		s.ack(2, 2)
		s.want("committed with entries of older terms on a quorum", s.c.log.commit, 0)
		s.ack(2, 3)
		s.want("committed with one of its own term", s.c.log.commit, 3)
	},

	"figure-8": func(t *testing.T) {
		// Entry 2 is of term 2, in which this node led and crashed; term 3 had another
		// leader, which has an entry 2 of its own. Now this node leads again.
		s := newScript(t, 3, HardState{Term: 3}, 1, 2)
		s.lead()
		s.sync()
		s.ack(2, 2)
		s.want("committed, although node 3 may still be elected", s.c.log.commit, 0)
		s.want("log", s.terms(), []uint64{1, 2, 4})
	},

	"heartbeat-commit": func(t *testing.T) {
		s := newScript(t, 3, HardState{Term: 1}, 1, 1, 1)
		s.lead()
		s.sync()
		s.ack(3, 4)
		s.want("committed", s.c.log.commit, 4)
		sent := s.heartbeat()
		s.want("heartbeats", show(sent), "heartbeat>2 t2 i0, heartbeat>3 t2 i0")
		s.want("commit for the node that has not answered yet", sent[0].Commit, 0)
		s.want("commit for the other", sent[1].Commit, 4)
	},

	"heartbeat-acks-last-index": func(t *testing.T) {
		s := newScript(t, 3, HardState{Term: 1}, 1)
		s.lead()
		s.sync() // its own entry, at 2, is on its disk alone
		follower := newScript(t, 3, HardState{Term: 2}, 1, 1)
		for _, m := range follower.step(&Message{Type: MsgHeartbeat, From: 2, Term: 2}) {
			reply := *m
			reply.From = 2
			s.step(&reply)
		}
		s.want("committed after the answer of a node with another entry at 2", s.c.log.commit, 0)
	},

	"commit-on-rejection": func(t *testing.T) {
		s := newScript(t, 3, HardState{})
		s.lead()
		s.sync()
		s.ack(2, 1)
		s.propose(1) // on its way to node 2 it gets lost
		s.sync()
		s.step(&Message{Type: MsgAppendReply, From: 2, Term: 1, Index: 2, Reject: true, Hint: 1, LogTerm: 1})
		s.want("committed", s.c.log.commit, 1)
	},

	"match-regresses": func(t *testing.T) {
		s := newScript(t, 3, HardState{Term: 1}, 1, 1, 1)
		s.lead()
		s.ack(2, 4)
		s.ack(2, 2) // late
		s.want("match", s.progress(2).match, 4)
	},

	"next-below-match": func(t *testing.T) {
		s := newScript(t, 3, HardState{Term: 1}, 1, 1, 1)
		s.lead()
		s.ack(2, 4)
		s.lateRejection()
		s.want("next", s.progress(2).next, 5)
	},

	"stale-conflict-rewinds": func(t *testing.T) {
		s := newScript(t, 3, HardState{Term: 1}, 1, 1, 1)
		s.lead()
		s.ack(2, 4)
		s.lateRejection()
		s.want("match", s.progress(2).match, 4)
	},

	"match-starts-at-last": func(t *testing.T) {
		s := newScript(t, 3, HardState{Term: 1}, 1, 1, 1)
		s.lead()
		sent := s.step(&Message{Type: MsgAppendReply, From: 2, Term: 2, Index: 3, Reject: true, Hint: 1, LogTerm: 1})
		s.want("sent to a node that lacks entries", show(sent), "append>2 t2 i1")
	},

	"deposed-leader-speaks": func(t *testing.T) {
		s := newScript(t, 3, HardState{})
		s.lead()
		s.sync()
		s.step(&Message{Type: MsgHeartbeat, From: 3, Term: 2})
		s.want("sent in term 2, which node 3 leads", show(s.sync()), "heartbeat reply>3 t2 i0")
	},

	"stuck-window": func(t *testing.T) {
		s := newScript(t, 3, HardState{})
		s.c.cfg.MaxInflight = 2
		s.lead()
		s.ack(2, 1)
		s.propose(1)
		s.propose(1) // two appends are on their way
		s.ack(2, 3)  // one answer for both
		s.want("under way", len(s.progress(2).window), 0)
		s.want("next append", show(s.propose(1)), "append>2 t1 i3")
	},

	"unsorted-match": func(t *testing.T) {
		s := newScript(t, 5, HardState{})
		s.lead()
		s.sync()
		s.ack(3, 1)
		s.want("committed on two disks of five", s.c.log.commit, 0)
		s.ack(5, 1)
		s.want("committed on three disks of five", s.c.log.commit, 1)
	},
})

// append hands over an append of node 2, as the leader of the current term, with
// entries of these terms.
func (s *script) append(prev LogMark, commit uint64, terms ...uint64) []*Message {
	return s.step(&Message{Type: MsgAppend, From: 2, Term: s.c.term, Index: prev.Index, LogTerm: prev.Term,
		Entries: entriesOf(prev.Index, terms...), Commit: commit})
}

// compactedPrevLeader has a leader compact the log beyond what it has sent to
// node 2, which then lacks more than the log holds.
func compactedPrevLeader(t *testing.T) {
	s := newScript(t, 3, HardState{})
	s.c.cfg.MaxInflight = 1
	s.lead()
	s.ack(2, 1)
	s.propose(1) // node 2 is sent this one
	s.propose(3) // and not these
	s.sync()
	s.ack(3, 5)
	s.snapshot(5)
	s.now += s.c.cfg.Heartbeat
	sent := s.step(&Message{Type: MsgHeartbeatReply, From: 2, Term: 1})
	s.want("sent to a node that needs a snapshot", show(sent), "")
	s.want("and then", show(s.store()), "snapshot>2 t1 i0")
}

// propose has clients propose that many commands at once.
func (s *script) propose(count int) []*Message {
	var tasks []task
	for range count {
		s.pending.Add(1)
		tasks = append(tasks, &propose{command: make([]byte, 8), done: func(any, error) {}})
	}
	return s.do(tasks...)
}

func (s *script) progress(id NodeID) *progress { return s.c.role.(*leader).follower(id) }

// lateRejection is node 2's answer to an append that came before another one,
// which it lacked then; it has acknowledged both since.
func (s *script) lateRejection() {
	s.step(&Message{Type: MsgAppendReply, From: 2, Term: s.c.term, Index: 3, Reject: true, Hint: 1, LogTerm: 1})
}
