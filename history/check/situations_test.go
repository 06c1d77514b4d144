package check

import (
	"reflect"
	"testing"

	"squall/history"
	"squall/history/measure"
)

// TestBasicSituations: a trace of version 1 shows a few situations, counts them, and
// says of all others that it cannot show them.
func TestBasicSituations(t *testing.T) {
	const ms = int64(1e6)
	event := func(at int64, node, kind string, term uint64) history.NodeEvent {
		return history.NodeEvent{Node: node, Boot: 1, Kind: kind, Time: 1000*ms + at*ms, Term: term}
	}
	role := func(at int64, node string, term uint64, role, leader string) history.NodeEvent {
		e := event(at, node, history.EventRole, term)
		e.Role, e.Leader = role, leader
		return e
	}
	h := &history.History{Header: history.Header{Nodes: []string{"n1", "n2", "n3"}, Mono: 1000 * ms}, Nodes: []history.NodeEvent{
		event(0, "n1", history.EventStart, 0), event(0, "n2", history.EventStart, 0), event(0, "n3", history.EventStart, 0),
		role(10, "n1", 1, history.RoleLeader, "n1"),
		role(20, "n1", 1, history.RoleFollower, ""), // of its own accord
		role(31, "n3", 2, history.RoleCandidate, ""),
		role(30, "n2", 2, history.RoleCandidate, ""),
		role(40, "n2", 2, history.RoleFollower, ""),
		role(41, "n3", 2, history.RoleFollower, ""), // a split vote
		role(50, "n2", 3, history.RoleLeader, "n2"),
		event(60, "n2", history.EventExit, 3), // no step down
	}}
	r := &Results{
		Faults: []measure.FaultRun{
			{Name: "partition", Targets: []string{"n1"}, Begin: 15 * ms, HealAt: 25 * ms, Healed: 26 * ms, Verified: true},
			{Name: "delay", Begin: 35 * ms, Verified: true},
			{Name: "kill", Targets: []string{"n2"}, Begin: 1 * ms, Healed: 2 * ms}, // not in force
		},
		Elections: measure.Elections{Leaderships: []measure.Leadership{{Node: "n1", Term: 1, Begin: 10 * ms, End: 15 * ms}}},
	}
	s := basicSituations(r, h, "")
	if s.Full || s.Reached != 2 || s.Visible != 7 || s.Events != 11 || len(s.List) != 40 {
		t.Errorf("%d of %d of %d, %d events, full: %v", s.Reached, s.Visible, len(s.List), s.Events, s.Full)
	}
	split, _ := s.find("split-vote")
	if want := (&Place{At: 41 * ms, Event: 9, Nodes: []string{"n3", "n2"}}); split.Count != 1 || !reflect.DeepEqual(split.First, want) {
		t.Errorf("split vote: %+v", split)
	}
	if want := []Under{{"delay", HitAll, 1}, {"partition", HitLeader, 1}}; !reflect.DeepEqual(split.Under, want) {
		t.Errorf("the split vote was under %v, want %v", split.Under, want)
	}
	down, _ := s.find("leader-without-quorum")
	if want := []Under{{"partition", HitLeader, 1}}; down.Count != 1 || !reflect.DeepEqual(down.Under, want) {
		t.Errorf("step down: %+v", down)
	}
	if deposed, _ := s.find("leader-deposed"); deposed.Count != 0 || deposed.Hidden != "" {
		t.Errorf("deposed: %+v", deposed)
	}
	if lost, _ := s.find("entry-lost"); lost.Hidden == "" {
		t.Error("it does not say that version 1 cannot show lost entries")
	}
	if basicSituations(r, &history.History{Nodes: []history.NodeEvent{event(0, "n1", history.EventStart, 0)}}, "") != nil {
		t.Error("there is no trace, and situations are told")
	}
}

func (s *Situations) find(name string) (Situation, bool) {
	for _, one := range s.List {
		if one.Name == name {
			return one, true
		}
	}
	return Situation{}, false
}

func TestHitRole(t *testing.T) {
	led := []measure.Leadership{{Node: "n1", Begin: 10, End: 20}, {Node: "n2", Begin: 30}}
	for _, c := range []struct {
		at      int64
		targets []string
		want    string
	}{
		{15, []string{"n1"}, HitLeader},
		{20, []string{"n1"}, HitLeader}, // the fault itself ended it
		{15, []string{"n2", "n3"}, HitFollowers},
		{15, []string{"n1", "n3"}, HitBoth},
		{25, []string{"n1"}, HitNoLeader},
		{5, []string{"n1"}, HitNoLeader},
		{99, []string{"n2"}, HitLeader},
		{15, nil, HitAll},
		{15, []string{"n1", "n2", "n3"}, HitAll},
	} {
		if got := hitRole(&measure.FaultRun{Begin: c.at, Targets: c.targets}, led, 3); got != c.want {
			t.Errorf("a fault on %v at %d hit %q, want %q", c.targets, c.at, got, c.want)
		}
	}
}

// TestForces: a fault counts from its command to a second after its heal, and twice the
// same in force at once counts once.
func TestForces(t *testing.T) {
	const s = int64(1e9)
	f := newForces([]measure.FaultRun{
		{Name: "delay", Begin: 1 * s, Healed: 2 * s, Verified: true},
		{Name: "delay", Begin: 2 * s, Healed: 4 * s, Verified: true},
		{Name: "loss", Begin: 3 * s, Verified: true}, // never healed
	}, nil, 3)
	for at, want := range map[int64][]int32{s - 1: nil, s: {0}, 2*s + 1: {0}, 3*s + 1: {0, 1}, 5*s - 1: {0, 1}, 5 * s: {1}, 99 * s: {1}} {
		if got := f.at(at); !reflect.DeepEqual(got, want) {
			t.Errorf("at %d ns: %v, want %v", at, got, want)
		}
	}
}
