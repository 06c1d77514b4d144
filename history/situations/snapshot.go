package situations

import "squall/history/trace"

// The reasons of Snapshot that are followed.
const (
	installed = "installed"
	stored    = "stored" // it was received and not needed any more
)

// snapshot follows a node's snapshots.
func (t *Tracker) snapshot(n *node, e *trace.Event) {
	if e.Reason == stored {
		n.receiving = trace.Mark{}
	}
	if e.Reason != installed {
		return
	}
	t.found(snapshotInstalled, n)
	if n.differed || t.conflicts(n, e.Mark) {
		t.found(snapshotOverConflict, n)
	}
	t.compact(n, e.Mark)
	n.commit = max(n.commit, e.Mark.Index)
	n.receiving, n.differed, n.behind, n.atStart.last = trace.Mark{}, false, 0, 0
	if len(e.Members) > 0 {
		n.members, n.old = t.setOf(e.Members), 0
	}
}

// receivesSnapshot follows a piece of a snapshot that n receives.
func (t *Tracker) receivesSnapshot(n *node, m *trace.Message, from *node) {
	switch {
	case m.Mark.Index > n.commit && !n.log.holds(m.Mark):
		n.receiving = m.Mark
	case m.Offset == 0:
		t.found(snapshotNotNeeded, n, from)
	}
}

// conflicts says whether n's log holds, up to the snapshot's last entry, anything else
// than what the snapshot covers.
func (t *Tracker) conflicts(n *node, mark trace.Mark) bool {
	if term, ok := n.log.term(mark.Index); ok {
		return term != mark.Term
	}
	last := n.log.last()
	return last.Index < mark.Index && last.Index > 0 && t.committed.knows(last.Index) && !t.committed.holds(last)
}

// compact makes mark the entry before the beginning of a log. A log that does not hold
// it is replaced, by that of a snapshot, and empty.
func (t *Tracker) compact(n *node, mark trace.Mark) {
	last := n.log.last()
	if mark == n.log.base || n.log.holds(mark) {
		n.log.compact(mark.Index)
		return
	}
	n.differed = n.differed || t.conflicts(n, mark)
	n.log.reset(mark)
	if last.Index > 0 {
		t.gone(n, last)
	}
}

// leavesTransfer looks whether a change of role or leader interrupts a snapshot on its
// way here.
func (t *Tracker) leavesTransfer(n *node, e *trace.Event) {
	if n.receiving.Index > n.commit && (e.Term != n.roleTerm || e.Peer != n.leader || e.Role != trace.Follower) {
		t.found(snapshotInterrupted, n)
		n.receiving = trace.Mark{}
	}
}
