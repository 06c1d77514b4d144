package situations

import "squall/history/trace"

// read follows the reads of a leader.
func (t *Tracker) read(n *node, e *trace.Event) {
	if !n.leads() {
		return
	}
	switch e.Kind {
	case trace.ReadCame:
		if !n.firstCommit && !n.readsCame {
			n.readsCame = true
			t.found(readsBeforeFirstCommit, n)
		}
	case trace.RoundBegun:
		n.roundBegun = max(n.roundBegun, e.Round)
	case trace.RoundDone:
		n.roundDone = max(n.roundDone, e.Round)
	case trace.ReadServed:
		if t.succeeded(n) && !n.outranked {
			n.outranked = true
			t.found(readServedAfterSuccession, n, t.leader)
		}
	}
}
