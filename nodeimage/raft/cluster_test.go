package raft_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"squall/internal/machinetest"
	"squall/nodeimage/raft"
	"squall/nodeimage/raft/wal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(machinetest.Main(m)) }

// realClock is the time of the machine.
type realClock struct{ start time.Time }

func (c realClock) Now() time.Duration { return time.Since(c.start) }
func (c realClock) AfterFunc(d time.Duration, f func()) raft.Timer {
	return time.AfterFunc(d, f)
}

// counter is a state machine that sums up what it is told.
type counter struct{ sum, n uint64 }

func (c *counter) Apply(_ uint64, command []byte) any {
	c.sum += binary.LittleEndian.Uint64(command)
	c.n++
	return c.sum
}

func (c *counter) Snapshot() (func(io.Writer) error, error) {
	frozen := *c
	return func(w io.Writer) error { return binary.Write(w, binary.LittleEndian, [2]uint64{frozen.sum, frozen.n}) }, nil
}

func (c *counter) Restore(r io.Reader) error {
	var v [2]uint64
	err := binary.Read(r, binary.LittleEndian, &v)
	c.sum, c.n = v[0], v[1]
	return err
}

func (c *counter) Hash() uint64 { return c.sum<<20 ^ c.n }

// cluster is a number of nodes in this process, with real logs on disk.
type cluster struct {
	tb    testing.TB
	dir   string
	mu    sync.RWMutex
	nodes map[raft.NodeID]*raft.Node
	logs  map[raft.NodeID]*wal.Log
	sms   map[raft.NodeID]*counter
	ids   []raft.NodeID
	every uint64
	sum   uint64 // as the last add left it
}

func newCluster(tb testing.TB, size int, snapshotEvery uint64) *cluster {
	c := &cluster{tb: tb, dir: tb.TempDir(), every: snapshotEvery,
		nodes: map[raft.NodeID]*raft.Node{}, logs: map[raft.NodeID]*wal.Log{}, sms: map[raft.NodeID]*counter{}}
	for i := 1; i <= size; i++ {
		c.ids = append(c.ids, raft.NodeID(i))
	}
	for _, id := range c.ids {
		c.start(id)
	}
	tb.Cleanup(func() {
		for _, id := range c.ids {
			c.stop(id)
		}
	})
	return c
}

type localTransport struct{ c *cluster }

func (t localTransport) Send(to raft.NodeID, m *raft.Message) {
	got, err := raft.DecodeMessage(raft.AppendMessage(nil, m))
	if err != nil {
		t.c.tb.Errorf("decode: %v", err)
		return
	}
	t.c.mu.RLock()
	n := t.c.nodes[to]
	t.c.mu.RUnlock()
	if n != nil {
		n.Receive(got)
	}
}

func (c *cluster) start(id raft.NodeID) {
	log, err := wal.Open(filepath.Join(c.dir, fmt.Sprint(id)), wal.Options{})
	if err != nil {
		c.tb.Fatal(err)
	}
	sm := &counter{}
	n, err := raft.Start(raft.Config{
		ID: id, Members: c.ids, ElectionMin: 300 * time.Millisecond, ElectionMax: 600 * time.Millisecond,
		Heartbeat: 50 * time.Millisecond, SnapshotEvery: c.every, SnapshotKeep: c.every / 4,
		Clock: realClock{time.Now()}, Rand: rand.New(rand.NewPCG(rand.Uint64(), uint64(id))),
		Transport: localTransport{c}, Storage: log, StateMachine: sm,
	})
	if err != nil {
		c.tb.Fatal(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.nodes[id], c.logs[id], c.sms[id] = n, log, sm
}

func (c *cluster) stop(id raft.NodeID) {
	c.mu.Lock()
	n, log := c.nodes[id], c.logs[id]
	c.nodes[id] = nil
	c.mu.Unlock()
	if n == nil {
		return
	}
	n.Stop()
	if err := log.Close(); err != nil {
		c.tb.Error(err)
	}
}

// leader waits until a running node leads.
func (c *cluster) leader() *raft.Node {
	deadline := time.Now().Add(2 * time.Minute)
	for time.Now().Before(deadline) {
		for _, id := range c.ids {
			c.mu.RLock()
			n := c.nodes[id]
			c.mu.RUnlock()
			if n != nil && n.Status().Role == raft.Leader {
				return n
			}
		}
		time.Sleep(5 * time.Millisecond)
	}
	c.tb.Fatal("no leader within two minutes")
	return nil
}

// add proposes until v is certainly in the sum, once, and returns the sum. Nobody
// else adds meanwhile. Where a disk stands still for long a leader steps down, and
// the outcome is unknown: a read tells it, since a leader that answers one has
// committed in its own term, and what its log does not hold is then lost for good.
func (c *cluster) add(v uint64) uint64 {
	for range 200 {
		type answer struct {
			result any
			err    error
		}
		got := make(chan answer, 1)
		c.leader().Propose(binary.LittleEndian.AppendUint64(nil, v), func(r any, err error) { got <- answer{r, err} })
		a := <-got
		if a.err == nil {
			c.sum = a.result.(uint64)
			return c.sum
		}
		if errors.Is(a.err, raft.ErrUnknown) {
			if sum := c.read(); v != 0 && sum != c.sum {
				c.sum = sum
				return sum
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
	c.tb.Fatal("no proposal succeeded")
	return 0
}

// read returns the sum as of now.
func (c *cluster) read() uint64 {
	for range 200 {
		n := c.leader()
		sm := c.sms[n.Status().ID]
		type answer struct {
			sum uint64
			err error
		}
		got := make(chan answer, 1)
		n.Read(func(err error) {
			if err != nil {
				got <- answer{err: err}
				return
			}
			got <- answer{sum: sm.sum}
		})
		if a := <-got; a.err == nil {
			return a.sum
		}
		time.Sleep(10 * time.Millisecond)
	}
	c.tb.Fatal("no read succeeded")
	return 0
}

func TestClusterOnDisk(t *testing.T) {
	for _, size := range []int{1, 3} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			c := newCluster(t, size, 50)
			want := uint64(0)
			step := func(n int) {
				for i := range n {
					want += uint64(i)
					if got := c.add(uint64(i)); got != want {
						t.Fatalf("sum %d, want %d", got, want)
					}
				}
				if got := c.read(); got != want {
					t.Fatalf("read %d, want %d", got, want)
				}
			}
			step(30)
			if size == 3 {
				down := raft.NodeID(1)
				c.stop(down)
				step(250) // far enough that it needs a snapshot
				c.start(down)
				c.stop(2) // now it is needed for a quorum
				step(30)
				c.start(2)
			}
			for _, id := range c.ids { // the whole cluster restarts
				c.stop(id)
			}
			for _, id := range c.ids {
				c.start(id)
			}
			step(10)
		})
	}
}

func TestStoppedNodeRefuses(t *testing.T) {
	c := newCluster(t, 1, 0)
	n := c.leader()
	c.add(1)
	c.stop(1)
	n.Stop() // twice does no harm
	n.Propose(make([]byte, 8), func(_ any, err error) {
		if !errors.Is(err, raft.ErrStopped) {
			t.Errorf("propose: %v", err)
		}
	})
	n.Read(func(err error) {
		if !errors.Is(err, raft.ErrStopped) {
			t.Errorf("read: %v", err)
		}
	})
	if s := n.Status(); s.Role != raft.Stopped {
		t.Errorf("role %v", s.Role)
	}
	select {
	case <-n.Failed():
		t.Error("Failed is closed after an ordinary stop")
	default:
	}
}

// failingLog is a log whose disk breaks on demand.
type failingLog struct {
	*wal.Log
	fail chan struct{}
}

var errDisk = errors.New("no space left")

func (l failingLog) Save(b raft.Batch) error {
	select {
	case <-l.fail:
		return errDisk
	default:
		return l.Log.Save(b)
	}
}

// nowhere is a transport to nobody.
type nowhere struct{}

func (nowhere) Send(raft.NodeID, *raft.Message) {}

func TestFailingDiskStopsTheNode(t *testing.T) {
	log, err := wal.Open(t.TempDir(), wal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	storage := failingLog{log, make(chan struct{})}
	n, err := raft.Start(raft.Config{
		ID: 1, Members: []raft.NodeID{1}, ElectionMin: 20 * time.Millisecond, ElectionMax: 40 * time.Millisecond,
		Heartbeat: 5 * time.Millisecond, Clock: realClock{time.Now()}, Rand: rand.New(rand.NewPCG(1, 1)),
		Transport: nowhere{}, Storage: storage, StateMachine: &counter{},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Stop()
	for deadline := time.Now().Add(2 * time.Minute); n.Status().Role != raft.Leader; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("no leader within two minutes")
		}
	}
	close(storage.fail)
	got := make(chan error, 1)
	n.Propose(make([]byte, 8), func(_ any, err error) { got <- err })
	if err := <-got; !errors.Is(err, raft.ErrUnknown) {
		t.Errorf("proposal whose write failed: %v", err)
	}
	<-n.Failed()
	if !errors.Is(n.Err(), errDisk) {
		t.Errorf("Err: %v", n.Err())
	}
	if n.Status().Role != raft.Stopped {
		t.Errorf("role %v", n.Status().Role)
	}
}

func TestConfigIsChecked(t *testing.T) {
	good := raft.Config{
		ID: 1, Members: []raft.NodeID{1}, ElectionMin: 20 * time.Millisecond, ElectionMax: 40 * time.Millisecond,
		Heartbeat: 5 * time.Millisecond, Clock: realClock{time.Now()}, Rand: rand.New(rand.NewPCG(1, 1)),
		Transport: nowhere{}, StateMachine: &counter{},
	}
	for name, spoil := range map[string]func(*raft.Config){
		"no storage":          func(*raft.Config) {},
		"no id":               func(c *raft.Config) { c.ID = 0 },
		"not a member":        func(c *raft.Config) { c.ID = 2 },
		"a member twice":      func(c *raft.Config) { c.Members = []raft.NodeID{1, 2, 1} },
		"member nobody":       func(c *raft.Config) { c.Members = []raft.NodeID{0, 1} },
		"slow heartbeat":      func(c *raft.Config) { c.Heartbeat = time.Second },
		"timeouts swapped":    func(c *raft.Config) { c.ElectionMax = time.Millisecond },
		"no state machine":    func(c *raft.Config) { c.StateMachine = nil },
		"no members at all":   func(c *raft.Config) { c.Members = nil },
		"no heartbeat at all": func(c *raft.Config) { c.Heartbeat = 0 },
	} {
		cfg := good
		spoil(&cfg)
		if n, err := raft.Start(cfg); err == nil {
			n.Stop()
			t.Errorf("%s: accepted", name)
		}
	}
}

// TestConcurrentClients runs many proposers and readers at once, for -race.
func TestConcurrentClients(t *testing.T) {
	c := newCluster(t, 3, 100)
	lead := c.leader()
	c.add(0)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			for range 20 {
				done := make(chan struct{}, 2)
				lead.Propose(binary.LittleEndian.AppendUint64(nil, 1), func(any, error) { done <- struct{}{} })
				lead.Read(func(error) { done <- struct{}{} })
				<-done
				<-done
				_ = lead.Status()
			}
		})
	}
	wg.Wait()
}

// BenchmarkPropose: three nodes in this process, each with its log on disk.
func BenchmarkPropose(b *testing.B) {
	for _, clients := range []int{1, 10, 100} {
		b.Run(fmt.Sprintf("clients=%d", clients), func(b *testing.B) {
			c := newCluster(b, 3, 50000)
			lead := c.leader()
			c.add(0)
			b.ResetTimer()
			var wg sync.WaitGroup
			for i := range clients {
				n := b.N / clients
				if i < b.N%clients {
					n++
				}
				wg.Go(func() {
					done := make(chan error, 1)
					command := make([]byte, 64)
					for range n {
						lead.Propose(command, func(_ any, err error) { done <- err })
						if err := <-done; err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "op/s")
		})
	}
}

// BenchmarkRead: linearizable reads on the same cluster.
func BenchmarkRead(b *testing.B) {
	for _, clients := range []int{1, 100} {
		b.Run(fmt.Sprintf("clients=%d", clients), func(b *testing.B) {
			c := newCluster(b, 3, 0)
			lead := c.leader()
			c.add(0)
			b.ResetTimer()
			var wg sync.WaitGroup
			for range clients {
				wg.Go(func() {
					done := make(chan error, 1)
					for range b.N/clients + 1 {
						lead.Read(func(err error) { done <- err })
						if err := <-done; err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "op/s")
		})
	}
}
