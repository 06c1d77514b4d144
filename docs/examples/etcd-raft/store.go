package main

import (
	"encoding/json"
	"sync"

	"squall/trace"
)

// command is what an entry of the log says.
type command struct {
	ID     string // of the request: whoever waits for it knows it by that
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

// apply carries out a command, alike on all nodes.
func (s *store) apply(c command) outcome {
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

// save is the whole state, and load puts it in place of what is there.
func (s *store) save() ([]byte, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return json.Marshal(s.keys)
}

func (s *store) load(data []byte) error {
	keys := map[string]string{}
	if len(data) > 0 {
		if err := json.Unmarshal(data, &keys); err != nil {
			return err
		}
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
