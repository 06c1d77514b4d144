package kv

import (
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"squall/nodeimage/raft"
)

// Standalone is a server that is a cluster of its own: it keeps no log and
// answers every request at once. It speaks the same protocol through the same
// code as a real one, so it shows what a client, or a load generator, can do at
// best; and it is linearizable, so a test of them can rely on its answers.
type Standalone struct {
	frontend *frontend
	addr     net.Addr
}

// StartStandalone listens on addr, "127.0.0.1:0" for any free port.
func StartStandalone(addr string) (*Standalone, error) {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("start standalone kv server: %w", err)
	}
	node := &soloNode{state: NewMachine()}
	m, log, clock := &metrics{}, slog.New(slog.DiscardHandler), newPlainClock()
	r := newRouter(soloID, node, node.state, newForwards(soloID, nil, clock, m, log), m, clock)
	r.timeout = DefaultRequestTimeout
	f := newFrontend(r, m, log)
	f.accept(ln, f.serveClient)
	return &Standalone{frontend: f, addr: ln.Addr()}, nil
}

// Addr is where the server listens.
func (s *Standalone) Addr() string { return s.addr.String() }

// Close ends the server and its connections. It is idempotent.
func (s *Standalone) Close() error {
	s.frontend.close()
	return nil
}

const soloID raft.NodeID = 1

// soloNode agrees with itself.
type soloNode struct {
	mu    sync.Mutex
	index uint64
	state *Machine
}

var _ consensus = (*soloNode)(nil)

func (n *soloNode) Propose(command []byte, done func(any, error)) {
	n.mu.Lock()
	n.index++
	result := n.state.Apply(n.index, command)
	n.mu.Unlock()
	done(result, nil)
}

func (n *soloNode) Read(done func(error)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	done(nil)
}

func (n *soloNode) Inspect(done func(raft.LogMark, error)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	done(raft.LogMark{Index: n.index, Term: 1}, nil)
}

func (n *soloNode) Leader() (raft.NodeID, uint64) { return soloID, 1 }

func (n *soloNode) Status() raft.Status { return raft.Status{ID: soloID, Role: raft.Leader, Term: 1} }

// DefaultRequestTimeout is how long a server works on a request by default.
const DefaultRequestTimeout = 5 * time.Second
