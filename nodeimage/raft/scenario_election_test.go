package raft

import (
	"testing"
	"time"

	"squall/nodeimage/mutants/scenario"
)

// wantVote is a question for a vote by a node whose log is empty.
func wantVote(from NodeID, term uint64) *Message {
	return &Message{Type: MsgVote, From: from, Term: term}
}

// A vote is one, whatever becomes of the voter.
var _ = scenarios.Add(scenario.Set{
	"vote-not-stored": func(t *testing.T) {
		s := newScript(t, 3, HardState{})
		s.step(wantVote(2, 1))
		s.want("granted", show(s.sync()), "vote reply>2 t1 i0")
		s.restart()
		s.step(wantVote(3, 1))
		s.want("its vote in term 1", s.c.vote, 2)
	},

	"vote-before-sync": func(t *testing.T) {
		s := newScript(t, 3, HardState{})
		answers := s.step(wantVote(2, 1)) // the disk is slow, and the node ends before it is done
		s.restart()
		s.step(wantVote(3, 1))
		answers = append(answers, s.sync()...)
		s.want("grants in term 1", show(answers), "vote reply>3 t1 i0")
	},

	"term-before-vote": func(t *testing.T) {
		s := newScript(t, 3, HardState{})
		s.step(wantVote(2, 1))
		answers := s.do(persisted{s.writes[0].seq}) // one write is done, then the node ends
		s.restart()
		answers = append(answers, s.step(wantVote(3, 1))...)
		answers = append(answers, s.sync()...)
		s.want("answers in term 1", show(answers), "vote reply>2 t1 i0, vote reply!>3 t1 i0")
	},

	"vote-reset": func(t *testing.T) {
		s := newScript(t, 3, HardState{})
		s.step(wantVote(2, 1))
		s.sync()
		s.step(&Message{Type: MsgHeartbeat, From: 2, Term: 1})
		s.sync()
		s.restart()
		s.step(wantVote(3, 1))
		s.want("its vote in term 1", s.c.vote, 2)
	},

	"leader-votes": func(t *testing.T) {
		s := newScript(t, 3, HardState{})
		s.lead()
		s.step(wantVote(3, 1)) // whose log is as long as what is committed
		s.want("the leader's vote in its own term", s.c.vote, 1)
	},

	"shorter-log-refused": func(t *testing.T) {
		// It led term 1, was cut off, and has three entries that nobody else has.
		s := newScript(t, 3, HardState{Term: 1}, 1, 1, 1, 1)
		s.step(&Message{Type: MsgVote, From: 2, Term: 3, Index: 2, LogTerm: 2})
		s.want("its vote for a shorter log of a later term", s.c.vote, 2)
	},
})

// A candidate leads with the votes of a majority of all nodes, given to it in this
// term.
var _ = scenarios.Add(scenario.Set{
	"old-grants": func(t *testing.T) {
		s := newScript(t, 3, HardState{})
		s.campaign()
		s.campaign() // nobody has answered in term 1; now it is term 2
		s.step(&Message{Type: MsgVoteReply, From: 2, Term: 1})
		s.want("role in term 2 after a grant of term 1", s.c.role.kind(), Candidate)
	},

	"double-grants": func(t *testing.T) {
		s := newScript(t, 5, HardState{})
		s.campaign()
		for range 2 {
			s.step(&Message{Type: MsgVoteReply, From: 2, Term: 1})
		}
		s.want("role with the votes of two nodes of five", s.c.role.kind(), Candidate)
	},

	"wrong-tally": func(t *testing.T) {
		s := newScript(t, 5, HardState{})
		s.campaign()
		s.step(&Message{Type: MsgVoteReply, From: 2, Term: 1})
		s.want("role with the votes of two nodes of five", s.c.role.kind(), Candidate)
	},

	"late-prevotes": func(t *testing.T) {
		s := newScript(t, 3, HardState{})
		s.campaign() // with the consent of node 2; that of node 3 is late
		s.step(&Message{Type: MsgPreVoteReply, From: 3, Term: 1})
		s.want("role with no vote but its own", s.c.role.kind(), Candidate)
	},
})

// Somebody is elected, and soon.
var _ = scenarios.Add(scenario.Set{
	"same-seeds": func(t *testing.T) {
		s := newSim(1, 5, nil) // its nodes are given generators of different seeds
		drawn := map[time.Duration]bool{}
		for _, n := range s.nodes {
			drawn[n.core.election.timeout] = true
		}
		if len(drawn) != 5 {
			t.Errorf("five nodes have drawn %d different election timeouts", len(drawn))
		}
	},

	"timer-not-reset": func(t *testing.T) {
		s := newScript(t, 3, HardState{})
		s.now = s.c.election.deadline - time.Millisecond
		s.step(wantVote(2, 1))
		s.want("its vote", s.c.vote, 2)
		s.want("a whole timeout until it stands itself", s.c.election.deadline >= s.now+s.c.cfg.ElectionMin, true)
	},

	"prevote-contact": func(t *testing.T) {
		s := newScript(t, 3, HardState{Term: 2}, 1, 2)
		s.step(&Message{Type: MsgHeartbeat, From: 2, Term: 2}) // the last of this leader
		for range 10 {
			s.now += 80 * time.Millisecond
			s.step(&Message{Type: MsgPreVote, From: 3, Term: 3, Index: 1, LogTerm: 1})
		}
		s.want("its own election is due", s.c.election.deadline <= s.now, true)
	},

	"prevote-term": func(t *testing.T) {
		back := newScript(t, 3, HardState{Term: 3}, 3) // it has missed terms 4 and 5
		s := newScript(t, 3, HardState{Term: 5}, 3, 5)
		asked := *s.electionTimeout()[0]
		asked.From = 2
		answer := *back.step(&asked)[0]
		answer.From = 2
		s.step(&answer)
		s.want("role with the consent of two of three", s.c.role.kind(), Candidate)
	},
})
