package checktest

import (
	"context"
	"strings"
	"testing"
	"time"

	"squall/history"
	"squall/history/check"
	"squall/history/check/service"
	"squall/history/check/traces"
	"squall/history/check/validity"
	"squall/history/historytest"
	"squall/internal/machinetest"
)

// What people met elsewhere: too quiet to mean anything, or not.
func TestFieldHistoriesAreEnoughOrNot(t *testing.T) {
	for name, want := range map[string]string{
		"v1-vacuous-traced": "only 2 operations of the load succeeded", "h5-vacuous": "only 2 operations of the load succeeded",
		"h1-knossos10": "", "h3-maelstrom92": "", "h4a-info": "", "h6-equal-latency": "", "h9-60info": "", "h9b-60info-bad": "",
	} {
		t.Run(name, func(t *testing.T) {
			res, err := check.Run(t.Context(), historytest.Field(t, name), []check.Checker{service.Recovery(), validity.Activity(0)}, check.Limits{})
			Must(t, err)
			c := res.Checks[1]
			if want == "" && res.Verdict != check.Pass || want != "" && (c.Verdict != check.Invalid || res.Verdict == check.Pass || !strings.Contains(c.Summary, want)) {
				t.Errorf("%s %q, %q", res.Verdict, c.Summary, res.Checks[0].Summary)
			}
		})
	}
}

// The cheap checkers take time in proportion to the history, and end when they are
// told to. The history has 200,000 of everything.
func TestCheapCheckersAreLinearAndEnd(t *testing.T) {
	many := machinetest.Rounds(20_000, 200_000)
	h := BusyRun()
	h.Faults = nil
	nodes := h.Header.Nodes
	for i := range many {
		at := int64(i) * 60 * Second / int64(many)
		n := nodes[i%len(nodes)]
		h.Marks = append(h.Marks, history.Mark{Name: history.MarkMissed, Time: at})
		h.Faults = append(h.Faults, history.Fault{ID: i, Name: "kill", Phase: history.Inject, Begin: at, End: at, Targets: []string{n}, Err: errOf(i)},
			history.Fault{ID: i, Name: "kill", Phase: history.Heal, Begin: at, End: at + Second/1e6, Targets: []string{n}})
		h.Nodes = append(h.Nodes, history.NodeEvent{Node: n, Boot: i, Kind: history.EventStart, Time: at},
			history.NodeEvent{Node: n, Boot: i, Kind: history.EventRole, Role: history.RoleLeader, Term: uint64(i + 1), Index: uint64(i), EntryTerm: uint64(i), Time: at},
			history.NodeEvent{Node: n, Boot: i, Kind: history.EventCommit, Term: uint64(i + 1), Index: uint64(i + 1), EntryTerm: uint64(i + 1), Time: at},
			history.NodeEvent{Node: n, Boot: i, Kind: history.EventExit, Reason: history.ReasonKilled, Time: at})
		op := h.Ops[i%1500]
		op.Final, op.Key = i%2 == 0, "k"+string(rune(i))
		h.Ops = append(h.Ops, op)
	}
	h.Marks = append(h.Marks, history.Mark{Name: history.MarkHealed, Time: 0, Bound: 99 * Second})
	checkers := append(traces.Invariants(), validity.Crashes(), service.Recovery(), validity.Activity(0))
	begin := time.Now()
	in := &check.Input{History: h, Limits: check.Limits{Memory: 1 << 40}}
	for _, c := range checkers {
		if res := c.Check(t.Context(), in); strings.Contains(res.Summary, "limit") {
			t.Errorf("%s: %s", c.Name(), res.Summary)
		}
	}
	t.Logf("%d of everything: %v", many, time.Since(begin))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range checkers {
		if res := c.Check(ctx, &check.Input{History: h}); res.Verdict != check.Unknown || !strings.Contains(res.Summary, "interrupted") {
			t.Errorf("%s after an interruption: %s %q", c.Name(), res.Verdict, res.Summary)
		}
		res := c.Check(t.Context(), &check.Input{History: h, Limits: check.Limits{Time: 1}})
		if res.Verdict != check.Unknown || !strings.Contains(res.Summary, "time limit of 1ns") {
			t.Errorf("%s without time: %s %q", c.Name(), res.Verdict, res.Summary)
		}
		res = c.Check(t.Context(), &check.Input{History: h, Limits: check.Limits{Memory: 1}})
		if res.Verdict != check.Unknown || !strings.Contains(res.Summary, "memory limit") {
			t.Errorf("%s without memory: %s %q", c.Name(), res.Verdict, res.Summary)
		}
	}
}

func errOf(i int) string {
	if i%4 == 0 {
		return "deadline"
	}
	return ""
}
