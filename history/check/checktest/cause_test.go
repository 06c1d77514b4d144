package checktest

import (
	"strings"
	"testing"

	"squall/history"
	"squall/history/check"
	"squall/history/check/validity"
)

// What made a run invalid is named once, and what failed beside it is named too.
func TestACauseIsNamedOnce(t *testing.T) {
	killed := history.NodeEvent{Node: "n2", Boot: 1, Kind: history.EventExit, Time: 30 * Second, Reason: history.ReasonOutside}
	panics := history.NodeEvent{Node: "n3", Boot: 1, Kind: history.EventExit, Time: 31 * Second, Reason: "exit status 2: panic"}
	cause := history.Mark{Name: history.MarkInvalid, Time: 30 * Second, Text: "the server of n2 was killed from outside (SIGKILL): neither squall nor the server did that"}
	other := history.Mark{Name: history.MarkInvalid, Time: 30 * Second, Text: "the machine n2 was lost"}
	busy := history.Mark{Name: history.MarkOverloaded, Text: "load 80 on 2 cores"}
	const once = "no-crash, activity: something other than squall ended the server of n2 at 30.0 s: killed from outside (SIGKILL)"
	for _, tt := range []struct {
		name   string
		marks  []history.Mark
		events []history.NodeEvent
		want   []string // what each reason begins with
	}{
		{"a server killed by somebody else", []history.Mark{cause}, []history.NodeEvent{killed}, []string{once}},
		{"on an overloaded host", []history.Mark{cause, busy}, []history.NodeEvent{killed}, []string{once}},
		{"and a machine was lost", []history.Mark{cause, other}, []history.NodeEvent{killed},
			[]string{"no-crash: something other than squall ended the server of n2", "activity: the machine n2 was lost"}},
		{"something else altogether", []history.Mark{other}, []history.NodeEvent{killed},
			[]string{"no-crash: something other than squall ended the server of n2", "activity: the machine n2 was lost; "}},
		{"and another server ended by itself", []history.Mark{cause}, []history.NodeEvent{killed, panics},
			[]string{"no-crash: the server of n3 ended by itself", "activity: the server of n2 was killed from outside"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := BusyRun()
			// The test ended with it: half of the load, and no end of the test.
			h.Ops = h.Ops[:len(h.Ops)/2]
			h.Marks = append(h.Marks[:len(h.Marks)-1], tt.marks...)
			h.Nodes = tt.events
			in := &check.Input{History: h}
			var checks []check.Result
			for _, c := range []check.Checker{validity.Crashes(), validity.Activity(0)} {
				checks = append(checks, check.RunOne(t.Context(), c, in))
			}
			if checks[1].Verdict != check.Invalid {
				t.Errorf("activity is %s", checks[1].Verdict)
			}
			_, reasons := check.Combine(checks)
			if len(reasons) != len(tt.want) {
				t.Fatalf("%d reasons, want %d: %q", len(reasons), len(tt.want), reasons)
			}
			for i, want := range tt.want {
				if !strings.HasPrefix(reasons[i], want) {
					t.Errorf("reason %q, want %q", reasons[i], want)
				}
			}
			if said := strings.Count(strings.Join(reasons, "\n"), busy.Text); said > 1 {
				t.Errorf("the load is named %d times: %q", said, reasons)
			}
		})
	}
}
