package elections

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	"squall/history"
)

// Recompute finds again what each trial took, from the events of the history.
func (r *Record) Recompute(h *history.History) {
	for i := range r.Ranges {
		for j := range r.Ranges[i].Trials {
			t := &r.Ranges[i].Trials[j]
			if t.Outcome == Invalid && t.Crash == 0 {
				continue // it never began: there is nothing to find
			}
			r.Reconstruct(t, within(h.Nodes, h.Header.Mono+t.Begin, h.Header.Mono+t.End), h.Header.Mono)
		}
	}
}

// within are the events of a stretch of time; they are sorted by it.
func within(events []history.NodeEvent, from, to int64) []history.NodeEvent {
	a := sort.Search(len(events), func(i int) bool { return events[i].Time >= from })
	b := sort.Search(len(events), func(i int) bool { return events[i].Time > to })
	return events[a:max(a, b)]
}

// Reconstruct fills in what the events of a trial tell, and its outcome. They are
// sorted by time; start is that of the test, ns of the machines' clock.
func (r *Record) Reconstruct(t *Trial, events []history.NodeEvent, start int64) {
	t.Found, t.Outcome, t.Why = Found{}, Invalid, ""
	c := &reconstruction{trial: t, events: events, plain: r.Plain}
	if !c.findCrash() {
		return
	}
	t.Crash = c.crash - start
	c.findElection()
	c.findLengths()
	if why := c.flaw(r.Nodes); why != "" {
		t.Why = why
		return
	}
	if c.heard == 0 {
		t.Outcome, t.Why = Undecided, "no new leader was heard within the limit"
		t.NoLeader = MillisOf(start + t.End - c.crash)
		return
	}
	t.Outcome = Elected
}

// reconstruction is a trial being computed from events; times are ns of the machines' clock.
type reconstruction struct {
	trial  *Trial
	events []history.NodeEvent
	plain  bool

	sent  int64 // the broadcast; 0: none
	crash int64
	heard int64 // a survivor got the new leader's first message; 0: none did
	early string
}

// findCrash finds the crash and what led to it.
func (c *reconstruction) findCrash() bool {
	t := c.trial
	var proposed int64
	for i := range c.events {
		e := &c.events[i]
		if e.Node != t.Leader {
			continue
		}
		switch {
		case c.plain && e.Kind == history.EventExit && c.crash == 0:
			c.crash = e.Time
		case e.Kind != history.EventTrial && e.Kind != history.EventCommit:
		case strings.HasPrefix(e.Reason, "refused"):
			t.Why = "the leader " + e.Reason
			return false
		case e.Reason == "proposed":
			proposed, t.Index = e.Time, e.Index
		case e.Kind == history.EventCommit && t.Broadcast == 0 && proposed > 0 && e.Index >= t.Index:
			t.Broadcast = MillisOf(e.Time - proposed)
		case e.Reason == "broadcast":
			c.sent = e.Time
		case e.Reason == "crash" && c.sent > 0:
			c.crash = e.Time
			t.Waited = MillisOf(e.Time - c.sent)
		}
	}
	if c.crash == 0 {
		t.Why = "the leader did not crash"
	}
	return c.crash > 0
}

// findElection follows the survivors from the crash to a new leader that all of
// them have heard.
func (c *reconstruction) findElection() {
	t := c.trial
	stood := map[uint64]map[string]int64{} // by term: who stood, and when
	led := map[uint64]int64{}
	heardBy := map[string]int64{}
	var first int64
	for i := range c.events {
		e := &c.events[i]
		if e.Kind != history.EventRole || e.Term <= t.Term || e.Node == t.Leader && e.Time >= c.crash {
			continue
		}
		if e.Time < c.crash {
			c.early = fmt.Sprintf("%s was in term %d before the crash", e.Node, e.Term)
			continue
		}
		switch {
		case e.Role == history.RoleCandidate:
			if stood[e.Term] == nil {
				stood[e.Term] = map[string]int64{}
			}
			stood[e.Term][e.Node] = e.Time
			if first == 0 {
				first = e.Time
			}
			if c.heard == 0 {
				t.Late = max(t.Late, MillisOf(e.Late))
			}
		case e.Role == history.RoleLeader:
			led[e.Term] = e.Time
		case e.Role == history.RoleFollower && e.Leader != "" && e.Leader != e.Node:
			if c.heard == 0 {
				c.heard, t.NewLeader, t.NewTerm = e.Time, e.Leader, e.Term
			}
			if _, ok := heardBy[e.Node]; !ok && e.Term >= t.NewTerm {
				heardBy[e.Node] = e.Time
				t.All = MillisOf(e.Time - c.crash)
			}
		}
	}
	if first > 0 {
		t.Detection = MillisOf(first - c.crash)
	}
	if c.heard == 0 {
		t.All = 0
		return
	}
	t.NoLeader = MillisOf(c.heard - c.crash)
	if at := led[t.NewTerm]; at > 0 && first > 0 {
		t.Election = MillisOf(at - first)
	}
	if at := stood[t.NewTerm][t.NewLeader]; at > 0 {
		t.Won = MillisOf(c.heard - at)
	}
	for term, who := range stood {
		if term <= t.NewTerm {
			t.Rounds++
			if led[term] == 0 && len(who) > 1 {
				t.Split++
			}
		}
	}
}

// findLengths notes how long each survivor's log was when it last spoke of that
// before it followed the new leader.
func (c *reconstruction) findLengths() {
	t := c.trial
	for i := range c.events {
		e := &c.events[i]
		if e.Kind != history.EventRole || e.Node == t.Leader || e.Time < c.crash || e.Index == 0 ||
			t.NewTerm > 0 && e.Term > t.NewTerm {
			continue
		}
		if t.Lengths == nil {
			t.Lengths = map[string]uint64{}
		}
		t.Lengths[e.Node] = e.Index
	}
}

// flaw says what makes a trial another experiment; "" when nothing does.
func (c *reconstruction) flaw(nodes []string) string {
	t := c.trial
	if c.early != "" {
		return c.early
	}
	if c.plain {
		return ""
	}
	for _, node := range nodes {
		length, known := t.Lengths[node]
		behind := slices.Contains(t.Behind, node)
		switch {
		case node == t.Leader || !known && c.heard == 0:
		case !known:
			return fmt.Sprintf("nothing shows how long the log of %s was", node)
		case behind && length >= t.Index:
			return fmt.Sprintf("the log of %s should be shorter than %d, but reaches %d", node, t.Index, length)
		case !behind && length < t.Index:
			return fmt.Sprintf("the log of %s should reach %d, but ends at %d", node, t.Index, length)
		}
	}
	if slices.Contains(t.Behind, t.NewLeader) {
		return fmt.Sprintf("%s won although its log was shorter: no such election is possible", t.NewLeader)
	}
	return ""
}
