package raft

import (
	"testing"
	"time"

	"squall/nodeimage/mutants/scenario"
)

var _ = scenarios.Add(scenario.Set{
	"no-prevote-no-checkquorum": func(t *testing.T) {
		s := newSim(1, 3, nil)
		s.run(2 * time.Second)
		lead := s.leading()
		other := s.nodes[lead.id%3+1]
		s.cut[[2]NodeID{lead.id, other.id}], s.cut[[2]NodeID{other.id, lead.id}] = true, true
		before := len(s.leaders)
		s.run(12 * time.Second)
		if n := len(s.leaders) - before; n > 0 {
			t.Errorf("%d changes of leaders in 10 s, though the leader reaches a majority", n)
		}
	},

	"prevote-term-ignored": func(t *testing.T) {
		s := newScript(t, 3, HardState{Term: 3}, 3)
		s.electionTimeout()
		s.step(&Message{Type: MsgPreVoteReply, From: 2, Term: 9, Reject: true})
		s.sync()
		s.want("term that it asks for next", show(s.electionTimeout()), "pre-vote>2 t10 i1, pre-vote>3 t10 i1")
	},

	"one-timeout-drawn": func(t *testing.T) {
		s := newScript(t, 3, HardState{})
		drawn := map[time.Duration]bool{}
		for range 10 {
			s.electionTimeout()
			drawn[s.c.election.timeout] = true
		}
		s.want("ten elections wait for different times", len(drawn) > 1, true)
	},

	"uncommitted-leak": func(t *testing.T) {
		// Three entries of a leader that was cut off; two of them go.
		s := newScript(t, 3, HardState{Term: 1}, 1, 1, 1)
		s.step(&Message{Type: MsgAppend, From: 2, Term: 2, Index: 1, LogTerm: 1, Entries: entriesOf(1, 2)})
		s.want("terms", s.terms(), []uint64{1, 2})
		s.want("bytes that are not committed", s.c.log.uncommitted, s.c.log.sizeAbove(s.c.log.commit))
	},
})
