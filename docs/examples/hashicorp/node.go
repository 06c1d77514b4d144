package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"

	"squall/trace"
	"squall/trace/hashiraft"
)

const (
	// requestTimeout is how long a request is tried for.
	requestTimeout = 3 * time.Second
	// peerTimeout is how long a message between nodes may take.
	peerTimeout = 2 * time.Second
)

// node is a member of the cluster.
type node struct {
	config
	raft  *raft.Raft
	store *store
	// caughtUp is the last term in which this node led and had applied all that was
	// committed in earlier ones.
	caughtUp atomic.Uint64
}

// startNode makes a node of what is on its disk.
func startNode(c config, addr raft.ServerAddress) (*node, error) {
	n := &node{config: c, store: &store{keys: map[string]string{}}}
	settings := raft.DefaultConfig()
	settings.LocalID = raft.ServerID(c.name)
	settings.HeartbeatTimeout, settings.ElectionTimeout, settings.LeaderLeaseTimeout = c.heartbeat, c.heartbeat, c.heartbeat
	settings.CommitTimeout = 10 * time.Millisecond
	settings.SnapshotThreshold, settings.SnapshotInterval, settings.TrailingLogs = c.snapshots, 2*time.Second, 1000
	settings.Logger = hclog.New(&hclog.LoggerOptions{Name: "raft", Level: hclog.Info, Output: os.Stderr})

	if err := os.MkdirAll(c.data, 0o755); err != nil {
		return nil, err
	}
	bolt, err := raftboltdb.NewBoltStore(filepath.Join(c.data, "raft.db"))
	if err != nil {
		return nil, fmt.Errorf("opening the log: %w", err)
	}
	disk := slowDisk{bolt, c.disk}
	snapshots, err := raft.NewFileSnapshotStoreWithLogger(c.data, 2, settings.Logger)
	if err != nil {
		return nil, fmt.Errorf("opening the snapshots: %w", err)
	}
	listener, err := net.Listen("tcp", string(addr))
	if err != nil {
		return nil, fmt.Errorf("listening for the other nodes: %w", err)
	}
	transport := raft.NewNetworkTransportWithLogger(checkedListener{listener}, 3, peerTimeout, settings.Logger)
	begun, err := raft.HasExistingState(bolt, bolt, snapshots)
	if err != nil {
		return nil, err
	}
	if !begun { // all nodes begin with the same members
		if err := raft.BootstrapCluster(settings, bolt, bolt, snapshots, transport, raft.Configuration{Servers: c.servers}); err != nil {
			return nil, err
		}
	}

	out, err := trace.Open()
	if err != nil {
		return nil, err
	}
	tracer, err := hashiraft.New(out, c.name, disk, disk, n.nameOf)
	if err != nil {
		return nil, err
	}
	n.raft, err = raft.NewRaft(settings, tracer.FSM(n.store, n.store.state), disk, tracer.StableStore(disk), tracer.SnapshotStore(snapshots), transport)
	if err != nil {
		return nil, err
	}
	tracer.Observe(n.raft)
	return n, nil
}

// nameOf is the name of the node with an address.
func (n *node) nameOf(addr raft.ServerAddress) string {
	for _, s := range n.servers {
		if s.Address == addr {
			return string(s.ID)
		}
	}
	return ""
}

// Errors of operations that were not carried out, and never will be.
var (
	errNotLeading = errors.New("this node does not lead")
	errNotTaken   = errors.New("the log is not taking commands")
)

// do has a command applied, and tells its outcome. Any other error than the two above
// leaves open whether it was, or will be.
func (n *node) do(c command) (outcome, error) {
	data, err := json.Marshal(c)
	if err != nil {
		return outcome{}, errNotTaken
	}
	future := n.raft.Apply(data, requestTimeout)
	switch err := future.Error(); err {
	case nil:
		return future.Response().(outcome), nil
	case raft.ErrNotLeader:
		return outcome{}, errNotLeading
	case raft.ErrEnqueueTimeout, raft.ErrLeadershipTransferInProgress:
		return outcome{}, errNotTaken
	default:
		return outcome{}, err
	}
}

// read returns once the state of this node holds all that was written before it was
// called; it must lead. What was acknowledged in this term is applied here. What was
// in earlier ones is, once a barrier of this term was. A quorum says that the term still
// is this one.
func (n *node) read() error {
	term := n.raft.CurrentTerm()
	if n.caughtUp.Load() != term {
		if err := n.raft.Barrier(requestTimeout).Error(); err != nil {
			return err
		}
		if n.raft.CurrentTerm() != term {
			return errNotLeading
		}
		n.caughtUp.Store(term)
	}
	if err := n.raft.VerifyLeader().Error(); err != nil {
		return err
	}
	if n.raft.CurrentTerm() != term {
		return errNotLeading
	}
	return nil
}
