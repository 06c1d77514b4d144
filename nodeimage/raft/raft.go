package raft

import (
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"time"
)

// NodeID names a member of the cluster. 0 means nobody.
type NodeID uint64

// Errors that Propose and Read report. They let a caller tell "failed for
// certain" from "outcome unknown".
var (
	// ErrNotLeader: this node is not the leader; nothing was proposed.
	ErrNotLeader = errors.New("raft: not the leader")
	// ErrBusy: too much is in flight; nothing was proposed.
	ErrBusy = errors.New("raft: too many operations in flight")
	// ErrSuperseded: another entry was committed in place of the proposed one;
	// it will never take effect.
	ErrSuperseded = errors.New("raft: superseded by another leader's entry")
	// ErrUnknown: leadership was lost, or the node stopped, while the proposal
	// was under way; it may or may not take effect.
	ErrUnknown = errors.New("raft: outcome unknown")
	// ErrStopped: the node had stopped before the call; nothing was proposed.
	ErrStopped = errors.New("raft: stopped")
)

// Role is what a node currently is.
type Role uint8

// The roles.
const (
	Follower Role = iota
	Candidate
	Leader
	Stopped
)

// Config is what a node needs. Every field without a stated default is required.
type Config struct {
	ID      NodeID
	Members []NodeID // every voter, this node included

	// An election timeout is drawn uniformly from [ElectionMin, ElectionMax).
	// Heartbeat is the leader's interval between broadcasts; it must be well
	// below ElectionMin.
	ElectionMin, ElectionMax, Heartbeat time.Duration

	// MaxBatchBytes bounds the entries in one append (0: 1 MiB); MaxInflight
	// the appends on the way to one follower (0: 64); MaxPending the proposals
	// and reads that wait in this node (0: 8192, beyond it ErrBusy).
	MaxBatchBytes, MaxInflight, MaxPending int

	// SnapshotEvery is how many entries are applied between two snapshots (0:
	// none); SnapshotKeep how many entries stay in the log behind a snapshot
	// so that a slow follower needs no install; SnapshotChunk the bytes of one
	// install-snapshot message (0: 256 KiB).
	SnapshotEvery, SnapshotKeep uint64
	SnapshotChunk               int

	Experiment *Experiment // nil: none

	Clock        Clock
	Rand         *rand.Rand
	Transport    Transport
	Storage      Storage
	StateMachine StateMachine
	Tracer       Tracer // nil: no trace
	// TraceTime is the time of trace events, which must hold even where Clock
	// is wrong on purpose. nil: Clock.Now.
	TraceTime func() time.Duration
	Steps     Steps        // nil: none
	Logger    *slog.Logger // nil: slog.DiscardHandler
}

// Clock is the node's time. All timeouts and all waiting goes by it, and
// nothing that must hold for safety: it may be set, run fast or slow, or stand
// still.
type Clock interface {
	// Now is the time since some fixed moment.
	Now() time.Duration
	// AfterFunc calls f once, on any goroutine, after d, unless stopped before.
	AfterFunc(d time.Duration, f func()) Timer
}

// Timer is a pending AfterFunc.
type Timer interface{ Stop() bool }

// Transport sends messages. Send never blocks; it may lose, delay, duplicate
// or reorder messages. What arrives is handed to Node.Receive.
type Transport interface {
	Send(to NodeID, m *Message)
}

// StateMachine is what the log is replicated for. Apply, Snapshot, Restore
// and Hash are called from one goroutine, never concurrently.
type StateMachine interface {
	// Apply carries out the command of a committed entry; the result goes to
	// the proposer. It must be deterministic.
	Apply(index uint64, command []byte) (result any)
	// Snapshot returns a function that writes the state as it is at the call;
	// that function runs on another goroutine while Apply goes on.
	Snapshot() (write func(io.Writer) error, err error)
	// Restore replaces the state by what a snapshot wrote.
	Restore(r io.Reader) error
	// Hash is a hash of the whole state; equal states have equal hashes.
	Hash() uint64
}

// EventKind says what a trace event is about.
type EventKind string

// Trace events; the comment names the fields of Event that are set beside
// Kind, Time and Term.
const (
	// Role, Leader (0: unknown), Reason, the last entry of the log (Index,
	// EntryTerm); when an election timeout expired, Timeout and Late.
	EventRole     EventKind = "role"
	EventVote     EventKind = "vote"     // Vote: this node granted its vote to it
	EventCommit   EventKind = "commit"   // Index, EntryTerm, Hash of the log up to Index
	EventState    EventKind = "state"    // Index, Hash of the state machine after it
	EventSnapshot EventKind = "snapshot" // Index, EntryTerm, Reason: taken or installed
	EventMembers  EventKind = "members"  // Members
)

// TraceEvery is the distance of the log indexes at which every node reports
// its log hash and its state hash, so that the reports of different nodes meet
// at the same indexes whatever their batches were. The state's is reported where a
// snapshot is taken and restored, too.
const TraceEvery = 64

// Event is one trace event.
type Event struct {
	Kind      EventKind
	Time      time.Duration // Config.TraceTime
	Term      uint64
	Role      Role
	Leader    NodeID
	Vote      NodeID
	Index     uint64
	EntryTerm uint64
	Hash      uint64
	Members   []NodeID
	Reason    string
	Timeout   time.Duration // the election timeout that expired
	Late      time.Duration // by how much later than that the node came to it
}

// Tracer receives trace events, from the event loop and the apply goroutine.
// An event is handed over before anything that depends on it leaves the node.
type Tracer interface{ Trace(Event) }

// Status is a node's view of itself, for people and metrics.
type Status struct {
	ID                       NodeID
	Role                     Role
	Term                     uint64
	Leader                   NodeID
	FirstIndex, LastIndex    uint64
	CommitIndex, Applied     uint64
	SnapshotIndex            uint64
	Match                    map[NodeID]uint64 // leader only
	Proposals, Reads         uint64            // accepted since the start
	Elections, TermsAsLeader uint64
}
