package etcdraft

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"testing"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"

	"squall/trace"
	"squall/trace/internal/tracetest"
	"squall/trace/steps"
)

// sim is a cluster in one goroutine: time is ticks.
type sim struct {
	t      *testing.T
	traces tracetest.Cluster
	nodes  map[uint64]*node
	cut    map[uint64]bool // nodes that no message reaches or leaves
	tla    raft.TraceLogger
}

// node is a small server: its state is a map.
type node struct {
	id      uint64
	raw     *raft.RawNode
	storage *raft.MemoryStorage
	tracer  *Tracer
	steps   *Steps
	boots   []*bytes.Buffer // its full trace
	state   uint64
	applied uint64
	conf    *raftpb.ConfState
}

func newSim(t *testing.T, size uint64) *sim {
	s := &sim{t: t, nodes: map[uint64]*node{}, cut: map[uint64]bool{}}
	s.bootstrap(size)
	return s
}

// bootstrap makes the first members.
func (s *sim) bootstrap(size uint64) {
	s.t.Helper()
	var peers []raft.Peer
	for id := uint64(1); id <= size; id++ {
		peers = append(peers, raft.Peer{ID: id})
	}
	for id := uint64(1); id <= size; id++ {
		s.nodes[id] = &node{id: id, storage: raft.NewMemoryStorage()}
		s.boot(id)
		s.must(s.nodes[id].raw.Bootstrap(peers))
	}
}

func (s *sim) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// boot starts a node from its storage.
func (s *sim) boot(id uint64) {
	s.t.Helper()
	n := s.nodes[id]
	n.state, n.applied = 0, 0
	snapshot, err := n.storage.Snapshot()
	s.must(err)
	if !raft.IsEmptySnap(snapshot) {
		n.restore(snapshot)
	}
	n.tracer, err = New(s.traces.Tracer(s.t, fmt.Sprint("n", id)), n.storage, nil)
	s.must(err)
	n.boots = append(n.boots, &bytes.Buffer{})
	out, err := steps.New(n.boots[len(n.boots)-1])
	s.must(err)
	n.steps, err = NewSteps(out, n.storage, id, 0)
	s.must(err)
	n.raw, err = raft.NewRawNode(&raft.Config{ID: id, ElectionTick: 10, HeartbeatTick: 1, Storage: n.storage, Applied: n.applied,
		MaxSizePerMsg: 1 << 20, MaxInflightMsgs: 64, PreVote: true, CheckQuorum: true, Logger: quiet{},
		TraceLogger: s.tla})
	s.must(err)
}

func (n *node) restore(snapshot *raftpb.Snapshot) {
	n.state = binary.BigEndian.Uint64(snapshot.GetData())
	n.applied = snapshot.GetMetadata().GetIndex()
	n.conf = snapshot.GetMetadata().GetConfState()
}

// settle handles what is ready until nothing is.
func (s *sim) settle() {
	s.t.Helper()
	for busy := true; busy; {
		busy = false
		for id := uint64(1); id <= uint64(len(s.nodes)); id++ {
			if n := s.nodes[id]; n.raw.HasReady() {
				busy = true
				s.handle(n)
			}
		}
	}
}

func (s *sim) handle(n *node) {
	rd := n.raw.Ready()
	n.steps.Ready(rd)
	if rd.HardState != nil {
		s.must(n.storage.SetHardState(rd.HardState))
	}
	if !raft.IsEmptySnap(rd.Snapshot) {
		s.must(n.storage.ApplySnapshot(rd.Snapshot))
		n.restore(rd.Snapshot)
	}
	s.must(n.storage.Append(rd.Entries))
	n.tracer.Role(rd) // does no harm where Ready follows at once
	n.tracer.Ready(rd)
	n.steps.Saved(rd)
	n.steps.Sending(rd.Messages)
	for _, m := range rd.Messages {
		if to := s.nodes[m.GetTo()]; to != nil && !s.cut[n.id] && !s.cut[to.id] {
			to.steps.Receive(m)
			_ = to.raw.Step(m) // a node may refuse it
		}
		if m.GetType() == raftpb.MsgSnap {
			n.raw.ReportSnapshot(m.GetTo(), raft.SnapshotFinish)
		}
	}
	for _, e := range rd.CommittedEntries {
		n.applied = e.GetIndex()
		switch e.GetType() {
		case raftpb.EntryConfChange:
			var cc raftpb.ConfChange
			s.must(unmarshal(e.GetData(), &cc))
			n.conf = n.raw.ApplyConfChange(&cc)
			n.tracer.Members(n.conf)
			n.steps.Configured(e, n.conf)
		default:
			n.state ^= trace.Sum(e.GetData())
		}
		n.tracer.Applied(e.GetIndex(), func() uint64 { return n.state })
		n.steps.Applied(e.GetIndex(), func() uint64 { return n.state })
	}
	n.raw.Advance(rd)
}

// tick lets some time pass.
func (s *sim) tick(ticks int) {
	s.t.Helper()
	for range ticks {
		for id := uint64(1); id <= uint64(len(s.nodes)); id++ {
			s.nodes[id].raw.Tick()
		}
		s.settle()
	}
}

// leader waits for one that is not cut off.
func (s *sim) leader() *node {
	s.t.Helper()
	for range 1000 {
		for id, n := range s.nodes {
			if !s.cut[id] && n.raw.BasicStatus().RaftState == raft.StateLeader {
				return n
			}
		}
		s.tick(1)
	}
	s.t.Fatal("no leader in 1000 ticks")
	return nil
}

func (s *sim) propose(n *node, from, to int) {
	s.t.Helper()
	for i := from; i < to; i++ {
		s.must(n.raw.Propose(fmt.Appendf(nil, "command %d", i)))
		if i%7 == 0 { // batches of several
			s.settle()
		}
	}
	s.settle()
}

func TestTraceOfACluster(t *testing.T) {
	s := newSim(t, 3)
	first := s.leader()
	s.propose(first, 0, 150)

	// A leader that is cut off appends what is never committed, and is replaced.
	s.cut[first.id] = true
	s.propose(first, 1000, 1005)
	second := s.leader()
	s.propose(second, 150, 200)
	s.cut[first.id] = false
	s.tick(30)

	// A follower restarts, with nothing but its storage.
	follower := s.nodes[second.id%3+1]
	s.boot(follower.id)
	s.tick(30)
	s.propose(s.leader(), 200, 300)

	// Another misses so much that it gets a snapshot.
	leader := s.leader()
	late := s.nodes[leader.id%3+1]
	s.cut[late.id] = true
	s.propose(leader, 300, 400)
	data := binary.BigEndian.AppendUint64(nil, leader.state)
	_, err := leader.storage.CreateSnapshot(leader.applied, leader.conf, data)
	s.must(err)
	s.must(leader.storage.Compact(leader.applied))
	term, err := leader.storage.Term(leader.applied)
	s.must(err)
	leader.tracer.SnapshotTaken(leader.applied, term)
	leader.steps.SnapshotTaken(leader.applied, term, leader.conf)
	s.cut[late.id] = false
	s.tick(100)
	s.propose(s.leader(), 400, 600)
	s.tick(10)
	// And then restarts, from the snapshot in the middle of a block.
	s.boot(late.id)
	s.tick(30)
	s.leader().tracer.Stopped()

	for _, n := range s.nodes {
		if n.state != leader.state || n.applied != leader.applied {
			t.Errorf("n%d is at %d in state %x, n%d at %d in %x", n.id, n.applied, n.state, leader.id, leader.applied, leader.state)
		}
	}
	events := s.traces.Events(t)
	tracetest.Check(t, events)
	s.traces.Save(t)
	s.checkSteps()
	has := func(what string, atLeast int, match func(tracetest.Event) bool) {
		t.Helper()
		if n := tracetest.Count(events, match); n < atLeast {
			t.Errorf("%d events tell of %s, want %d", n, what, atLeast)
		}
	}
	has("leaders", 2, func(e tracetest.Event) bool { return e.Role == "leader" })
	has("candidates", 2, func(e tracetest.Event) bool { return e.Role == "candidate" && e.Reason == trace.TimedOut })
	has("the end of detection", 2, func(e tracetest.Event) bool { return e.Role == "follower" && e.Reason == trace.TimedOut })
	has("followers of a leader", 4, func(e tracetest.Event) bool { return e.Role == "follower" && e.Leader != "" })
	has("votes for others", 2, func(e tracetest.Event) bool { return e.Kind == "vote" && e.Vote != e.Node })
	has("votes for themselves", 2, func(e tracetest.Event) bool { return e.Kind == "vote" && e.Vote == e.Node })
	has("members", 3, func(e tracetest.Event) bool { return slices.Equal(e.Members, []string{"n1", "n2", "n3"}) })
	has("a snapshot taken", 1, func(e tracetest.Event) bool { return e.Kind == "snapshot" && e.Reason == "taken" })
	has("a snapshot installed", 1, func(e tracetest.Event) bool { return e.Kind == "snapshot" && e.Reason == "installed" })
	has("states at 576", 3, func(e tracetest.Event) bool { return e.Kind == "state" && e.Index == 576 })
	has("commits at 576 with a hash", 3, func(e tracetest.Event) bool { return e.Kind == "commit" && e.Index == 576 && e.Hash != "" })
	has("commits behind a snapshot", 1, func(e tracetest.Event) bool { return e.Kind == "commit" && e.Hash == "" })
}

// TestLeaderTellsWhereItsLogEndedBefore: with its first entry of the new term the check of
// leader completeness could never fail.
func TestLeaderTellsWhereItsLogEndedBefore(t *testing.T) {
	s := newSim(t, 3)
	s.propose(s.leader(), 0, 20)
	s.cut[s.leader().id] = true
	s.leader()
	var leaders []tracetest.Event
	for _, e := range s.traces.Events(t) {
		if e.Role == "leader" {
			leaders = append(leaders, e)
		}
	}
	if len(leaders) != 2 || leaders[0].Index != 3 || leaders[0].EntryTerm != 1 || leaders[1].Index != 3+1+20 || leaders[1].EntryTerm != leaders[0].Term {
		t.Errorf("the leaders were elected with %+v", leaders)
	}
}

func TestAVoteIsToldOncePerTerm(t *testing.T) {
	s := newSim(t, 1)
	s.leader()
	n := s.nodes[1]
	before := len(s.traces.Events(t))
	hard, _, err := n.storage.InitialState()
	s.must(err)
	n.tracer.Ready(raft.Ready{HardState: hard}) // nothing new
	if got := s.traces.Events(t)[before:]; len(got) != 0 {
		t.Errorf("a state that was told is told again: %+v", got)
	}
	next := &raftpb.HardState{Term: new(hard.GetTerm() + 1), Vote: new(hard.GetVote()), Commit: new(hard.GetCommit())}
	n.tracer.Ready(raft.Ready{HardState: next}) // the same candidate in a new term
	got := s.traces.Events(t)[before:]
	if !slices.ContainsFunc(got, func(e tracetest.Event) bool { return e.Kind == "vote" && e.Term == next.GetTerm() && e.Vote == "n1" }) {
		t.Errorf("the vote in the next term is not told: %+v", got)
	}
}

func TestWithoutSquall(t *testing.T) {
	tracer, err := New(nil, nil, nil)
	if tracer != nil || err != nil {
		t.Fatalf("%v, %v", tracer, err)
	}
	if n := testing.AllocsPerRun(10, func() {
		tracer.Ready(raft.Ready{})
		tracer.Role(raft.Ready{})
		tracer.Applied(64, func() uint64 { t.Error("asked for a hash"); return 0 })
		tracer.Members(nil)
		tracer.SnapshotTaken(1, 1)
		tracer.Stopped()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
