package conformance

import (
	"slices"

	"squall/history/trace"
)

// request is what a candidate asked for.
type request struct {
	term uint64
	mark trace.Mark
	due  bool // there is no reason to refuse it
	// refuse is the term in which the node was asked for a vote of an older one, which it
	// refuses in a message of its own term.
	refuse uint64
}

// preRequest is what a node asked about a pre-vote in one term.
type preRequest struct {
	term uint64
	due  bool // once at least its log was up to date
}

// preRequests are the questions of one node for pre-votes.
type preRequests struct {
	list      []preRequest // a term each
	forgotten uint64       // the highest term that is no longer among them
}

// mostPreRequests bounds the questions of one node that are kept: an answer may wait
// for the disk.
const mostPreRequests = 64

func (q *preRequests) add(term uint64, due bool) {
	if i := q.of(term); i >= 0 {
		q.list[i].due = q.list[i].due || due
		return
	}
	if len(q.list) == mostPreRequests {
		q.forgotten = max(q.forgotten, q.list[0].term)
		q.list = slices.Delete(q.list, 0, 1)
	}
	q.list = append(q.list, preRequest{term, due})
}

// of is the place in the list of the question about a term, -1 if there is none.
func (q *preRequests) of(term uint64) int {
	return slices.IndexFunc(q.list, func(r preRequest) bool { return r.term == term })
}

// receiveVote takes a request for a vote.
func (n *node) receiveVote(m *trace.Message) {
	other := n.c.node(m.From)
	if other == nil {
		return
	}
	for len(n.asked) <= other.slot {
		n.asked = append(n.asked, request{})
	}
	was := &n.asked[other.slot]
	if m.Term < n.term {
		was.refuse = n.term
	}
	*was = request{term: m.Term, mark: m.Mark, due: n.owesVote(m), refuse: was.refuse}
}

// owesVote says whether there is nothing for which a node may refuse its vote. It may
// always keep silent.
func (n *node) owesVote(m *trace.Message) bool {
	if !n.config().votes(m.From) || !upToDate(m.Mark, n.log.end()) {
		return false
	}
	free := n.role != trace.Leader && n.in.term != n.term && (n.vote == 0 || n.vote == m.From)
	return m.Term > n.term || m.Term == n.term && free
}

// judgeRefusal judges an answer that refuses a vote of the node's term.
func (n *node) judgeRefusal(e *trace.Event) {
	m := e.Message
	other := n.c.node(m.To)
	if other == nil || other.slot >= len(n.asked) {
		return
	}
	r := n.asked[other.slot]
	if r.term != n.term || r.refuse == n.term {
		return
	}
	free := n.in.term != n.term && (n.vote == 0 || n.vote == m.To) // still, as it answers
	if n.decide(voteRefused, r.due && free) {
		own := n.log.end()
		n.violation(voteRefused, []*trace.Event{n.lastReceived(m.To, trace.Vote), n.logEvent(), e},
			"refuses %s its vote in term %d, which is %s, although no leader is known and its log, that ends with entry %d of term %d, is not ahead of %d of term %d",
			n.c.name(m.To), m.Term, n.given(n.vote), own.Index, own.Term, r.mark.Index, r.mark.Term)
	}
}

// receivePreVote takes a question for a pre-vote.
func (n *node) receivePreVote(m *trace.Message) {
	other := n.c.node(m.From)
	if other == nil {
		return
	}
	for len(n.preAsked) <= other.slot {
		n.preAsked = append(n.preAsked, preRequests{})
	}
	n.preAsked[other.slot].add(m.Term, upToDate(m.Mark, n.log.end()))
}

// replyPreVote judges an answer to a question for a pre-vote.
func (n *node) replyPreVote(e *trace.Event) {
	m := e.Message
	other := n.c.node(m.To)
	if m.Reject || other == nil {
		return
	}
	var asked preRequests
	if other.slot < len(n.preAsked) {
		asked = n.preAsked[other.slot]
	}
	if m.Term <= asked.forgotten {
		return
	}
	i := asked.of(m.Term)
	if !n.decide(preVoteReply, i < 0 || !asked.list[i].due) {
		return
	}
	shows := []*trace.Event{n.lastReceived(m.To, trace.PreVote), n.logEvent(), e}
	if i < 0 {
		n.violation(preVoteReply, shows, "grants %s a pre-vote for term %d, about which that did not ask", n.c.name(m.To), m.Term)
		return
	}
	n.violation(preVoteReply, shows, "grants %s a pre-vote for term %d, although its own log, that ends with entry %d, is ahead of that one's",
		n.c.name(m.To), m.Term, n.log.last)
}
