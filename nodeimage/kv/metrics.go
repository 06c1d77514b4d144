package kv

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"
	"time"

	"squall/nodeimage/raft"
)

// metrics counts what the server does, since its start.
type metrics struct {
	requests     [lastOp + 1][statusUnknown + 1]atomic.Uint64 // of clients, by operation and outcome
	nanoseconds  [lastOp + 1]atomic.Uint64                    // from request to answer
	fromNodes    atomic.Uint64                                // requests that other nodes forwarded here
	forwarded    atomic.Uint64                                // requests forwarded to the leader
	clients      atomic.Int64                                 // open connections of clients
	peersUp      atomic.Int64                                 // open outgoing connections for Raft messages
	sent         atomic.Uint64                                // Raft messages
	dropped      atomic.Uint64                                // Raft messages not sent
	received     atomic.Uint64                                // Raft messages
	bytesSent    atomic.Uint64                                // of Raft messages
	bytesReceive atomic.Uint64
	damaged      atomic.Uint64 // connections ended because what came did not fit its checksum
}

// noteDamage counts and logs that a connection ends because of bytes that are
// not those that were sent; args tell which one it is. It reports whether that
// is what err says.
func (m *metrics) noteDamage(log *slog.Logger, err error, args ...any) bool {
	var damage *damageError
	if !errors.As(err, &damage) {
		return false
	}
	args = append(args, "err", err, "so_far", m.damaged.Add(1))
	log.Warn("connection closed: the network changed what it carried", args...)
	return true
}

func (m *metrics) answered(q *request, r *response) {
	if q.forwarded() {
		m.fromNodes.Add(1)
		return
	}
	m.requests[q.cmd.op][r.status].Add(1)
	m.nanoseconds[q.cmd.op].Add(uint64(time.Since(q.arrived)))
}

// promWriter writes Prometheus' text format.
type promWriter struct {
	w   io.Writer
	err error
}

func (p *promWriter) printf(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format, args...)
	}
}

// family begins a metric.
func (p *promWriter) family(name, kind, help string) {
	p.printf("# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
}

func (p *promWriter) counter(name, help string, v uint64) {
	p.family(name, "counter", help)
	p.printf("%s %d\n", name, v)
}

func (p *promWriter) gauge(name, help string, v uint64) {
	p.family(name, "gauge", help)
	p.printf("%s %d\n", name, v)
}

// writeMetrics writes everything that is counted in Prometheus' text format.
func writeMetrics(w io.Writer, m *metrics, st raft.Status, held Stats) error {
	p := &promWriter{w: w}
	p.family("squall_kv_requests_total", "counter", "Client requests answered, by operation and outcome.")
	for op := OpGet; op <= lastOp; op++ {
		for s := statusOK; s <= statusUnknown; s++ {
			p.printf("squall_kv_requests_total{op=%q,outcome=%q} %d\n", op, s, m.requests[op][s].Load())
		}
	}
	p.family("squall_kv_request_seconds", "summary", "Time from a client's request to its answer.")
	for op := OpGet; op <= lastOp; op++ {
		var count uint64
		for s := statusOK; s <= statusUnknown; s++ {
			count += m.requests[op][s].Load()
		}
		p.printf("squall_kv_request_seconds_sum{op=%q} %g\n", op, float64(m.nanoseconds[op].Load())/1e9)
		p.printf("squall_kv_request_seconds_count{op=%q} %d\n", op, count)
	}
	p.counter("squall_kv_forwarded_total", "Requests forwarded to the leader.", m.forwarded.Load())
	p.counter("squall_kv_forwarded_here_total", "Requests that other nodes forwarded here, answered.", m.fromNodes.Load())
	p.gauge("squall_kv_client_connections", "Open client connections.", uint64(m.clients.Load()))
	p.gauge("squall_kv_keys", "Keys in the map.", uint64(held.Keys))
	p.gauge("squall_kv_bytes", "Bytes in keys and values.", uint64(held.Bytes))
	p.gauge("squall_kv_locks", "Locks held, or not asked for since their lease ended.", uint64(held.Locks))
	p.gauge("squall_kv_sessions", "Sessions of clients.", uint64(held.Sessions))

	p.gauge("squall_peer_connections", "Open outgoing connections for Raft messages.", uint64(m.peersUp.Load()))
	p.counter("squall_peer_messages_sent_total", "Raft messages given to a connection.", m.sent.Load())
	p.counter("squall_peer_messages_dropped_total", "Raft messages dropped: no connection, or too much queued.", m.dropped.Load())
	p.counter("squall_peer_messages_received_total", "Raft messages received.", m.received.Load())
	p.counter("squall_peer_sent_bytes_total", "Bytes of Raft messages given to a connection.", m.bytesSent.Load())
	p.counter("squall_peer_received_bytes_total", "Bytes of Raft messages received.", m.bytesReceive.Load())
	p.counter("squall_damaged_connections_total", "Connections ended because what came did not fit its checksum.", m.damaged.Load())

	p.gauge("squall_raft_term", "Current term.", st.Term)
	p.gauge("squall_raft_leader", "Id of the leader this node knows of, 0 for none.", uint64(st.Leader))
	p.family("squall_raft_role", "gauge", "1 for the node's role.")
	for role := raft.Follower; role <= raft.Stopped; role++ {
		is := 0
		if role == st.Role {
			is = 1
		}
		p.printf("squall_raft_role{role=%q} %d\n", role.String(), is)
	}
	p.gauge("squall_raft_first_index", "First log index still kept.", st.FirstIndex)
	p.gauge("squall_raft_last_index", "Last log index.", st.LastIndex)
	p.gauge("squall_raft_commit_index", "Commit index.", st.CommitIndex)
	p.gauge("squall_raft_applied_index", "Last index applied to the map.", st.Applied)
	p.gauge("squall_raft_snapshot_index", "Last index in the newest snapshot.", st.SnapshotIndex)
	p.counter("squall_raft_proposals_total", "Proposals accepted.", st.Proposals)
	p.counter("squall_raft_reads_total", "Reads accepted.", st.Reads)
	p.counter("squall_raft_elections_total", "Elections this node began.", st.Elections)
	p.counter("squall_raft_terms_as_leader_total", "Terms in which this node led.", st.TermsAsLeader)
	return p.err
}
