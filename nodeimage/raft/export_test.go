package raft

import "time"

// SimulateSteps storms a simulated cluster of size members for 15 s of virtual time, as
// TestSimulation does, and hands every step to watch with the node, its boot (from 1 on)
// and the time; the step is only valid during the call. The failure is that of the
// simulation's own checks, empty if all hold. It is here for tests outside this package
// that follow legal steps.
func SimulateSteps(seed uint64, size int, watch func(id NodeID, boot int, now time.Duration, s *Step)) (failure string) {
	boots := map[NodeID]int{}
	s := runSeed(seed, size, func(s *sim) {
		s.watchSteps = func(n *simNode, step *Step) {
			if step.Kind == StepStart {
				boots[n.id]++
			}
			watch(n.id, boots[n.id], s.now, step)
		}
	})
	return s.failure
}
