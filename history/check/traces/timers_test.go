package traces

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"squall/history"
	"squall/history/check"
	"squall/history/check/checktest"
)

const msNanos = int64(1e6)

// expires is a node whose election timeout is over at a time, in ms.
func expires(node string, boot int, at, timeout int64) history.NodeEvent {
	return history.NodeEvent{Node: node, Boot: boot, Kind: history.EventRole, Role: history.RoleFollower, Term: 1, Time: at * msNanos, Timeout: timeout, Late: msNanos}
}

func grantsAt(node string, at int64, to string) history.NodeEvent {
	return history.NodeEvent{Node: node, Boot: 1, Kind: history.EventVote, Term: 1, Time: at * msNanos, Vote: to}
}

// drawn are expiries with timeouts from 300 to 600 ms, in steps of grain, of five nodes in
// turn.
func drawn(seed uint64, n int, grain int64) []history.NodeEvent {
	rng := rand.New(rand.NewPCG(seed, 1))
	var list []history.NodeEvent
	for i := range n {
		list = append(list, expires([]string{"n1", "n2", "n3", "n4", "n5"}[i%5], 1, int64(1000*i), (300*msNanos/grain+rng.Int64N(300*msNanos/grain))*grain))
	}
	return list
}

func TestElectionTimers(t *testing.T) {
	const odd = 412_345_679
	start := history.NodeEvent{Node: "n1", Boot: 2, Kind: history.EventStart}
	some := slices.Clip(drawn(1, 10, 1))
	for _, tt := range []struct {
		name    string
		events  []history.NodeEvent
		faults  []history.Fault
		want    check.Verdict
		summary string
	}{
		{"drawn anew", some, nil, check.Pass, "10 election timeouts"},
		{"coarsely drawn", drawn(1, 400, msNanos), nil, check.Pass, "400 election timeouts"},
		{"coarsely drawn, and few", drawn(3, 5, 100*msNanos), nil, check.Pass, ""},
		{"many", drawn(1, 20_000, 1), nil, check.Pass, ""},
		{"drawn once", append(some, expires("n1", 1, 20_000, odd), expires("n1", 1, 21_000, odd)), nil, check.Violation, "n1 waited twice in a row for the same election timeout"},
		{"the same after a restart", append(some, expires("n1", 1, 20_000, odd), start, expires("n1", 2, 21_000, odd)), nil, check.Pass, ""},
		{"one sequence for all", append(some, expires("n1", 1, 20_000, odd), expires("n2", 1, 20_001, odd)), nil, check.Violation, "n1 and n2 waited for the same election timeout"},
		{"set by a vote", append(some, grantsAt("n1", 20_000, "n2"), expires("n1", 1, 20_500, 499*msNanos)), nil, check.Pass, ""},
		{"not set by a vote", append(some, grantsAt("n1", 20_000, "n2"), expires("n1", 1, 20_300, 499*msNanos+1)), nil, check.Violation, "n1 granted its vote to n2, and 300 ms later"},
		{"not set by its own vote", append(some, grantsAt("n1", 20_000, "n1"), expires("n1", 1, 20_300, 499*msNanos+1)), nil, check.Pass, ""},
		{"a vote before a restart", append(some, grantsAt("n1", 20_000, "n2"), start, expires("n1", 2, 20_300, 499*msNanos+1)), nil, check.Pass, ""},
		{"another node's bent clock", append(some, grantsAt("n1", 20_000, "n2"), expires("n1", 1, 20_300, 499*msNanos+1)),
			[]history.Fault{{ID: 1, Kind: history.KindClock, Phase: history.Inject, Targets: []string{"n2"}}}, check.Violation, "n1 granted"},
		{"a bent clock", append(some, grantsAt("n1", 20_000, "n2"), expires("n1", 1, 20_300, 499*msNanos+1)),
			[]history.Fault{{ID: 1, Kind: history.KindClock, Phase: history.Inject, Targets: []string{"n1"}}}, check.Pass, ""},
		{"a clock that a sequence bent", append(some, grantsAt("n1", 20_000, "n2"), expires("n1", 1, 20_300, 499*msNanos+1)),
			[]history.Fault{{ID: 1, Kind: history.KindSequence, Phase: history.Inject, Targets: []string{"n1", "n2"},
				Measured: []history.Measure{{What: history.ClockRate, Where: "n1"}}}}, check.Pass, ""},
		{"another node's clock that a sequence bent", append(some, grantsAt("n1", 20_000, "n2"), expires("n1", 1, 20_300, 499*msNanos+1)),
			[]history.Fault{{ID: 1, Kind: history.KindSequence, Phase: history.Inject, Targets: []string{"n1", "n2"},
				Measured: []history.Measure{{What: history.ClockRate, Where: "n2"}}}}, check.Violation, "n1 granted"},
		{"no timeouts told", []history.NodeEvent{checktest.Leads("n1", 1, 1)}, nil, check.Pass, "holds no election timeouts"},
		{"no trace", nil, nil, check.Unknown, "holds no trace"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := &check.Input{History: &history.History{Nodes: tt.events, Faults: tt.faults}}
			for _, c := range Invariants() {
				if c.Name() != electionTimersName {
					continue
				}
				res := c.Check(t.Context(), in)
				if res.Verdict != tt.want || !strings.Contains(res.Summary, tt.summary) {
					t.Errorf("%s %q, want %s with %q", res.Verdict, res.Summary, tt.want, tt.summary)
				}
			}
		})
	}
}

// Timeouts that are drawn at random are never held against nodes, however finely, and
// however many there are.
func TestElectionTimersByChance(t *testing.T) {
	for seed := range uint64(300) {
		for _, grain := range []int64{1, 1000, msNanos, 10 * msNanos} {
			in := &check.Input{History: &history.History{Nodes: drawn(seed, 20+int(seed), grain)}}
			if res := (invariant{electionTimersName, "election timeout", "election timeouts", electionTimers}).Check(t.Context(), in); res.Verdict != check.Pass {
				t.Fatalf("seed %d, grain %d ns: %s", seed, grain, res.Summary)
			}
		}
	}
}
