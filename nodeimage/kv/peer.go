package kv

import (
	"context"
	"encoding/binary"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"time"

	"squall/nodeimage/raft"
)

// connKind is what a connection between nodes is for.
type connKind uint8

const (
	kindRaft     connKind = 1
	kindRequests connKind = 2
)

func (k connKind) String() string {
	if k == kindRaft {
		return "raft"
	}
	return "requests"
}

// Times of the connections between nodes. Together they bound how long two nodes
// stay apart after a partition heals: at worst one dial that was begun before
// and one pause, some 300 ms.
const (
	peerDialTimeout  = 200 * time.Millisecond
	peerHelloTimeout = 500 * time.Millisecond
	peerPauseMin     = 50 * time.Millisecond
	peerPauseMax     = 100 * time.Millisecond
	// peerAckTimeout ends a connection on which sent bytes stay unacknowledged,
	// peerWriteTimeout one whose other side takes none.
	peerAckTimeout   = 500 * time.Millisecond
	peerWriteTimeout = 1 * time.Second
	// peerPing is how long a Raft connection stays quiet; peerSilence is when
	// its receiver gives it up.
	peerPing    = 100 * time.Millisecond
	peerSilence = 1 * time.Second
)

// peerHelloBody is how long the hello of a node is without its checksum.
const peerHelloBody = 32

// peerHello is what the dialling node says first.
type peerHello struct {
	version  uint16
	kind     connKind
	cluster  uint64
	from, to raft.NodeID
}

func (h *peerHello) encode() []byte {
	b := append(make([]byte, 0, peerHelloBody+sumSize), peerMagic[:]...)
	b = binary.BigEndian.AppendUint16(b, h.version)
	b = append(b, byte(h.kind), 0)
	b = binary.BigEndian.AppendUint64(b, h.cluster)
	b = binary.BigEndian.AppendUint64(b, uint64(h.from))
	b = binary.BigEndian.AppendUint64(b, uint64(h.to))
	return binary.BigEndian.AppendUint32(b, checksum(b))
}

func readPeerHello(r io.Reader) (h peerHello, err error) {
	var b [peerHelloBody]byte
	if h.version, err = readHello(r, b[:], peerMagic); err != nil {
		return peerHello{}, err
	}
	h.kind = connKind(b[6])
	h.cluster = binary.BigEndian.Uint64(b[8:])
	h.from = raft.NodeID(binary.BigEndian.Uint64(b[16:]))
	h.to = raft.NodeID(binary.BigEndian.Uint64(b[24:]))
	return h, nil
}

// clusterID is what a cluster's name becomes in a hello.
func clusterID(name string) uint64 { return hashBytes(keySeed, []byte(name)) }

// check decides about a node that says hello.
func (h *peerHello) check(cluster uint64, self raft.NodeID, peers map[raft.NodeID]string) helloReply {
	_, member := peers[h.from]
	switch {
	case h.version != ProtocolVersion:
		return wrongVersion
	case h.cluster != cluster:
		return wrongCluster
	case h.to != self:
		return wrongReceiver
	case !member || h.from == self:
		return unknownMember
	case h.kind != kindRaft && h.kind != kindRequests:
		return wrongKind
	}
	return welcome
}

// peerDialer keeps one connection of a kind to one peer.
type peerDialer struct {
	addr    string
	hello   peerHello
	metrics *metrics
	log     *slog.Logger
}

// run connects, calls use with the connection, and starts again when use
// returns or no connection came about, until ctx ends.
func (d *peerDialer) run(ctx context.Context, use func(context.Context, net.Conn)) {
	log := d.log.With("peer", d.hello.to, "kind", d.hello.kind.String())
	lastErr := ""
	for ctx.Err() == nil {
		conn, err := d.dial(ctx)
		switch {
		case err == nil:
			log.Debug("connected", "addr", d.addr)
			lastErr = ""
			use(ctx, conn)
			log.Debug("disconnected")
		case d.metrics.noteDamage(log, err, "addr", d.addr):
			lastErr = ""
		case err.Error() != lastErr && ctx.Err() == nil: // say so once, not ten times a second
			lastErr = err.Error()
			log.Debug("no connection", "err", err)
		}
		// Nodes that lost each other at the same moment should not go on in step.
		pause := peerPauseMin + rand.N(peerPauseMax-peerPauseMin)
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

func (d *peerDialer) dial(ctx context.Context) (net.Conn, error) {
	dialer := net.Dialer{Timeout: peerDialTimeout}
	conn, err := dialer.DialContext(ctx, "tcp", d.addr)
	if err != nil {
		return nil, err
	}
	tuneConn(conn, peerAckTimeout)
	ctx, cancel := context.WithTimeout(ctx, peerHelloTimeout)
	defer cancel()
	if err := greet(ctx, conn, d.hello.encode(), peerMagic); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}
