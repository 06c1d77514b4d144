package kv

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"squall/internal/machinetest"
	"squall/nodeimage/raft"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(machinetest.Main(m)) }

// fakeNode is a consensus whose answers the test decides on.
type fakeNode struct {
	mu      sync.Mutex
	leader  NodeID
	propose func(command []byte, done func(any, error))
	read    func(done func(error))
}

func (n *fakeNode) Propose(command []byte, done func(any, error)) {
	n.mu.Lock()
	f := n.propose
	n.mu.Unlock()
	f(command, done)
}

func (n *fakeNode) Read(done func(error)) {
	n.mu.Lock()
	f := n.read
	n.mu.Unlock()
	f(done)
}

func (n *fakeNode) Leader() (raft.NodeID, uint64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.leader, 1
}

func (n *fakeNode) setLeader(id NodeID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.leader = id
}

func (n *fakeNode) Status() raft.Status { return raft.Status{} }

func (n *fakeNode) Inspect(done func(raft.LogMark, error)) { done(raft.LogMark{}, raft.ErrStopped) }

// answering is a node that agrees with whatever is proposed.
func answering(leader NodeID) (*fakeNode, *Machine) {
	solo := &soloNode{state: NewMachine()}
	return &fakeNode{leader: leader, propose: solo.Propose, read: solo.Read}, solo.state
}

// refusing is a leader that ends everything with err.
func refusing(self NodeID, err error) *fakeNode {
	return &fakeNode{leader: self,
		propose: func(_ []byte, done func(any, error)) { done(nil, err) },
		read:    func(done func(error)) { done(err) },
	}
}

// silent is a leader that never decides. held receives what is proposed.
func silent(self NodeID) (node *fakeNode, held chan func(any, error)) {
	held = make(chan func(any, error), 10_000)
	return &fakeNode{leader: self,
		propose: func(_ []byte, done func(any, error)) { held <- done },
		read:    func(done func(error)) { held <- func(_ any, err error) { done(err) } },
	}, held
}

// logBuffer collects a log that several goroutines write.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *logBuffer) contains(s string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(l.buf.String(), s)
}

// testNode is a server around a fake consensus.
type testNode struct {
	*Server
	log *logBuffer
}

// startFakes starts one server for each consensus, n1 and on, that know each
// other. change may alter the servers' configuration.
func startFakes(t *testing.T, nodes []consensus, states []*Machine, change func(*Config)) []*testNode {
	t.Helper()
	peers := make(map[NodeID]string)
	all := make([]listeners, len(nodes))
	for i := range nodes {
		all[i] = listeners{client: localListener(t), peer: localListener(t)}
		peers[NodeID(i+1)] = all[i].peer.Addr().String()
	}
	servers := make([]*testNode, len(nodes))
	for i := range nodes {
		log := &logBuffer{}
		cfg := Config{ID: NodeID(i + 1), Peers: peers, DataDir: "unused", LeaderWait: 50 * time.Millisecond,
			Log: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))}
		if change != nil {
			change(&cfg)
		}
		servers[i] = &testNode{Server: startFake(t, cfg, all[i], nodes[i], states[i]), log: log}
	}
	return servers
}

func startFake(t *testing.T, cfg Config, l listeners, node consensus, state *Machine) *Server {
	t.Helper()
	cfg, err := cfg.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	s := newServer(cfg, l)
	if state != nil {
		s.machine = state
	}
	s.serveWith(node)
	t.Cleanup(func() {
		s.frontend.close()
		s.cancel()
		s.dials.Wait()
	})
	return s
}

func localListener(t testing.TB) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return ln
}

func dialServer(t testing.TB, addr string, timeout time.Duration) *Client {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, err := Dialer{Timeout: timeout}.Dial(ctx, addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// eventually waits until what holds, at most for two minutes.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !holds(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

// await waits for what comes over a channel, at most for two minutes.
func await[T any](t testing.TB, from <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(2 * time.Minute):
		t.Fatalf("never: %s", what)
		panic("not reached")
	}
}

// wantError checks what an operation failed with.
func wantError(t testing.TB, err error, code Code, certain bool) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want a kv error", err)
	}
	if e.Code != code || e.Certain != certain || Certain(err) != certain {
		t.Fatalf("got code %q, certain %v (%v); want %q, %v", e.Code, e.Certain, err, code, certain)
	}
}

// wantClosed checks that the other side closes the connection, and says no more.
func wantClosed(t testing.TB, conn net.Conn) {
	t.Helper()
	conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	var b [1]byte
	if n, err := conn.Read(b[:]); n > 0 || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the connection lives on: read %d bytes, %v", n, err)
	}
}
