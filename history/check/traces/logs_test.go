package traces

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"squall/history"
	"squall/history/check"
	"squall/history/check/checktest"
)

// elected is a leader's role event: at is its time in ms, last and lastTerm the end
// of its log.
func elected(node string, boot int, at int64, term, last, lastTerm uint64) history.NodeEvent {
	return history.NodeEvent{Node: node, Boot: boot, Kind: history.EventRole, Role: history.RoleLeader, Time: at * 1e6,
		Term: term, Index: last, EntryTerm: lastTerm}
}

// committed is a commit event of a node in the given term.
func committed(node string, boot int, at int64, term, index, entryTerm uint64) history.NodeEvent {
	return history.NodeEvent{Node: node, Boot: boot, Kind: history.EventCommit, Time: at * 1e6,
		Term: term, Index: index, EntryTerm: entryTerm, Hash: "h"}
}

func TestCommitMonotonicAndLeaderCompleteness(t *testing.T) {
	type events = []history.NodeEvent
	follows := history.NodeEvent{Node: "n2", Boot: 1, Kind: history.EventRole, Role: history.RoleFollower, Term: 1, Index: 3, EntryTerm: 1}
	for _, tt := range []struct {
		name, check string
		events      events
		want        check.Verdict
		summary     string
		firstAt     float64 // s
	}{
		{"terms grow", "term-monotonic", events{follows, checktest.Leads("n2", 1, 2), votes("n2", 1, 4, "n1"), votes("n2", 2, 4, "n1"), checktest.Leads("n1", 1, 3)}, check.Pass, "2 advances of terms", 0},
		{"a term goes back", "term-monotonic", events{checktest.Leads("n2", 1, 5), votes("n2", 1, 4, "n1"), checktest.Leads("n2", 1, 5)}, check.Violation, "the term of n2 (boot 1) went back from 5 to 4", 0},
		{"a term goes back over a restart", "term-monotonic", events{votes("n2", 1, 5, "n1"), checktest.Leads("n2", 2, 4), checktest.Leads("n2", 2, 3)}, check.Violation,
			"the term of n2 (boot 2) went back from 5 to 4; the first of 2", 0},
		{"a term is forgotten over a restart", "term-monotonic", events{votes("n2", 1, 2, "n1"), stops("n2", 1, 0), checktest.Leads("n2", 2, 0)}, check.Violation,
			"the term of n2 (boot 2) went back from 2 to 0", 0},
		{"one that stops tells no term", "term-monotonic", events{votes("n2", 1, 1, "n1"), votes("n2", 1, 2, "n1"), stops("n2", 1, 0)}, check.Pass, "1 advance of a term", 0},
		{"an old commit is told late", "term-monotonic", events{checktest.Leads("n1", 1, 5), committed("n1", 1, 2, 4, 5, 1), checktest.Leads("n1", 1, 6)}, check.Pass, "1 advance of a term", 0},
		{"no terms are told", "term-monotonic", events{committed("n1", 1, 2, 4, 5, 1), checktest.Leads("n1", 1, 0)}, check.Unknown, "holds no advances of terms", 0},

		{"it grows", "commit-monotonic", events{committed("n1", 1, 1, 1, 5, 1), committed("n2", 1, 2, 1, 3, 1), committed("n1", 1, 3, 1, 9, 1)}, check.Pass, "1 advance of", 0},
		{"said again", "commit-monotonic", events{committed("n1", 1, 1, 1, 5, 1), committed("n1", 1, 3, 1, 5, 1)}, check.Pass, "", 0},
		{"a restart may take it back", "commit-monotonic", events{committed("n1", 1, 1, 1, 50, 1), committed("n1", 2, 3, 1, 32, 1), committed("n1", 2, 4, 1, 50, 1)}, check.Pass, "", 0},
		{"it goes back", "commit-monotonic", events{committed("n1", 2, 1, 1, 5, 1), committed("n1", 2, 4200, 2, 4, 1), committed("n1", 2, 4300, 2, 3, 1)}, check.Violation,
			"the commit index of n1 (boot 2) went back from 5 to 4; the first of 2", 4.2},
		{"nothing told", "commit-monotonic", events{follows}, check.Unknown, "holds no advances", 0},

		{"complete", "leader-completeness", events{elected("n1", 1, 1, 1, 0, 0), committed("n1", 1, 2, 1, 5, 1), elected("n2", 1, 3, 2, 7, 1), committed("n2", 1, 4, 2, 8, 2),
			elected("n1", 2, 5, 3, 8, 2)}, check.Pass, "3 leaders' logs", 0},
		{"one leader", "leader-completeness", events{elected("n1", 1, 1, 1, 0, 0), committed("n1", 1, 2, 1, 5, 1)}, check.Pass, "1 leader's log", 0},
		{"it says again that it leads", "leader-completeness", events{elected("n1", 1, 1, 2, 4, 1), committed("n1", 1, 2, 2, 9, 2), elected("n1", 1, 3, 2, 9, 2)}, check.Pass, "", 0},
		{"it leads again later", "leader-completeness", events{elected("n1", 1, 1, 1, 0, 0), committed("n1", 1, 2, 1, 9, 1), elected("n1", 1, 3, 2, 4, 1)}, check.Violation, "without entry 9", 0.003},
		{"too short", "leader-completeness", events{elected("n1", 1, 1, 1, 0, 0), committed("n1", 1, 2, 1, 9, 1), elected("n2", 1, 7700, 2, 8, 1)}, check.Violation,
			"n2 (boot 1) became leader of term 2 without entry 9 of term 1, which n1 (boot 1) had reported committed in term 1: its log ended at entry 8 of term 1", 7.7},
		{"long, but of an old term", "leader-completeness", events{elected("n1", 1, 1, 2, 5, 1), committed("n1", 1, 2, 2, 6, 2), elected("n2", 1, 3, 3, 40, 1)}, check.Violation, "without entry 6 of term 2", 0.003},
		{"an empty log", "leader-completeness", events{follows, elected("n1", 1, 1, 1, 0, 0), committed("n1", 1, 2, 1, 9, 1), elected("n2", 1, 3, 2, 0, 0)}, check.Violation, "ended at entry 0", 0.003},
		{"a commit that is reported late", "leader-completeness", events{elected("n1", 1, 1, 1, 0, 0), elected("n2", 1, 3, 2, 4, 1), committed("n3", 1, 5, 1, 9, 1)}, check.Violation, "without entry 9", 0.005},
		{"what is committed later may be longer", "leader-completeness", events{elected("n1", 1, 1, 1, 0, 0), committed("n3", 1, 2, 1, 4, 1), elected("n2", 1, 3, 2, 4, 1), committed("n3", 1, 5, 2, 9, 2)}, check.Pass, "", 0},
		{"a snapshot after a restart, of a term that was forgotten", "leader-completeness", events{elected("n1", 1, 1, 1, 3, 1), committed("n3", 2, 2, 1, 50, 1), elected("n2", 1, 3, 2, 4, 1)}, check.Pass, "", 0},
		{"the first of several", "leader-completeness", events{elected("n1", 1, 1, 1, 3, 1), committed("n3", 1, 2, 1, 50, 1), elected("n2", 1, 9, 2, 4, 1), elected("n2", 1, 5, 3, 4, 1)}, check.Violation, "term 3 without", 0.005},
		{"ends are not told", "leader-completeness", events{elected("n1", 1, 1, 1, 0, 0), committed("n1", 1, 2, 1, 9, 1), elected("n2", 1, 3, 2, 0, 0)}, check.Unknown, "does not say where", 0},
		{"terms are not told", "leader-completeness", events{elected("n1", 1, 1, 1, 2, 1), committed("n1", 1, 2, 0, 9, 1), elected("n2", 1, 3, 2, 2, 1)}, check.Unknown, "does not say", 0},
		{"no commits", "leader-completeness", events{elected("n1", 1, 1, 1, 2, 1)}, check.Unknown, "holds no leaders'", 0},
	} {
		t.Run(tt.check+"/"+tt.name, func(t *testing.T) {
			res := checkNamed(t, tt.check, tt.events)
			wantStreamed(t, tt.check, tt.events, tt.want)
			if res.Verdict != tt.want || !strings.Contains(res.Summary, tt.summary) {
				t.Errorf("%s %q, want %s with %q", res.Verdict, res.Summary, tt.want, tt.summary)
			}
			if (tt.want == check.Violation) != (res.FirstAt != nil && *res.FirstAt == tt.firstAt) {
				t.Errorf("first at %s", cmp.Diff(res.FirstAt, &tt.firstAt))
			}
			if tt.want == check.Violation && len(res.Events) != 2 {
				t.Errorf("events: %+v", res.Events)
			}
		})
	}
}

func checkNamed(t *testing.T, name string, events []history.NodeEvent) check.Result {
	t.Helper()
	for _, c := range Invariants() {
		if c.Name() == name {
			return c.Check(t.Context(), &check.Input{History: &history.History{Nodes: events}})
		}
	}
	t.Fatalf("no invariant %s", name)
	return check.Result{}
}

// stops is a node that says that it stops, in a term or in none.
func stops(node string, boot int, term uint64) history.NodeEvent {
	e := checktest.Leads(node, boot, term)
	e.Role, e.Leader = history.RoleStopped, ""
	return e
}
