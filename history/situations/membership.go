package situations

import "squall/history/trace"

// configuration follows a configuration that takes effect on a node.
func (t *Tracker) configuration(n *node, e *trace.Event) {
	n.members, n.old = t.setOf(e.Members), t.setOf(e.Old)
	if e.Mark.Index < n.config {
		t.found(configRolledBack, n)
	}
	n.config = e.Mark.Index
}

// standsWhileConfiguring looks, when a candidate stands, for a configuration that is in
// a log and not committed. It counts once for each.
func (t *Tracker) standsWhileConfiguring(n *node) {
	pending := uint64(0)
	for _, m := range t.nodes {
		pending = max(pending, m.config)
	}
	if pending > t.commit && pending > t.config {
		t.config = pending
		t.found(configDuringElection, n)
	}
}
