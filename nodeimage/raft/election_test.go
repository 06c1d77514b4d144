package raft

import (
	"testing"
	"time"
)

func TestPreVoteChangesNothing(t *testing.T) {
	s := newScript(t, 3, HardState{Term: 4, Vote: 3}, 1, 4)
	sent := s.electionTimeout()
	s.want("sent", show(sent), "pre-vote>2 t5 i2, pre-vote>3 t5 i2")
	s.want("term", s.c.term, 4)
	s.want("vote", s.c.vote, 3)
	s.want("writes", len(s.writes), 0)
	s.want("role shown", s.c.role.kind(), Follower)

	deadline := s.c.election.deadline
	sent = s.step(&Message{Type: MsgPreVote, From: 2, Term: 5, Index: 2, LogTerm: 4})
	s.want("answer", show(sent), "pre-vote reply>2 t5 i0")
	s.want("term after answering", s.c.term, 4)
	s.want("timer", s.c.election.deadline, deadline)
}

// TestEveryElectionTimeoutIsTold: also those of a node that has no leader to miss, with how
// long they were.
func TestEveryElectionTimeoutIsTold(t *testing.T) {
	s := newScript(t, 3, HardState{Term: 4})
	s.events = nil
	var want, told []time.Duration
	for range 4 {
		want = append(want, s.c.election.timeout)
		s.electionTimeout()
	}
	for _, ev := range s.events {
		if ev.Kind == EventRole && ev.Role == Follower && ev.Leader == 0 {
			told = append(told, ev.Timeout)
		}
	}
	s.want("timeouts that are told", told, want)
}

func TestPreVoteOfALaggardIsAnsweredWithTheTerm(t *testing.T) {
	s := newScript(t, 3, HardState{Term: 9}, 9)
	sent := s.step(&Message{Type: MsgPreVote, From: 2, Term: 4, Index: 5, LogTerm: 3})
	s.want("answer", show(sent), "pre-vote reply!>2 t9 i0")
	l := newScript(t, 3, HardState{Term: 3}, 3)
	l.electionTimeout()
	l.step(&Message{Type: MsgPreVoteReply, From: 2, Term: 9, Reject: true})
	l.want("term learnt", l.c.term, 9)
}

func TestVoteLeavesWhenDurable(t *testing.T) {
	s := newScript(t, 3, HardState{}, 0)
	s.events = nil
	s.want("before the write", show(s.step(&Message{Type: MsgVote, From: 2, Term: 1, Index: 1})), "")
	for _, ev := range s.events {
		t.Errorf("event %+v before the vote was durable", ev)
	}
	s.want("written", *s.writes[0].batch.Hard, HardState{1, 2})
	s.want("after the write", show(s.sync()), "vote reply>2 t1 i0")
	s.want("last event", s.events[len(s.events)-1].Vote, 2)
	s.want("second candidate", show(s.step(&Message{Type: MsgVote, From: 3, Term: 1, Index: 1})), "vote reply!>3 t1 i0")
	s.want("the first again", show(s.step(&Message{Type: MsgVote, From: 2, Term: 1, Index: 1})), "vote reply>2 t1 i0")
}

func TestVoteComparesLogs(t *testing.T) {
	for _, tc := range []struct {
		index, term uint64
		granted     bool
	}{{3, 5, true}, {4, 5, true}, {2, 5, false}, {1, 6, true}, {9, 4, false}} {
		s := newScript(t, 3, HardState{Term: 6}, 1, 5, 5)
		s.step(&Message{Type: MsgVote, From: 2, Term: 7, Index: tc.index, LogTerm: tc.term})
		s.want("granted", s.c.vote == 2, tc.granted)
	}
}

func TestCandidateNeedsDistinctVotesOfItsTerm(t *testing.T) {
	s := newScript(t, 5, HardState{Term: 1})
	s.electionTimeout()
	grant := func(kind MessageType, from NodeID, term uint64) {
		s.step(&Message{Type: kind, From: from, Term: term})
	}
	grant(MsgPreVoteReply, 2, 2)
	grant(MsgPreVoteReply, 2, 2)
	s.want("pre-vote with a duplicate", s.c.term, 1)
	grant(MsgPreVoteReply, 3, 2)
	s.want("campaign", s.c.role.kind(), Candidate)
	s.want("term", s.c.term, 2)
	s.sync()
	grant(MsgVoteReply, 2, 2)
	grant(MsgVoteReply, 2, 2)
	grant(MsgVoteReply, 3, 1)
	s.want("after duplicates and old votes", s.c.role.kind(), Candidate)
	s.step(&Message{Type: MsgVoteReply, From: 3, Term: 2, Reject: true})
	grant(MsgVoteReply, 3, 2)
	s.want("after a rejection", s.c.role.kind(), Candidate)
	grant(MsgVoteReply, 4, 2)
	s.want("after three votes", s.c.role.kind(), Leader)
}

func TestOwnVoteCountsWhenDurable(t *testing.T) {
	s := newScript(t, 1, HardState{})
	s.electionTimeout()
	s.want("before the write", s.c.role.kind(), Candidate)
	s.sync()
	s.want("after it", s.c.role.kind(), Leader)
	s.want("committed before the entry is durable", s.c.log.commit, 0)
	s.sync()
	s.want("committed", s.c.log.commit, 1)
}

func TestDisruptiveServerIsIgnored(t *testing.T) {
	s := newScript(t, 3, HardState{Term: 2}, 2)
	s.step(&Message{Type: MsgHeartbeat, From: 2, Term: 2})
	s.want("vote at once", show(s.step(&Message{Type: MsgVote, From: 3, Term: 7, Index: 9, LogTerm: 2})), "")
	s.want("pre-vote at once", show(s.step(&Message{Type: MsgPreVote, From: 3, Term: 7, Index: 9, LogTerm: 2})), "")
	s.want("term", s.c.term, 2)
	s.now += s.c.cfg.ElectionMin
	s.step(&Message{Type: MsgVote, From: 3, Term: 7, Index: 9, LogTerm: 2})
	s.want("vote later", s.c.vote, 3)

	l := newScript(t, 3, HardState{})
	l.lead()
	l.step(&Message{Type: MsgVote, From: 3, Term: 7, Index: 9, LogTerm: 2})
	l.want("a leader asked", l.c.role.kind(), Leader)
	l.step(&Message{Type: MsgVote, From: 3, Term: 1, Index: 9, LogTerm: 2})
	l.want("its vote in its own term", l.c.vote, 1)
}

func TestRefusedVoteKeepsTheElectionTimer(t *testing.T) {
	s := newScript(t, 3, HardState{Term: 2}, 2, 2)
	deadline := s.c.election.deadline
	s.now += 50 * time.Millisecond
	s.step(&Message{Type: MsgVote, From: 2, Term: 3, Index: 1, LogTerm: 1})
	s.want("term", s.c.term, 3)
	s.want("timer", s.c.election.deadline, deadline)
	s.step(&Message{Type: MsgVote, From: 3, Term: 3, Index: 2, LogTerm: 2})
	s.want("vote", s.c.vote, 3)
	s.want("timer reset by the granted vote", s.c.election.deadline >= s.now+s.c.cfg.ElectionMin, true)
}

func TestVoteIsKeptWhenTheLeaderIsFound(t *testing.T) {
	s := newScript(t, 3, HardState{})
	s.step(&Message{Type: MsgVote, From: 2, Term: 1})
	s.step(&Message{Type: MsgHeartbeat, From: 3, Term: 1})
	s.want("vote", s.c.vote, 2)
}

func TestLeaderWithoutQuorumStepsDown(t *testing.T) {
	s := newScript(t, 5, HardState{})
	s.electionTimeout()
	for _, kind := range []MessageType{MsgPreVoteReply, MsgVoteReply} {
		s.step(&Message{Type: kind, From: 2, Term: 1}, &Message{Type: kind, From: 3, Term: 1})
		s.sync()
	}
	s.want("role", s.c.role.kind(), Leader)
	for s.now < time.Hour+2*time.Second { // two of four answer
		s.step(&Message{Type: MsgHeartbeatReply, From: 2, Term: 1}, &Message{Type: MsgHeartbeatReply, From: 3, Term: 1})
		s.heartbeat()
	}
	s.want("role with a quorum", s.c.role.kind(), Leader)
	lost := s.now
	for s.c.role.kind() == Leader && s.now < lost+time.Second { // one of four
		s.step(&Message{Type: MsgHeartbeatReply, From: 2, Term: 1})
		s.heartbeat()
	}
	s.want("role without", s.c.role.kind(), Follower)
	if took := s.now - lost; took > s.c.cfg.ElectionMax+2*s.c.cfg.Heartbeat {
		t.Errorf("stepped down after %v", took)
	}
	s.want("reason", s.events[len(s.events)-1].Reason, "no quorum")
}

func TestStaleLeaderIsDeposed(t *testing.T) {
	s := newScript(t, 3, HardState{Term: 5}, 1)
	s.want("answer", show(s.step(&Message{Type: MsgHeartbeat, From: 2, Term: 3})), "append reply!>2 t5 i0")
	l := newScript(t, 3, HardState{})
	l.lead()
	l.step(&Message{Type: MsgAppendReply, From: 3, Term: 5, Reject: true})
	l.want("role", l.c.role.kind(), Follower)
	l.want("term", l.c.term, 5)
	l.want("leader", l.c.leader, 0)
}

func TestLateTimersAreIgnored(t *testing.T) {
	s := newScript(t, 3, HardState{Term: 1}, 1)
	old := s.c.election.gen
	s.now = s.c.election.deadline
	s.step(&Message{Type: MsgHeartbeat, From: 2, Term: 1}) // in the queue before the expiry
	s.do(electionTimeout{old})
	if _, ok := s.c.role.(*follower); !ok {
		t.Errorf("role %T after an expiry that a heartbeat had overtaken", s.c.role)
	}
	s.now = s.c.election.deadline
	s.do(electionTimeout{s.c.election.gen})
	if _, ok := s.c.role.(*candidate); !ok {
		t.Errorf("role %T after the timeout", s.c.role)
	}
}
