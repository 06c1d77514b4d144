package hashiraft

import (
	"github.com/hashicorp/raft"

	"squall/trace"
)

// SnapshotStore returns a store that tells of each snapshot that is on disk. Whether it
// was taken or installed it knows from the state machine of FSM.
func (t *Tracer) SnapshotStore(inner raft.SnapshotStore) raft.SnapshotStore {
	if t == nil {
		return inner
	}
	return &snapshotStore{inner, t}
}

type snapshotStore struct {
	raft.SnapshotStore
	tracer *Tracer
}

// Create implements raft.SnapshotStore.
func (s *snapshotStore) Create(version raft.SnapshotVersion, index, term uint64, configuration raft.Configuration,
	configurationIndex uint64, transport raft.Transport) (raft.SnapshotSink, error) {
	inner, err := s.SnapshotStore.Create(version, index, term, configuration, configurationIndex, transport)
	if err != nil {
		return nil, err
	}
	return &sink{SnapshotSink: inner, tracer: s.tracer, index: index, term: term, reason: "installed"}, nil
}

type sink struct {
	raft.SnapshotSink
	tracer      *Tracer
	index, term uint64
	reason      string // "" once the snapshot is told of
}

// Close implements raft.SnapshotSink. State machines may close it before raft does, too.
func (s *sink) Close() error {
	if err := s.SnapshotSink.Close(); err != nil || s.reason == "" {
		return err
	}
	s.tracer.write(trace.Event{Kind: trace.Snapshot, Index: s.index, EntryTerm: s.term, Reason: s.reason})
	s.reason = ""
	return nil
}

// Cancel implements raft.SnapshotSink.
func (s *sink) Cancel() error {
	s.reason = ""
	return s.SnapshotSink.Cancel()
}
