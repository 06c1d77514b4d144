package kv

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"squall/nodeimage/raft"
	"squall/nodeimage/raft/steptrace"
	"squall/nodeimage/raft/wal"
)

// Server is one node of the replicated map.
type Server struct {
	cfg       Config
	log       *slog.Logger
	metrics   *metrics
	machine   *Machine
	transport *transport
	forwards  *forwards
	frontend  *frontend
	node      *raft.Node
	storage   io.Closer
	listeners listeners

	cancel context.CancelFunc // ends the connections that this node dialled
	dials  sync.WaitGroup
	page   *page // nil: none
	once   sync.Once
}

// listeners are where a server is reached; http may be nil.
type listeners struct{ client, peer, http net.Listener }

// Start recovers the node from its directory and starts serving. The errors are
// those of the configuration, the ports and the directory.
func Start(cfg Config) (*Server, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("kv server configuration: %w", err)
	}
	l, err := listen(&cfg)
	if err != nil {
		return nil, err
	}
	s, err := start(cfg, l)
	if err != nil {
		l.close()
		return nil, err
	}
	return s, nil
}

func listen(cfg *Config) (l listeners, err error) {
	open := func(to *net.Listener, addr string) {
		if err == nil {
			*to, err = net.Listen("tcp", addr)
		}
	}
	open(&l.client, cfg.ClientAddr)
	open(&l.peer, cfg.PeerAddr)
	if cfg.HTTPAddr != "off" {
		open(&l.http, cfg.HTTPAddr)
	}
	if err != nil {
		l.close()
		return l, fmt.Errorf("start kv server: %w", err)
	}
	return l, nil
}

func (l *listeners) close() {
	for _, ln := range []net.Listener{l.client, l.peer, l.http} {
		if ln != nil {
			ln.Close()
		}
	}
}

// start starts a server on listeners that are open; cfg is complete. On an error
// the listeners stay open.
func start(cfg Config, l listeners) (*Server, error) {
	s := newServer(cfg, l)
	if err := s.startNode(); err != nil {
		return nil, fmt.Errorf("start kv server: %w", err)
	}
	s.serveWith(s.node)
	if l.http != nil {
		s.page = startPage(l.http, s)
	}
	s.log.Info("serving", "node", cfg.ID, "clients", l.client.Addr().String(), "peers", l.peer.Addr().String())
	return s, nil
}

func newServer(cfg Config, l listeners) *Server {
	m := &metrics{}
	machine := NewMachine()
	machine.sessions.most = cfg.Sessions
	return &Server{
		cfg: cfg, log: cfg.Log, metrics: m, listeners: l,
		machine:   machine,
		transport: newTransport(cfg.ID, cfg.Peers, cfg.Messages, m, cfg.Log),
		forwards:  newForwards(cfg.ID, cfg.Peers, cfg.Clock, m, cfg.Log),
	}
}

// serveWith takes connections, and connects to the other nodes.
func (s *Server) serveWith(node consensus) {
	r := newRouter(s.cfg.ID, node, s.machine, s.forwards, s.metrics, s.cfg.Clock)
	r.timeout, r.leaderWait = s.cfg.RequestTimeout, s.cfg.LeaderWait
	s.frontend = newFrontend(r, s.metrics, s.log)
	s.frontend.accept(s.listeners.peer, s.servePeer)
	s.frontend.accept(s.listeners.client, s.frontend.serveClient)
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	for id, addr := range s.cfg.Peers {
		if id != s.cfg.ID {
			s.dial(ctx, id, addr)
		}
	}
}

// startNode opens the storage and starts Raft.
func (s *Server) startNode() error {
	dir := filepath.Join(s.cfg.DataDir, "raft")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	storage, err := wal.Open(dir, wal.Options{Logger: s.log, SegmentBytes: s.cfg.SegmentBytes})
	if err != nil {
		return err
	}
	seed := s.cfg.Seed
	if seed == 0 {
		seed = rand.Uint64()
	}
	s.storage = storage
	var tracer raft.Tracer // nil: none
	if s.cfg.Trace != nil {
		tracer = NewTracer(s.cfg.Trace, s.log)
	}
	var steps raft.Steps
	if s.cfg.FullTrace != nil {
		steps = steptrace.New(s.cfg.ID, s.cfg.FullTrace, s.cfg.Clock.True, s.log)
	}
	slow := slowness(s.cfg.SlowSnapshots)
	s.node, err = raft.Start(raft.Config{
		ID:            s.cfg.ID,
		Members:       slices.Sorted(maps.Keys(s.cfg.Peers)),
		ElectionMin:   s.cfg.ElectionMin,
		ElectionMax:   s.cfg.ElectionMax,
		Heartbeat:     s.cfg.Heartbeat,
		SnapshotEvery: s.cfg.SnapshotEvery,
		SnapshotKeep:  s.cfg.SnapshotKeep,
		SnapshotChunk: s.cfg.SnapshotChunk,
		MaxBatchBytes: s.cfg.MaxBatchBytes,
		MaxInflight:   s.cfg.MaxInflight,
		Experiment:    s.cfg.Experiment.raft(),
		Clock:         s.cfg.Clock,
		Rand:          rand.New(rand.NewPCG(seed, uint64(s.cfg.ID))),
		Transport:     s.transport,
		Storage:       slow.storage(s.cfg.disk(storage, seed)),
		StateMachine:  slow.machine(s.machine),
		Tracer:        tracer,
		TraceTime:     s.cfg.Clock.True,
		Steps:         steps,
		Logger:        s.log,
	})
	if err != nil {
		storage.Close()
		return err
	}
	return nil
}

// dial keeps the two connections to a peer.
func (s *Server) dial(ctx context.Context, id NodeID, addr string) {
	hello := peerHello{version: ProtocolVersion, cluster: clusterID(s.cfg.Cluster), from: s.cfg.ID, to: id}
	start := func(kind connKind, use func(context.Context, NodeID, net.Conn)) {
		hello.kind = kind
		d := &peerDialer{addr: addr, hello: hello, metrics: s.metrics, log: s.log}
		s.dials.Go(func() {
			d.run(ctx, func(ctx context.Context, conn net.Conn) { use(ctx, id, conn) })
		})
	}
	start(kindRaft, s.transport.use)
	start(kindRequests, s.forwards.use)
}

// servePeer speaks with another node from its hello on.
func (s *Server) servePeer(conn net.Conn) {
	conn.SetDeadline(time.Now().Add(helloTimeout))
	from := conn.RemoteAddr().String()
	hello, err := readPeerHello(conn)
	if err != nil {
		if !s.metrics.noteDamage(s.log, err, "addr", from) {
			s.log.Debug("peer connection closed", "addr", from, "err", err)
		}
		return
	}
	verdict := hello.check(clusterID(s.cfg.Cluster), s.cfg.ID, s.cfg.Peers)
	if verdict != welcome {
		s.log.Warn("peer refused", "addr", from, "claims", hello.from, "looks for", hello.to, "verdict", uint16(verdict))
	}
	if _, err := conn.Write(shortHello(peerMagic, verdict)); err != nil || verdict != welcome {
		return
	}
	conn.SetDeadline(time.Time{})
	tuneConn(conn, peerAckTimeout)
	if hello.kind == kindRequests {
		s.frontend.serve(conn, true)
		return
	}
	err = s.transport.serve(conn, hello.from, s.node.Receive)
	s.log.Debug("peer connection ended", "peer", hello.from, "err", err)
}

// Status is the node's view of itself.
func (s *Server) Status() raft.Status { return s.node.Status() }

// ClientAddr is where the server listens for clients.
func (s *Server) ClientAddr() string { return s.listeners.client.Addr().String() }

// Failed is closed when the node cannot go on because its storage failed; Err
// says how. The server still has to be stopped.
func (s *Server) Failed() <-chan struct{} { return s.node.Failed() }

// Err says why Failed was closed.
func (s *Server) Err() error { return s.node.Err() }

// Stop ends the server: requests under way are answered, with an unknown outcome
// if need be, and every goroutine has ended when it returns. It is idempotent.
func (s *Server) Stop() {
	s.once.Do(func() {
		s.frontend.refuse()
		if s.page != nil {
			s.page.close()
		}
		s.node.Stop()
		s.frontend.close()
		s.cancel()
		s.dials.Wait()
		if err := s.storage.Close(); err != nil {
			s.log.Error("close the log", "err", err)
		}
		s.log.Info("stopped", "node", s.cfg.ID)
	})
}
