package raft

import (
	"errors"
	"io"
)

// HardState is what a node must never forget: its term and its vote in it.
type HardState struct {
	Term uint64
	Vote NodeID
}

// LogMark names an entry by index and term.
type LogMark struct{ Index, Term uint64 }

// SnapshotMeta describes a snapshot of the state machine.
type SnapshotMeta struct {
	Index, Term uint64   // the last entry that is in it
	Hash        uint64   // chain hash of the log up to Index
	Members     []NodeID // voters
	Size        uint64   // bytes of the state machine's data
	CRC         uint32   // CRC-32C of that data
}

// State is what a storage holds when a node starts.
type State struct {
	Hard     HardState
	Base     LogMark // the entry before Entries[0]; zero at the start of the log
	Entries  []Entry // consecutive
	Snapshot *SnapshotMeta
}

// Batch is a set of changes that become durable together or not at all, in
// the order of the fields.
type Batch struct {
	Hard *HardState // nil: unchanged
	// Reset empties the log: what follows comes after this mark, to which a
	// snapshot has been installed.
	Reset *LogMark
	// Entries are appended. The first one's index is at most one above the
	// last one stored; whatever was stored from that index on is gone.
	Entries []Entry
	// Compact allows the storage to forget entries up to this index (0: none);
	// a durable snapshot covers them. It may happen late or never.
	Compact uint64
}

// ErrSnapshotMismatch is returned by Storage.FinishInstall when the bytes
// received are not those that the snapshot's description promises.
var ErrSnapshotMismatch = errors.New("raft: snapshot data does not match its description")

// Storage is the node's stable storage; package wal implements it.
//
// Load is called once, before anything else. After it Save is called from one
// goroutine and the methods on snapshots from another. When a method returns
// nil, what it did survives a crash. Any error but ErrSnapshotMismatch stops
// the node for good: after a failed fsync nobody knows what is on the disk.
type Storage interface {
	Load() (State, error)
	Save(b Batch) error

	// SaveSnapshot stores the snapshot that write produces, and returns meta
	// with Size and CRC filled in.
	SaveSnapshot(meta SnapshotMeta, write func(io.Writer) error) (SnapshotMeta, error)
	// OpenSnapshot opens the data of the stored snapshot at index.
	OpenSnapshot(index uint64) (SnapshotData, error)
	// WriteChunk stores a piece of a snapshot that is being received. Offset 0
	// begins anew; any other follows the chunk before. It need not be durable.
	WriteChunk(meta SnapshotMeta, offset uint64, data []byte) error
	// FinishInstall turns the chunks written into a stored snapshot.
	FinishInstall(meta SnapshotMeta) error
	// PurgeSnapshots removes stored snapshots older than the newest one, but
	// for those at the indexes in keep.
	PurgeSnapshots(keep []uint64) error
}

// SnapshotData is the open data of a snapshot.
type SnapshotData interface {
	io.ReaderAt
	io.Closer
}
