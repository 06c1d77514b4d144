package validity

import (
	"slices"
	"strings"
	"testing"

	"squall/history"
	"squall/history/check"
	"squall/history/check/checktest"
)

// fail makes the operations of the load fail that match.
func fail(h *history.History, match func(op *history.Op) bool) {
	for i := range h.Ops {
		if op := &h.Ops[i]; match(op) {
			op.Outcome, op.Out = history.Fail, ""
		}
	}
}

// arrive has operations arrive from seconds on at so many a second, given in turn.
func arrive(h *history.History, at ...float64) {
	for i := 0; i < len(at); i += 2 {
		h.Marks = append(h.Marks, history.Mark{Name: history.MarkRate, Time: int64(at[i] * float64(checktest.Second)), Rate: &history.Rate{From: at[i+1], To: at[i+1]}})
	}
}

func TestAVacuousLoadIsInvalid(t *testing.T) {
	between := func(from, to float64) func(op *history.Op) bool {
		return func(op *history.Op) bool {
			return float64(op.Call) >= from*float64(checktest.Second) && float64(op.Call) < to*float64(checktest.Second)
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
				h.Ops = append(h.Ops, checktest.FinalOp("n1", history.Read, "k1", 61*checktest.Second))
			}
		}, "only 0 operations of the load succeeded"},
		{"no writes", func(h *history.History) { fail(h, func(op *history.Op) bool { return op.Func == history.Write }) }, "only 0 of 600 writes succeeded, and it takes 10"},
		{"one read in forty", func(h *history.History) {
			n := 0
			fail(h, func(op *history.Op) bool { n++; return op.Func == history.Read && n%100 != 1 })
		}, "of 600 reads succeeded, which is less than 5 %"},
		{"writes that replaced nothing, and nothing that observes", func(h *history.History) {
			h.Ops = slices.DeleteFunc(h.Ops, func(op history.Op) bool { return op.Func != history.Write })
			for i := range h.Ops {
				h.Ops[i].Out = history.Null
			}
		}, "only 0 operations of the load observed a value"},
		{"writes that tell what they replaced, and nothing else that observes", func(h *history.History) {
			h.Ops = slices.DeleteFunc(h.Ops, func(op history.Op) bool { return op.Func != history.Write })
			for i := range h.Ops {
				h.Ops[i].Out = history.Text("1")
			}
		}, ""},
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
			h.Faults[0].Targets, h.Faults[1].Begin, h.Faults[1].End = h.Header.Nodes, 60*checktest.Second, 60*checktest.Second
		}, ""},
		{"a pause before the faults", func(h *history.History) {
			h.Ops = slices.DeleteFunc(h.Ops, func(op history.Op) bool { return between(1, 20)(&op) })
			arrive(h, 0, 25, 1, 0, 20, 25)
		}, ""},
		{"nothing after a pause before the faults", func(h *history.History) {
			h.Ops = slices.DeleteFunc(h.Ops, func(op history.Op) bool { return between(0, 10)(&op) })
			fail(h, between(10, 20))
			arrive(h, 0, 0, 10, 25)
		}, "from 0.0 s to 20.0 s no fault was in force, and none of 250 operations succeeded"},
		{"a pause under the faults", func(h *history.History) {
			h.Ops = slices.DeleteFunc(h.Ops, func(op history.Op) bool { return between(19, 40)(&op) })
			arrive(h, 0, 25, 19, 0, 40, 25)
		}, ""},
		{"a pause at the end", func(h *history.History) {
			h.Ops = slices.DeleteFunc(h.Ops, func(op history.Op) bool { return between(45, 60)(&op) })
			arrive(h, 0, 25, 45, 0)
		}, ""},
		{"it falls silent after a pause", func(h *history.History) {
			h.Ops = slices.DeleteFunc(h.Ops, func(op history.Op) bool { return between(45, 60)(&op) })
			arrive(h, 0, 25, 45, 0, 50, 25)
		}, "the history falls silent: no operation was even tried from 45.0 s"},
		{"little is asked for at the end", func(h *history.History) {
			n := 0
			h.Ops = slices.DeleteFunc(h.Ops, func(op history.Op) bool { n++; return between(40, 60)(&op) && n%75 != 0 })
			arrive(h, 0, 25, 40, 0.33)
		}, ""},
		{"it falls silent", func(h *history.History) {
			h.Ops = slices.DeleteFunc(h.Ops, func(op history.Op) bool { return op.Call >= 22*checktest.Second/10 })
		},
			"the history falls silent: no operation was even tried from 2.2 s to the end of the load at 60.0 s"},
		{"it falls silent with operations under way", func(h *history.History) {
			h.Ops = slices.DeleteFunc(h.Ops, func(op history.Op) bool { return op.Call >= 22*checktest.Second })
			h.Ops = append(h.Ops, history.Op{Node: "n1", Func: history.Read, Key: "k1", Outcome: history.Info, Error: history.ErrorUnderWay, Call: 22 * checktest.Second, Return: 61 * checktest.Second})
		}, "falls silent: no operation was even tried from 22.0 s"},
		{"the cluster keeps clients waiting", func(h *history.History) {
			h.Faults[0].Targets, h.Faults[1].Begin, h.Faults[1].End = h.Header.Nodes, 60*checktest.Second, 60*checktest.Second
			h.Ops = slices.DeleteFunc(h.Ops, func(op history.Op) bool { return op.Call >= 22*checktest.Second })
			h.Ops = append(h.Ops, history.Op{Node: "n1", Func: history.Read, Key: "k1", Outcome: history.Info, Error: "timeout", Call: 22 * checktest.Second, Return: 59 * checktest.Second})
		}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := checktest.BusyRun()
			tt.change(h)
			res, want := Activity(0).Check(t.Context(), &check.Input{History: h}), check.Invalid
			if tt.want == "" {
				want = check.Pass
			}
			if res.Verdict != want || !strings.Contains(res.Summary, tt.want) {
				t.Errorf("%s %q, want %s with %q", res.Verdict, res.Summary, want, tt.want)
			}
		})
	}
}

func TestVoidFaults(t *testing.T) {
	fault := func(id int, phase history.Phase, err string) history.Fault {
		return history.Fault{ID: id, Name: "kill", Variant: "one", Phase: phase, Targets: []string{"n2"}, Begin: checktest.Second, End: checktest.Second, Err: err}
	}
	lapse := func(id int) history.Fault {
		f := fault(id, history.Heal, "")
		f.Lapsed = "n2 runs"
		return f
	}
	crash := history.NodeEvent{Node: "n2", Boot: 1, Kind: history.EventExit, Time: 30 * checktest.Second, Reason: "exit status 2"}
	for _, tt := range []struct {
		name   string
		faults []history.Fault
		marks  []history.Mark
		events []history.NodeEvent
		want   check.Verdict
		says   string
	}{
		{"one of three is void", []history.Fault{fault(1, history.Inject, ""), fault(1, history.Heal, ""), fault(2, history.Inject, "deadline"), fault(3, history.Inject, ""), fault(3, history.Heal, "")}, nil, nil,
			check.Pass, "2 of 3 faults took effect; fault 2 (kill one) is void, it did not take effect: deadline"},
		{"one of two is void", []history.Fault{fault(1, history.Inject, ""), fault(1, history.Heal, ""), fault(2, history.Inject, "deadline")}, nil, nil, check.Pass, "fault 2 (kill one) is void"},
		{"two of three are void", []history.Fault{fault(1, history.Inject, ""), fault(1, history.Heal, ""), fault(2, history.Inject, "a"), fault(3, history.Inject, "b")}, nil, nil,
			check.Invalid, "only 1 of 3 faults took effect; fault 2 (kill one) is void"},
		{"none took effect, and the host was overloaded", []history.Fault{fault(1, history.Inject, "deadline")},
			[]history.Mark{{Name: history.MarkOverloaded, Text: "load 80 on 2 cores"}}, nil, check.Invalid, "the host was overloaded: load 80 on 2 cores"},
		{"nothing but that the host was overloaded", []history.Fault{fault(1, history.Inject, ""), fault(1, history.Heal, "")},
			[]history.Mark{{Name: history.MarkOverloaded, Text: "load 80 on 2 cores"}}, nil, check.Pass, "the host was overloaded: load 80 on 2 cores"},
		{"none began", nil, []history.Mark{{Name: history.MarkMissed, Text: "fault 1"}}, nil, check.Invalid, "no fault of the plan took effect: the load was over before any began"},
		{"some began", []history.Fault{fault(1, history.Inject, ""), fault(1, history.Heal, "")}, []history.Mark{{Name: history.MarkMissed, Text: "fault 2"}}, nil, check.Pass, "1 more of the plan never began"},
		{"one was not healed", []history.Fault{fault(1, history.Inject, ""), fault(1, history.Heal, "n2 does not start")}, nil, nil, check.Invalid, "fault 1 (kill one) was not healed: n2 does not start"},
		{"one was never healed", []history.Fault{fault(1, history.Inject, ""), fault(2, history.Inject, ""), fault(2, history.Heal, "")}, nil, nil, check.Invalid, "fault 1 (kill one) was never healed"},
		{"one was not healed on a server that crashed", []history.Fault{fault(1, history.Inject, ""), fault(1, history.Heal, "n2 does not start")}, nil,
			[]history.NodeEvent{crash}, check.Pass, "fault 1 (kill one) was not healed on a server that had crashed"},
		{"one of two lapsed", []history.Fault{fault(1, history.Inject, ""), fault(1, history.Heal, ""), fault(2, history.Inject, ""), lapse(2)}, nil, nil,
			check.Pass, "1 of 2 faults took effect; fault 2 (kill one) is void, it stopped taking effect before its end: n2 runs"},
		{"the only one lapsed", []history.Fault{fault(1, history.Inject, ""), lapse(1)}, nil, nil,
			check.Invalid, "no fault of the plan took effect; fault 1 (kill one) is void, it stopped taking effect before its end: n2 runs"},
		{"one lapsed on a server that crashed", []history.Fault{fault(1, history.Inject, ""), lapse(1)}, nil,
			[]history.NodeEvent{crash}, check.Pass, "fault 1 (kill one) ended early on a server that had crashed"},
		{"many", slices.Repeat([]history.Fault{fault(1, history.Inject, "x")}, 10), nil, nil, check.Invalid, "and 7 more faults"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := checktest.BusyRun()
			h.Faults, h.Marks, h.Nodes = tt.faults, append(h.Marks, tt.marks...), tt.events
			res := Activity(0).Check(t.Context(), &check.Input{History: h})
			if res.Verdict != tt.want || !strings.Contains(res.Summary, tt.says) {
				t.Errorf("%s %q, want %s with %q", res.Verdict, res.Summary, tt.want, tt.says)
			}
		})
	}
}
