package hashiraft

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"squall/trace"
	"squall/trace/internal/tracetest"
)

// machine is a state machine whose state is the XOR of its commands.
type machine struct {
	mu    sync.Mutex
	state uint64
}

func (m *machine) hash() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.state
}

func (m *machine) Apply(l *raft.Log) any {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.state ^= trace.Sum(l.Data)
	return l.Index
}

func (m *machine) Snapshot() (raft.FSMSnapshot, error) { return snapshot(m.hash()), nil }

func (m *machine) Restore(r io.ReadCloser) error {
	defer r.Close()
	var data [8]byte
	if _, err := io.ReadFull(r, data[:]); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.state = binary.BigEndian.Uint64(data[:])
	return nil
}

type snapshot uint64

func (s snapshot) Persist(sink raft.SnapshotSink) error {
	if _, err := sink.Write(binary.BigEndian.AppendUint64(nil, uint64(s))); err != nil {
		return err
	}
	return sink.Close()
}

func (snapshot) Release() {}

// batching takes batches, and configurations.
type batching struct {
	*machine
	configurations int
}

func (b *batching) ApplyBatch(logs []*raft.Log) []any {
	var answers []any
	for _, l := range logs {
		if l.Type == raft.LogCommand {
			b.Apply(l)
		}
		answers = append(answers, l.Index)
	}
	return answers
}

func (b *batching) StoreConfiguration(uint64, raft.Configuration) { b.configurations++ }

// cluster is a real one, over raft's transport in memory.
type cluster struct {
	t      *testing.T
	traces tracetest.Cluster
	nodes  []*node
}

type node struct {
	name      string
	addr      raft.ServerAddress
	store     *raft.InmemStore
	snaps     raft.SnapshotStore
	machine   *machine
	transport *raft.InmemTransport
	raft      *raft.Raft
}

func nameOf(addr raft.ServerAddress) string { return string(addr[len("at-"):]) }

func newCluster(t *testing.T, size int, batches bool) *cluster {
	c := &cluster{t: t}
	var conf raft.Configuration
	for i := range size {
		name := fmt.Sprint("n", i+1)
		n := &node{name: name, addr: raft.ServerAddress("at-" + name), store: raft.NewInmemStore(), snaps: raft.NewInmemSnapshotStore()}
		c.nodes = append(c.nodes, n)
		conf.Servers = append(conf.Servers, raft.Server{ID: raft.ServerID(name), Address: n.addr})
	}
	for _, n := range c.nodes {
		_, trans := raft.NewInmemTransport(n.addr)
		c.must(raft.BootstrapCluster(c.config(n), n.store, n.store, n.snaps, trans, conf))
		c.boot(n, batches)
	}
	t.Cleanup(func() {
		for _, n := range c.nodes {
			c.must(n.raft.Shutdown().Error())
		}
	})
	return c
}

func (c *cluster) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

func (c *cluster) config(n *node) *raft.Config {
	conf := raft.DefaultConfig()
	conf.LocalID = raft.ServerID(n.name)
	conf.HeartbeatTimeout, conf.ElectionTimeout, conf.LeaderLeaseTimeout = 150*time.Millisecond, 150*time.Millisecond, 100*time.Millisecond
	conf.CommitTimeout = 5 * time.Millisecond
	conf.TrailingLogs, conf.SnapshotThreshold = 5, 1<<40 // only those that are asked for
	conf.Logger = hclog.NewNullLogger()
	return conf
}

// boot starts a node from its stores, and connects it.
func (c *cluster) boot(n *node, batches bool) {
	c.t.Helper()
	tracer, err := New(c.traces.Tracer(c.t, n.name), n.name, n.store, n.store, nameOf)
	c.must(err)
	n.machine = &machine{}
	var fsm raft.FSM = n.machine
	if batches {
		fsm = &batching{machine: n.machine}
	}
	_, n.transport = raft.NewInmemTransportWithTimeout(n.addr, time.Second)
	n.raft, err = raft.NewRaft(c.config(n), tracer.FSM(fsm, n.machine.hash), n.store, tracer.StableStore(n.store), tracer.SnapshotStore(n.snaps), n.transport)
	c.must(err)
	tracer.Observe(n.raft)
	c.connect(n)
}

func (c *cluster) connect(n *node) {
	for _, o := range c.nodes {
		if o != n && o.transport != nil && o.raft.State() != raft.Shutdown {
			n.transport.Connect(o.addr, o.transport)
			o.transport.Connect(n.addr, n.transport)
		}
	}
}

func (c *cluster) cut(n *node) {
	n.transport.DisconnectAll()
	for _, o := range c.nodes {
		if o != n {
			o.transport.Disconnect(n.addr)
		}
	}
}

// until waits for what must become true.
func (c *cluster) until(what string, is func() bool) {
	c.t.Helper()
	for deadline := time.Now().Add(time.Minute); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			c.t.Fatalf("not within a minute: %s", what)
		}
	}
}

// leader waits for one beside a node that is cut off.
func (c *cluster) leader(beside *node) (leader *node) {
	c.t.Helper()
	c.until("a leader", func() bool {
		for _, n := range c.nodes {
			if n != beside && n.raft.State() == raft.Leader && n.raft.VerifyLeader().Error() == nil {
				leader = n
				return true
			}
		}
		return false
	})
	return leader
}

// apply has commands applied, whoever leads.
func (c *cluster) apply(beside *node, from, to int) {
	c.t.Helper()
	for i := from; i < to; {
		leader := c.leader(beside)
		var futures []raft.ApplyFuture
		for k := i; k < min(to, i+20); k++ {
			futures = append(futures, leader.raft.Apply(fmt.Appendf(nil, "command %d", k), time.Second))
		}
		for _, f := range futures {
			if f.Error() == nil {
				i++
			}
		}
	}
}

// settled waits until all nodes have applied the same.
func (c *cluster) settled() {
	c.t.Helper()
	c.until("all nodes in one state", func() bool {
		last := c.leader(nil).raft.LastIndex()
		for _, n := range c.nodes {
			if n.raft.AppliedIndex() != last || n.machine.hash() != c.nodes[0].machine.hash() {
				return false
			}
		}
		return true
	})
}

func TestTraceOfACluster(t *testing.T) {
	for _, batches := range []bool{false, true} {
		t.Run(fmt.Sprintf("batches=%v", batches), func(t *testing.T) { clusterStory(t, batches) })
	}
}

func clusterStory(t *testing.T, batches bool) {
	c := newCluster(t, 3, batches)
	c.apply(nil, 0, 150)

	// A leader that is cut off is replaced.
	first := c.leader(nil)
	c.cut(first)
	c.apply(first, 150, 200)
	c.connect(first)
	c.settled()

	// A follower restarts, with nothing but its stores.
	leader := c.leader(nil)
	follower := c.nodes[(slices.Index(c.nodes, leader)+1)%3]
	c.must(follower.raft.Shutdown().Error())
	c.boot(follower, batches)
	c.apply(nil, 200, 300)

	// Another misses so much that it gets a snapshot.
	leader = c.leader(nil)
	late := c.nodes[(slices.Index(c.nodes, leader)+1)%3]
	c.cut(late)
	c.apply(late, 300, 400)
	c.must(c.leader(late).raft.Snapshot().Error())
	c.connect(late)
	c.settled()
	c.apply(nil, 400, 600)
	// And then restarts, from the snapshot.
	c.must(late.raft.Shutdown().Error())
	c.boot(late, batches)
	c.apply(nil, 600, 700)
	c.settled()

	events := c.traces.Events(t)
	tracetest.Check(t, events)
	c.traces.Save(t)
	has := func(what string, atLeast int, match func(tracetest.Event) bool) {
		t.Helper()
		if n := tracetest.Count(events, match); n < atLeast {
			t.Errorf("%d events tell of %s, want %d", n, what, atLeast)
		}
	}
	has("leaders", 2, func(e tracetest.Event) bool { return e.Role == "leader" })
	has("candidates in new terms", 2, func(e tracetest.Event) bool { return e.Role == "candidate" && e.Reason == trace.TimedOut })
	has("followers of a leader", 4, func(e tracetest.Event) bool { return e.Role == "follower" && e.Leader != "" })
	has("votes for others", 2, func(e tracetest.Event) bool { return e.Kind == "vote" && e.Vote != e.Node })
	has("votes for themselves", 2, func(e tracetest.Event) bool { return e.Kind == "vote" && e.Vote == e.Node })
	has("members", 3, func(e tracetest.Event) bool { return slices.Equal(e.Members, []string{"n1", "n2", "n3"}) })
	has("a snapshot taken", 1, func(e tracetest.Event) bool { return e.Kind == "snapshot" && e.Reason == "taken" })
	has("a snapshot installed", 1, func(e tracetest.Event) bool { return e.Kind == "snapshot" && e.Reason == "installed" })
	has("states at 640", 3, func(e tracetest.Event) bool { return e.Kind == "state" && e.Index == 640 })
	has("commits at 640 with a hash", 3, func(e tracetest.Event) bool { return e.Kind == "commit" && e.Index == 640 && e.Hash != "" })
	for _, e := range events {
		if e.Role == "leader" && (e.Term > 2 && e.Index == 0 || e.EntryTerm >= e.Term) {
			t.Errorf("a leader tells that its log ended at entry %d of term %d: %+v", e.Index, e.EntryTerm, e)
		}
	}
}

// TestWhatIsWrappedStaysWhatItIs: raft asks stores and state machines for more than the
// interface that they are given as.
func TestWhatIsWrappedStaysWhatItIs(t *testing.T) {
	var traces tracetest.Cluster
	store := raft.NewInmemStore()
	tracer, err := New(traces.Tracer(t, "n1"), "n1", store, store, nameOf)
	if err != nil {
		t.Fatal(err)
	}
	is := func(f raft.FSM) (batches, stores bool) {
		_, batches = f.(raft.BatchingFSM)
		_, stores = f.(raft.ConfigurationStore)
		return batches, stores
	}
	m := &machine{}
	for _, f := range []raft.FSM{
		m, &batching{machine: m},
		struct{ raft.BatchingFSM }{&batching{machine: m}},
		struct{ raft.ConfigurationStore }{&batching{machine: m}},
	} {
		b, s := is(f)
		if wb, ws := is(tracer.FSM(f, nil)); wb != b || ws != s {
			t.Errorf("%T takes batches (%v) and configurations (%v); traced %v, %v", f, b, s, wb, ws)
		}
	}
	b := &batching{machine: m}
	tracer.FSM(b, nil).(raft.ConfigurationStore).StoreConfiguration(1, raft.Configuration{})
	if b.configurations != 1 {
		t.Error("the configuration did not arrive")
	}
}

// failing is a store on a full disk.
type failing struct{ raft.StableStore }

func (failing) Set([]byte, []byte) error       { return errors.New("no space") }
func (failing) SetUint64([]byte, uint64) error { return errors.New("no space") }

func TestAVoteThatIsNotDurableIsNotTold(t *testing.T) {
	var traces tracetest.Cluster
	store := raft.NewInmemStore()
	tracer, err := New(traces.Tracer(t, "n1"), "n1", store, store, nameOf)
	if err != nil {
		t.Fatal(err)
	}
	vote := func(s raft.StableStore) {
		_ = s.SetUint64([]byte(keyVoteTerm), 4)
		_ = s.Set([]byte(keyVote), []byte("at-n2"))
	}
	vote(tracer.StableStore(failing{store}))
	if got := traces.Events(t); len(got) != 0 {
		t.Errorf("told: %+v", got)
	}
	vote(tracer.StableStore(store))
	if got := traces.Events(t); len(got) != 1 || got[0].Vote != "n2" || got[0].Term != 4 {
		t.Errorf("told: %+v", got)
	}
}

func TestWithoutSquall(t *testing.T) {
	tracer, err := New(nil, "", nil, nil, nil)
	if tracer != nil || err != nil {
		t.Fatalf("%v, %v", tracer, err)
	}
	store, snaps, m := raft.NewInmemStore(), raft.NewInmemSnapshotStore(), &machine{}
	tracer.Observe(nil)
	if tracer.StableStore(store) != raft.StableStore(store) || tracer.SnapshotStore(snaps) != raft.SnapshotStore(snaps) || tracer.FSM(m, nil) != raft.FSM(m) {
		t.Error("what was given is not what came back")
	}
}
