package raft_test

import (
	"testing"
	"time"

	"squall/history/situations"
	"squall/history/trace"
	"squall/nodeimage/raft"
	"squall/nodeimage/raft/steptrace"
)

// TestTheSimulationReachesSituations: the storms of the simulation, which are what the
// invariants are tested with, lead the node into most of what Raft has to cope with.
func TestTheSimulationReachesSituations(t *testing.T) {
	const storms, enough = 12, 25 // of the 35 that this node can reach
	total := map[string]int{}
	for seed := range uint64(storms) {
		for name, n := range situationsOf(t, seed, 3+2*int(seed%2)) {
			total[name] += n
		}
	}
	reached := 0
	for _, s := range situations.All() {
		if total[s.Name] > 0 {
			reached++
		}
		t.Logf("%6d %s", total[s.Name], s.Name)
	}
	if reached < enough {
		t.Errorf("%d storms reach %d situations, want %d", storms, reached, enough)
	}
}

// situationsOf follows one storm of the simulation.
func situationsOf(t *testing.T, seed uint64, nodes int) map[string]int {
	t.Helper()
	var (
		event   trace.Event
		message trace.Message
		tracker = situations.New()
	)
	failure := raft.SimulateSteps(seed, nodes, func(id raft.NodeID, boot int, at time.Duration, s *raft.Step) {
		steptrace.Event(&event, &message, s)
		event.Node, event.Boot, event.Time = trace.NodeID(id), boot, int64(at)
		tracker.Observe(&event)
	})
	if failure != "" {
		t.Fatal(failure)
	}
	counts := map[string]int{}
	for _, c := range tracker.Counts() {
		counts[c.Name] = c.N
	}
	return counts
}
