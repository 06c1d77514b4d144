package hashiraft

import (
	"github.com/hashicorp/raft"

	"squall/trace"
)

// Keys by which raft keeps its term and its vote. It has no name for them that others
// can use, but could not change them without losing what is on disks.
const (
	keyTerm     = "CurrentTerm"
	keyVoteTerm = "LastVoteTerm"
	keyVote     = "LastVoteCand"
)

// notFound is the error of a stable store for a key that it does not hold, as raft itself
// compares it.
const notFound = "not found"

// StableStore returns a store that tells of terms and votes once they are durable in
// inner. raft sends nothing of them before.
func (t *Tracer) StableStore(inner raft.StableStore) raft.StableStore {
	if t == nil {
		return inner
	}
	return &stableStore{StableStore: inner, tracer: t}
}

type stableStore struct {
	raft.StableStore
	tracer *Tracer
}

// SetUint64 implements raft.StableStore.
func (s *stableStore) SetUint64(key []byte, value uint64) error {
	if err := s.StableStore.SetUint64(key, value); err != nil {
		return err
	}
	t := s.tracer
	t.mu.Lock()
	defer t.mu.Unlock()
	switch string(key) {
	case keyTerm:
		changed := t.term != value
		t.term = value
		if changed && t.role == trace.Candidate { // it stands in a new term
			t.tell(trace.TimedOut)
		}
	case keyVoteTerm: // comes first, the candidate after it
		t.voteTerm = value
	}
	return nil
}

// Set implements raft.StableStore.
func (s *stableStore) Set(key, value []byte) error {
	if err := s.StableStore.Set(key, value); err != nil {
		return err
	}
	if string(key) != keyVote {
		return nil
	}
	t := s.tracer
	t.mu.Lock()
	defer t.mu.Unlock()
	if name := t.nameOf(raft.ServerAddress(value)); name != "" {
		t.out.Write(trace.Event{Kind: trace.Vote, Term: t.voteTerm, Vote: name})
	}
	return nil
}
