package conformance

import "squall/history/trace"

// timer is what could have set a node's election timer last.
type timer struct {
	after uint64 // steps of the loop since
	known bool   // there was such a step in this boot
}

// followTimer follows a step: it may set the timer, or comes after one that did.
func (n *node) followTimer(e *trace.Event) {
	switch {
	case n.setsTimer(e):
		n.timer = timer{known: true}
	case e.Kind != trace.Apply && e.Kind != trace.State && e.Kind != trace.ReadServed:
		n.timer.after++
	}
}

// setsTimer says whether a step may set the timer: all by which a node hears a leader, or
// is to wait for one anew. A vote that was granted may be asked for again, and is granted
// again.
func (n *node) setsTimer(e *trace.Event) bool {
	switch e.Kind {
	case trace.Start, trace.RoleChange, trace.Grant, trace.Timeout, trace.Config, trace.Commit:
		return true
	case trace.Receive:
		m := e.Message
		return fromLeader(m.Type) || m.Type == trace.Vote && m.Term == n.term && m.From == n.vote
	}
	return false
}

// timeout takes a Timeout: the timer was set right after such a step, and not later.
func (n *node) timeout(e *trace.Event) {
	t := &n.timer
	if !t.known || !n.decide(timerSet, e.Steps < t.after) {
		return
	}
	n.violation(timerSet, []*trace.Event{n.newest(), e},
		"is due for an election in term %d by a timeout that was set %d steps before, and the last %d steps are of no leader that it heard, no vote that it granted and no election of its own",
		n.term, e.Steps, t.after)
}
