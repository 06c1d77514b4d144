package raft

import (
	"fmt"
	"io"
	"sync/atomic"
)

const (
	// maxApplyJobs and maxApplyEntries bound how far the event loop runs ahead
	// of the state machine; the rest waits in the log.
	maxApplyJobs    = 2
	maxApplyEntries = 2048
)

// applyJob is a job of the applier's: applyEntries, answerReads, restoreState,
// takeSnapshot or inspectState.
type applyJob interface{ isApplyJob() }

type (
	// applyEntries carries out entries; applied answers it.
	applyEntries struct {
		entries   []Entry
		proposals []proposal // those whose entry is among them, by index
	}
	// answerReads calls reads back; nothing answers it.
	answerReads struct{ dones []*read }
	// restoreState replaces the state by a stored snapshot; applied answers it.
	restoreState struct{ meta SnapshotMeta }
	// takeSnapshot freezes the state; snapshotReady answers it.
	takeSnapshot struct{}
	// inspectState calls back who looks at the state; nothing answers it.
	inspectState struct{ done func(at LogMark, err error) }
)

func (*applyEntries) isApplyJob() {}
func (*answerReads) isApplyJob()  {}
func (*restoreState) isApplyJob() {}
func (*takeSnapshot) isApplyJob() {}
func (*inspectState) isApplyJob() {}

// advanceCommit commits the log up to index; it never goes back.
func (c *core) advanceCommit(index uint64) {
	l := c.log
	if index <= l.commit {
		return
	}
	entries := l.slice(l.commit+1, index)
	for i := range entries {
		e := &entries[i]
		l.commitHash = chainHash(l.commitHash, e)
		l.uncommitted -= e.size()
		if e.Index%TraceEvery == 0 || e.Index == index {
			c.traceCommit(e.Index, e.Term, l.commitHash)
		}
	}
	l.commit = index
	c.steps.committed(LogMark{index, entries[len(entries)-1].Term}, l.commitHash)
}

// feedApplier hands committed entries to the state machine, a bounded number
// at a time, and after them the reads that had to wait for them.
func (c *core) feedApplier() {
	if c.role.kind() == Stopped {
		return
	}
	for c.applyJobs < maxApplyJobs && c.submitted < c.log.commit {
		hi := min(c.log.commit, c.submitted+maxApplyEntries)
		entries := c.log.slice(c.submitted+1, hi)
		committed, superseded := c.proposals.take(entries)
		for _, p := range superseded {
			p.finish(c.pending, nil, ErrSuperseded)
		}
		c.submitted = hi
		c.applyJobs++
		c.out.apply(&applyEntries{entries: entries, proposals: committed})
	}
	n := 0
	for ; n < len(c.reads) && c.reads[n].index <= c.submitted; n++ {
		c.out.apply(&answerReads{dones: c.reads[n].dones})
	}
	c.reads = c.reads[n:]
}

// onApplied notes what the state machine holds, and takes a snapshot when due.
func (c *core) onApplied(t applied) {
	c.applyJobs--
	c.applied = max(c.applied, t.index)
	every := c.cfg.SnapshotEvery
	if every > 0 && !c.taking && c.applied >= c.snap.Index+every {
		c.taking = true
		c.out.apply(&takeSnapshot{})
	}
}

// applier runs the state machine. It is owned by one goroutine, or by a
// simulation.
type applier struct {
	cfg     *Config
	pending *atomic.Int64
	at      LogMark // what the state machine holds
	hash    uint64  // chain hash up to there
	steps   *appliedSteps
}

// run does a job and returns the task that answers it, if any.
func (a *applier) run(j applyJob) task {
	switch j := j.(type) {
	case *applyEntries:
		return a.apply(j)
	case *answerReads:
		a.steps.served(j.dones, a.at)
		a.steps.sync()
		for _, r := range j.dones {
			a.pending.Add(-1)
			r.done(nil)
		}
	case *inspectState:
		a.steps.sync()
		j.done(a.at, nil)
	case *restoreState:
		if err := a.restore(&j.meta); err != nil {
			return storageFailed{err}
		}
		a.steps.applied(a.at)
		return applied{j.meta.Index}
	case *takeSnapshot:
		a.traceState() // what the snapshot must hold for whoever restores it
		write, err := a.cfg.StateMachine.Snapshot()
		if err != nil {
			return storageFailed{fmt.Errorf("raft: take a snapshot at %d: %w", a.at.Index, err)}
		}
		meta := SnapshotMeta{Index: a.at.Index, Term: a.at.Term, Hash: a.hash, Members: a.cfg.Members}
		return snapshotReady{meta: meta, write: write}
	}
	return nil
}

func (a *applier) apply(j *applyEntries) task {
	results := make([]any, 0, len(j.proposals))
	for i := range j.entries {
		e := &j.entries[i]
		var result any
		if e.Kind == EntryCommand {
			result = a.cfg.StateMachine.Apply(e.Index, e.Command)
		}
		a.at, a.hash = LogMark{e.Index, e.Term}, chainHash(a.hash, e)
		if e.Index%TraceEvery == 0 {
			a.traceState()
		}
		if n := len(results); n < len(j.proposals) && j.proposals[n].index == e.Index {
			results = append(results, result)
		}
	}
	a.steps.applied(a.at)
	if len(results) > 0 {
		a.steps.sync()
	}
	for i := range results {
		j.proposals[i].finish(a.pending, results[i], nil)
	}
	return applied{a.at.Index}
}

// restore replaces the state by a stored snapshot.
func (a *applier) restore(meta *SnapshotMeta) error {
	f, err := a.cfg.Storage.OpenSnapshot(meta.Index)
	if err != nil {
		return fmt.Errorf("raft: open the snapshot at %d: %w", meta.Index, err)
	}
	defer f.Close()
	if err := a.cfg.StateMachine.Restore(io.NewSectionReader(f, 0, int64(meta.Size))); err != nil {
		return fmt.Errorf("raft: restore the snapshot at %d: %w", meta.Index, err)
	}
	a.at, a.hash = LogMark{meta.Index, meta.Term}, meta.Hash
	a.traceState()
	return nil
}

// traceState reports the state's hash. The event's term is that of the entry.
func (a *applier) traceState() {
	hash := a.cfg.StateMachine.Hash()
	a.steps.state(a.at, hash)
	a.cfg.Tracer.Trace(Event{Kind: EventState, Time: a.cfg.TraceTime(), Term: a.at.Term,
		Index: a.at.Index, EntryTerm: a.at.Term, Hash: hash})
}

// abandon answers those whose job is never run.
func (a *applier) abandon(j applyJob) {
	switch j := j.(type) {
	case *applyEntries:
		for _, p := range j.proposals {
			p.finish(a.pending, nil, ErrUnknown)
		}
	case *answerReads:
		for _, r := range j.dones {
			a.pending.Add(-1)
			r.done(ErrUnknown)
		}
	case *inspectState:
		j.done(LogMark{}, ErrStopped)
	}
}
