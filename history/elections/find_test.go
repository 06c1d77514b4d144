package elections

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"squall/history"
)

const ms = int64(1e6)

// start is when the test of these events began, on the machines' clock.
const start = 1000 * ms

func role(node string, at int64, term uint64, role, leader string, last uint64) history.NodeEvent {
	return history.NodeEvent{Node: node, Boot: 1, Kind: history.EventRole, Time: start + at, Term: term, Role: role, Leader: leader, Index: last}
}

func step(node string, at int64, reason string) history.NodeEvent {
	return history.NodeEvent{Node: node, Boot: 1, Kind: history.EventTrial, Time: start + at, Term: 5, Index: 40, Reason: reason}
}

// splitVote is the events of a trial in which n2 and n4 have the shorter logs: n3 and n2 split the
// vote of term 6, then n3 wins term 7.
func splitVote() []history.NodeEvent {
	stood := role("n3", 160*ms, 6, history.RoleCandidate, "", 40)
	stood.Timeout, stood.Late = 150*ms, 2*ms
	return []history.NodeEvent{
		step("n1", 10*ms, "proposed"),
		{Node: "n5", Boot: 1, Kind: history.EventCommit, Time: start + 15*ms, Term: 5, Index: 39},
		{Node: "n1", Boot: 1, Kind: history.EventCommit, Time: start + 21*ms, Term: 5, Index: 40},
		step("n1", 22*ms, "broadcast"),
		step("n1", 60*ms, "crash"),
		{Node: "n1", Boot: 1, Kind: history.EventExit, Time: start + 61*ms, Reason: history.ReasonKilled},
		stood,
		role("n2", 161*ms, 6, history.RoleCandidate, "", 39),
		role("n5", 165*ms, 6, history.RoleFollower, "", 40),
		role("n3", 320*ms, 7, history.RoleCandidate, "", 40),
		role("n4", 325*ms, 7, history.RoleFollower, "", 39),
		role("n3", 332*ms, 7, history.RoleLeader, "n3", 40),
		role("n5", 336*ms, 7, history.RoleFollower, "n3", 40),
		role("n4", 337*ms, 7, history.RoleFollower, "n3", 39),
		role("n2", 341*ms, 7, history.RoleFollower, "n3", 39),
	}
}

func record() *Record { return &Record{Nodes: []string{"n1", "n2", "n3", "n4", "n5"}, Seed: 1} }

func trial() Trial {
	return Trial{Begin: 0, End: 400 * ms, Leader: "n1", Term: 5, Behind: []string{"n2", "n4"}, Asked: 37}
}

func TestReconstruct(t *testing.T) {
	got := trial()
	record().Reconstruct(&got, splitVote(), start)
	want := trial()
	want.Outcome = Elected
	want.Found = Found{Index: 40, Crash: 60 * ms, Waited: 38, Broadcast: 11, NewLeader: "n3", NewTerm: 7,
		NoLeader: 276, All: 281, Detection: 100, Election: 172, Won: 16, Rounds: 2, Split: 1, Late: 2,
		Lengths: map[string]uint64{"n2": 39, "n3": 40, "n4": 39, "n5": 40}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestReconstructFindsFlaws(t *testing.T) {
	for name, c := range map[string]struct {
		change  func(events []history.NodeEvent) []history.NodeEvent
		outcome Outcome
		why     string
	}{
		"a log was not shorter": {func(e []history.NodeEvent) []history.NodeEvent { e[14].Index = 40; return e }, Invalid, "n2 should be shorter than 40"},
		"a log was shorter that was not to be": {func(e []history.NodeEvent) []history.NodeEvent { e[12].Index = 39; return e }, Invalid,
			"n5 should reach 40"},
		"the ineligible won": {func(e []history.NodeEvent) []history.NodeEvent {
			for i := range e {
				if e[i].Leader == "n3" {
					e[i].Leader = "n4"
				}
			}
			return e
		}, Invalid, "n4 won"},
		"an election before the crash": {func(e []history.NodeEvent) []history.NodeEvent {
			return append([]history.NodeEvent{role("n5", 30*ms, 6, history.RoleCandidate, "", 40)}, e...)
		}, Invalid, "n5 was in term 6 before the crash"},
		"refused": {func([]history.NodeEvent) []history.NodeEvent {
			return []history.NodeEvent{step("n1", 5*ms, "refused: not the leader")}
		}, Invalid, "not the leader"},
		"no crash":          {func(e []history.NodeEvent) []history.NodeEvent { return e[:4] }, Invalid, "did not crash"},
		"nothing of one":    {func(e []history.NodeEvent) []history.NodeEvent { return append(e[:7:7], e[8:14]...) }, Invalid, "nothing shows how long the log of n2 was"},
		"no leader in time": {func(e []history.NodeEvent) []history.NodeEvent { return e[:9] }, Undecided, "no new leader"},
	} {
		t.Run(name, func(t *testing.T) {
			got := trial()
			record().Reconstruct(&got, c.change(splitVote()), start)
			if got.Outcome != c.outcome || !strings.Contains(got.Why, c.why) {
				t.Errorf("%s, %q; want %s, %q", got.Outcome, got.Why, c.outcome, c.why)
			}
			if c.outcome == Undecided && got.NoLeader != 340 {
				t.Errorf("without a leader for %v ms at least, want 340", got.NoLeader)
			}
		})
	}
}

// TestReconstructPlain: the clock starts when the process is gone, and logs do not
// matter.
func TestReconstructPlain(t *testing.T) {
	r := record()
	r.Plain = true
	got := Trial{Leader: "n1", Term: 5, End: 400 * ms}
	r.Reconstruct(&got, splitVote()[5:], start)
	if got.Outcome != Elected || got.NoLeader != 275 || got.Crash != 61*ms {
		t.Errorf("%+v", got)
	}
}

// TestRecompute: a record tells the same when it is made from the history again.
func TestRecompute(t *testing.T) {
	r := record()
	done, refused := trial(), Trial{Outcome: Invalid, Why: "the leader was lost before"}
	r.Reconstruct(&done, splitVote(), start)
	r.Ranges = []Range{{Min: 150, Max: 155, Trials: []Trial{done, refused}}}
	before := []Trial{done, refused}
	r.Ranges[0].Trials[0].Found = Found{Crash: 1}
	later := role("n1", 900*ms, 9, history.RoleLeader, "n1", 50)
	r.Recompute(&history.History{Header: history.Header{Mono: start}, Nodes: append(splitVote(), later)})
	if diff := cmp.Diff(before, r.Ranges[0].Trials); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
