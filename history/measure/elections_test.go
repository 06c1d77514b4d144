package measure

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"squall/history"
)

// loss is a Loss in ms.
func loss(when int64, node string, term uint64, cause, next string, nextTerm uint64, noLeader, unavailable, from int64) Loss {
	l := Loss{At: when * ms, Node: node, Term: term, Cause: cause, NewLeader: next, NewTerm: nextTerm,
		NoLeader: Millis(noLeader), Unavailable: Millis(unavailable)}
	if unavailable > 0 {
		l.UnavailableAt = from * ms
	}
	return l
}

func TestLosses(t *testing.T) {
	for _, tt := range []struct {
		name string
		s    *script
		want []Loss
	}{
		{"killed", newScript().load(1000, 20000).leader(500, "n1", 1).
			fault(1, "kill", "leader", 10000, 14000, nil, "n1").event(10003, "n1", "exit", "signal: killed").
			candidate(10300, "n2", 2).leader(10412, "n2", 2).event(14001, "n1", "start", "").
			succeeds(1000, 9990).succeeds(10480, 20000),
			[]Loss{loss(10000, "n1", 1, "killed", "n2", 2, 412, 500, 9990)}},

		{"paused, and another elected while it slept", newScript().load(1000, 20000).leader(500, "n1", 1).
			fault(1, "pause", "leader", 10000, 14000, nil, "n1").event(10002, "n1", "pause", "").
			leader(10400, "n3", 2).event(14002, "n1", "resume", "").follower(14003, "n1", 2, "higher term").
			succeeds(1000, 10000).succeeds(10600, 20000),
			[]Loss{loss(10000, "n1", 1, "paused", "n3", 2, 400, 610, 10000)}},

		{"paused, but resumed in time and back at work", newScript().load(1000, 20000).leader(500, "n1", 1).
			fault(1, "pause", "leader", 10000, 10200, nil, "n1").event(10002, "n1", "pause", "").
			event(10202, "n1", "resume", "").succeeds(1000, 10000).succeeds(10210, 20000),
			[]Loss{}},

		{"resumed before another was elected, but did nothing any more", newScript().load(1000, 20000).leader(500, "n1", 1).
			fault(1, "pause", "all", 10000, 13000, nil, "n1", "n2", "n3", "n4", "n5").
			event(13001, "n1", "resume", "").follower(13020, "n1", 2, "higher term").leader(13150, "n4", 2).
			succeeds(1000, 10000).succeeds(13200, 20000),
			[]Loss{loss(10000, "n1", 1, "paused", "n4", 2, 3150, 3210, 10000)}},

		{"isolated; it learns of it later", newScript().load(1000, 20000).leader(500, "n1", 1).
			isolate(1, "n1", 10000, 15000).follower(10800, "n1", 1, "no quorum").
			leader(10333, "n5", 2).succeeds(1000, 10000).succeeds(10390, 20000),
			[]Loss{loss(10000, "n1", 1, "cut off", "n5", 2, 333, 400, 10000)}},

		{"one direction of every link is enough", newScript().load(1000, 20000).leader(500, "n1", 1).
			fault(1, "partition", "one-way", 10000, 15000, []history.Link{
				{From: "n1", To: "n2"}, {From: "n3", To: "n1"}, {From: "n1", To: "n4"}}).
			follower(10300, "n1", 1, "no quorum").leader(10500, "n2", 2).succeeds(1000, 10000).succeeds(10590, 20000),
			[]Loss{loss(10000, "n1", 1, "cut off", "n2", 2, 500, 600, 10000)}},

		{"a leader that keeps a majority is not lost", newScript().load(1000, 20000).leader(500, "n1", 1).
			fault(1, "partition", "bridge", 10000, 15000, []history.Link{
				{From: "n1", To: "n4"}, {From: "n4", To: "n1"}, {From: "n1", To: "n5"}, {From: "n5", To: "n1"}}).
			succeeds(1000, 20000),
			[]Loss{}},

		{"a majority of the others is killed", newScript().load(1000, 20000).leader(500, "n1", 1).
			fault(1, "kill", "majority", 10000, 12000, nil, "n2", "n3", "n4").follower(10300, "n1", 1, "no quorum").
			event(12001, "n2", "start", "").event(12001, "n3", "start", "").event(12001, "n4", "start", "").
			leader(12400, "n1", 2).succeeds(1000, 10000).succeeds(12490, 20000),
			[]Loss{loss(10000, "n1", 1, "without a quorum", "n1", 2, 2400, 2500, 10000)}},

		{"two in a row, nothing succeeded between", newScript().load(1000, 20000).leader(500, "n1", 1).
			fault(1, "kill", "leader", 10000, 13000, nil, "n1").leader(10300, "n2", 2).
			fault(2, "kill", "leader", 10350, 13000, nil, "n2").leader(10900, "n3", 3).
			succeeds(1000, 10000).succeeds(10990, 20000),
			[]Loss{
				loss(10000, "n1", 1, "killed", "n2", 2, 300, 1000, 10000),
				loss(10350, "n2", 2, "killed", "n3", 3, 550, 1000, 10000)}},

		{"split votes", newScript().load(1000, 20000).leader(500, "n1", 1).
			fault(1, "kill", "leader", 10000, 13000, nil, "n1").
			candidate(10200, "n2", 2).candidate(10200, "n3", 2).candidate(10450, "n4", 3).candidate(10451, "n2", 3).
			candidate(10700, "n2", 4).leader(10705, "n2", 4).succeeds(1000, 10000).succeeds(10700, 20000),
			[]Loss{loss(10000, "n1", 1, "killed", "n2", 4, 705, 710, 10000)}},

		{"no fault: stepped down", newScript().load(1000, 20000).leader(500, "n1", 1).
			follower(9000, "n1", 2, "higher term").leader(9120, "n2", 2).succeeds(1000, 9000).succeeds(9140, 20000),
			[]Loss{loss(9000, "n1", 1, "stepped down: higher term", "n2", 2, 120, 150, 9000)}},

		{"superseded before it knew", newScript().load(1000, 20000).leader(500, "n1", 1).
			candidate(9000, "n2", 2).leader(9020, "n2", 2).follower(9030, "n1", 2, "higher term").
			succeeds(1000, 9010).succeeds(9060, 20000),
			[]Loss{loss(9000, "n1", 1, "superseded", "n2", 2, 20, 60, 9010)}},

		{"crashed without a fault", newScript().load(1000, 20000).leader(500, "n1", 1).
			event(9000, "n1", "exit", "exit status 2").leader(9300, "n2", 2).succeeds(1000, 9000).succeeds(9400, 20000),
			[]Loss{loss(9000, "n1", 1, "crashed: exit status 2", "n2", 2, 300, 410, 9000)}},

		{"killed, by the word of its exit alone", newScript().load(1000, 20000).leader(500, "n1", 1).
			event(9000, "n1", "exit", history.ReasonKilled).leader(9300, "n2", 2).succeeds(1000, 9000).succeeds(9400, 20000),
			[]Loss{loss(9000, "n1", 1, "killed", "n2", 2, 300, 410, 9000)}},

		{"killed for want of memory", newScript().load(1000, 20000).leader(500, "n1", 1).
			event(9000, "n1", "exit", history.ReasonOOM).leader(9300, "n2", 2).succeeds(1000, 9000).succeeds(9400, 20000),
			[]Loss{loss(9000, "n1", 1, "killed", "n2", 2, 300, 410, 9000)}},

		{"elected between the command to kill it and its end", newScript().load(1000, 20000).leader(500, "n1", 1).
			fault(1, "kill", "majority", 9000, 12000, nil, "n1", "n2", "n3").event(9001, "n1", "exit", "").
			leader(9001, "n2", 2).event(9003, "n2", "exit", "").event(9003, "n3", "exit", "").
			event(12001, "n2", "start", "").event(12001, "n3", "start", "").leader(12300, "n4", 3).
			succeeds(1000, 9000).succeeds(12400, 20000),
			[]Loss{
				loss(9000, "n1", 1, "killed", "n2", 2, 1, 3410, 9000),
				loss(9003, "n2", 2, "killed", "n4", 3, 3297, 3410, 9000)}},

		{"none was elected any more", newScript().load(1000, 20000).leader(500, "n1", 1).
			fault(1, "kill", "leader", 18000, 0, nil, "n1").succeeds(1000, 18000),
			[]Loss{loss(18000, "n1", 1, "killed", "", 0, 2200, 2000, 18000)}},

		{"taking the cluster down is no loss", newScript().load(1000, 20000).leader(500, "n1", 1).
			succeeds(1000, 20000).role(22000, "n1", history.RoleStopped, 1, "closed").event(22001, "n1", "exit", ""),
			[]Loss{}},

		{"a fault that did not take effect", func() *script {
			s := newScript().load(1000, 20000).leader(500, "n1", 1).
				fault(1, "kill", "leader", 10000, 0, nil, "n1").succeeds(1000, 20000)
			s.in.Faults[0].Err = "no such process"
			return s
		}(), []Loss{}},

		{"after the load no client feels it", newScript().load(1000, 20000).leader(500, "n1", 1).
			follower(20100, "n1", 2, "higher term").leader(20150, "n2", 2).succeeds(1000, 20000),
			[]Loss{loss(20100, "n1", 1, "stepped down: higher term", "n2", 2, 50, 0, 0)}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := Summarize(tt.s.in).Elections
			if diff := cmp.Diff(tt.want, outline(got.Losses)); diff != "" {
				t.Errorf("losses (-want +got):\n%s\nleaderships: %+v", diff, got.Leaderships)
			}
		})
	}
}

// outline is what losses are, without what it took to make them good, which
// TestPhases has.
func outline(ls []Loss) []Loss {
	for i, l := range ls {
		ls[i] = Loss{At: l.At, Node: l.Node, Term: l.Term, Cause: l.Cause, NewLeader: l.NewLeader, NewTerm: l.NewTerm,
			NoLeader: Millis(int64(l.NoLeader + 0.5)), Unavailable: Millis(int64(l.Unavailable + 0.5)), UnavailableAt: l.UnavailableAt}
	}
	return ls
}

func TestLeadershipsAndMedians(t *testing.T) {
	s := newScript().load(1000, 30000).leader(500, "n1", 1).succeeds(1000, 5000)
	s.fault(1, "kill", "leader", 5000, 8000, nil, "n1").leader(5200, "n2", 2).succeeds(5290, 10000)
	s.isolate(2, "n2", 10000, 12000).leader(10400, "n3", 3).succeeds(10490, 15000)
	s.fault(3, "pause", "leader", 15000, 17000, nil, "n3").leader(15900, "n4", 5).succeeds(15990, 30000)
	s.event(33000, "n4", history.EventExit, "")
	got := Summarize(s.in).Elections

	want := []Leadership{
		{"n1", 1, 500 * ms, 5000 * ms, "killed"},
		{"n2", 2, 5200 * ms, 10000 * ms, "cut off"},
		{"n3", 3, 10400 * ms, 15000 * ms, "paused"},
		{"n4", 5, 15900 * ms, 0, ""},
	}
	if diff := cmp.Diff(want, got.Leaderships); diff != "" {
		t.Errorf("leaderships (-want +got):\n%s", diff)
	}
	if got.Count != 4 || got.NoLeaderMedian != 400 || got.NoLeaderMax != 900 ||
		got.UnavailableMedian != 500 || got.UnavailableMax != 1000 {
		t.Errorf("figures: %+v", got)
	}
}

// A history that was cut says what it can: the loss is there, its duration a
// lower bound that the median leaves out.
func TestCutHistory(t *testing.T) {
	s := newScript().mark(history.MarkLoadBegin, 1000).leader(500, "n1", 1).succeeds(1000, 4000).
		fault(1, "pause", "leader", 4000, 0, nil, "n1").op(3990, 4600, history.Read, history.Info)
	got := Summarize(s.in)
	if len(got.Elections.Losses) != 1 || got.Elections.Losses[0].NoLeader != 600 || got.Elections.NoLeaderMedian != 0 ||
		got.Elections.NoLeaderMax != 600 {
		t.Errorf("elections: %+v", got.Elections)
	}
	if got.Ops.LoadSeconds != 3.6 || got.Ops.OK != 300 || got.Ops.Info != 1 {
		t.Errorf("ops: %+v", got.Ops)
	}
}

func TestEmpty(t *testing.T) {
	got := Summarize(&history.History{})
	if got.Ops.Total != 0 || got.Ops.Throughput != 0 || got.Elections.Count != 0 || len(got.Faults) != 0 {
		t.Errorf("%+v", got)
	}
	if got.Elections.Losses == nil || got.Elections.Leaderships == nil || got.Faults == nil || got.Ops.ByFunc == nil {
		t.Error("results.json would say null for an empty list")
	}
	if n := Over(&history.History{}, 1e9).Len(); n != 0 {
		t.Errorf("buckets of nothing: %d", n)
	}
}

// TestStopsOfAFailedTestAreNoLosses: where the load never ended, because the test
// failed, squall takes the cluster down all the same.
func TestStopsOfAFailedTestAreNoLosses(t *testing.T) {
	failed := func() *script {
		s := newScript().mark(history.MarkLoadBegin, 1000).leader(900, "n1", 1).succeeds(1100, 1200)
		return s.role(9000, "n1", history.RoleStopped, 1, "terminated").event(9010, "n1", history.EventExit, history.ReasonStopped).
			event(8990, "n2", history.EventExit, history.ReasonStopped).mark(history.MarkInvalid, 9500).mark(history.MarkDone, 9600)
	}
	s := failed()
	if got := Summarize(s.in).Elections; len(got.Losses) != 0 {
		t.Errorf("losses %+v", got.Losses)
	}
	if end := TestEnd(s.in); end != 8990*ms-1 {
		t.Errorf("the test ends at %d ns, want just before the first server was stopped", end)
	}
	s = newScript().mark(history.MarkLoadBegin, 1000).leader(900, "n1", 1).succeeds(1100, 1200).
		event(5000, "n1", history.EventExit, "exit status 2").event(8990, "n2", history.EventExit, history.ReasonStopped)
	if got := Summarize(s.in).Elections; len(got.Losses) != 1 {
		t.Errorf("a crash before: losses %+v", got.Losses)
	}
	s = newScript().mark(history.MarkLoadBegin, 1000).leader(900, "n1", 1).succeeds(1100, 1200).mark(history.MarkDone, 9600)
	if end := TestEnd(s.in); end != 9600*ms {
		t.Errorf("without a stop it ends at %d ns, want the last record", end)
	}
}
