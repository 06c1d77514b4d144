package conformance

import (
	"slices"

	"squall/history/trace"
)

// mostOffered bounds the snapshots that are remembered as sent to a node.
const mostOffered = 1 << 10

// offer notes a snapshot that a leader has sent to its end. To store it takes a while, in
// which another one, of an older message, and a later term may come.
func (n *node) offer(m trace.Mark) {
	n.offered = slices.DeleteFunc(n.offered, func(o trace.Mark) bool { return o.Index < n.commit || o == m })
	if len(n.offered) == mostOffered {
		n.offered = slices.Delete(n.offered, 0, 1)
	}
	n.offered = append(n.offered, m)
}

// snapshot takes a Snapshot.
func (n *node) snapshot(e *trace.Event) {
	switch e.Reason {
	case "taken":
		n.takeSnapshot(e)
	case "installed":
		n.installSnapshot(e)
	case "sending":
		n.lead.sends(n, e.Peer, e.Mark.Index)
	case "stored": // it came when it was not needed any more
		n.agrees(e, e.Mark)
		if e.Mark.Index > n.disk.snap.Index {
			n.disk.snap = e.Mark
		}
	}
}

// takeSnapshot takes a snapshot of the node's own, which is durable.
func (n *node) takeSnapshot(e *trace.Event) {
	if n.decide(snapshotApplied, !n.holdsState(e.Mark.Index)) {
		n.violation(snapshotApplied, []*trace.Event{&n.last[trace.Apply], e}, "takes a snapshot that ends with entry %d, and has applied only up to %d",
			e.Mark.Index, n.applied)
	}
	n.agrees(e, e.Mark)
	if e.Mark.Index > n.disk.snap.Index {
		n.disk.snap = e.Mark
	}
}

// installSnapshot takes a snapshot that came from a leader.
func (n *node) installSnapshot(e *trace.Event) {
	if n.decide(installForward, e.Mark.Index < n.commit) {
		n.violation(installForward, []*trace.Event{&n.last[trace.Commit], e}, "installs a snapshot that ends with entry %d, and has committed up to %d",
			e.Mark.Index, n.commit)
		return
	}
	if n.decide(installReceived, !slices.Contains(n.offered, e.Mark)) {
		n.violation(installReceived, []*trace.Event{n.snapshotEvent(), e}, "installs a snapshot that ends with entry %d of term %d, which no leader sent it to its end",
			e.Mark.Index, e.Mark.Term)
	}
	n.agrees(e, e.Mark)
	n.install(e.Mark)
	n.commit = max(n.commit, e.Mark.Index)
	if len(e.Members) > 0 {
		n.configs = append(n.configs[:0], config{mark: e.Mark, members: cloneIDs(e.Members)})
	}
}

// snapshotEvent is what shows the last snapshot that came.
func (n *node) snapshotEvent() *trace.Event {
	var newest *trace.Event
	for slot := range n.received {
		e := lastOf(&n.received, slot, trace.InstallSnapshot)
		if e.Kind != 0 && (newest == nil || e.Time > newest.Time) {
			newest = e
		}
	}
	return newest
}

// install makes a snapshot the beginning of the log. Where the log holds its last entry,
// what follows that stays (§7).
func (n *node) install(m trace.Mark) {
	if !n.log.holds(m) {
		n.log.reset(m)
		n.disk.past, n.disk.end = nil, m.Index
	}
	if m.Index > n.disk.snap.Index {
		n.disk.snap = m
	}
	n.mayCommit = max(n.mayCommit, m.Index)
	n.restorable = max(n.restorable, m.Index)
	if n.in.term == n.term {
		n.in.matched = max(n.in.matched, m.Index)
	}
}

// compact takes a Compact.
func (n *node) compact(e *trace.Event) {
	if n.decide(compactCovered, e.Mark.Index > n.disk.snap.Index) {
		n.violation(compactCovered, []*trace.Event{&n.last[trace.Snapshot], e}, "cuts its log off before entry %d, and has %s",
			e.Mark.Index, snapshotUpTo(n.disk.snap.Index))
	}
	switch {
	case e.Mark.Index <= n.log.base.Index:
	case n.log.holds(e.Mark):
		n.log.compact(e.Mark)
	case e.Mark.Index > n.log.last || e.Mark == n.disk.snap || n.off[compactCovered]:
		n.install(e.Mark)
	default:
		n.contradicts(e, "it cuts its log off before entry %d of term %d, which its log does not hold", e.Mark.Index, e.Mark.Term)
	}
}

// sendSnapshot judges a piece of a snapshot that leaves.
func (n *node) sendSnapshot(e *trace.Event) {
	m := e.Message
	if n.decide(snapshotSent, m.Mark.Index > n.disk.snap.Index) {
		n.violation(snapshotSent, []*trace.Event{&n.last[trace.Snapshot], e}, "sends %s a snapshot that ends with entry %d; it has %s",
			n.c.name(m.To), m.Mark.Index, snapshotUpTo(n.disk.snap.Index))
	}
	if n.role == trace.Leader && m.Term == n.term {
		n.judgeBeyond(e)
		n.lead.sends(n, m.To, m.Mark.Index)
	}
}

// snapshotUpTo tells how far the newest stored snapshot reaches.
func snapshotUpTo(index uint64) string {
	if index == 0 {
		return "no snapshot"
	}
	return sprintf("a snapshot that ends with entry %d", index)
}
