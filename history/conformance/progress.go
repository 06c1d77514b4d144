package conformance

import "squall/history/trace"

// received takes a SnapshotReply that n received.
func (l *leading) received(n *node, m *trace.Message) {
	if n.role != trace.Leader || m.Term != n.term {
		return
	}
	if from := n.c.node(m.From); from != nil {
		raise(&l.snap, from.slot, m.Mark.Index)
	}
}

// progress takes a Progress. Which entries of a follower its leader may take for stored
// is decided by the answers that the leader's own trace holds.
func (n *node) progress(e *trace.Event) {
	peer := n.c.node(e.Peer)
	if n.role != trace.Leader || peer == nil {
		return
	}
	answer := n.lastReceived(e.Peer, trace.AppendReply)
	knew := at(n.lead.knows, peer.slot)
	raise(&n.lead.knows, peer.slot, e.Match)
	n.lead.knows[peer.slot] = e.Match
	if n.decide(nextAboveMatch, e.Next <= e.Match) {
		n.violation(nextAboveMatch, []*trace.Event{answer, e}, "leads term %d and knows that the log of %s equals its own up to entry %d, and is about to send it entry %d",
			n.term, n.c.name(e.Peer), e.Match, e.Next)
	}
	if n.decide(matchMonotonic, e.Match < knew) {
		n.violation(matchMonotonic, []*trace.Event{answer, e}, "leads term %d, knew that the log of %s equals its own up to entry %d, and takes that back to %d",
			n.term, n.c.name(e.Peer), knew, e.Match)
	}
	most := max(at(n.lead.match, peer.slot), at(n.lead.snap, peer.slot))
	if n.decide(matchAcknowledged, e.Match > most) {
		n.violation(matchAcknowledged, []*trace.Event{answer, e}, "leads term %d and takes the log of %s to equal its own up to entry %d, and only %d was acknowledged to it in this term",
			n.term, n.c.name(e.Peer), e.Match, most)
	}
}
