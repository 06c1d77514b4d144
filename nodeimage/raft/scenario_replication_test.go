package raft

import (
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
})
