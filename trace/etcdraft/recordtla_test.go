//go:build with_tla

package etcdraft

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
)

// ndjson writes what the library tells when it is built with_tla, as its README does.
type ndjson struct{ out *json.Encoder }

func (l *ndjson) TraceEvent(e *raft.TracingEvent) {
	_ = l.out.Encode(map[string]any{"tag": "trace", "event": e})
}

// TestRecordTLA records what a cluster does in which leaders change, logs conflict, a
// follower restarts, another is sent a snapshot, a member joins and one leaves. With
// TLA_OUT=FILE it is how the file in history/etcdtla/testdata of squall was made:
//
//	TLA_OUT=storm.ndjson go test -tags with_tla -run TestRecordTLA ./etcdraft
func TestRecordTLA(t *testing.T) {
	path := os.Getenv("TLA_OUT")
	if path == "" {
		path = filepath.Join(t.TempDir(), "storm.ndjson")
	}
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	out := bufio.NewWriter(file)
	s := newSimTraced(t, 3, &ndjson{json.NewEncoder(out)})
	first := s.leader()
	s.propose(first, 0, 12)

	s.cut[first.id] = true
	s.propose(first, 100, 103) // never committed
	second := s.leader()
	s.propose(second, 12, 20)
	s.cut[first.id] = false
	s.tick(10)

	s.boot(second.id%3 + 1) // a follower restarts
	s.tick(10)

	// Node 4 joins, and is made the leader.
	s.nodes[4] = &node{id: 4, storage: raft.NewMemoryStorage()}
	s.boot(4)
	s.change(raftpb.ConfChangeAddNode, 4)
	s.propose(s.leader(), 20, 26)
	s.leader().raw.TransferLeader(4)
	s.settle()
	s.tick(5)

	late := s.nodes[second.id]
	s.cut[late.id] = true
	leader := s.leader()
	s.propose(leader, 26, 36)
	s.compact(leader)
	s.cut[late.id] = false
	s.tick(30)

	s.change(raftpb.ConfChangeRemoveNode, first.id)
	s.propose(s.leader(), 36, 40)
	s.tick(5)
	if err := out.Flush(); err != nil {
		t.Fatal(err)
	}
	if info, err := file.Stat(); err != nil || info.Size() == 0 {
		t.Errorf("nothing was recorded (%v)", err)
	}
}

func newSimTraced(t *testing.T, size uint64, l raft.TraceLogger) *sim {
	s := &sim{t: t, nodes: map[uint64]*node{}, cut: map[uint64]bool{}, tla: l}
	s.bootstrap(size)
	return s
}

// compact has a node take a snapshot, and drop the log before it.
func (s *sim) compact(n *node) {
	s.t.Helper()
	_, err := n.storage.CreateSnapshot(n.applied, n.conf, binary.BigEndian.AppendUint64(nil, n.state))
	s.must(err)
	s.must(n.storage.Compact(n.applied))
}

// change changes the members, through the leader.
func (s *sim) change(kind raftpb.ConfChangeType, id uint64) {
	s.t.Helper()
	s.must(s.leader().raw.ProposeConfChange(&raftpb.ConfChange{Type: kind.Enum(), NodeId: new(id)}))
	s.settle()
	s.tick(5)
}
