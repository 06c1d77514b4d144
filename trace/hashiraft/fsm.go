package hashiraft

import (
	"io"

	"github.com/hashicorp/raft"

	"squall/trace"
)

// FSM returns a state machine that tells which entries are committed once inner has
// applied them, and before their clients are answered; and what state is then, if there
// is a function that hashes it. state is asked at indexes that [trace.Every] divides,
// where the entry is a command, in the goroutine that applies. A raft.BatchingFSM and a
// raft.ConfigurationStore stay what they are.
func (t *Tracer) FSM(inner raft.FSM, state func() uint64) raft.FSM {
	if t == nil {
		return inner
	}
	f := &fsm{FSM: inner, tracer: t, state: state}
	batching, batches := inner.(raft.BatchingFSM)
	store, stores := inner.(raft.ConfigurationStore)
	switch {
	case batches && stores:
		return struct {
			*batchingFSM
			configurations
		}{&batchingFSM{f, batching}, configurations{store}}
	case batches:
		return &batchingFSM{f, batching}
	case stores:
		return struct {
			*fsm
			configurations
		}{f, configurations{store}}
	}
	return f
}

type fsm struct {
	raft.FSM
	tracer *Tracer
	state  func() uint64

	// What follows belongs to the goroutine of raft that applies.
	log      trace.Log
	reported uint64 // the last entry that was told of; 0: none since the last restore
	restored bool   // the state came from a snapshot
	anchor   uint64 // entries before it are not read: they may be older than the snapshot
	events   []trace.Event
}

// Apply implements raft.FSM.
func (f *fsm) Apply(l *raft.Log) any {
	answer := f.FSM.Apply(l)
	f.applied(l)
	return answer
}

// applied tells of the entries of the log, in order; the last of which has just been
// applied.
func (f *fsm) applied(logs ...*raft.Log) {
	first, last := logs[0], logs[len(logs)-1]
	from := f.reported + 1
	if f.reported == 0 {
		from = first.Index
		f.anchor = 1
		if f.restored {
			f.anchor = first.Index
		}
	}
	f.events = f.log.Committed(f.events[:0], 0, from, last.Index, func(i uint64) (trace.Entry, error) {
		if k := i - first.Index; i >= first.Index && k < uint64(len(logs)) && logs[k].Index == i {
			return entry(logs[k]), nil
		}
		// One that raft does not show to state machines, or not again.
		var l raft.Log
		if i < f.anchor {
			return trace.Entry{}, raft.ErrLogNotFound
		}
		err := f.tracer.logs.GetLog(i, &l)
		return entry(&l), err
	})
	f.reported = last.Index
	if f.state != nil && last.Index%trace.Every == 0 {
		f.events = append(f.events, trace.Event{Kind: trace.State, Index: last.Index, Hash: f.state()})
	}
	f.tracer.write(f.events...)
}

func entry(l *raft.Log) trace.Entry {
	return trace.Entry{Term: l.Term, Kind: uint64(l.Type), Content: l.Data}
}

// Restore implements raft.FSM.
func (f *fsm) Restore(r io.ReadCloser) error {
	f.reported, f.restored, f.log = 0, true, trace.Log{}
	return f.FSM.Restore(r)
}

// Snapshot implements raft.FSM.
func (f *fsm) Snapshot() (raft.FSMSnapshot, error) {
	s, err := f.FSM.Snapshot()
	if err != nil {
		return nil, err
	}
	return ownSnapshot{s}, nil
}

// ownSnapshot is one that the node takes itself, and not one that it gets.
type ownSnapshot struct{ raft.FSMSnapshot }

// Persist implements raft.FSMSnapshot.
func (s ownSnapshot) Persist(to raft.SnapshotSink) error {
	if sink, ok := to.(*sink); ok {
		sink.reason = "taken"
	}
	return s.FSMSnapshot.Persist(to)
}

type batchingFSM struct {
	*fsm
	inner raft.BatchingFSM
}

// ApplyBatch implements raft.BatchingFSM. It ends batches at the indexes at which the
// state is told.
func (f *batchingFSM) ApplyBatch(logs []*raft.Log) []any {
	answers := make([]any, 0, len(logs))
	for len(logs) > 0 {
		n := 1
		for n < len(logs) && logs[n-1].Index%trace.Every != 0 {
			n++
		}
		answers = append(answers, f.inner.ApplyBatch(logs[:n])...)
		f.applied(logs[:n]...)
		logs = logs[n:]
	}
	return answers
}

type configurations struct{ inner raft.ConfigurationStore }

// StoreConfiguration implements raft.ConfigurationStore.
func (c configurations) StoreConfiguration(index uint64, configuration raft.Configuration) {
	c.inner.StoreConfiguration(index, configuration)
}
