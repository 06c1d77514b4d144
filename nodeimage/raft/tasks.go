package raft

import "io"

// task is anything that can happen to a node. The roles find the type with a
// type switch; these are all there are.
type task interface{ isTask() }

type (
	// Client calls.
	propose struct {
		command []byte
		done    func(result any, err error)
	}
	read struct {
		done   func(err error)
		number uint64 // see stepper
	}
	stop struct{}

	// receive is a message from another member: request or reply.
	receive struct{ m *Message }

	// Timer expiries; gen tells an expiry that was overtaken by a reset.
	electionTimeout  struct{ gen uint64 }
	heartbeatTimeout struct{ gen uint64 }

	// persisted: every write up to number seq is durable.
	persisted struct{ seq uint64 }
	// applied: the state machine holds everything up to index.
	applied struct{ index uint64 }
	// snapshotReady: the state machine can be written as of meta.
	snapshotReady struct {
		meta  SnapshotMeta
		write func(io.Writer) error
	}
	// snapshotSaved: that snapshot is durable.
	snapshotSaved struct{ meta SnapshotMeta }
	// chunkRead: a piece of a snapshot, to be sent to a follower.
	chunkRead struct {
		to     NodeID
		meta   SnapshotMeta
		offset uint64
		data   []byte
		gone   bool // the snapshot is no longer there
	}
	// chunkStored: a received piece of a snapshot is stored up to offset; with
	// complete the whole is durable, with mismatch it was useless.
	chunkStored struct {
		in                 *install
		offset             uint64
		complete, mismatch bool
	}
	// storageFailed: the node cannot go on.
	storageFailed struct{ err error }
)

func (*propose) isTask()         {}
func (*read) isTask()            {}
func (stop) isTask()             {}
func (receive) isTask()          {}
func (electionTimeout) isTask()  {}
func (heartbeatTimeout) isTask() {}
func (persisted) isTask()        {}
func (applied) isTask()          {}
func (snapshotReady) isTask()    {}
func (snapshotSaved) isTask()    {}
func (chunkRead) isTask()        {}
func (chunkStored) isTask()      {}
func (storageFailed) isTask()    {}
