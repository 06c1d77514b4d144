package nemesis

import (
	"slices"
	"strings"
	"testing"
	"time"

	"squall/history"
	"squall/history/trace"
)

// told is an event in few words: node, kind, and what else there is.
func told(node, kind string, set func(*history.NodeEvent)) history.NodeEvent {
	e := history.NodeEvent{Node: node, Boot: 1, Kind: kind}
	if set != nil {
		set(&e)
	}
	return e
}

func role(node, role string, term uint64, leader string) history.NodeEvent {
	return told(node, history.EventRole, func(e *history.NodeEvent) { e.Role, e.Term, e.Leader = role, term, leader })
}

func vote(node, to string, term uint64) history.NodeEvent {
	return told(node, history.EventVote, func(e *history.NodeEvent) { e.Vote, e.Term = to, term })
}

func commit(node string, index uint64, at time.Duration) history.NodeEvent {
	return told(node, history.EventCommit, func(e *history.NodeEvent) { e.Index, e.Time = index, int64(at) })
}

func taken(node, reason string) history.NodeEvent {
	return told(node, history.EventSnapshot, func(e *history.NodeEvent) { e.Reason = reason })
}

// TestMoments: each moment of the first trace is seen in the last of some events, and not
// in the nearest ones that are something else.
func TestMoments(t *testing.T) {
	led := []history.NodeEvent{role("n1", "leader", 2, "n1"), role("n2", "follower", 2, "n1")}
	for _, tc := range []struct {
		moment string
		before []history.NodeEvent
		event  history.NodeEvent
		want   string // whose, and with whom; "" when it is none
	}{
		{"election-begun", led, role("n2", "candidate", 3, ""), "n2"},
		{"election-begun", led, role("n2", "follower", 2, ""), ""},
		{"election-begun", led, role("n2", "candidate", 2, ""), ""}, // a pre-candidate, as some call it
		{"vote-granted", led, vote("n3", "n2", 3), "n3 n2"},
		{"vote-granted", led, vote("n2", "n2", 3), ""},
		{"leader-elected", led, role("n2", "leader", 3, "n2"), "n2"},
		{"leader-elected", led, role("n1", "leader", 2, "n1"), ""},
		{"leader-elected", led, role("n3", "leader", 1, "n3"), ""},
		{"leader-lost", led, role("n1", "follower", 3, ""), "n1 n1"},
		{"leader-lost", led, role("n2", "follower", 2, ""), "n2 n1"},
		{"leader-lost", led, role("n2", "candidate", 3, ""), "n2 n1"},
		{"leader-lost", led, role("n3", "follower", 2, ""), ""}, // it knew none
		{"leader-lost", led, role("n2", "follower", 3, "n3"), ""},
		{"term-advanced", led, vote("n3", "n2", 3), "n3"},
		{"term-advanced", led, vote("n3", "n1", 2), ""},
		{"commit-advanced", []history.NodeEvent{commit("n1", 7, time.Second)}, commit("n1", 8, 1300*time.Millisecond), "n1"},
		{"commit-advanced", []history.NodeEvent{commit("n1", 7, time.Second)}, commit("n1", 8, 1200*time.Millisecond), ""},
		{"commit-advanced", []history.NodeEvent{commit("n1", 7, time.Second)}, commit("n2", 7, 2*time.Second), ""},
		{"commit-advanced", nil, commit("n1", 1, time.Second), ""}, // nothing stood still
		{"snapshot-taken", nil, taken("n1", "taken"), "n1"},
		{"snapshot-taken", nil, taken("n1", "installed"), ""},
		{"snapshot-installed", nil, taken("n1", "installed"), "n1"},
		{"server-started", nil, told("n2", history.EventStart, nil), "n2"},
		{"server-started", nil, told("n2", history.EventResume, nil), ""},
		{"server-ended", nil, told("n2", history.EventExit, nil), "n2"},
	} {
		var w Watch
		for _, e := range tc.before {
			w.Take(&e)
		}
		x, err := w.Expect(tc.moment, nil)
		if err != nil {
			t.Fatal(err)
		}
		w.Take(&tc.event)
		if got := sighted(x); got != tc.want {
			t.Errorf("%s after %+v and %+v: %q, want %q", tc.moment, tc.before, tc.event, got, tc.want)
		}
	}
}

// TestMomentsOfTheFullTrace likewise.
func TestMomentsOfTheFullTrace(t *testing.T) {
	names := map[trace.NodeID]string{1: "n1", 2: "n2", 3: "n3"}
	for _, tc := range []struct {
		moment string
		event  trace.Event
		want   string
	}{
		{"vote-decided", trace.Event{Kind: trace.Grant, Node: 1, Peer: 3}, "n1 n3"},
		{"vote-decided", trace.Event{Kind: trace.Grant, Node: 1, Peer: 1}, ""},
		{"truncated", trace.Event{Kind: trace.Truncate, Node: 1}, "n1"},
		{"truncated", trace.Event{Kind: trace.Append, Node: 1}, ""},
		{"read-round", trace.Event{Kind: trace.RoundBegun, Node: 1}, "n1"},
		{"snapshot-begun", trace.Event{Kind: trace.Snapshot, Node: 1, Reason: "begun"}, "n1"},
		{"snapshot-begun", trace.Event{Kind: trace.Snapshot, Node: 1, Reason: "taken"}, ""},
		{"snapshot-sending", trace.Event{Kind: trace.Snapshot, Node: 1, Peer: 2, Reason: "sending"}, "n1 n2"},
		{"snapshot-receiving", trace.Event{Kind: trace.Snapshot, Node: 1, Peer: 2, Reason: "receiving"}, "n1 n2"},
		{"transfer-begun", trace.Event{Kind: trace.Transfer, Node: 1, Peer: 2}, "n1 n2"},
		{"config-changed", trace.Event{Kind: trace.Config, Node: 1, Mark: trace.Mark{Index: 4, Term: 2}}, "n1"},
		{"config-changed", trace.Event{Kind: trace.Config, Node: 1}, ""}, // the first one
	} {
		var w Watch
		x, err := w.Expect(tc.moment, nil)
		if err != nil {
			t.Fatal(err)
		}
		w.TakeStep("n1", names, &tc.event)
		if got := sighted(x); got != tc.want {
			t.Errorf("%s of %+v: %q, want %q", tc.moment, tc.event, got, tc.want)
		}
	}
}

// TestWhoWaitsForStepsIsTold once when the first begins, and once when none does any more,
// be it that the moment came or that it is waited for no longer.
func TestWhoWaitsForStepsIsTold(t *testing.T) {
	var w Watch
	var told []bool
	w.OnSteps(func(wanted bool) { told = append(told, wanted) })
	expect := func(moment string, want ...bool) *Expected {
		t.Helper()
		x, err := w.Expect(moment, nil)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(told, want) {
			t.Errorf("with %s told %v, want %v", moment, told, want)
		}
		return x
	}
	expect("vote-granted")
	round := expect("read-round", true)
	expect("vote-decided", true)
	w.TakeStep("n1", nil, &trace.Event{Kind: trace.Grant, Node: 1, Peer: 3})
	if !slices.Equal(told, []bool{true}) {
		t.Errorf("while one waits still, told %v", told)
	}
	round.Drop()
	round.Drop()
	expect("vote-granted", true, false)
	expect("truncated", true, false, true)
}

// sighted is whose moment was seen, and with whom.
func sighted(x *Expected) string {
	select {
	case s := <-x.Seen():
		return strings.TrimSpace(s.Node + " " + s.Peer)
	default:
		return ""
	}
}

// TestEveryMomentIsTested: a moment that nothing tells is a mistake in the list.
func TestEveryMomentIsInOrder(t *testing.T) {
	seen := map[string]bool{}
	for _, m := range Moments() {
		if m.Name == "" || m.Doc == "" || seen[m.Name] {
			t.Errorf("%+v: a name of its own and a sentence are wanted", m)
		}
		seen[m.Name] = true
		if (m.event == nil) == (m.step == nil) {
			t.Errorf("%s: one trace tells it, and not both", m.Name)
		}
		if m.step != nil && m.Need != NeedFullTrace || m.told != nil && m.Need != NeedLeader {
			t.Errorf("%s needs %q, which is not what it is told by", m.Name, m.Need)
		}
	}
}

// TestExpectationsAreForOneSighting: the first that is accepted counts, and others wait on.
func TestExpectationsAreForOneSighting(t *testing.T) {
	var w Watch
	any, _ := w.Expect("vote-granted", nil)
	of5, _ := w.Expect("vote-granted", func(s Sighting) bool { return s.Term == 5 })
	dropped, _ := w.Expect("vote-granted", nil)
	dropped.Drop()
	for term := range uint64(6) {
		e := vote("n3", "n2", term+1)
		w.Take(&e)
	}
	if s, err := any.Wait(t.Context()); err != nil || s.Term != 1 {
		t.Errorf("the first: %+v, %v", s, err)
	}
	if s, err := of5.Wait(t.Context()); err != nil || s.Term != 5 {
		t.Errorf("that of term 5: %+v, %v", s, err)
	}
	if got := sighted(dropped); got != "" {
		t.Errorf("one that was dropped saw %s", got)
	}
	if len(w.waiting) != 0 {
		t.Errorf("%d wait on", len(w.waiting))
	}
	if _, err := w.Expect("full-moon", nil); err == nil {
		t.Error("a moment that does not exist is waited for")
	}
}

// TestWhoLeadsIsToldByOthers, of systems without a trace.
func TestWhoLeadsIsToldByOthers(t *testing.T) {
	var w Watch
	elected, _ := w.Expect("leader-elected", nil)
	lost, _ := w.Expect("leader-lost", nil)
	w.Tell("", 7)
	w.Tell("n2", 9)
	if s, _ := elected.Wait(t.Context()); s.Node != "n2" || s.Time != 9 {
		t.Errorf("elected: %+v", s)
	}
	if s, _ := lost.Wait(t.Context()); s.Node != "" || s.Time != 7 {
		t.Errorf("lost: %+v", s)
	}
}
