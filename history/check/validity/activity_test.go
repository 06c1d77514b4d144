package validity

import (
	"slices"
	"strings"
	"testing"

	"squall/history"
	"squall/history/check"
	"squall/history/check/checktest"
)

func TestActivity(t *testing.T) {
	ops := func(n int, f history.Func) []history.Op {
		return slices.Repeat([]history.Op{{Func: f, Outcome: history.OK}}, n)
	}
	base := func() *history.History {
		h := &history.History{Header: checktest.Registers(), Ops: slices.Concat(ops(60, history.Read), ops(60, history.Write))}
		for _, m := range []string{history.MarkServing, history.MarkLoadBegin, history.MarkDone} {
			h.Marks = append(h.Marks, history.Mark{Name: m})
		}
		return h
	}
	without := func(h *history.History, name string) {
		h.Marks = slices.DeleteFunc(h.Marks, func(m history.Mark) bool { return m.Name == name })
	}
	for _, tt := range []struct {
		name   string
		change func(h *history.History)
		want   string // "": pass
	}{
		{"fine", func(*history.History) {}, ""},
		{"marked", func(h *history.History) {
			h.Marks = append(h.Marks, history.Mark{Name: history.MarkInvalid, Text: "the engine went away"})
		}, "the engine went away"},
		{"ended at a violation", func(h *history.History) {
			h.Ops = h.Ops[:3]
			h.Faults = []history.Fault{{ID: 4, Name: "partition", Variant: "halves", Phase: history.Inject, Err: "n1 still reaches n2"}}
			h.Marks = append(h.Marks, history.Mark{Name: history.MarkSeen, Text: "linearizable: …"})
		}, ""},
		{"ended at a violation, and not healed", func(h *history.History) {
			h.Faults = []history.Fault{{ID: 4, Name: "kill", Variant: "one", Phase: history.Heal, Err: "n1 does not start"}}
			h.Marks = append(h.Marks, history.Mark{Name: history.MarkSeen, Text: "linearizable: …"})
		}, "n1 does not start"},
		{"did not bite", func(h *history.History) {
			h.Faults = []history.Fault{{ID: 4, Name: "partition", Variant: "halves", Phase: history.Inject, Err: "n1 still reaches n2"}}
		}, "no fault of the plan took effect; fault 4 (partition halves) is void, it did not take effect: n1 still reaches n2 (see"},
		{"did not heal", func(h *history.History) {
			h.Faults = []history.Fault{{ID: 4, Name: "kill", Variant: "one", Phase: history.Heal, Err: "n1 does not start"}}
		}, "was not healed: n1 does not start"},
		{"many faults", func(h *history.History) {
			h.Faults = slices.Repeat([]history.Fault{{Name: "kill", Err: "x"}}, 10)
		}, "and 7 more faults"},
		{"never served", func(h *history.History) { without(h, history.MarkServing) }, "the system never served"},
		{"no leader", func(h *history.History) {
			without(h, history.MarkServing)
			h.Nodes = []history.NodeEvent{{Node: "n1", Boot: 1, Kind: history.EventRole, Term: 1, Role: history.RoleCandidate, Time: 1}}
		}, "no leader was ever elected"},
		{"leader only in the trace", func(h *history.History) {
			without(h, history.MarkServing)
			h.Nodes = []history.NodeEvent{checktest.Leads("n1", 1, 1)}
		}, ""},
		{"no load", func(h *history.History) { without(h, history.MarkLoadBegin) }, "the clients never started"},
		{"too few", func(h *history.History) { h.Ops = h.Ops[:99] }, "only 99 operations of the load succeeded, and it takes 100"},
		{"info does not count", func(h *history.History) {
			for i := range 21 {
				h.Ops[i].Outcome = history.Info
			}
		}, "only 99 operations of the load"},
		{"no read", func(h *history.History) { h.Ops = ops(200, history.Write) }, "only 0 operations of the load observed a value"},
		{"no write", func(h *history.History) { h.Ops = slices.Concat(ops(200, history.Read), ops(9, history.CAS)) }, "only 0 operations of the load wrote a value"},
		{"cas writes", func(h *history.History) {
			h.Ops = append(ops(200, history.Read), slices.Repeat([]history.Op{{Func: history.CAS, Outcome: history.OK, Out: history.True}}, 10)...)
		}, ""},
		{"stopped", func(h *history.History) { without(h, history.MarkDone) }, "ends before the test did"},
		{"cut", func(h *history.History) { h.Info.Truncated = "the file ends within a frame" }, "the file ends within a frame"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := base()
			tt.change(h)
			res := Activity(0).Check(t.Context(), &check.Input{History: h})
			want := check.Invalid
			if tt.want == "" {
				want = check.Pass
			}
			if res.Verdict != want || !strings.Contains(res.Summary, tt.want) {
				t.Errorf("%s %q, want %s with %q", res.Verdict, res.Summary, want, tt.want)
			}
		})
	}
	if res := Activity(500).Check(t.Context(), &check.Input{History: base()}); res.Verdict != check.Invalid {
		t.Errorf("with another minimum: %s", res.Verdict)
	}
}
