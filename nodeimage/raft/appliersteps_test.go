package raft

import (
	"fmt"
	"sync/atomic"
	"testing"
)

// TestNobodyIsAnsweredBeforeTheStepsAreVisible: of what the applier does. Where nobody is
// answered, nothing is made visible, as a write for each batch of a follower costs much.
func TestNobodyIsAnsweredBeforeTheStepsAreVisible(t *testing.T) {
	o := &order{script: newScript(t, 3, HardState{Term: 4})}
	o.c.cfg.Steps, o.c.cfg.Transport, o.c.out = o, o, o
	newStepper(o.c, &State{})
	a := &applier{cfg: &o.c.cfg, pending: new(atomic.Int64), steps: o.c.steps.applier()}
	answer := func(what string) func() { return func() { o.did = append(o.did, what) } }
	answered, wasRead, inspected := answer("answered"), answer("read"), answer("inspected")
	did := func(j applyJob) string {
		o.did = nil
		a.run(j)
		return fmt.Sprint(o.did)
	}
	entries := []Entry{{Index: 1, Term: 4, Kind: EntryNoop}, {Index: 2, Term: 4, Kind: EntryNoop}}
	o.want("a follower's entries", did(&applyEntries{entries: entries}), fmt.Sprintf("[step %d]", StepApply))
	o.want("a leader's entries", did(&applyEntries{entries: entries, proposals: []proposal{{index: 2, done: func(any, error) { answered() }}}}),
		fmt.Sprintf("[step %d sync answered]", StepApply))
	o.want("reads", did(&answerReads{dones: []*read{{done: func(error) { wasRead() }}}}), fmt.Sprintf("[step %d sync read]", StepReadServed))
	o.want("who looks at the state", did(&inspectState{func(LogMark, error) { inspected() }}), "[sync inspected]")
}

// TestASnapshotIsComparedWithTheStateItIsOf: whoever takes a snapshot tells of its state,
// as whoever restores one does: what a snapshot leaves out shows at its index.
func TestASnapshotIsComparedWithTheStateItIsOf(t *testing.T) {
	o := &order{script: newScript(t, 3, HardState{Term: 4})}
	o.c.cfg.Steps, o.c.cfg.Transport, o.c.out = o, o, o
	newStepper(o.c, &State{})
	a := &applier{cfg: &o.c.cfg, pending: new(atomic.Int64), steps: o.c.steps.applier()}
	a.run(&applyEntries{entries: []Entry{{Index: 1, Term: 4, Kind: EntryNoop}}})
	o.did = nil
	ready, ok := a.run(&takeSnapshot{}).(snapshotReady)
	if !ok || ready.meta.Index != 1 {
		t.Fatalf("no snapshot of entry 1: %+v", ready)
	}
	o.want("steps", fmt.Sprint(o.did), fmt.Sprintf("[step %d]", StepState))
}
