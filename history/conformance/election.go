package conformance

import (
	"slices"
	"strings"

	"squall/history/trace"
)

// campaign is what a candidate knows of its campaign.
type campaign struct {
	term    uint64
	mark    trace.Mark     // the last entry of its log
	granted []trace.NodeID // whose vote it counted
}

// grant takes a vote.
func (n *node) grant(e *trace.Event) {
	if n.decide(voteOnce, n.vote != 0 && n.vote != e.Peer) {
		n.violation(voteOnce, []*trace.Event{n.voteEvent(), e}, "votes for %s in term %d, in which it has voted for %s",
			n.c.name(e.Peer), n.term, n.c.name(n.vote))
	}
	n.vote = e.Peer
	own := n.log.end()
	if e.Peer == n.id {
		n.campaign = campaign{term: n.term, mark: own}
		if n.decide(candidateLog, e.Mark != own) {
			n.violation(candidateLog, []*trace.Event{e}, "campaigns in term %d with entry %d of term %d as its last one, but its log ends with %d of term %d",
				n.term, e.Mark.Index, e.Mark.Term, own.Index, own.Term)
			n.campaign.mark = e.Mark
		}
		return
	}
	if n.decide(voteUpToDate, !upToDate(e.Mark, own)) {
		n.violation(voteUpToDate, []*trace.Event{n.logEvent(), e},
			"votes in term %d for %s, whose log ends with entry %d of term %d, although its own ends with %d of term %d",
			n.term, n.c.name(e.Peer), e.Mark.Index, e.Mark.Term, own.Index, own.Term)
	}
	n.judgeRequested(e)
}

func (n *node) judgeRequested(e *trace.Event) {
	var r request
	if other := n.c.node(e.Peer); other != nil && other.slot < len(n.asked) {
		r = n.asked[other.slot]
	}
	if !n.decide(voteRequested, r.term != n.term || r.mark != e.Mark) {
		return
	}
	asked := n.lastReceived(e.Peer, trace.Vote)
	if r.term != n.term {
		n.violation(voteRequested, []*trace.Event{asked, e}, "votes for %s in term %d, and had received no request of it for that term",
			n.c.name(e.Peer), n.term)
		return
	}
	n.violation(voteRequested, []*trace.Event{asked, e}, "votes for %s in term %d as one whose log ends with entry %d of term %d; the request named %d of term %d",
		n.c.name(e.Peer), n.term, e.Mark.Index, e.Mark.Term, r.mark.Index, r.mark.Term)
}

// voteEvent is what shows this boot's vote: the grant, or the start with a stored one.
func (n *node) voteEvent() *trace.Event {
	if g := &n.last[trace.Grant]; g.Kind != 0 && g.Boot == n.boot && g.Term == n.term {
		return g
	}
	return &n.last[trace.Start]
}

// logEvent is what shows where the log ends: the last change of it.
func (n *node) logEvent() *trace.Event {
	newest := &n.last[trace.Start]
	for _, k := range []trace.Kind{trace.Append, trace.Truncate} {
		if e := &n.last[k]; e.Kind != 0 && e.Boot == n.boot && e.Time >= newest.Time {
			newest = e
		}
	}
	return newest
}

// tally takes an answer that a candidate counted.
func (n *node) tally(e *trace.Event) {
	if e.Pre || e.Reject {
		return
	}
	if e.Peer == n.id {
		if n.decide(ownVoteDurable, n.disk.term < n.term || n.disk.term == n.term && n.disk.vote != n.id) {
			n.violation(ownVoteDurable, []*trace.Event{n.voteEvent(), &n.last[trace.Persist], e},
				"counts its own vote in term %d before that is durable", n.term)
		}
	} else {
		n.judgeTally(e)
	}
	if n.campaign.term != n.term {
		n.campaign = campaign{term: n.term, mark: n.log.end()}
	}
	if !slices.Contains(n.campaign.granted, e.Peer) {
		n.campaign.granted = append(n.campaign.granted, e.Peer)
	}
}

func (n *node) judgeTally(e *trace.Event) {
	reply := n.lastReceived(e.Peer, trace.VoteReply)
	m := reply.Message
	bad := m == nil || m.Term != n.term || m.Reject
	if !n.decide(tallyReceived, bad) {
		return
	}
	shows := []*trace.Event{reply, e}
	who := n.c.name(e.Peer)
	switch {
	case m == nil:
		n.violation(tallyReceived, shows, "counts a vote of %s in term %d, and had no reply of it", who, n.term)
	case m.Term != n.term:
		n.violation(tallyReceived, shows, "counts a vote of %s in term %d, whose last reply was of term %d", who, n.term, m.Term)
	default:
		n.violation(tallyReceived, shows, "counts a vote of %s in term %d, which had refused it", who, n.term)
	}
}

// changeRole takes a RoleChange.
func (n *node) changeRole(e *trace.Event) {
	if own := n.log.end(); e.Mark != own && !n.off[logConsecutive] && e.Role != trace.Stopped {
		n.contradicts(e, "its log ends with entry %d of term %d by what it appended and removed, and with %d of term %d by its change of role",
			own.Index, own.Term, e.Mark.Index, e.Mark.Term)
		return
	}
	was := n.role
	n.role = e.Role
	if n.decide(roleChange, !mayBecome(was, e.Role)) {
		n.violation(roleChange, []*trace.Event{&n.last[trace.RoleChange], e}, "becomes a %v in term %d, and was a %v", e.Role, n.term, was)
	}
	if e.Role != trace.Leader {
		n.reads.abandon()
	}
	n.leads(e)
	if e.Role == trace.Leader && n.led != n.term {
		n.led = n.term
		n.elected(e)
	}
}

// mayBecome says which changes of role there are. The same role is reported again when
// the known leader or the term changes.
func mayBecome(from, to trace.Role) bool {
	switch {
	case from == to, to == trace.Stopped:
		return true
	case to == trace.Candidate:
		return from == trace.Follower
	case to == trace.Leader:
		return from == trace.Candidate
	}
	return from != trace.Stopped
}

// elected judges a node that has become leader.
func (n *node) elected(e *trace.Event) {
	n.lead = leading{}
	cfg := n.config()
	var granted []trace.NodeID
	if n.campaign.term == n.term {
		granted = n.campaign.granted
	}
	has := func(id trace.NodeID) uint64 {
		if slices.Contains(granted, id) {
			return 1
		}
		return 0
	}
	if len(cfg.members) > 0 && n.decide(leaderQuorum, cfg.quorum(has) == 0) {
		n.violation(leaderQuorum, []*trace.Event{n.voteEvent(), &n.last[trace.Tally], e},
			"becomes leader of term %d with %s, of the voters %s", n.term, n.votesOf(granted), n.names(cfg.members))
	}
	n.judgeCompleteness(e)
}

func (n *node) votesOf(ids []trace.NodeID) string {
	if len(ids) == 0 {
		return "no vote"
	}
	return "the votes of " + n.names(ids) + " alone"
}

func (n *node) names(ids []trace.NodeID) string {
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = n.c.name(id)
	}
	if k := len(names) - 1; k > 0 {
		return strings.Join(names[:k], ", ") + " and " + names[k]
	}
	return strings.Join(names, "")
}
