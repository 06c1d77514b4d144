package history

import "testing"

func TestLeading(t *testing.T) {
	role := func(node, role string, term uint64) NodeEvent {
		return NodeEvent{Node: node, Kind: EventRole, Role: role, Term: term}
	}
	var l Leading
	for i, step := range []struct {
		event            NodeEvent
		elected, changed bool
		want             Leading
	}{
		{role("n1", RoleCandidate, 1), false, false, Leading{}},
		{role("n1", RoleLeader, 1), true, true, Leading{Node: "n1", Term: 1, Last: "n1"}},
		{role("n1", RoleLeader, 1), false, false, Leading{Node: "n1", Term: 1, Last: "n1"}}, // said again
		{role("n2", RoleCandidate, 2), false, false, Leading{Node: "n1", Term: 1, Last: "n1"}},
		{role("n2", RoleLeader, 2), true, true, Leading{Node: "n2", Term: 2, Last: "n2", Before: "n1"}},
		{role("n1", RoleLeader, 1), false, false, Leading{Node: "n2", Term: 2, Last: "n2", Before: "n1"}},   // of an earlier term
		{role("n1", RoleFollower, 2), false, false, Leading{Node: "n2", Term: 2, Last: "n2", Before: "n1"}}, // another's word
		{role("n2", RoleFollower, 3), false, true, Leading{Term: 2, Last: "n2", Before: "n1"}},
		{NodeEvent{Node: "n2", Kind: EventExit}, false, false, Leading{Term: 2, Last: "n2", Before: "n1"}},
		{role("n2", RoleLeader, 4), true, true, Leading{Node: "n2", Term: 4, Last: "n2", Before: "n1"}}, // again
		{NodeEvent{Node: "n1", Kind: EventExit}, false, false, Leading{Node: "n2", Term: 4, Last: "n2", Before: "n1"}},
		{NodeEvent{Node: "n2", Kind: EventExit}, false, true, Leading{Term: 4, Last: "n2", Before: "n1"}},
		{NodeEvent{Kind: EventExit}, false, false, Leading{Term: 4, Last: "n2", Before: "n1"}}, // nobody's
	} {
		if elected, changed := l.Take(&step.event); elected != step.elected || changed != step.changed || l != step.want {
			t.Fatalf("step %d: %+v, elected %t, changed %t; want %+v", i, l, elected, changed, step.want)
		}
	}
	l.Observe("n3")
	if want := (Leading{Node: "n3", Term: 4, Last: "n3", Before: "n2"}); l != want {
		t.Errorf("%+v, want %+v", l, want)
	}
	l.Observe("")
	if want := (Leading{Term: 4, Last: "n3", Before: "n2"}); l != want {
		t.Errorf("%+v, want %+v", l, want)
	}
}
