package raft

import (
	"testing"

	"squall/nodeimage/mutants/scenario"
)

var _ = scenarios.Add(scenario.Set{
	"local-reads": func(t *testing.T) {
		s := newScript(t, 3, HardState{})
		s.lead()
		s.sync()
		s.ack(2, 1)
		// From here on the leader is cut off, and another may lead.
		var err error
		calls := 0
		s.do(readTask(&err, &calls))
		s.answerReads()
		s.want("reads answered without a word from others", calls, 0)
	},
})
