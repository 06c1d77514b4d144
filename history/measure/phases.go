package measure

import (
	"slices"
	"sort"
	"strings"

	"squall/history"
)

// ReasonTimeout is the reason of a follower's role event that says: I heard no
// leader for so long that I ask whether I could win an election. It is the
// pre-vote, which our Raft node traces so because to the outside it is still a
// follower. See docs/trace.md.
const ReasonTimeout = "election timeout"

// campaign is a node's try to become leader, from its role event to its next one.
type campaign struct {
	node       string
	term       uint64 // that it wants to lead
	begin, end int64  // ns of the machine's clock
	preVote    bool   // it only asks whether it could
}

// campaigns are the elections of a test: who stood for which term, and which of
// the terms had a leader.
type campaigns struct {
	list    []campaign       // by begin
	byNode  map[string][]int // indexes in list, in their order: those of one node do not overlap
	won     map[uint64]bool
	outages map[string][]Outage // of each node, by begin: they do not overlap
	mono    int64
}

func newCampaigns(in *history.History, leaderships []*leadership, end int64) *campaigns {
	b := &campaigns{byNode: map[string][]int{}, won: map[uint64]bool{}, outages: map[string][]Outage{}, mono: in.Header.Mono}
	for _, o := range Outages(in) {
		b.outages[o.Node] = append(b.outages[o.Node], o)
	}
	for _, r := range leaderships {
		b.won[r.term] = true
	}
	latest := map[string]int{} // by node, its last campaign
	for _, s := range steps(in) {
		e := s.node
		if e == nil || s.at > end {
			continue
		}
		if i, runs := latest[e.Node]; runs && (e.Kind == history.EventRole || e.Kind == history.EventExit || e.Kind == history.EventStart) {
			b.list[i].end = s.at
			delete(latest, e.Node)
		}
		if e.Kind != history.EventRole {
			continue
		}
		st := campaign{node: e.Node, term: e.Term, begin: s.at, end: end}
		switch {
		case e.Role == history.RoleCandidate:
		case e.Role == history.RoleFollower && e.Leader == "" && strings.TrimSpace(e.Reason) == ReasonTimeout:
			st.preVote, st.term = true, e.Term+1
		default:
			continue
		}
		latest[e.Node] = len(b.list)
		b.byNode[e.Node] = append(b.byNode[e.Node], len(b.list))
		b.list = append(b.list, st)
	}
	return b
}

// phases fills in who stood for election between a loss (from) and the next
// leader or the end of the test (to), and what it took; ns of the machine's
// clock.
func (b *campaigns) phases(l *Loss, from, to int64) {
	first := int64(-1)
	stood := map[uint64]map[string]bool{} // nodes by term
	latest := l.Term
	for _, i := range b.between(from, to) {
		s := b.list[i]
		term, preVote := s.term, s.preVote
		if !preVote && term == l.Term && s.begin >= from {
			// A candidate of the lost leader's own term, after it: another system's
			// word for one that asks for pre-votes.
			term, preVote = term+1, true
		}
		// The first moment beats every other: campaigns are in the order of time.
		if term <= l.Term || b.out(s, from) {
			continue
		}
		if first < 0 {
			first, l.Candidate = max(s.begin, from), s.node
		}
		if preVote {
			continue
		}
		if stood[term] == nil {
			stood[term] = map[string]bool{}
		}
		stood[term][s.node] = true
		latest = max(latest, term)
	}
	if l.NewLeader != "" {
		// It stood, whether the history tells of it or not.
		if stood[l.NewTerm] == nil {
			stood[l.NewTerm] = map[string]bool{}
		}
		stood[l.NewTerm][l.NewLeader] = true
		latest = l.NewTerm
	}
	l.Rounds, l.Terms = len(stood), latest-l.Term
	for term, nodes := range stood {
		if len(nodes) > 1 && !b.won[term] {
			l.SplitVotes++
		}
	}
	if first >= 0 {
		l.Detection = millis(first - from)
		if l.NewLeader != "" {
			l.Election = millis(to - first)
		}
	}
}

// between are the indexes of the campaigns that last beyond from, or begin then or
// later, and begin by to; in the order of time.
func (b *campaigns) between(from, to int64) []int {
	var out []int
	for _, own := range b.byNode {
		first := sort.Search(len(own), func(i int) bool { s := b.list[own[i]]; return s.end > from || s.begin >= from })
		for _, i := range own[first:] {
			if b.list[i].begin > to {
				break
			}
			out = append(out, i)
		}
	}
	slices.Sort(out)
	return out
}

// out reports whether a node that stood could not take part already before a
// loss: what it does it would have done anyway, and it can win nothing.
func (b *campaigns) out(s campaign, loss int64) bool {
	outages := b.outages[s.node]
	next := sort.Search(len(outages), func(i int) bool { return outages[i].Begin+b.mono >= loss })
	return next > 0 && outages[next-1].End+b.mono > max(s.begin, loss)
}
