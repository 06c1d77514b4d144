package traces

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"squall/history"
	"squall/history/check"
	"squall/history/check/checktest"
	"squall/history/check/validity"
)

func votes(node string, boot int, term uint64, for_ string) history.NodeEvent {
	return history.NodeEvent{Node: node, Boot: boot, Kind: history.EventVote, Term: term, Vote: for_}
}

func commits(node string, boot int, index, term uint64, hash string) history.NodeEvent {
	return history.NodeEvent{Node: node, Boot: boot, Kind: history.EventCommit, Index: index, EntryTerm: term, Hash: hash}
}

func state(node string, index uint64, hash string) history.NodeEvent {
	return history.NodeEvent{Node: node, Boot: 1, Kind: history.EventState, Index: index, Hash: hash}
}

func TestInvariants(t *testing.T) {
	other := history.NodeEvent{Node: "n1", Boot: 1, Kind: history.EventStart}
	candidate := history.NodeEvent{Node: "n3", Boot: 1, Kind: history.EventRole, Role: history.RoleCandidate, Term: 1}
	for _, tt := range []struct {
		name, check string
		events      []history.NodeEvent
		want        check.Verdict
		witness     []int // which events
		summary     string
	}{
		{"one leader a term", "election-safety", []history.NodeEvent{other, checktest.Leads("n1", 1, 1), candidate, checktest.Leads("n2", 1, 2), checktest.Leads("n1", 1, 3)}, check.Pass, nil, "3 terms"},
		{"leader says it twice", "election-safety", []history.NodeEvent{checktest.Leads("n1", 1, 1), checktest.Leads("n1", 1, 1)}, check.Pass, nil, "1 term with a leader"},
		{"two leaders", "election-safety", []history.NodeEvent{checktest.Leads("n1", 1, 1), checktest.Leads("n2", 1, 2), checktest.Leads("n3", 1, 2)}, check.Violation, []int{1, 2}, "two leaders in term 2: n2 and n3"},
		{"leader again after restart", "election-safety", []history.NodeEvent{checktest.Leads("n1", 1, 4), checktest.Leads("n1", 2, 4)}, check.Violation, []int{0, 1}, "n1 led term 4, was restarted"},
		{"no leader event", "election-safety", []history.NodeEvent{other, candidate}, check.Unknown, nil, "no terms with a leader"},
		{"votes", "vote-safety", []history.NodeEvent{votes("n1", 1, 1, "n1"), votes("n1", 1, 2, "n2"), votes("n2", 1, 2, "n2"), votes("n1", 2, 2, "n2")}, check.Pass, nil, "3 votes"},
		{"two votes", "vote-safety", []history.NodeEvent{votes("n1", 1, 1, "n1"), votes("n1", 1, 1, "n2")}, check.Violation, []int{0, 1}, "n1 voted twice in term 1: for n1 and for n2"},
		{"two votes over a restart", "vote-safety", []history.NodeEvent{votes("n1", 1, 1, "n1"), votes("n2", 1, 1, "n1"), votes("n1", 2, 1, "n3")}, check.Violation, []int{0, 2}, "n1 voted twice"},
		{"no votes", "vote-safety", []history.NodeEvent{checktest.Leads("n1", 1, 1)}, check.Unknown, nil, "no votes"},
		{"log", "log-agreement", []history.NodeEvent{commits("n1", 1, 5, 1, "a"), commits("n2", 1, 5, 1, "a"), commits("n2", 1, 9, 2, "b")}, check.Pass, nil, "2 committed"},
		{"log differs", "log-agreement", []history.NodeEvent{commits("n1", 1, 5, 1, "a"), commits("n2", 1, 5, 1, "b"), commits("n3", 1, 5, 1, "c")}, check.Violation, []int{0, 1}, "hash a on n1 (boot 1) and b on n2 (boot 1); the first of 2"},
		{"log differs in term", "log-agreement", []history.NodeEvent{commits("n1", 1, 5, 1, "a"), commits("n2", 1, 5, 2, "a")}, check.Violation, []int{0, 1}, "term 1 on n1"},
		{"log without a hash", "log-agreement", []history.NodeEvent{commits("n1", 1, 5, 1, ""), commits("n2", 1, 5, 1, "b"), commits("n3", 1, 5, 1, "")}, check.Pass, nil, "1 committed"},
		{"log without a hash differs in term", "log-agreement", []history.NodeEvent{commits("n1", 1, 5, 1, "a"), commits("n2", 1, 5, 2, "")}, check.Violation, []int{0, 1}, "term 2 on n2"},
		{"log differs beside one without a hash", "log-agreement", []history.NodeEvent{commits("n1", 1, 5, 1, ""), commits("n2", 1, 5, 1, "a"), commits("n3", 1, 5, 1, "b")}, check.Violation, []int{1, 2}, "hash a on n2"},
		{"log forgets over a restart", "log-agreement", []history.NodeEvent{commits("n1", 1, 5, 1, "a"), commits("n1", 2, 5, 1, "b")}, check.Violation, []int{0, 1}, "boot 2"},
		{"no log", "log-agreement", nil, check.Unknown, nil, "holds no trace"},
		{"state", "state-agreement", []history.NodeEvent{state("n1", 5, "a"), state("n2", 5, "a"), commits("n2", 1, 5, 1, "z")}, check.Pass, nil, "1 state-machine state,"},
		{"state differs", "state-agreement", []history.NodeEvent{state("n1", 5, "a"), state("n2", 6, "c"), state("n2", 5, "b")}, check.Violation, []int{0, 2}, "index 5 differs"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := &check.Input{History: &history.History{Nodes: tt.events}}
			for _, c := range Invariants() {
				if c.Name() != tt.check {
					continue
				}
				res := c.Check(t.Context(), in)
				wantStreamed(t, tt.check, tt.events, tt.want)
				if res.Verdict != tt.want || !strings.Contains(res.Summary, tt.summary) {
					t.Errorf("%s %q, want %s with %q", res.Verdict, res.Summary, tt.want, tt.summary)
				}
				var witness []history.NodeEvent
				for _, i := range tt.witness {
					witness = append(witness, tt.events[i])
				}
				if diff := cmp.Diff(witness, res.Events); diff != "" {
					t.Errorf("events (-want +got):\n%s", diff)
				}
				return
			}
			t.Errorf("no invariant %s", tt.check)
		})
	}
}

// TestLogsDoNotJudge: whatever servers write to their logs, it neither breaks a guarantee
// of Raft nor shows that one holds.
func TestLogsDoNotJudge(t *testing.T) {
	logged := func(node string, term uint64) history.NodeEvent {
		return history.NodeEvent{Node: node, Boot: 1, Kind: history.EventLogged, Role: history.RoleLeader, Term: term}
	}
	in := &check.Input{History: &history.History{Header: checktest.Registers("n1", "n2", "n3"), Nodes: []history.NodeEvent{logged("n1", 2), logged("n2", 2), logged("n1", 1), logged("n3", 2)}}}
	for _, c := range append(Invariants(), validity.Crashes()) {
		if res := c.Check(t.Context(), in); res.Verdict != check.Unknown {
			t.Errorf("%s: %s %s", c.Name(), res.Verdict, res.Summary)
		}
	}
	if history.Traced(in.Nodes) || check.Standing(in, "n1", 1) != "" {
		t.Error("a log is taken for a trace")
	}
}
