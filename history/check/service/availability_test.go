package service

import (
	"slices"
	"strings"
	"testing"
	"time"

	"squall/history"
	"squall/history/check"
	"squall/history/check/checktest"
)

// servedRun is a load of 60 s on three nodes: an operation through each of them every 100 ms,
// and a fault from 20 to 30 s.
func servedRun() *history.History {
	h := &history.History{Header: checktest.Registers("n1", "n2", "n3")}
	h.Faults = []history.Fault{{ID: 1, Name: "kill", Targets: []string{"n1"}, Phase: history.Inject, Begin: 20 * checktest.Second, End: 20 * checktest.Second},
		{ID: 1, Name: "kill", Phase: history.Heal, Begin: 30 * checktest.Second, End: 30 * checktest.Second}}
	h.Marks = []history.Mark{{Name: history.MarkServing, Time: 0}, {Name: history.MarkLoadBegin, Time: 0}, {Name: history.MarkLoadEnd, Time: 60 * checktest.Second}}
	for at := int64(0); at < 60*checktest.Second; at += checktest.Second / 10 {
		for _, n := range h.Header.Nodes {
			h.Ops = append(h.Ops, history.Op{Node: n, Func: history.Read, Key: "k", Outcome: history.OK, Call: at, Return: at + checktest.Second/100})
		}
	}
	return h
}

// failing makes operations called between two moments fail; node "" is any.
func failing(h *history.History, node string, from, to int64) {
	for i := range h.Ops {
		if op := &h.Ops[i]; (node == "" || op.Node == node) && op.Call >= from*checktest.Second && op.Call < to*checktest.Second {
			op.Outcome, op.Error = history.Fail, "no leader"
		}
	}
}

func TestAvailability(t *testing.T) {
	mark := func(name, text string) func(h *history.History) {
		return func(h *history.History) {
			failing(h, "", 40, 48)
			h.Marks = append(h.Marks, history.Mark{Name: name, Time: 50 * checktest.Second, Text: text})
		}
	}
	for _, tt := range []struct {
		name    string
		change  func(h *history.History)
		want    check.Verdict
		summary string
	}{
		{"it serves", func(*history.History) {}, check.Pass, "in 40.0 s of the load without faults, operations succeeded through every node at least every 100 ms; 5.0 s is promised"},
		{"not under a fault", func(h *history.History) { failing(h, "", 20, 30) }, check.Pass, ""},
		{"not right after one", func(h *history.History) { failing(h, "", 20, 34) }, check.Pass, ""},
		{"long after one", func(h *history.History) { failing(h, "", 20, 41) }, check.Violation, "from 35.0 s to 41.0 s no fault was in force, and none of 183 operations succeeded for 6.0 s; 5.0 s is promised"},
		{"for less than is promised", func(h *history.History) { failing(h, "", 40, 44) }, check.Pass, "at least every 4."},
		{"without any reason", func(h *history.History) { failing(h, "", 40, 48) }, check.Violation, "operations succeeded for 8."},
		{"one node alone", func(h *history.History) { failing(h, "n2", 40, 48) }, check.Violation, "through n2 succeeded for 8."},
		{"to the end", func(h *history.History) { failing(h, "n2", 54, 60) }, check.Violation, "to 59.9 s no fault was in force"},
		{"only reads", func(h *history.History) {
			for i := range h.Ops {
				if i/3%2 == 0 { // of each node, every other
					h.Ops[i].Func = history.Write
				}
			}
			failingWrites(h, 40, 48)
		}, check.Violation, "operations that change something through n1 succeeded for 8."},
		{"nothing was tried", func(h *history.History) { h.Ops = append(h.Ops[:0], h.Ops[:1200]...) }, check.Pass, ""},
		{"after a pause of the load", func(h *history.History) {
			h.Ops = slices.DeleteFunc(h.Ops, func(op history.Op) bool { return op.Call >= 40*checktest.Second && op.Call < 48*checktest.Second })
			for i := range int64(9) { // called one after the other before the first of them is answered
				at := 48*checktest.Second - 9 + i
				h.Ops = append(h.Ops, history.Op{Node: h.Header.Nodes[i%3], Func: history.Read, Key: "k", Outcome: history.OK, Call: at, Return: at + checktest.Second/100})
			}
		}, check.Pass, ""},
		{"before a pause of the load", func(h *history.History) {
			failing(h, "", 39, 40)
			h.Ops = slices.DeleteFunc(h.Ops, func(op history.Op) bool { return op.Call >= 40*checktest.Second && op.Call < 48*checktest.Second })
		}, check.Pass, ""},
		{"before a longer time in which nothing was tried", func(h *history.History) {
			failing(h, "", 36, 44)
			h.Ops = slices.DeleteFunc(h.Ops, func(op history.Op) bool { return op.Call >= 46*checktest.Second })
		}, check.Violation, "operations succeeded for 8."},
		{"its server had crashed", func(h *history.History) {
			failing(h, "n2", 40, 60)
			h.Nodes = append(h.Nodes, history.NodeEvent{Node: "n2", Boot: 1, Kind: history.EventExit, Time: 40 * checktest.Second, Reason: "exit status 2"})
		}, check.Pass, ""},
		{"the host was overloaded", mark(history.MarkOverloaded, "load 80 on 2 cores"), check.Unknown, "may not be at fault, because the host was overloaded: load 80 on 2 cores: from 40.0 s"},
		{"the infrastructure failed", mark(history.MarkInvalid, "the engine went away"), check.Unknown, "because the infrastructure failed: the engine went away"},
		{"the history was cut", func(h *history.History) { failing(h, "", 40, 48); h.Info.Truncated = "cut" }, check.Unknown, "the history is cut short"},
		{"always under faults", func(h *history.History) {
			h.Faults[0].Begin, h.Faults[1].End = 0, 60*checktest.Second
			failing(h, "", 0, 60)
		}, check.Pass, "too little to hold the system to anything"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := servedRun()
			tt.change(h)
			res := Availability(5*time.Second, 5*time.Second).Check(t.Context(), &check.Input{History: h})
			if res.Verdict != tt.want || !strings.Contains(res.Summary, tt.summary) {
				t.Errorf("%s %q, want %s with %q", res.Verdict, res.Summary, tt.want, tt.summary)
			}
			if (tt.want == check.Violation) != (res.Kind == check.KindUnavailable && res.FirstAt != nil && *res.FirstAt >= 40) {
				t.Errorf("kind %q, first at %v", res.Kind, res.FirstAt)
			}
		})
	}
}

// failingWrites is failing, of writes through n1.
func failingWrites(h *history.History, from, to int64) {
	for i := range h.Ops {
		if op := &h.Ops[i]; op.Node == "n1" && op.Func == history.Write && op.Call >= from*checktest.Second && op.Call < to*checktest.Second {
			op.Outcome, op.Error = history.Fail, "busy"
		}
	}
}
