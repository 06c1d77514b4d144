package kv

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"squall/nodeimage/raft"
)

const (
	// transportMaxQueued is how many bytes may wait for one peer; beyond it,
	// messages are dropped.
	transportMaxQueued = 8 << 20
	// transportMaxMessage bounds a received message: a batch of entries with
	// some room.
	transportMaxMessage = 16 << 20
)

// transport sends Raft messages over TCP: to each peer on a connection that
// this node dialled. Answers come on the connection that the peer dialled.
type transport struct {
	self    raft.NodeID
	links   map[raft.NodeID]*raftLink // never changed
	faults  *MessageFaults
	metrics *metrics
	log     *slog.Logger
}

var _ raft.Transport = (*transport)(nil)

// raftLink is the way to one peer.
type raftLink struct {
	out atomic.Pointer[outbox] // nil while there is no connection
}

func newTransport(self raft.NodeID, peers map[raft.NodeID]string, faults *MessageFaults, m *metrics, log *slog.Logger) *transport {
	t := &transport{self: self, links: make(map[raft.NodeID]*raftLink), faults: faults, metrics: m, log: log}
	for id := range peers {
		if id != self {
			t.links[id] = &raftLink{}
		}
	}
	return t
}

// Send encodes the message into the peer's outbox, or drops it when there is no
// connection or too much is waiting: a message that is late is worth less than
// the next one.
func (t *transport) Send(to raft.NodeID, m *raft.Message) {
	t.faults.sent(m)
	link := t.links[to]
	if link == nil {
		t.metrics.dropped.Add(1)
		return
	}
	out := link.out.Load()
	if out == nil {
		t.metrics.dropped.Add(1)
		return
	}
	out.mu.Lock()
	if out.err != nil || out.pending() > transportMaxQueued {
		out.mu.Unlock()
		t.metrics.dropped.Add(1)
		return
	}
	start := len(out.buf)
	buf := raft.AppendMessage(beginPeerFrame(out.buf), m)
	size := len(buf) - start - peerHeader
	if size > transportMaxMessage || size == 0 {
		out.mu.Unlock()
		t.metrics.dropped.Add(1)
		t.log.Error("message dropped: no receiver would take it", "peer", to, "bytes", size, "limit", transportMaxMessage)
		return
	}
	mustNotify := out.commit(endPeerFrame(buf, start))
	out.mu.Unlock()
	if mustNotify {
		out.notify()
	}
	t.metrics.sent.Add(1)
	t.metrics.bytesSent.Add(uint64(size))
}

// use runs one connection to a peer until it breaks.
func (t *transport) use(ctx context.Context, to raft.NodeID, conn net.Conn) {
	out := &outbox{}
	out.init()
	stop := context.AfterFunc(ctx, func() {
		out.close(ctx.Err())
		conn.Close()
	})
	defer stop()
	var wg sync.WaitGroup
	wg.Go(func() {
		// The peer sends nothing here. That a read ends is how a connection
		// that broke, or whose bytes are not acknowledged, shows at once.
		_, err := io.Copy(io.Discard, conn)
		if err == nil {
			err = io.EOF
		}
		out.close(err)
	})
	t.links[to].out.Store(out)
	t.metrics.peersUp.Add(1)
	err := out.run(conn, peerWriteTimeout, peerPing, endPeerFrame(beginPeerFrame(nil), 0))
	t.metrics.peersUp.Add(-1)
	t.links[to].out.Store(nil)
	conn.Close()
	wg.Wait()
	t.log.Debug("raft connection ended", "peer", to, "err", err)
}

// serve hands the messages that come in on an accepted connection to receive,
// with what faults do to them, until the connection ends, falls silent, or damages what it carries.
func (t *transport) serve(conn net.Conn, from raft.NodeID, receive func(*raft.Message)) error {
	br := bufio.NewReaderSize(patientReader{conn}, 256<<10)
	for {
		frame, err := readPeerFrame(br)
		if err != nil {
			t.metrics.noteDamage(t.log, err, "peer", from, "kind", kindRaft.String())
			return err
		}
		if len(frame) == 0 {
			continue
		}
		m, err := raft.DecodeMessage(frame)
		if err != nil {
			return &frameError{err}
		}
		if m.From != from || m.To != t.self {
			return &frameError{fmt.Errorf("message from n%d to n%d on the connection from n%d to n%d", m.From, m.To, from, t.self)}
		}
		t.metrics.received.Add(1)
		t.metrics.bytesReceive.Add(uint64(len(frame)))
		t.faults.receive(m, len(frame), receive)
	}
}

// patientReader reads from a connection until it has been silent for too long.
type patientReader struct{ conn net.Conn }

func (r patientReader) Read(b []byte) (int, error) {
	n, err := r.read(b, peerSilence)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		// Maybe it was this process that stood still, and the bytes are there.
		n, err = r.read(b, peerSilence/20)
	}
	return n, err
}

func (r patientReader) read(b []byte, patience time.Duration) (int, error) {
	if err := r.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return 0, err
	}
	return r.conn.Read(b)
}
