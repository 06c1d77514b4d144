package check

import (
	"context"
	"fmt"

	"squall/history"
)

// Invariants returns the checkers of Raft's own promises (Ongaro's thesis,
// figure 3.2), which look at what the nodes say of themselves and not at what
// clients saw: "election-safety", "vote-safety", "log-agreement" and
// "state-agreement".
//
// They are for systems whose nodes write a trace. Each says Unknown when the
// history holds none of the events that it looks at, since a promise that was
// not looked at was not kept; for a system without a trace, leave them out.
func Invariants() []Checker {
	return []Checker{
		invariant{"election-safety", "terms with a leader", electionSafety},
		invariant{"vote-safety", "votes", voteSafety},
		invariant{"log-agreement", "committed log positions", logAgreement},
		invariant{"state-agreement", "state-machine states", stateAgreement},
	}
}

// invariant is a checker over node events.
type invariant struct {
	name   string
	counts string // what audit.looked counts, for the summary
	check  func([]history.NodeEvent) audit
}

var _ Checker = invariant{}

// audit is what an invariant found.
type audit struct {
	looked    int // things of which the promise was looked at
	events    int // events that spoke of them
	conflicts int
	summary   string              // of the first conflict
	witness   []history.NodeEvent // its events
}

// conflict notes a broken promise. The first one is what is shown: those after
// it are often its consequences.
func (a *audit) conflict(x, y history.NodeEvent, format string, args ...any) {
	if a.conflicts++; a.conflicts == 1 {
		a.summary = fmt.Sprintf(format, args...)
		a.witness = []history.NodeEvent{x, y}
	}
}

func (c invariant) Name() string { return c.name }

// Check implements Checker.
func (c invariant) Check(_ context.Context, in *Input) Result {
	a := c.check(in.Nodes)
	res := Result{Stats: map[string]float64{
		"looked": float64(a.looked), "events": float64(a.events), "conflicts": float64(a.conflicts),
	}}
	switch {
	case a.conflicts > 0:
		res.Verdict, res.Summary, res.Events = Violation, a.summary, a.witness
		if a.conflicts > 1 {
			res.Summary += fmt.Sprintf("; the first of %d conflicts", a.conflicts)
		}
	case a.events == 0:
		res.Verdict = Unknown
		res.Summary = fmt.Sprintf("the history holds no %s: the nodes wrote no trace, or it was lost", c.counts)
	default:
		res.Verdict = Pass
		res.Summary = fmt.Sprintf("%d %s, no conflict", a.looked, c.counts)
	}
	return res
}

// electionSafety: at most one leader a term. A node that was restarted can not
// lead the same term again either: to be elected it would have had to vote for
// itself in a term in which its vote was given already.
func electionSafety(events []history.NodeEvent) (a audit) {
	leaders := make(map[uint64]*history.NodeEvent)
	for i := range events {
		e := &events[i]
		if e.Kind != history.EventRole || e.Role != history.RoleLeader {
			continue
		}
		a.events++
		first, seen := leaders[e.Term]
		switch {
		case !seen:
			leaders[e.Term] = e
		case first.Node != e.Node:
			a.conflict(*first, *e, "two leaders in term %d: %s and %s", e.Term, first.Node, e.Node)
		case first.Boot != e.Boot:
			a.conflict(*first, *e, "%s led term %d, was restarted, and led it again: its vote was not kept", e.Node, e.Term)
		}
	}
	a.looked = len(leaders)
	return a
}

// voteSafety: a node grants its vote to one candidate a term, whatever number
// of times it was restarted in between.
func voteSafety(events []history.NodeEvent) (a audit) {
	type ballot struct {
		node string
		term uint64
	}
	votes := make(map[ballot]*history.NodeEvent)
	for i := range events {
		e := &events[i]
		if e.Kind != history.EventVote {
			continue
		}
		a.events++
		b := ballot{e.Node, e.Term}
		first, seen := votes[b]
		if !seen {
			votes[b] = e
		} else if first.Vote != e.Vote {
			a.conflict(*first, *e, "%s voted twice in term %d: for %s and for %s", e.Node, e.Term, first.Vote, e.Vote)
		}
	}
	a.looked = len(votes)
	return a
}

// logAgreement: once committed, the log up to an index never changes, on no
// node. The hash is of the whole log up to there.
func logAgreement(events []history.NodeEvent) audit {
	return agreement(events, history.EventCommit, "the log up to index")
}

// stateAgreement: after the same index, every state machine is in the same
// state.
func stateAgreement(events []history.NodeEvent) audit {
	return agreement(events, history.EventState, "the state after index")
}

// agreement: events of this kind with the same index say the same.
func agreement(events []history.NodeEvent, kind, what string) (a audit) {
	byIndex := make(map[uint64]*history.NodeEvent)
	for i := range events {
		e := &events[i]
		if e.Kind != kind {
			continue
		}
		a.events++
		first, seen := byIndex[e.Index]
		switch {
		case !seen:
			byIndex[e.Index] = e
		case kind == history.EventCommit && first.EntryTerm != e.EntryTerm:
			a.conflict(*first, *e, "%s %d differs: its last entry is of term %d on %s and of term %d on %s",
				what, e.Index, first.EntryTerm, boot(first), e.EntryTerm, boot(e))
		case first.Hash != e.Hash:
			a.conflict(*first, *e, "%s %d differs: hash %s on %s and %s on %s", what, e.Index, first.Hash, boot(first), e.Hash, boot(e))
		}
	}
	a.looked = len(byIndex)
	return a
}

func boot(e *history.NodeEvent) string { return fmt.Sprintf("%s (boot %d)", e.Node, e.Boot) }
