package check

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"squall/history"
	"squall/history/historytest"
	"squall/internal/machinetest"
)

// busyRun is a minute of load of three nodes: ten reads, ten writes and five
// compare-and-sets each second over ten keys, and a fault from 20 s to 40 s.
func busyRun() *history.History {
	h := &history.History{Header: registers("n1", "n2", "n3")}
	for _, m := range []history.Mark{{Name: history.MarkServing}, {Name: history.MarkLoadBegin}, {Name: history.MarkLoadEnd, Time: 60 * second}, {Name: history.MarkDone, Time: 61 * second}} {
		h.Marks = append(h.Marks, m)
	}
	faultOn(h, 20, 40)
	h.Faults[0].Targets = []string{"n1"}
	for i := range 60 * 25 {
		at := int64(i) * second / 25
		op := history.Op{Node: "n1", Func: history.Read, Key: "k" + string(rune('0'+i/25%10)), Outcome: history.OK, Call: at, Return: at + second/100}
		switch {
		case i%25 >= 20:
			op.Func, op.Out = history.CAS, history.CASAnswer(i%2 == 0, history.None)
		case i%25 >= 10:
			op.Func = history.Write
		}
		h.Ops = append(h.Ops, op)
	}
	return h
}

// fail makes the operations of the load fail that match.
func fail(h *history.History, match func(op *history.Op) bool) {
	for i := range h.Ops {
		if op := &h.Ops[i]; match(op) {
			op.Outcome, op.Out = history.Fail, ""
		}
	}
}

func TestAVacuousLoadIsInvalid(t *testing.T) {
	between := func(from, to float64) func(op *history.Op) bool {
		return func(op *history.Op) bool {
			return float64(op.Call) >= from*float64(second) && float64(op.Call) < to*float64(second)
		}
	}
	for _, tt := range []struct {
		name   string
		change func(h *history.History)
		want   string // "": pass
	}{
		{"a good one", func(*history.History) {}, ""},
		{"only the final reads succeed", func(h *history.History) {
			fail(h, between(0, 60))
			for range 500 {
				h.Ops = append(h.Ops, finalOp("n1", history.Read, "k1", 61*second))
			}
		}, "only 0 operations of the load succeeded"},
		{"no writes", func(h *history.History) { fail(h, func(op *history.Op) bool { return op.Func == history.Write }) }, "only 0 of 600 writes succeeded, and it takes 10"},
		{"one read in forty", func(h *history.History) {
			n := 0
			fail(h, func(op *history.Op) bool { n++; return op.Func == history.Read && n%100 != 1 })
		}, "of 600 reads succeeded, which is less than 5 %"},
		{"one key", func(h *history.History) { fail(h, func(op *history.Op) bool { return op.Key != "k0" }) }, "succeeded on only 1 of 10 keys"},
		{"writes and reads never meet", func(h *history.History) {
			h.Ops = slices.DeleteFunc(h.Ops, func(op history.Op) bool { return op.Func == history.CAS })
			fail(h, func(op *history.Op) bool { return (op.Func == history.Read) != (op.Key < "k5") })
		}, "only 0 keys were both written and read"},
		{"nothing before the faults", func(h *history.History) { fail(h, between(0, 20)) }, "from 0.0 s to 20.0 s no fault was in force, and none of 500 operations succeeded"},
		{"nothing under the faults", func(h *history.History) { fail(h, between(19, 40)) }, "only 0 of 500 operations succeeded in the 20.0 s in which faults left a quorum connected"},
		{"nothing under faults that leave no quorum", func(h *history.History) {
			fail(h, between(20, 40))
			h.Faults[0].Targets = h.Header.Nodes
		}, ""},
		{"nothing after the faults", func(h *history.History) { fail(h, between(40, 60)) }, "from 40.0 s to 60.0 s no fault was in force, and none of 500"},
		{"little after the faults", func(h *history.History) { fail(h, between(40.2, 60)) }, "only 5 of 500 operations succeeded, and it takes 10"},
		{"no writes after the faults", func(h *history.History) {
			late := between(40, 60)
			fail(h, func(op *history.Op) bool { return op.Func == history.Write && late(op) })
		}, "none of 200 writes succeeded"},
		{"nothing at the end", func(h *history.History) { fail(h, between(45, 60)) }, "no operation succeeded from 45.0 s to the end of the load at 60.0 s"},
		{"nothing at the end, under a fault without a quorum", func(h *history.History) {
			fail(h, between(20, 60))
			h.Faults, h.Faults[0].Targets = h.Faults[:1], h.Header.Nodes
		}, ""},
		{"it falls silent", func(h *history.History) {
			h.Ops = slices.DeleteFunc(h.Ops, func(op history.Op) bool { return op.Call >= 22*second/10 })
		},
			"the history falls silent: no operation was even tried from 2.2 s to the end of the load at 60.0 s"},
		{"it falls silent with operations under way", func(h *history.History) {
			h.Ops = slices.DeleteFunc(h.Ops, func(op history.Op) bool { return op.Call >= 22*second })
			h.Ops = append(h.Ops, history.Op{Node: "n1", Func: history.Read, Key: "k1", Outcome: history.Info, Error: history.ErrorUnderWay, Call: 22 * second, Return: 61 * second})
		}, "falls silent: no operation was even tried from 22.0 s"},
		{"the cluster keeps clients waiting", func(h *history.History) {
			h.Faults, h.Faults[0].Targets = h.Faults[:1], h.Header.Nodes
			h.Ops = slices.DeleteFunc(h.Ops, func(op history.Op) bool { return op.Call >= 22*second })
			h.Ops = append(h.Ops, history.Op{Node: "n1", Func: history.Read, Key: "k1", Outcome: history.Info, Error: "timeout", Call: 22 * second, Return: 59 * second})
		}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := busyRun()
			tt.change(h)
			res, want := Activity(0).Check(t.Context(), &Input{History: h}), Invalid
			if tt.want == "" {
				want = Pass
			}
			if res.Verdict != want || !strings.Contains(res.Summary, tt.want) {
				t.Errorf("%s %q, want %s with %q", res.Verdict, res.Summary, want, tt.want)
			}
		})
	}
}

func TestVoidFaults(t *testing.T) {
	fault := func(id int, phase history.Phase, err string) history.Fault {
		return history.Fault{ID: id, Name: "kill", Variant: "one", Phase: phase, Targets: []string{"n2"}, Begin: second, End: second, Err: err}
	}
	lapse := func(id int) history.Fault {
		f := fault(id, history.Heal, "")
		f.Lapsed = "n2 runs"
		return f
	}
	crash := history.NodeEvent{Node: "n2", Boot: 1, Kind: history.EventExit, Time: 30 * second, Reason: "exit status 2"}
	for _, tt := range []struct {
		name   string
		faults []history.Fault
		marks  []history.Mark
		events []history.NodeEvent
		want   Verdict
		says   string
	}{
		{"one of three is void", []history.Fault{fault(1, history.Inject, ""), fault(2, history.Inject, "deadline"), fault(3, history.Inject, "")}, nil, nil,
			Pass, "2 of 3 faults took effect; fault 2 (kill one) is void, it did not take effect: deadline"},
		{"one of two is void", []history.Fault{fault(1, history.Inject, ""), fault(2, history.Inject, "deadline")}, nil, nil, Pass, "fault 2 (kill one) is void"},
		{"two of three are void", []history.Fault{fault(1, history.Inject, ""), fault(2, history.Inject, "a"), fault(3, history.Inject, "b")}, nil, nil,
			Invalid, "only 1 of 3 faults took effect; fault 2 (kill one) is void"},
		{"none took effect, and the host was overloaded", []history.Fault{fault(1, history.Inject, "deadline")},
			[]history.Mark{{Name: history.MarkOverloaded, Text: "load 80 on 2 cores"}}, nil, Invalid, "the host was overloaded: load 80 on 2 cores"},
		{"nothing but that the host was overloaded", []history.Fault{fault(1, history.Inject, "")},
			[]history.Mark{{Name: history.MarkOverloaded, Text: "load 80 on 2 cores"}}, nil, Pass, "the host was overloaded: load 80 on 2 cores"},
		{"none began", nil, []history.Mark{{Name: history.MarkMissed, Text: "fault 1"}}, nil, Invalid, "no fault of the plan took effect: the load was over before any began"},
		{"some began", []history.Fault{fault(1, history.Inject, ""), fault(1, history.Heal, "")}, []history.Mark{{Name: history.MarkMissed, Text: "fault 2"}}, nil, Pass, "1 more of the plan never began"},
		{"one was not healed", []history.Fault{fault(1, history.Inject, ""), fault(1, history.Heal, "n2 does not start")}, nil, nil, Invalid, "fault 1 (kill one) was not healed: n2 does not start"},
		{"one was not healed on a server that crashed", []history.Fault{fault(1, history.Inject, ""), fault(1, history.Heal, "n2 does not start")}, nil,
			[]history.NodeEvent{crash}, Pass, "fault 1 (kill one) was not healed on a server that had crashed"},
		{"one of two lapsed", []history.Fault{fault(1, history.Inject, ""), fault(1, history.Heal, ""), fault(2, history.Inject, ""), lapse(2)}, nil, nil,
			Pass, "1 of 2 faults took effect; fault 2 (kill one) is void, it stopped taking effect before its end: n2 runs"},
		{"the only one lapsed", []history.Fault{fault(1, history.Inject, ""), lapse(1)}, nil, nil,
			Invalid, "no fault of the plan took effect; fault 1 (kill one) is void, it stopped taking effect before its end: n2 runs"},
		{"one lapsed on a server that crashed", []history.Fault{fault(1, history.Inject, ""), lapse(1)}, nil,
			[]history.NodeEvent{crash}, Pass, "fault 1 (kill one) ended early on a server that had crashed"},
		{"many", slices.Repeat([]history.Fault{fault(1, history.Inject, "x")}, 10), nil, nil, Invalid, "and 7 more faults"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := busyRun()
			h.Faults, h.Marks, h.Nodes = tt.faults, append(h.Marks, tt.marks...), tt.events
			res := Activity(0).Check(t.Context(), &Input{History: h})
			if res.Verdict != tt.want || !strings.Contains(res.Summary, tt.says) {
				t.Errorf("%s %q, want %s with %q", res.Verdict, res.Summary, tt.want, tt.says)
			}
		})
	}
}

// What people met elsewhere: too quiet to mean anything, or not.
func TestFieldHistoriesAreEnoughOrNot(t *testing.T) {
	for name, want := range map[string]string{
		"v1-vacuous-traced": "only 2 operations of the load succeeded", "h5-vacuous": "only 2 operations of the load succeeded",
		"h1-knossos10": "", "h3-maelstrom92": "", "h4a-info": "", "h6-equal-latency": "", "h9-60info": "", "h9b-60info-bad": "",
	} {
		t.Run(name, func(t *testing.T) {
			res, err := Run(t.Context(), historytest.Field(t, name), []Checker{Recovery(), Activity(0)}, Limits{})
			must(t, err)
			c := res.Checks[1]
			if want == "" && res.Verdict != Pass || want != "" && (c.Verdict != Invalid || res.Verdict == Pass || !strings.Contains(c.Summary, want)) {
				t.Errorf("%s %q, %q", res.Verdict, c.Summary, res.Checks[0].Summary)
			}
		})
	}
}

// The cheap checkers take time in proportion to the history, and end when they are
// told to. The history has 200,000 of everything.
func TestCheapCheckersAreLinearAndEnd(t *testing.T) {
	many := machinetest.Rounds(20_000, 200_000)
	h := busyRun()
	h.Faults = nil
	nodes := h.Header.Nodes
	for i := range many {
		at := int64(i) * 60 * second / int64(many)
		n := nodes[i%len(nodes)]
		h.Marks = append(h.Marks, history.Mark{Name: history.MarkMissed, Time: at})
		h.Faults = append(h.Faults, history.Fault{ID: i, Name: "kill", Phase: history.Inject, Begin: at, End: at, Targets: []string{n}, Err: errOf(i)},
			history.Fault{ID: i, Name: "kill", Phase: history.Heal, Begin: at, End: at + second/1e6, Targets: []string{n}})
		h.Nodes = append(h.Nodes, history.NodeEvent{Node: n, Boot: i, Kind: history.EventStart, Time: at},
			history.NodeEvent{Node: n, Boot: i, Kind: history.EventRole, Role: history.RoleLeader, Term: uint64(i + 1), Index: uint64(i), EntryTerm: uint64(i), Time: at},
			history.NodeEvent{Node: n, Boot: i, Kind: history.EventCommit, Term: uint64(i + 1), Index: uint64(i + 1), EntryTerm: uint64(i + 1), Time: at},
			history.NodeEvent{Node: n, Boot: i, Kind: history.EventExit, Reason: history.ReasonKilled, Time: at})
		op := h.Ops[i%1500]
		op.Final, op.Key = i%2 == 0, "k"+string(rune(i))
		h.Ops = append(h.Ops, op)
	}
	h.Marks = append(h.Marks, history.Mark{Name: history.MarkHealed, Time: 0, Bound: 99 * second})
	checkers := append(Invariants(), Crashes(), Recovery(), Activity(0))
	begin := time.Now()
	in := &Input{History: h, Limits: Limits{Memory: 1 << 40}}
	for _, c := range checkers {
		if res := c.Check(t.Context(), in); strings.Contains(res.Summary, "limit") {
			t.Errorf("%s: %s", c.Name(), res.Summary)
		}
	}
	t.Logf("%d of everything: %v", many, time.Since(begin))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range checkers {
		if res := c.Check(ctx, &Input{History: h}); res.Verdict != Unknown || !strings.Contains(res.Summary, "interrupted") {
			t.Errorf("%s after an interruption: %s %q", c.Name(), res.Verdict, res.Summary)
		}
		res := c.Check(t.Context(), &Input{History: h, Limits: Limits{Time: 1}})
		if res.Verdict != Unknown || !strings.Contains(res.Summary, "time limit of 1ns") {
			t.Errorf("%s without time: %s %q", c.Name(), res.Verdict, res.Summary)
		}
		res = c.Check(t.Context(), &Input{History: h, Limits: Limits{Memory: 1}})
		if res.Verdict != Unknown || !strings.Contains(res.Summary, "memory limit") {
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
