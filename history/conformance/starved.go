package conformance

import "squall/history/trace"

// mostIdle is how many heartbeats in a row a leader may send to a node that it owes
// entries. One is enough where entries go out once all that came at a time is handled.
const mostIdle = 20

// sends notes the end of what the leader n is sending a node.
func (l *leading) sends(n *node, to trace.NodeID, end uint64) {
	other := n.c.node(to)
	if other == nil || n.role != trace.Leader || end <= at(l.sent, other.slot) {
		return
	}
	raise(&l.sent, other.slot, end)
	raise(&l.idle, other.slot, 0)
	l.idle[other.slot] = 0
}

// judgeStarved: what a node lacks is sent to it, where nothing that it has not acknowledged
// is on its way: no full window, and no loss that nobody has noticed yet. A leader may store
// an entry itself before it sends it, which a slow disk delays.
func (n *node) judgeStarved(e *trace.Event) {
	to := n.c.node(e.Message.To)
	if to == nil {
		return
	}
	l := &n.lead
	sent := at(l.sent, to.slot)
	raise(&l.idle, to.slot, 0)
	if sent == 0 || at(l.match, to.slot) < sent {
		l.idle[to.slot] = 0
		return
	}
	owed := min(n.log.last, n.disk.end)
	if owed > sent {
		l.idle[to.slot]++
	} else {
		l.idle[to.slot] = 0
	}
	idle := l.idle[to.slot]
	if n.decide(entriesSent, idle > mostIdle) {
		n.violation(entriesSent, []*trace.Event{n.lastReceived(e.Message.To, trace.AppendReply), n.logEvent(), e},
			"has %s for %s, which has acknowledged all that it was sent, and sends it the heartbeat number %d in a row without them",
			entries(sent+1, owed), n.c.name(e.Message.To), idle)
	}
}
