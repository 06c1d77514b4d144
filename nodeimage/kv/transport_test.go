package kv

import (
	"context"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"squall/nodeimage/raft"
)

// peerEnd is the transport of one node with its listener, without a node.
type peerEnd struct {
	transport *transport
	received  chan *raft.Message
	ln        net.Listener
	cancel    context.CancelFunc
	wg        sync.WaitGroup
	mu        sync.Mutex
	conns     []net.Conn
}

// startPeerEnd starts node self of a cluster with those addresses; its listener
// is at its own.
func startPeerEnd(t *testing.T, self NodeID, peers map[NodeID]string, ln net.Listener) *peerEnd {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	e := &peerEnd{transport: newTransport(self, peers, new(MessageFaults), &metrics{}, log), ln: ln,
		received: make(chan *raft.Message, 1000)}
	ctx, cancel := context.WithCancel(context.Background())
	e.cancel = cancel
	e.wg.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			e.mu.Lock()
			e.conns = append(e.conns, conn)
			e.mu.Unlock()
			e.wg.Go(func() { e.serve(conn, peers) })
		}
	})
	for id, addr := range peers {
		if id == self {
			continue
		}
		d := &peerDialer{addr: addr, log: log, metrics: e.transport.metrics,
			hello: peerHello{version: ProtocolVersion, kind: kindRaft, cluster: clusterID("test"), from: self, to: id}}
		e.wg.Go(func() {
			d.run(ctx, func(ctx context.Context, conn net.Conn) { e.transport.use(ctx, id, conn) })
		})
	}
	t.Cleanup(e.stop)
	return e
}

func (e *peerEnd) serve(conn net.Conn, peers map[NodeID]string) {
	defer conn.Close()
	hello, err := readPeerHello(conn)
	if err != nil {
		return
	}
	verdict := hello.check(clusterID("test"), e.transport.self, peers)
	if _, err := conn.Write(shortHello(peerMagic, verdict)); err != nil || verdict != welcome {
		return
	}
	_ = e.transport.serve(conn, hello.from, func(m *raft.Message) {
		select {
		case e.received <- m:
		default:
		}
	})
}

func (e *peerEnd) stop() {
	e.cancel()
	e.ln.Close()
	e.mu.Lock()
	for _, c := range e.conns {
		c.Close()
	}
	e.mu.Unlock()
	e.wg.Wait()
}

func (e *peerEnd) up(id NodeID) bool { return e.transport.links[id].out.Load() != nil }

func heartbeat(from, to NodeID) *raft.Message {
	return &raft.Message{Type: raft.MsgHeartbeat, From: from, To: to, Term: 1}
}

// exchange sends until one message arrives, as Raft does.
func exchange(t *testing.T, from, to *peerEnd) {
	t.Helper()
	eventually(t, "a message arrives", func() bool {
		from.transport.Send(to.transport.self, heartbeat(from.transport.self, to.transport.self))
		select {
		case m := <-to.received:
			return m.From == from.transport.self && m.To == to.transport.self
		default:
			return false
		}
	})
}

func TestTransportReconnectsAfterRestart(t *testing.T) {
	t.Parallel()
	lnA, lnB := localListener(t), localListener(t)
	peers := map[NodeID]string{1: lnA.Addr().String(), 2: lnB.Addr().String()}
	a := startPeerEnd(t, 1, peers, lnA)
	b := startPeerEnd(t, 2, peers, lnB)
	exchange(t, a, b)
	exchange(t, b, a)
	for range 3 {
		b.stop()
		eventually(t, "the loss is noticed", func() bool { return !a.up(2) })
		a.transport.Send(2, heartbeat(1, 2)) // dropped, quietly
		ln, err := net.Listen("tcp", peers[2])
		if err != nil {
			t.Fatal(err)
		}
		b = startPeerEnd(t, 2, peers, ln)
		exchange(t, a, b)
		exchange(t, b, a)
	}
	if a.transport.metrics.dropped.Load() == 0 {
		t.Error("messages to a dead peer were not counted as dropped")
	}
}

// blackHole accepts connections, says hello, and reads nothing after that.
func blackHole(t *testing.T, hello bool) string {
	ln := localListener(t)
	var wg sync.WaitGroup
	var mu sync.Mutex
	var conns []net.Conn
	wg.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, conn)
			mu.Unlock()
			if hello {
				if _, err := readPeerHello(conn); err == nil {
					_, _ = conn.Write(shortHello(peerMagic, welcome))
				}
			}
		}
	})
	t.Cleanup(func() {
		ln.Close()
		wg.Wait()
		mu.Lock()
		defer mu.Unlock()
		for _, c := range conns {
			c.Close()
		}
	})
	return ln.Addr().String()
}

// TestSendNeverBlocks sends to a peer that reads nothing, for long after every
// buffer is full.
func TestSendNeverBlocks(t *testing.T) {
	t.Parallel()
	for _, hello := range []bool{false, true} {
		ln := localListener(t)
		a := startPeerEnd(t, 1, map[NodeID]string{1: ln.Addr().String(), 2: blackHole(t, hello)}, ln)
		if hello {
			eventually(t, "connected", func() bool { return a.up(2) })
			// As if a snapshot had filled the queue.
			out := a.transport.links[2].out.Load()
			out.mu.Lock()
			out.commit(append(out.buf, make([]byte, 2*transportMaxQueued)...))
			out.mu.Unlock()
			out.notify()
		}
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			for range 10_000 {
				a.transport.Send(2, heartbeat(1, 2))
			}
		}()
		select {
		case <-sent:
		case <-time.After(10 * time.Second):
			t.Fatal("Send blocks")
		}
		m := a.transport.metrics
		if m.dropped.Load() == 0 || m.dropped.Load()+m.sent.Load() != 10_000 {
			t.Errorf("hello %v: %d sent, %d dropped of 10000", hello, m.sent.Load(), m.dropped.Load())
		}
		if hello { // a peer that takes nothing is given up and dialled anew
			first := a.transport.links[2].out.Load()
			eventually(t, "another connection", func() bool {
				now := a.transport.links[2].out.Load()
				return now != nil && now != first
			})
		}
	}
}

// TestSilentConnectionIsDropped dials and never says anything after the hello.
func TestSilentConnectionIsDropped(t *testing.T) {
	t.Parallel()
	ln := localListener(t)
	peers := map[NodeID]string{1: ln.Addr().String(), 2: "127.0.0.1:1"}
	startPeerEnd(t, 1, peers, ln)
	conn, err := net.Dial("tcp", peers[1])
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	hello := peerHello{version: ProtocolVersion, kind: kindRaft, cluster: clusterID("test"), from: 2, to: 1}
	if err := greet(context.Background(), conn, hello.encode(), peerMagic); err != nil {
		t.Fatal(err)
	}
	wantClosed(t, conn)
}

// TestMessagesFromOthersAreRefused sends a message in another node's name.
func TestMessagesFromOthersAreRefused(t *testing.T) {
	ln := localListener(t)
	peers := map[NodeID]string{1: ln.Addr().String(), 2: "127.0.0.1:1", 3: "127.0.0.1:1"}
	e := startPeerEnd(t, 1, peers, ln)
	conn, err := net.Dial("tcp", peers[1])
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	hello := peerHello{version: ProtocolVersion, kind: kindRaft, cluster: clusterID("test"), from: 2, to: 1}
	if err := greet(context.Background(), conn, hello.encode(), peerMagic); err != nil {
		t.Fatal(err)
	}
	frame := func(m *raft.Message) []byte { return endPeerFrame(raft.AppendMessage(beginPeerFrame(nil), m), 0) }
	if _, err := conn.Write(append(frame(heartbeat(2, 1)), frame(heartbeat(3, 1))...)); err != nil {
		t.Fatal(err)
	}
	wantClosed(t, conn)
	if len(e.received) != 1 || (<-e.received).From != 2 {
		t.Errorf("%d messages got through, want that of n2 alone", len(e.received))
	}
}
