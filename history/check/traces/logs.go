package traces

import (
	"cmp"
	"slices"

	"squall/history"
)

// termMonotonic: the current term of a node only grows, and is on its disk before
// anything depends on it, so a restart does not take it back either. Roles and votes
// tell it; other events may be told with the term in which they came about.
func termMonotonic(int) follower {
	last := make(map[string]*history.NodeEvent)
	return func(a *audit, e *history.NodeEvent) {
		if e.Kind != history.EventRole && e.Kind != history.EventVote {
			return
		}
		before := last[e.Node]
		if e.Term == 0 && (before == nil || e.Role == history.RoleStopped) {
			return
		}
		a.events++
		if before != nil && e.Term < before.Term {
			a.conflict(before, e, "the term of %s went back from %d to %d", boot(e), before.Term, e.Term)
			return // what follows is compared with the highest
		}
		if before != nil && e.Term > before.Term {
			a.looked++
		}
		last[e.Node] = e
	}
}

// commitMonotonic: while a server runs its commit index only grows. A restart may
// take it back, for the commit index is not on the disk: a node begins with its
// snapshot, or with nothing, and learns from the leader what is committed. The
// installation of a snapshot never takes it back.
func commitMonotonic(int) follower {
	last := make(map[bootOf]*history.NodeEvent)
	return func(a *audit, e *history.NodeEvent) {
		if e.Kind != history.EventCommit {
			return
		}
		a.events++
		b := bootOf{e.Node, e.Boot}
		before := last[b]
		if before != nil && e.Index < before.Index {
			a.conflict(before, e, "the commit index of %s went back from %d to %d", boot(e), before.Index, e.Index)
			return // what follows is compared with the highest
		}
		if before != nil {
			a.looked++
		}
		last[b] = e
	}
}

// leaderCompleteness: an entry that was committed is in the logs of the leaders of
// all later terms. A leader's role event tells the last entry of its log when it
// was elected; a log that ends before a committed entry, or in an older term than
// the entry is of, does not hold it.
//
// An entry was committed in the term of the node that reports it, or before, so the
// leaders of the terms after that one must have it, whenever they were elected. The
// first report of a restarted server is left out: it tells of its snapshot, and the
// server may have forgotten the term in which it came by that.
func leaderCompleteness(a *audit, events []history.NodeEvent) {
	e := gatherElections(a, events)
	if a.stop != "" || e.reports == 0 {
		return
	}
	a.events = len(e.leaders)
	byTerm := func(x, y *history.NodeEvent) int { return cmp.Compare(termOf(x), termOf(y)) }
	slices.SortStableFunc(e.leaders, byTerm)
	slices.SortStableFunc(e.commits, byTerm)
	if n := len(e.leaders); n > 1 && termOf(e.leaders[0]) < termOf(e.leaders[n-1]) && !(e.ends && e.terms) {
		a.stop = "the trace does not say where the logs of leaders end (i and et of their role), or in which terms entries were committed"
		return
	}
	var far, young *history.NodeEvent // of the terms before: the highest index, the latest entry's term
	k := 0
	for _, l := range e.leaders {
		for ; k < len(e.commits) && termOf(e.commits[k]) < l.Term; k++ {
			c := e.commits[k]
			if far == nil || c.Index > far.Index {
				far = c
			}
			if young == nil || c.EntryTerm > young.EntryTerm {
				young = c
			}
		}
		a.looked++
		switch {
		case far == nil: // the first leader: nothing was committed before
		case far.Index > l.Index:
			a.lacks(far, l)
		case young.EntryTerm > l.EntryTerm:
			a.lacks(young, l)
		}
	}
}

// elections are the events that leaderCompleteness looks at.
type elections struct {
	leaders []*history.NodeEvent // when they were elected
	commits []*history.NodeEvent // those whose term is known
	reports int                  // of commits
	ends    bool                 // role events tell where logs end
	terms   bool                 // commit events tell the node's term
}

func gatherElections(a *audit, events []history.NodeEvent) (out elections) {
	begun := make(map[bootOf]bool)
	led := make(map[bootOf]uint64) // the last term that a server was seen to lead
	for i := range events {
		if a.over() {
			return out
		}
		e := &events[i]
		b := bootOf{e.Node, e.Boot}
		switch e.Kind {
		case history.EventRole:
			out.ends = out.ends || e.Index > 0
			if e.Leads() && led[b] != e.Term { // said again, its log has grown
				led[b] = e.Term
				out.leaders = append(out.leaders, e)
			}
		case history.EventCommit:
			out.reports++
			out.terms = out.terms || e.Term > 0
			if e.Term > 0 && (begun[b] || e.Boot <= 1) {
				out.commits = append(out.commits, e)
			}
			begun[b] = true
		}
	}
	return out
}

// termOf is the term of the node that reports an event. It is never before that of
// an entry that it reports committed.
func termOf(e *history.NodeEvent) uint64 {
	if e.Kind == history.EventCommit {
		return max(e.Term, e.EntryTerm)
	}
	return e.Term
}

func (a *audit) lacks(c, l *history.NodeEvent) {
	a.conflict(c, l, "%s became leader of term %d without entry %d of term %d, which %s had reported committed in term %d: its log ended at entry %d of term %d",
		boot(l), l.Term, c.Index, c.EntryTerm, boot(c), termOf(c), l.Index, l.EntryTerm)
}

// bootOf is one start of one node's server.
type bootOf struct {
	node string
	boot int
}
