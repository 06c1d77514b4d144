package kv

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"time"

	"squall/nodeimage/raft"
)

// NodeID names a member of the cluster; it is not 0.
type NodeID = raft.NodeID

// Default ports.
const (
	DefaultClientPort = 4100
	DefaultPeerPort   = 4101
	DefaultHTTPPort   = 4102
)

// Config is what a server needs. ID, Peers and DataDir are required.
type Config struct {
	ID NodeID
	// Cluster is the cluster's name. Nodes that give another one are refused.
	Cluster string
	// Peers holds for every member, this one included, the "host:port" at which
	// other nodes reach it. A host may be a name.
	Peers map[NodeID]string
	// DataDir is the directory of the log and the snapshots; it is made when it
	// does not exist.
	DataDir string

	// Where the server listens, "host:port"; by default on every address, at
	// the default ports. HTTPAddr "off" means no page.
	ClientAddr, PeerAddr, HTTPAddr string

	// Raft's times; see [raft.Config]. Defaults: 50 ms, 300 ms, 600 ms.
	Heartbeat, ElectionMin, ElectionMax time.Duration
	// SnapshotEvery is the number of entries between two snapshots, SnapshotKeep
	// how many of them stay in the log. Both 0: 10,000 and 5,000.
	SnapshotEvery, SnapshotKeep uint64
	// SnapshotChunk is how much of a snapshot one message to another node holds. 0: 256 KiB.
	SnapshotChunk int
	// SlowSnapshots is what it takes at least to write a snapshot, to restore one, and to
	// put one in the place of the log, as of a large state.
	SlowSnapshots time.Duration
	// Sessions is how many clients' sessions are kept, the same on every node. 0, and at
	// most: [MaxSessions].
	Sessions int
	// MaxBatchBytes and MaxInflight bound what is on its way to one follower; see
	// [raft.Config].
	MaxBatchBytes, MaxInflight int
	// SegmentBytes is the size of a file of the log, in bytes, at which the next one is
	// begun. 0: 16 MiB.
	SegmentBytes int64

	// SlowDisk is what a write to the log takes at least, beside its own time: a server
	// that is killed meanwhile has not written it. 0: as fast as it is.
	SlowDisk time.Duration

	Experiment *Experiment // on elections; nil: none

	// RequestTimeout is how long the server works on a request before it
	// answers that the outcome is unknown. 0: 5 s.
	RequestTimeout time.Duration
	// LeaderWait is how long a request waits for a leader that can be reached,
	// before it fails. 0: 200 ms; negative: not at all.
	LeaderWait time.Duration

	// Clock is the node's time; nil: the machine's clock, which nobody bends.
	Clock *Clock
	// Messages is what befalls the messages that come in; nil: nothing.
	Messages *MessageFaults
	// Seed makes the election timeouts repeatable; 0: a random one.
	Seed uint64
	// Trace receives the trace (see [Tracer]); nil: none.
	Trace io.Writer
	// FullTrace receives version 2 of the trace (see [steptrace.Tracer]); nil: none.
	FullTrace io.Writer
	// Log receives the server's log; nil: none.
	Log *slog.Logger
}

// withDefaults returns the configuration with its gaps filled in, or what is
// wrong with it.
func (c Config) withDefaults() (Config, error) {
	setDefault(&c.Cluster, "squall")
	setDefault(&c.ClientAddr, fmt.Sprintf(":%d", DefaultClientPort))
	setDefault(&c.PeerAddr, fmt.Sprintf(":%d", DefaultPeerPort))
	setDefault(&c.HTTPAddr, fmt.Sprintf(":%d", DefaultHTTPPort))
	setDefault(&c.Heartbeat, 50*time.Millisecond)
	setDefault(&c.ElectionMin, 300*time.Millisecond)
	setDefault(&c.ElectionMax, 2*c.ElectionMin)
	if c.SnapshotEvery == 0 && c.SnapshotKeep == 0 {
		c.SnapshotEvery, c.SnapshotKeep = 10_000, 5_000
	}
	setDefault(&c.Sessions, MaxSessions)
	setDefault(&c.RequestTimeout, DefaultRequestTimeout)
	setDefault(&c.LeaderWait, 200*time.Millisecond)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Clock == nil {
		var err error
		if c.Clock, err = NewClock(); err != nil {
			return c, err
		}
	}
	if c.Messages == nil {
		c.Messages = new(MessageFaults)
	}
	return c, c.check()
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

func (c *Config) check() error {
	if c.ID == 0 {
		return errors.New("the node's id is missing, or 0")
	}
	if _, ok := c.Peers[c.ID]; !ok {
		return fmt.Errorf("node %d is not among the peers: list every member, this one included", c.ID)
	}
	for id, addr := range c.Peers {
		if id == 0 {
			return errors.New("0 is not a node id")
		}
		if _, _, err := net.SplitHostPort(addr); err != nil {
			return fmt.Errorf("address of peer %d: %w", id, err)
		}
	}
	if c.DataDir == "" {
		return errors.New("the data directory is missing")
	}
	if c.Heartbeat <= 0 || c.ElectionMin <= c.Heartbeat || c.ElectionMax < c.ElectionMin {
		return fmt.Errorf("heartbeat %v, election timeout %v to %v: each must be longer than the one before",
			c.Heartbeat, c.ElectionMin, c.ElectionMax)
	}
	if c.Sessions < 1 || c.Sessions > MaxSessions {
		return fmt.Errorf("%d sessions are to be kept; 1 to %d are possible", c.Sessions, MaxSessions)
	}
	if c.RequestTimeout < 0 {
		return fmt.Errorf("request timeout is %v", c.RequestTimeout)
	}
	if c.SlowSnapshots < 0 {
		return fmt.Errorf("a snapshot takes %v", c.SlowSnapshots)
	}
	return c.Experiment.check()
}
