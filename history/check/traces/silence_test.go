package traces

import (
	"slices"
	"strings"
	"testing"

	"squall/history"
	"squall/history/check"
	"squall/history/check/checktest"
)

// tracedRun is a minute of three nodes that commit and answer ten times a second.
func tracedRun() *history.History {
	h := &history.History{Header: checktest.Registers("n1", "n2", "n3")}
	for i, n := range h.Header.Nodes {
		h.Nodes = append(h.Nodes, history.NodeEvent{Node: n, Boot: 1, Kind: history.EventStart, Time: int64(i + 1)})
	}
	role := history.NodeEvent{Node: "n1", Boot: 1, Kind: history.EventRole, Role: history.RoleLeader, Time: 10, Term: 1}
	vote := history.NodeEvent{Node: "n1", Boot: 1, Kind: history.EventVote, Vote: "n1", Time: 9, Term: 1}
	h.Nodes = append(h.Nodes, vote, role)
	for i := range 600 {
		at := checktest.Second + int64(i)*checktest.Second/10
		for k, n := range h.Header.Nodes {
			index := uint64(i + 1)
			h.Nodes = append(h.Nodes, history.NodeEvent{Node: n, Boot: 1, Kind: history.EventCommit, Time: at, Term: 1, Index: index, EntryTerm: 1, Hash: "h"},
				history.NodeEvent{Node: n, Boot: 1, Kind: history.EventState, Time: at, Term: 1, Index: index, Hash: "s"})
			h.Ops = append(h.Ops, history.Op{Process: int64(k), Node: n, Func: history.Write, Key: "k", Outcome: history.OK, Call: at, Return: at + 1000})
		}
	}
	return h
}

// hide drops trace events of a node in a stretch of seconds.
func hide(h *history.History, node string, from, to int64) {
	h.Nodes = slices.DeleteFunc(h.Nodes, func(e history.NodeEvent) bool {
		return e.Node == node && e.OfTrace() && e.Time >= from*checktest.Second && e.Time < to*checktest.Second
	})
}

// endedSlowly has n2 close its trace at 30 s and end at 38 s, by a fault that began
// at a second of the test.
func endedSlowly(h *history.History, event func(string, int, int64, string) history.NodeEvent, began int64) {
	h.Faults = append(h.Faults, history.Fault{ID: len(h.Faults), Name: "kill", Kind: history.KindProcess, Phase: history.Inject,
		Targets: []string{"n2"}, Begin: began * checktest.Second, End: 38 * checktest.Second})
	hide(h, "n2", 30, 40)
	h.Ops = slices.DeleteFunc(h.Ops, func(op history.Op) bool { return op.Node == "n2" && op.Return > 30*checktest.Second })
	for i := range h.Nodes {
		if e := &h.Nodes[i]; e.Node == "n2" && e.Time >= 40*checktest.Second {
			e.Boot = 2
		}
	}
	h.Nodes = append(h.Nodes, event(history.EventSilent, 1, 30, "it closed its trace"),
		event(history.EventExit, 1, 38, history.ReasonStopped), event(history.EventStart, 2, 40, ""))
}

func TestASilentTraceIsNoPass(t *testing.T) {
	event := func(kind string, boot int, at int64, reason string) history.NodeEvent {
		return history.NodeEvent{Node: "n2", Boot: boot, Kind: kind, Time: at * checktest.Second, Reason: reason}
	}
	for _, tt := range []struct {
		name   string
		change func(h *history.History)
		want   string // "": pass
	}{
		{"whole", func(*history.History) {}, ""},
		{"the agent saw it close", func(h *history.History) {
			h.Nodes = append(h.Nodes, event(history.EventSilent, 1, 30, "it closed its trace"))
		}, "the trace of n2 is silent from 30.0 s on (it closed its trace)"},
		{"it closes when it is killed", func(h *history.History) {
			h.Nodes = append(h.Nodes, event(history.EventSilent, 1, 30, "it closed its trace"), event(history.EventExit, 1, 31, history.ReasonKilled), event(history.EventStart, 2, 32, ""))
			for i := range h.Nodes {
				if e := &h.Nodes[i]; e.Node == "n2" && e.OfTrace() && e.Time > 32*checktest.Second {
					e.Boot = 2
				}
			}
			h.Nodes = slices.DeleteFunc(h.Nodes, func(e history.NodeEvent) bool {
				return e.Node == "n2" && e.Time > 30*checktest.Second && e.Time < 32*checktest.Second && e.OfTrace()
			})
		}, ""},
		{"it closes when squall ends it, which takes long", func(h *history.History) { endedSlowly(h, event, 29) }, ""},
		{"it closes, and squall ends it long after", func(h *history.History) { endedSlowly(h, event, 31) },
			"the trace of n2 is silent from 30.0 s on (it closed its trace)"},
		{"it closes when the test is over", func(h *history.History) {
			h.Nodes = append(h.Nodes, event(history.EventSilent, 1, 62, "it closed its trace"))
		}, ""},
		{"it stops", func(h *history.History) { hide(h, "n2", 20, 99) },
			"the trace of n2 is silent from 19.9 s on, though clients got answers from it until 60.9 s"},
		{"it stops, and no client asked", func(h *history.History) { hide(h, "n2", 20, 99); checktest.Unasked(h, "n2") },
			"the trace of n2 is silent from 19.9 s on, though it ran on, and others committed until 60.9 s"},
		{"it never began", func(h *history.History) { hide(h, "n2", 0, 99) },
			"n2 wrote no trace from 0.0 s on"},
		{"it never began, and no start is told", func(h *history.History) {
			h.Nodes = slices.DeleteFunc(h.Nodes, func(e history.NodeEvent) bool { return e.Node == "n2" })
		}, "n2 wrote no trace from 1.0 s on"},
		{"a second start has none", func(h *history.History) {
			hide(h, "n2", 20, 99)
			h.Nodes = append(h.Nodes, event(history.EventExit, 1, 20, history.ReasonKilled), event(history.EventStart, 2, 22, ""))
		}, "n2 wrote no trace from 22.0 s on"},
		{"killed and never started again", func(h *history.History) {
			hide(h, "n2", 20, 99)
			h.Nodes = append(h.Nodes, event(history.EventExit, 1, 20, history.ReasonKilled))
			h.Ops = slices.DeleteFunc(h.Ops, func(op history.Op) bool { return op.Node == "n2" && op.Return > 20*checktest.Second })
		}, ""},
		{"cut off, it has nothing to tell", func(h *history.History) {
			hide(h, "n2", 20, 99)
			checktest.FaultOn(h, 20, 70)
			h.Ops = slices.DeleteFunc(h.Ops, func(op history.Op) bool { return op.Node == "n2" && op.Call > 20*checktest.Second })
		}, ""},
		{"an idle cluster", func(h *history.History) {
			for _, n := range h.Header.Nodes {
				hide(h, n, 20, 99)
			}
			for i := range h.Ops {
				if h.Ops[i].Call > 20*checktest.Second {
					h.Ops[i].Func = history.Read
				}
			}
		}, ""},
		{"all of them stop", func(h *history.History) {
			for _, n := range h.Header.Nodes {
				hide(h, n, 20, 99)
			}
		}, "the trace of n1 is silent from 19.9 s on, though clients got answers from it until 60.9 s; the trace of n2"},
		{"it comes back after a while", func(h *history.History) { hide(h, "n2", 20, 40) }, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := tracedRun()
			tt.change(h)
			slices.SortStableFunc(h.Nodes, func(a, b history.NodeEvent) int { return int(a.Time - b.Time) })
			in := &check.Input{History: h}
			for _, c := range Invariants() {
				res, want := c.Check(t.Context(), in), check.Unknown
				if tt.want == "" {
					want = check.Pass
				}
				if res.Verdict != want || !strings.Contains(res.Summary, tt.want) {
					t.Errorf("%s: %s %q, want %s with %q", c.Name(), res.Verdict, res.Summary, want, tt.want)
				}
			}
		})
	}
}

// A conflict that the traces show is a violation, whatever they do not tell.
func TestAConflictBesideSilence(t *testing.T) {
	h := tracedRun()
	hide(h, "n2", 20, 99)
	h.Nodes = append(h.Nodes, history.NodeEvent{Node: "n3", Boot: 1, Kind: history.EventRole, Role: history.RoleLeader, Time: 61 * checktest.Second, Term: 1})
	if res := Invariants()[0].Check(t.Context(), &check.Input{History: h}); res.Verdict != check.Violation || *res.FirstAt != 61 {
		t.Errorf("%s %q", res.Verdict, res.Summary)
	}
}
