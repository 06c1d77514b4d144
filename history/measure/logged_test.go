package measure

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"squall/history"
)

// TestLogged: who led by the logs is told as what it is, and nothing else comes of it.
func TestLogged(t *testing.T) {
	const mono = 1000
	says := func(at int64, node, role string, term uint64, leader string) history.NodeEvent {
		return history.NodeEvent{Node: node, Boot: 1, Kind: history.EventLogged, Time: mono + at, Role: role, Term: term, Leader: leader}
	}
	events := []history.NodeEvent{
		says(1, "n1", history.RoleFollower, 1, ""),
		says(2, "n1", history.RoleCandidate, 2, ""),
		says(3, "n1", history.RoleLeader, 2, ""),
		says(4, "n2", history.RoleFollower, 2, "n1"), // the same
		says(5, "n3", history.RoleCandidate, 3, ""),
		says(6, "n3", history.RoleLeader, 3, ""),
		says(7, "n1", history.RoleLeader, 2, ""),   // it is late
		says(8, "n1", history.RoleFollower, 3, ""), // nobody said that it led
		{Node: "n3", Boot: 1, Kind: history.EventExit, Time: mono + 9, Reason: history.ReasonKilled},
		says(10, "n2", history.RoleLeader, 0, ""), // some tell no terms
		says(11, "n2", history.RoleFollower, 0, ""),
		says(12, "n1", history.RoleFollower, 5, "n3"),
	}
	in := &history.History{Header: history.Header{Mono: mono, Nodes: []string{"n1", "n2", "n3"}}, Nodes: events}
	want := &Logged{Leaders: 4, Candidates: 2, Leaderships: []Leadership{
		{Node: "n1", Term: 2, Begin: 3, End: 6}, {Node: "n3", Term: 3, Begin: 6, End: 9}, {Node: "n2", Begin: 10, End: 11}, {Node: "n3", Term: 5, Begin: 12},
	}}
	if diff := cmp.Diff(want, logged(in)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	out := elections(in, newSamples(in))
	if diff := cmp.Diff(want, out.Logged); diff != "" || !out.NoTrace || out.Count != 0 || len(out.Leaderships) != 0 || len(out.Losses) != 0 {
		t.Errorf("a log is taken for a trace: %+v\n%s", out, diff)
	}
	if text := out.Logged.Text(); text != "from logs: 4 leaders, 2 candidacies" {
		t.Error(text)
	}
	in.Nodes = append(in.Nodes, history.NodeEvent{Node: "n1", Boot: 1, Kind: history.EventRole, Role: history.RoleLeader, Term: 9, Time: mono + 20})
	if out := elections(in, newSamples(in)); out.Logged != nil {
		t.Error("beside a trace, logs say nothing")
	}
	if in.Nodes = nil; logged(in) != nil {
		t.Error("no log, and yet something is known")
	}
}
