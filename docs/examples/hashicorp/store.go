package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"sync"

	"github.com/hashicorp/raft"

	"squall/trace"
)

// command is what an entry of the log says.
type command struct {
	Key    string
	Value  string
	Expect *string `json:",omitempty"` // what Key must hold, if there is a condition
	Absent bool    `json:",omitempty"` // Key must hold nothing
}

// outcome is what became of a command.
type outcome struct {
	done  bool
	found *string // what Key held instead; nil: nothing
}

// store is the state machine: what the keys hold.
type store struct {
	mu   sync.RWMutex
	keys map[string]string
	hash uint64 // of all keys
}

var _ raft.FSM = (*store)(nil)

// Apply carries out a command, alike on all nodes.
func (s *store) Apply(l *raft.Log) any {
	var c command
	if err := json.Unmarshal(l.Data, &c); err != nil {
		panic(fmt.Sprintf("entry %d is no command: %v", l.Index, err)) // another program wrote the log
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	found, there := s.keys[c.Key]
	if c.Expect != nil && (!there || found != *c.Expect) || c.Absent && there {
		if !there {
			return outcome{}
		}
		return outcome{found: &found}
	}
	if there {
		s.hash ^= trace.Sum([]byte(c.Key), []byte(found))
	}
	s.keys[c.Key] = c.Value
	s.hash ^= trace.Sum([]byte(c.Key), []byte(c.Value))
	return outcome{done: true}
}

func (s *store) get(key string) (value string, there bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	value, there = s.keys[key]
	return value, there
}

// state is the hash of all keys.
func (s *store) state() uint64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.hash
}

// Snapshot is the state of now.
func (s *store) Snapshot() (raft.FSMSnapshot, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return snapshot(maps.Clone(s.keys)), nil
}

// Restore takes the state of a snapshot in place of what is there.
func (s *store) Restore(r io.ReadCloser) error {
	defer r.Close()
	keys := map[string]string{}
	if err := json.NewDecoder(r).Decode(&keys); err != nil {
		return fmt.Errorf("the snapshot: %w", err)
	}
	var hash uint64
	for k, v := range keys {
		hash ^= trace.Sum([]byte(k), []byte(v))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys, s.hash = keys, hash
	return nil
}

// snapshot is what the keys held at one moment.
type snapshot map[string]string

// Persist writes it.
func (s snapshot) Persist(sink raft.SnapshotSink) error {
	if err := json.NewEncoder(sink).Encode(s); err != nil {
		return errors.Join(err, sink.Cancel())
	}
	return sink.Close()
}

// Release has nothing to give back.
func (snapshot) Release() {}
