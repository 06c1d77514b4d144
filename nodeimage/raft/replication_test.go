package raft

import (
	"errors"
	"testing"
)

func TestFollowerAppend(t *testing.T) {
	for _, tc := range []struct {
		name   string
		log    []uint64 // terms
		prev   LogMark
		terms  []uint64 // entries
		commit uint64

		want       []uint64
		reply      string
		hint       uint64
		wantCommit uint64
	}{
		{"first entries", nil, LogMark{0, 0}, []uint64{1, 2}, 1, []uint64{1, 2}, "append reply>2 t5 i2", 0, 1},
		{"a stale append truncates nothing", []uint64{1, 1, 2}, LogMark{1, 1}, []uint64{1}, 0, []uint64{1, 1, 2}, "append reply>2 t5 i2", 0, 0},
		{"an empty append truncates nothing", []uint64{1, 1, 2}, LogMark{1, 1}, nil, 0, []uint64{1, 1, 2}, "append reply>2 t5 i1", 0, 0},
		{"commit only up to what matches", []uint64{1, 1, 2}, LogMark{1, 1}, nil, 3, []uint64{1, 1, 2}, "append reply>2 t5 i1", 0, 1},
		{"a conflict truncates", []uint64{1, 1, 2}, LogMark{1, 1}, []uint64{3}, 0, []uint64{1, 3}, "append reply>2 t5 i2", 0, 0},
		{"a gap", []uint64{1}, LogMark{4, 3}, []uint64{5}, 9, []uint64{1}, "append reply!>2 t5 i4", 1, 0},
		{"another term there", []uint64{1, 1, 4, 4, 4}, LogMark{4, 2}, []uint64{5}, 9, []uint64{1, 1, 4, 4, 4}, "append reply!>2 t5 i4", 2, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newScript(t, 3, HardState{Term: 5}, tc.log...)
			sent := s.step(&Message{Type: MsgAppend, From: 2, Term: 5, Index: tc.prev.Index, LogTerm: tc.prev.Term,
				Entries: entriesOf(tc.prev.Index, tc.terms...), Commit: tc.commit})
			if s.c.dirty() || len(s.writes) > 0 {
				s.want("sent before the fsync", show(sent), "")
				sent = s.sync()
			}
			s.want("reply", show(sent), tc.reply)
			s.want("hint", sent[0].Hint, tc.hint)
			s.want("log", s.terms(), tc.want)
			s.want("commit", s.c.log.commit, tc.wantCommit)
		})
	}
}

func TestHeartbeatReplyDoesNotWaitForEntries(t *testing.T) {
	s := newScript(t, 3, HardState{Term: 1})
	s.step(&Message{Type: MsgAppend, From: 2, Term: 1, Entries: entriesOf(0, 1)})
	sent := s.step(&Message{Type: MsgHeartbeat, From: 2, Term: 1, Context: 7})
	s.want("answer", show(sent), "heartbeat reply>2 t1 i0")
	s.want("context", sent[0].Context, 7)
}

// TestLateAcknowledgementOfOverwrittenEntries: entries are being written when
// another leader replaces them; the old write's end must acknowledge nothing.
func TestLateAcknowledgementOfOverwrittenEntries(t *testing.T) {
	s := newScript(t, 3, HardState{Term: 1}, 1)
	s.step(&Message{Type: MsgAppend, From: 2, Term: 1, Index: 1, LogTerm: 1, Entries: entriesOf(1, 1, 1)})
	first := s.c.seq
	s.step(&Message{Type: MsgAppend, From: 3, Term: 2, Index: 1, LogTerm: 1, Entries: entriesOf(1, 2)})
	s.want("after the first write", show(s.do(persisted{first})), "")
	s.want("after the second", show(s.sync()), "append reply>3 t2 i2")
	s.want("second write", s.writes[1].batch.Entries[0], entriesOf(1, 2)[0])
}

// TestLeaderABA: a leader's own write ends after it lost and regained the
// leadership, with other entries at those indexes.
func TestLeaderABA(t *testing.T) {
	s := newScript(t, 3, HardState{})
	s.lead() // entry 1, term 1, being written
	for range 3 {
		s.do(&propose{done: func(any, error) {}})
	}
	old := s.c.seq
	s.step(&Message{Type: MsgAppend, From: 2, Term: 2, Entries: entriesOf(0, 2)})
	s.sync()
	s.lead()
	s.want("log", s.terms(), []uint64{2, 3})
	s.do(persisted{old})
	s.want("own match", s.c.role.(*leader).match, 0)
	s.sync()
	s.want("own match after its write", s.c.role.(*leader).match, 2)
}

// TestOldTermIsNotCommittedByCounting is figure 8 of the Raft paper.
func TestOldTermIsNotCommittedByCounting(t *testing.T) {
	s := newScript(t, 5, HardState{Term: 2}, 1, 2)
	s.electionTimeout()
	for _, kind := range []MessageType{MsgPreVoteReply, MsgVoteReply} {
		s.step(&Message{Type: kind, From: 2, Term: 3}, &Message{Type: kind, From: 3, Term: 3})
		s.sync()
	}
	s.want("log", s.terms(), []uint64{1, 2, 3})
	s.sync()
	s.ack(2, 2)
	s.ack(3, 2)
	s.want("commit by old entries", s.c.log.commit, 0)
	s.step(&Message{Type: MsgAppendReply, From: 4, Term: 3, Index: 9, Reject: true})
	s.want("commit after a rejection", s.c.log.commit, 0)
	s.ack(2, 3)
	s.want("commit with two of five", s.c.log.commit, 0)
	s.ack(3, 3)
	s.want("commit", s.c.log.commit, 3)
}

func TestEvenClusterNeedsMoreThanHalf(t *testing.T) {
	s := newScript(t, 4, HardState{})
	s.electionTimeout()
	s.step(&Message{Type: MsgPreVoteReply, From: 2, Term: 1})
	s.want("two of four", s.c.term, 0)
	s.step(&Message{Type: MsgPreVoteReply, From: 3, Term: 1})
	s.sync()
	s.step(&Message{Type: MsgVoteReply, From: 2, Term: 1}, &Message{Type: MsgVoteReply, From: 3, Term: 1})
	s.sync()
	s.ack(2, 1)
	s.want("commit with two of four", s.c.log.commit, 0)
	s.ack(4, 1)
	s.want("commit with three", s.c.log.commit, 1)
}

func TestMatchDoesNotGoBack(t *testing.T) {
	s := newScript(t, 3, HardState{Term: 1}, 1, 1, 1)
	s.lead()
	s.ack(2, 4)
	p := s.c.role.(*leader).followers[0]
	s.ack(2, 2)
	s.want("match after a late acknowledgement", p.match, 4)
	s.step(&Message{Type: MsgAppendReply, From: 2, Term: 2, Index: 3, Reject: true, Hint: 1, LogTerm: 1})
	s.want("next after a late rejection", p.next, 5)
	s.want("state", p.state, streaming)
}

func TestLeaderBacksUpByTerms(t *testing.T) {
	s := newScript(t, 3, HardState{Term: 6}, 1, 1, 1, 4, 4, 5, 5, 6, 6, 6)
	s.lead() // probes with entry 10 as the one before
	sent := s.step(&Message{Type: MsgAppendReply, From: 2, Term: 7, Index: 10, Reject: true, Hint: 9, LogTerm: 3})
	s.want("next try", show(sent), "append>2 t7 i3")
	sent = s.ack(2, 3)
	s.want("after the first match", s.c.role.(*leader).followers[0].state, streaming)
	s.want("the rest", len(sent[0].Entries), 8)
}

func TestLostAppendIsFoundOut(t *testing.T) {
	s := newScript(t, 3, HardState{})
	s.lead()
	s.ack(2, 1)
	s.sync()
	s.do(&propose{done: func(any, error) {}}) // this append gets lost
	s.heartbeat()
	s.now += s.c.cfg.Heartbeat
	sent := s.step(&Message{Type: MsgHeartbeatReply, From: 2, Term: 1})
	s.want("question", show(sent), "append>2 t1 i2")
	s.want("entries in it", len(sent[0].Entries), 0)
	sent = s.step(&Message{Type: MsgAppendReply, From: 2, Term: 1, Index: 2, Reject: true, Hint: 1, LogTerm: 1})
	s.want("again", show(sent), "append>2 t1 i1")
	s.want("entries again", len(sent[0].Entries), 1)
}

func TestInflightIsBounded(t *testing.T) {
	s := newScript(t, 3, HardState{})
	s.c.cfg.MaxInflight = 2
	s.lead()
	s.ack(2, 1)
	count := 0
	for range 10 {
		for _, m := range s.do(&propose{done: func(any, error) {}}) {
			if m.To == 2 {
				count++
			}
		}
	}
	s.want("appends without an answer", count, 2)
	sent := s.ack(2, 3)
	s.want("entries in the next", len(sent[0].Entries), 8)
}

func TestManyProposalsAreOneWrite(t *testing.T) {
	s := newScript(t, 3, HardState{})
	s.lead()
	s.sync()
	s.ack(2, 1)
	before := len(s.writes)
	var tasks []task
	for range 50 {
		tasks = append(tasks, &propose{done: func(any, error) {}})
	}
	sent := s.do(tasks...)
	s.want("writes", len(s.writes)-before, 1)
	s.want("entries in the write", len(s.writes[before].batch.Entries), 50)
	s.want("appends", show(sent), "append>2 t1 i1")
}

func TestProposalOutcomes(t *testing.T) {
	s := newScript(t, 3, HardState{})
	s.lead()
	var outcomes [4]error
	calls := [4]int{}
	for i := range outcomes {
		outcomes[i] = errors.New("none")
		s.do(&propose{command: []byte{byte(i), 0, 0, 0, 0, 0, 0, 0}, done: func(_ any, err error) { outcomes[i] = err; calls[i]++ }})
	}
	mine := append([]Entry(nil), s.c.log.slice(1, 3)...) // the no-op, 0 and 1
	// The next leader has 0 and 1, and another entry where 2 was.
	s.step(&Message{Type: MsgAppend, From: 2, Term: 2, Entries: mine, Commit: 1})
	s.step(&Message{Type: MsgAppend, From: 2, Term: 2, Index: 3, LogTerm: 1, Entries: entriesOf(3, 2)})
	s.want("undecided", calls, [4]int{})
	s.step(&Message{Type: MsgHeartbeat, From: 2, Term: 2, Commit: 4})
	a := &applier{cfg: &s.c.cfg, pending: &s.pending}
	for _, j := range s.applies {
		a.run(j)
	}
	s.want("calls", calls, [4]int{1, 1, 1, 0})
	s.want("first", outcomes[0], nil)
	s.want("replaced", errors.Is(outcomes[2], ErrSuperseded), true)
	s.do(stop{})
	s.want("when the node stops", errors.Is(outcomes[3], ErrUnknown), true)
	s.want("calls", calls, [4]int{1, 1, 1, 1})
}

func TestLogWithoutQuorumIsBounded(t *testing.T) {
	s := newScript(t, 3, HardState{})
	s.c.cfg.MaxBatchBytes = 1000
	s.lead()
	busy := 0
	for range 1000 {
		s.do(&propose{command: make([]byte, 500), done: func(_ any, err error) {
			if errors.Is(err, ErrBusy) {
				busy++
			}
		}})
	}
	if got := s.c.log.uncommitted; busy == 0 || got > (maxUncommittedBatches+1)*1000 {
		t.Errorf("%d bytes without a quorum, %d refused", got, busy)
	}
	last := s.c.log.last()
	s.sync()
	s.ack(2, last)
	s.want("left after the commit", s.c.log.uncommitted, 0)
}

func TestSafetyBreachStopsTheNode(t *testing.T) {
	s := newScript(t, 3, HardState{Term: 2}, 1, 2)
	s.step(&Message{Type: MsgHeartbeat, From: 2, Term: 2, Commit: 2})
	s.step(&Message{Type: MsgAppend, From: 2, Term: 2, Index: 1, LogTerm: 1, Entries: entriesOf(1, 1)})
	s.want("role", s.c.role.kind(), Stopped)
	s.want("committed entry", s.terms(), []uint64{1, 2})
}
