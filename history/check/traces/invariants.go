// Package traces has the checks of what nodes tell of themselves: the invariants of Raft,
// by the events of the first trace, and "conformance", by every step of the full one.
package traces

import (
	"context"
	"fmt"
	"maps"

	"squall/history"
	"squall/history/check"
)

// Invariants returns the checkers of Raft's own guarantees (Ongaro's thesis,
// figure 3.2), which look at what the nodes say of themselves and not at what
// clients saw: "election-safety", "vote-safety", "log-agreement",
// "state-agreement", "term-monotonic", "commit-monotonic",
// "election-timers" and "leader-completeness".
//
// They are for systems whose nodes write a trace. Each says Unknown when the
// history holds none of the events that it looks at, or when the trace of a node
// falls silent while its server runs on, since a guarantee that was not checked
// was not kept; for a system without a trace, leave them out.
func Invariants() []check.Checker {
	return []check.Checker{
		streamed("election-safety", "term with a leader", "terms with a leader", electionSafety),
		streamed("vote-safety", "vote", "votes", voteSafety),
		streamed("log-agreement", "committed log position", "committed log positions", logAgreement),
		streamed("state-agreement", "state-machine state", "state-machine states", stateAgreement),
		streamed("term-monotonic", "advance of a term", "advances of terms", termMonotonic),
		streamed("commit-monotonic", "advance of a commit index", "advances of commit indexes", commitMonotonic),
		invariant{electionTimersName, "election timeout", "election timeouts", electionTimers},
		invariant{"leader-completeness", "leader's log compared with what was committed before", "leaders' logs compared with what was committed before", leaderCompleteness},
	}
}

// invariant is a checker over node events.
type invariant struct {
	name      string
	one, many string // what audit.looked counts, for the summary
	check     func(*audit, []history.NodeEvent)
}

var _ check.Checker = invariant{}

// audit is what an invariant found.
type audit struct {
	looked    int // things that were checked
	events    int // events that spoke of them
	conflicts int
	at        int64               // when the first conflict was there to be seen
	summary   string              // of the first conflict
	witness   []history.NodeEvent // its events

	bent map[string]bool // nodes whose clocks were bent at some time

	budget *check.Budget
	stop   string // why it was not gone through to the end
}

// conflict notes a broken guarantee. The first one is shown:
// those after it are often its consequences.
func (a *audit) conflict(x, y *history.NodeEvent, format string, args ...any) {
	at := max(x.Time, y.Time)
	if a.conflicts++; a.conflicts == 1 || at < a.at {
		a.at, a.summary, a.witness = at, fmt.Sprintf(format, args...), []history.NodeEvent{*x, *y}
	}
}

// over counts an event that was gone through, and reports whether to end.
func (a *audit) over() bool {
	a.stop = a.budget.Spent()
	return a.stop != ""
}

func (c invariant) Name() string { return c.name }

// Check implements Checker.
func (c invariant) Check(ctx context.Context, in *check.Input) check.Result {
	a := &audit{budget: check.NewBudget(ctx, in.Limits), bent: bentNodes(in.Faults)}
	defer a.budget.Cancel()
	c.check(a, in.Nodes)
	res := check.Result{Stats: map[string]float64{
		"looked": float64(a.looked), "events": float64(a.events), "conflicts": float64(a.conflicts),
	}}
	var silent []check.Silence
	if a.conflicts == 0 && a.stop == "" {
		silent, a.stop = in.Silences(a.budget)
	}
	switch {
	case a.conflicts > 0:
		res.Verdict, res.Summary, res.Events = check.Violation, a.summary, a.witness
		res.FirstAt = in.FirstAt(a.at)
		if a.conflicts > 1 {
			res.Summary += fmt.Sprintf("; the first of %d conflicts", a.conflicts)
		}
	case a.stop != "":
		res.Verdict, res.Summary = check.Unknown, a.stop
	case len(silent) > 0:
		res.Verdict = check.Unknown
		res.Summary = check.SilentText(silent) + "; what the traces recorded shows no conflict"
	case a.events == 0 && !history.Traced(in.Nodes):
		res.Verdict, res.Summary = check.Unknown, "the history holds no trace: the nodes wrote none, or it was lost"
	case a.events == 0 && c.name == electionTimersName:
		// Traces need not tell timeouts.
		res.Verdict, res.Summary = check.Pass, fmt.Sprintf("the trace holds no %s, so there is nothing to compare", c.many)
	case a.events == 0:
		res.Verdict, res.Summary = check.Unknown, fmt.Sprintf("the trace holds no %s, so there is nothing to compare", c.many)
	default:
		res.Verdict = check.Pass
		res.Summary = check.Counted(a.looked, c.one, c.many) + ", no conflict"
	}
	return res
}

// bentNodes are those whose clocks some fault bent, or may have bent.
func bentNodes(faults []history.Fault) map[string]bool {
	bent := map[string]bool{}
	for i := range faults {
		for _, node := range faults[i].Targets {
			bent[node] = bent[node] || faults[i].Kind == history.KindClock
		}
		for _, m := range faults[i].Measured { // of a sequence that bends one among other things
			bent[m.Where] = bent[m.Where] || m.What == history.ClockRate
		}
	}
	return bent
}

// electionSafety: at most one leader a term. A node that was restarted can not
// lead the same term again either: to be elected it would have had to vote for
// itself in a term in which its vote was given already.
func electionSafety(int) follower {
	leaders := make(map[uint64]*history.NodeEvent)
	return func(a *audit, e *history.NodeEvent) {
		if !e.Leads() {
			return
		}
		a.events++
		first, seen := leaders[e.Term]
		switch {
		case !seen:
			leaders[e.Term] = e
			a.looked++
		case first.Node != e.Node:
			a.conflict(first, e, "two leaders in term %d: %s and %s", e.Term, first.Node, e.Node)
		case first.Boot != e.Boot:
			a.conflict(first, e, "%s led term %d, was restarted, and led it again: its vote was not kept", e.Node, e.Term)
		}
	}
}

// voteSafety: a node grants its vote to one candidate a term, whatever number
// of times it was restarted in between.
func voteSafety(int) follower {
	type ballot struct {
		node string
		term uint64
	}
	votes := make(map[ballot]*history.NodeEvent)
	return func(a *audit, e *history.NodeEvent) {
		if e.Kind != history.EventVote {
			return
		}
		a.events++
		b := ballot{e.Node, e.Term}
		first, seen := votes[b]
		if !seen {
			votes[b] = e
			a.looked++
		} else if first.Vote != e.Vote {
			a.conflict(first, e, "%s voted twice in term %d: for %s and for %s", e.Node, e.Term, first.Vote, e.Vote)
		}
	}
}

// logAgreement: once committed, the log up to an index never changes, on no
// node. The hash is of the whole log up to there.
func logAgreement(most int) follower {
	return agreement(history.EventCommit, "the log up to index", most)
}

// stateAgreement: after the same index, every state machine is in the same
// state.
func stateAgreement(most int) follower {
	return agreement(history.EventState, "the state after index", most)
}

// agreement: events of this kind with the same index say the same. It remembers so many
// indexes, the latest ones; 0: all.
func agreement(kind, what string, most int) follower {
	byIndex := make(map[uint64]*history.NodeEvent)
	latest := uint64(0)
	return func(a *audit, e *history.NodeEvent) {
		if e.Kind != kind {
			return
		}
		a.events++
		if latest = max(latest, e.Index); most > 0 && len(byIndex) >= most {
			maps.DeleteFunc(byIndex, func(i uint64, _ *history.NodeEvent) bool { return i+uint64(most)/2 < latest })
		}
		first, seen := byIndex[e.Index]
		switch {
		case !seen:
			byIndex[e.Index] = e
			a.looked++
		case kind == history.EventCommit && first.EntryTerm == e.EntryTerm && (first.Hash == "" || e.Hash == ""):
			// A node that does not know the hash says nothing of it.
			if first.Hash == "" {
				byIndex[e.Index] = e
			}
		case kind == history.EventCommit && first.EntryTerm != e.EntryTerm:
			a.conflict(first, e, "%s %d differs: its last entry is of term %d on %s and of term %d on %s",
				what, e.Index, first.EntryTerm, boot(first), e.EntryTerm, boot(e))
		case first.Hash != e.Hash:
			a.conflict(first, e, "%s %d differs: hash %s on %s and %s on %s", what, e.Index, first.Hash, boot(first), e.Hash, boot(e))
		}
	}
}

func boot(e *history.NodeEvent) string { return fmt.Sprintf("%s (boot %d)", e.Node, e.Boot) }
