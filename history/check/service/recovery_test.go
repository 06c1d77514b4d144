package service

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"squall/history"
	"squall/history/check"
	"squall/history/check/checktest"
)

// recoveryRun is the end of a test of three nodes: its faults were healed at 60 s,
// and a write and three reads succeeded through every node.
func recoveryRun(bound int64) *history.History {
	h := &history.History{Header: checktest.Registers("n1", "n2", "n3")}
	h.Faults = []history.Fault{{ID: 1, Name: "kill", Phase: history.Inject, Begin: 2 * checktest.Second, End: 2 * checktest.Second},
		{ID: 1, Name: "kill", Phase: history.Heal, Begin: 59 * checktest.Second, End: 60 * checktest.Second}}
	h.Marks = []history.Mark{{Name: history.MarkServing, Time: 1}, {Name: history.MarkHealed, Time: 60 * checktest.Second, Bound: bound * checktest.Second}}
	for i, n := range h.Header.Nodes {
		at := 61*checktest.Second + int64(i)
		if bound > 0 {
			h.Ops = append(h.Ops, checktest.FinalOp(n, history.Write, "recovery", at))
		}
		for k := range 3 {
			h.Ops = append(h.Ops, checktest.FinalOp(n, history.Read, fmt.Sprint("r", k), at+checktest.Second+int64(k)))
		}
	}
	return h
}

// noReads makes it a run of a workload without a function that only reads.
func noReads(h *history.History) {
	h.Header.Functions = slices.DeleteFunc(h.Header.Functions, func(f history.Function) bool { return f.Reads })
	h.Ops = slices.DeleteFunc(h.Ops, func(op history.Op) bool { return op.Func == history.Read })
}

// fails makes the operations after the storm fail that match.
func fails(h *history.History, match func(op *history.Op) bool) {
	for i := range h.Ops {
		if op := &h.Ops[i]; op.Final && match(op) {
			op.Outcome, op.Error = history.Info, "timeout"
		}
	}
}

func TestRecovery(t *testing.T) {
	all := func(*history.Op) bool { return true }
	through := func(node string) func(op *history.Op) bool {
		return func(op *history.Op) bool { return op.Node == node }
	}
	exit := func(reason string) history.NodeEvent {
		return history.NodeEvent{Node: "n3", Boot: 1, Kind: history.EventExit, Time: 30 * checktest.Second, Reason: reason}
	}
	text := func(name, text string) history.Mark {
		return history.Mark{Name: name, Time: 61 * checktest.Second, Text: text}
	}
	for _, tt := range []struct {
		name    string
		bound   int64 // s; 0: a history of before
		change  func(h *history.History)
		want    check.Verdict
		summary string
	}{
		{"it came back", 10, func(*history.History) {}, check.Pass, "a write and a read succeeded through each of 3 nodes within 2.1 s"},
		{"it came back, before there were writes", 0, func(*history.History) {}, check.Pass, "a read (this history holds no writes after the storm)"},
		{"it came back, with a workload that has no reads", 10, func(h *history.History) { noReads(h) },
			check.Pass, "an operation (this workload has none that only reads) succeeded through each of 3 nodes"},
		{"one node does not serve a workload that has no reads", 10, func(h *history.History) { noReads(h); fails(h, through("n3")) },
			check.Violation, "n3: none of 1 write succeeded"},
		{"it only served before the load", 10, func(h *history.History) {
			fails(h, all)
			h.Marks = append(h.Marks, history.Mark{Name: history.MarkLoadBegin, Time: 2 * checktest.Second})
			for _, n := range h.Header.Nodes {
				h.Ops = append(h.Ops, checktest.FinalOp(n, history.Write, "recovery", checktest.Second), checktest.FinalOp(n, history.Read, "r0", checktest.Second))
			}
		}, check.Violation, "n1: none of 1 write succeeded"},
		{"it never serves again", 10, func(h *history.History) { fails(h, all) }, check.Violation, "n1: none of 1 write succeeded; the last one ended at 62.1 s (timeout); n2: none"},
		{"it never serves again, before there were writes", 0, func(h *history.History) { fails(h, all) }, check.Violation, "within 60.0 s: n1: none of 3 reads"},
		{"not even without faults", 0, func(h *history.History) { fails(h, all); h.Faults = nil }, check.Violation, "n1: none"},
		{"one node does not serve", 10, func(h *history.History) { fails(h, through("n3")) }, check.Violation, "through every node within 10.0 s: n3: none of 1 write"},
		{"one node takes no writes", 10, func(h *history.History) {
			fails(h, func(op *history.Op) bool { return op.Node == "n2" && op.Func == history.Write })
		}, check.Violation, "n2: none of 1 write succeeded"},
		{"too late", 1, func(*history.History) {}, check.Violation, "n1: the first read succeeded only at 62.1 s"},
		{"asked late", 10, func(h *history.History) { h.Marks[1].Time = 40 * checktest.Second }, check.Pass, "within 22.1 s"},
		{"a write too late", 3, func(h *history.History) { h.Ops[0].Call, h.Ops[0].Return = 65*checktest.Second, 66*checktest.Second }, check.Violation, "n1: the first write succeeded only at 66.0 s"},
		{"a key is not read", 10, func(h *history.History) {
			fails(h, func(op *history.Op) bool { return op.Node == "n2" && op.Key == "r1" })
		}, check.Unknown, "n2: 1 of 3 keys could not be read"},
		{"a key is read at last", 10, func(h *history.History) {
			fails(h, func(op *history.Op) bool { return op.Node == "n2" && op.Key == "r1" })
			h.Ops = append(h.Ops, checktest.FinalOp("n2", history.Read, "r1", 64*checktest.Second))
		}, check.Pass, ""},
		{"a node was not asked", 10, func(h *history.History) { checktest.Unasked(h, "n2") }, check.Unknown, "n2: nothing was tried"},
		{"nothing was asked", 10, func(h *history.History) { h.Ops = nil }, check.Unknown, "nothing was tried after the faults were healed"},
		{"nothing was asked, and nothing was to heal", 10, func(h *history.History) { h.Ops, h.Faults = nil, nil }, check.Pass, "no fault to recover from"},
		{"never healed", 10, func(h *history.History) { h.Marks = h.Marks[:1] }, check.Unknown, "does not say that the faults were healed"},
		{"stopped before", 10, func(h *history.History) {
			h.Marks = []history.Mark{text(history.MarkStopped, "stopped after 1 s of 20 s")}
		}, check.Unknown, "the test was stopped before the faults were healed"},
		{"stopped, and it does not come back", 10, func(h *history.History) {
			h.Marks = append(h.Marks, text(history.MarkStopped, "stopped after 1 s of 20 s"))
			fails(h, all)
		}, check.Violation, "n1: none"},
		{"the host was overloaded", 10, func(h *history.History) {
			h.Marks = append(h.Marks, text(history.MarkOverloaded, "load 80 on 2 cores"))
			fails(h, all)
		}, check.Unknown, "may not be at fault, because the host was overloaded: load 80 on 2 cores: n1: none"},
		{"the engine went away", 10, func(h *history.History) {
			h.Marks = append(h.Marks, text(history.MarkInvalid, "the engine went away"))
			fails(h, all)
		}, check.Unknown, "the infrastructure failed: the engine went away"},
		{"a fault was not healed", 10, func(h *history.History) { h.Faults[1].Err = "n1 does not start"; fails(h, all) }, check.Unknown, "was not healed: n1 does not start"},
		{"a server crashed", 10, func(h *history.History) {
			h.Nodes = append(h.Nodes, exit("exit status 2"))
			fails(h, through("n3"))
		}, check.Unknown, "n3 (its server crashed: see no-crash)"},
		{"a server crashed, and another does not serve", 10, func(h *history.History) {
			h.Nodes = append(h.Nodes, exit("exit status 2"))
			fails(h, func(op *history.Op) bool { return op.Node != "n1" })
		}, check.Violation, "n2: none"},
		{"a server cannot start again", 10, func(h *history.History) {
			crashesAgain(h, "n3")
			h.Marks = append(h.Marks, text(history.MarkOverloaded, "load 80 on 2 cores"))
			fails(h, through("n3"))
		}, check.Violation, "n3: its server was started when the faults were healed, and ended by itself again (exit status 1: no snapshot)"},
		{"a server starts again at the second time", 10, func(h *history.History) {
			crashesAgain(h, "n3")
			h.Nodes = append(h.Nodes, history.NodeEvent{Node: "n3", Boot: 4, Kind: history.EventStart, Time: 59 * checktest.Second})
		}, check.Pass, ""},
		{"somebody killed a server", 10, func(h *history.History) {
			h.Nodes = append(h.Nodes, exit(history.ReasonOutside))
			fails(h, through("n3"))
		}, check.Unknown, "n3 (its server was ended: killed from outside (SIGKILL))"},
		{"a quorum crashed", 10, func(h *history.History) {
			for _, n := range []string{"n2", "n3"} {
				e := exit("exit status 2")
				e.Node = n
				h.Nodes = append(h.Nodes, e)
			}
			fails(h, all)
		}, check.Unknown, "2 of 3 servers had ended"},
		{"squall killed it, and started it again", 10, func(h *history.History) {
			h.Nodes = append(h.Nodes, exit(history.ReasonKilled), history.NodeEvent{Node: "n3", Boot: 2, Kind: history.EventStart, Time: 40 * checktest.Second})
			fails(h, through("n3"))
		}, check.Violation, "n3: none"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := recoveryRun(tt.bound)
			tt.change(h)
			res := Recovery().Check(t.Context(), &check.Input{History: h})
			if res.Verdict != tt.want || !strings.Contains(res.Summary, tt.summary) {
				t.Errorf("%s %q, want %s with %q", res.Verdict, res.Summary, tt.want, tt.summary)
			}
			if (tt.want == check.Violation) != (res.FirstAt != nil && *res.FirstAt > 60 && *res.FirstAt <= 60+max(float64(tt.bound), 60)) {
				t.Errorf("first at %v", res.FirstAt)
			}
		})
	}
}

// crashesAgain lets a node's server end by itself in the storm, and again when it is
// started after the load.
func crashesAgain(h *history.History, node string) {
	h.Marks = append(h.Marks, history.Mark{Name: history.MarkLoadEnd, Time: 50 * checktest.Second})
	ends := func(boot int, at int64) history.NodeEvent {
		return history.NodeEvent{Node: node, Boot: boot, Kind: history.EventExit, Reason: "exit status 1: no snapshot", Time: at}
	}
	h.Nodes = append(h.Nodes, ends(2, 30*checktest.Second),
		history.NodeEvent{Node: node, Boot: 3, Kind: history.EventStart, Time: 55 * checktest.Second}, ends(3, 56*checktest.Second))
}
