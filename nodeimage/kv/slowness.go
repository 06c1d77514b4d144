package kv

import (
	"io"
	"time"

	"squall/nodeimage/raft"
)

// slowness has a node take longer over its snapshots than a small state takes, so that
// something can happen meanwhile: an entry, a message, a crash. It is what it takes at
// least to write a snapshot, to restore one, and to put one in the place of the log.
type slowness time.Duration

func (s slowness) pass() { time.Sleep(time.Duration(s)) }

// machine is the state machine as slow as it is to be.
func (s slowness) machine(m raft.StateMachine) raft.StateMachine {
	if s == 0 {
		return m
	}
	return &slowMachine{m, s}
}

// storage is the storage as slow as it is to be.
func (s slowness) storage(to raft.Storage) raft.Storage {
	if s == 0 {
		return to
	}
	return &slowCut{to, s}
}

// slowMachine is a state machine whose snapshots take a while.
type slowMachine struct {
	raft.StateMachine
	slowness
}

// Snapshot implements raft.StateMachine.
func (m *slowMachine) Snapshot() (func(io.Writer) error, error) {
	write, err := m.StateMachine.Snapshot()
	if err != nil {
		return nil, err
	}
	return func(w io.Writer) error {
		m.pass()
		return write(w)
	}, nil
}

// Restore implements raft.StateMachine. Until it ends the state is the old one.
func (m *slowMachine) Restore(r io.Reader) error {
	m.pass()
	return m.StateMachine.Restore(r)
}

// slowCut is a storage that takes a while to cut off a log which an installed snapshot
// replaces. The snapshot is stored by then: the node may crash between the two.
type slowCut struct {
	raft.Storage
	slowness
}

// Save implements raft.Storage.
func (c *slowCut) Save(b raft.Batch) error {
	if b.Reset != nil {
		c.pass()
	}
	return c.Storage.Save(b)
}
