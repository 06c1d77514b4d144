package kv

import (
	"context"
	"log/slog"
	"net"
	"sync/atomic"
	"time"

	"squall/nodeimage/raft"
)

// forwards holds a connection for requests to every other node, so that the
// first request after an election need not wait for one.
type forwards struct {
	links   map[raft.NodeID]*atomic.Pointer[mux] // the map is never changed
	clock   *Clock                               // what the life of a request is measured by
	metrics *metrics
	log     *slog.Logger
}

var _ forwarder = (*forwards)(nil)

func newForwards(self raft.NodeID, peers map[raft.NodeID]string, clock *Clock, m *metrics, log *slog.Logger) *forwards {
	f := &forwards{links: make(map[raft.NodeID]*atomic.Pointer[mux]), clock: clock, metrics: m, log: log}
	for id := range peers {
		if id != self {
			f.links[id] = &atomic.Pointer[mux]{}
		}
	}
	return f
}

// use runs one connection to a peer until it breaks.
func (f *forwards) use(ctx context.Context, to raft.NodeID, conn net.Conn) {
	m := newMux(conn, peerWriteTimeout, f.clock)
	f.links[to].Store(m)
	select {
	case <-m.done:
	case <-ctx.Done():
		m.close(ctx.Err())
		<-m.done
	}
	f.links[to].Store(nil)
	f.metrics.noteDamage(f.log, m.reason, "peer", to, "kind", kindRequests.String())
}

func (f *forwards) forward(to raft.NodeID, op Op, raw []byte, born, life time.Duration, done func(response)) bool {
	link := f.links[to]
	if link == nil {
		return false
	}
	m := link.Load()
	if m == nil {
		return false
	}
	c := &call{op: op, born: born, life: life, notify: func(c *call) { done(relayed(c)) }}
	switch err := m.send(c, raw); {
	case err == nil:
		return true
	case err.Code == CodeBusy:
		done(noEffect(CodeBusy, "too much waits to be forwarded"))
		return true
	}
	return false
}

func (f *forwards) abandonAllBut(leader raft.NodeID) {
	for id, link := range f.links {
		if id == leader {
			continue
		}
		if m := link.Load(); m != nil {
			m.abandonAll(CodeLeaderMoved)
		}
	}
}

// relayed is the answer for a forwarded request that has ended.
func relayed(c *call) response {
	switch {
	case c.err == nil:
		return c.resp
	case c.err.Code == CodeNotSent:
		return noEffect(CodeNotSent, "not forwarded: "+c.err.Text)
	case c.err.Code == CodeConnLost:
		return uncertain(c.op, CodeForwardLost, c.err.Text)
	}
	return uncertain(c.op, c.err.Code, c.err.Text)
}
