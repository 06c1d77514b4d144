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

// rejoinedRun is recoveryRun with traces: n1 leads term 3 when the faults are healed at
// 60 s, and entry 40 is committed; n3 has only 30, and follows again at 65 s, with 41. The
// scan begins at 75 s, when the bound of 10 s is over.
func rejoinedRun() *history.History {
	h := recoveryRun(10)
	role := func(node, role, leader string, term uint64, at int64) {
		h.Nodes = append(h.Nodes, history.NodeEvent{Node: node, Boot: 1, Kind: history.EventRole, Role: role, Leader: leader, Term: term, Time: at})
	}
	for _, n := range h.Header.Nodes {
		h.Nodes = append(h.Nodes, history.NodeEvent{Node: n, Boot: 1, Kind: history.EventStart, Time: 1})
	}
	role("n1", history.RoleLeader, "", 3, 2*checktest.Second)
	role("n2", history.RoleFollower, "n1", 3, 2*checktest.Second)
	role("n3", history.RoleFollower, "n1", 2, 2*checktest.Second)
	h.Nodes = append(h.Nodes, commit("n1", 40, 50*checktest.Second), commit("n2", 40, 51*checktest.Second), commit("n3", 30, 51*checktest.Second))
	role("n3", history.RoleFollower, "n1", 3, 64*checktest.Second)
	h.Nodes = append(h.Nodes, commit("n3", 41, 65*checktest.Second))
	h.Marks = append(h.Marks, history.Mark{Name: history.MarkScan, Time: 75 * checktest.Second, Bound: 5 * checktest.Second})
	return h
}

func commit(node string, index uint64, at int64) history.NodeEvent {
	return history.NodeEvent{Node: node, Boot: 1, Kind: history.EventCommit, Index: index, Time: at}
}

// never leaves out what a node tells after the heal, of that kind.
func never(h *history.History, node, kind string) {
	h.Nodes = slices.DeleteFunc(h.Nodes, func(e history.NodeEvent) bool {
		return e.Node == node && e.Kind == kind && e.Time > 60*checktest.Second
	})
}

func TestConvergence(t *testing.T) {
	for _, tt := range []struct {
		name    string
		change  func(h *history.History)
		want    check.Verdict
		summary string
	}{
		{"all are back", func(*history.History) {}, check.Pass, "; 5.0 s after the heal all followed n1 in term 3 and had committed entry 40"},
		{"a node never catches up", func(h *history.History) { never(h, "n3", history.EventCommit) }, check.Violation,
			"the cluster did not recover through every node within 10.0 s: n3: it had committed up to 30 of the 40 entries that were committed when the faults were healed"},
		{"a snapshot brings it up", func(h *history.History) {
			never(h, "n3", history.EventCommit)
			h.Nodes = append(h.Nodes, history.NodeEvent{Node: "n3", Boot: 1, Kind: history.EventSnapshot, Reason: "installed", Index: 40, Time: 66 * checktest.Second})
		}, check.Pass, "6.0 s after the heal"},
		{"a node follows nobody", func(h *history.History) {
			never(h, "n3", history.EventRole)
			h.Nodes = append(h.Nodes, history.NodeEvent{Node: "n3", Boot: 1, Kind: history.EventRole, Role: history.RoleFollower, Term: 9, Time: 66 * checktest.Second})
		}, check.Violation, "n3: it followed nobody in term 9, while n1 led term 3"},
		{"a node follows one who was replaced", func(h *history.History) { never(h, "n3", history.EventRole) }, check.Violation,
			"n3: it followed n1 in term 2, while n1 led term 3"},
		{"nobody leads", func(h *history.History) {
			h.Nodes = append(h.Nodes, history.NodeEvent{Node: "n1", Boot: 1, Kind: history.EventRole, Role: history.RoleFollower, Term: 4, Time: 61 * checktest.Second})
			slices.SortStableFunc(h.Nodes, func(a, b history.NodeEvent) int { return int(a.Time - b.Time) })
		}, check.Violation, "n1: no node led; n2: no node led; n3: no node led"},
		{"too late", func(h *history.History) { h.Nodes[len(h.Nodes)-1].Time = 72 * checktest.Second }, check.Violation, "n3: it had committed up to 30"},
		{"all were there when the faults were healed", func(h *history.History) {
			h.Nodes = h.Nodes[:len(h.Nodes)-3]
			h.Nodes = append(h.Nodes, history.NodeEvent{Node: "n3", Boot: 1, Kind: history.EventRole, Role: history.RoleFollower, Leader: "n1", Term: 3, Time: 52 * checktest.Second}, commit("n3", 40, 53*checktest.Second))
		}, check.Pass, "; 0 ms after the heal all followed n1"},
		{"nobody waited for it: an earlier squall", func(h *history.History) {
			never(h, "n3", history.EventCommit)
			h.Marks = h.Marks[:len(h.Marks)-1]
		}, check.Pass, "after the faults were healed"},
		{"its trace is silent", func(h *history.History) {
			never(h, "n3", history.EventCommit)
			h.Nodes = append(h.Nodes, history.NodeEvent{Node: "n3", Boot: 1, Kind: history.EventSilent, Reason: "it was closed", Time: 61 * checktest.Second})
		}, check.Unknown, "n3: the trace of n3 is silent from 61.0 s on (it was closed)"},
		{"its server ended", func(h *history.History) {
			never(h, "n3", history.EventCommit)
			h.Nodes = append(h.Nodes, history.NodeEvent{Node: "n3", Boot: 1, Kind: history.EventExit, Reason: "exit status 2", Time: 70 * checktest.Second})
		}, check.Unknown, "n3 (its server crashed: see no-crash)"},
		{"the host was overloaded", func(h *history.History) {
			never(h, "n3", history.EventCommit)
			h.Marks = append(h.Marks, history.Mark{Name: history.MarkOverloaded, Time: 61 * checktest.Second, Text: "load 80 on 2 cores"})
		}, check.Unknown, "may not be at fault, because the host was overloaded: load 80 on 2 cores: n3: it had"},
		{"it does not serve either", func(h *history.History) {
			never(h, "n3", history.EventCommit)
			fails(h, func(op *history.Op) bool { return op.Node == "n3" })
		}, check.Violation, "n3: none of 1 write"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := rejoinedRun()
			tt.change(h)
			res := Recovery().Check(t.Context(), &check.Input{History: h})
			if res.Verdict != tt.want || !strings.Contains(res.Summary, tt.summary) {
				t.Errorf("%s %q, want %s with %q", res.Verdict, res.Summary, tt.want, tt.summary)
			}
		})
	}
}

// Without a trace it is the copies of the state that are behind, or not.
func TestConvergenceOfCopies(t *testing.T) {
	for _, tt := range []struct {
		name    string
		wanted  uint64
		at      int64 // s
		want    check.Verdict
		summary string
	}{
		{"all copies came as far", 0, 75, check.Pass, "within"},
		{"one did not", 40, 75, check.Violation, "n3: its copy of the state had only come to position 30 of 40"},
		{"there was no time for it", 40, 65, check.Pass, "within"},
	} {
		h := recoveryRun(10)
		mark := history.Mark{Name: history.MarkReplicas, Time: tt.at * checktest.Second, Replicas: &history.Replicas{At: 30, Wanted: tt.wanted}}
		for i, n := range h.Header.Nodes {
			mark.Replicas.Of = append(mark.Replicas.Of, history.Replica{Node: n, Position: []uint64{40, 40, 30}[i], Digest: fmt.Sprint(i)})
		}
		h.Marks = append(h.Marks, mark)
		res := Recovery().Check(t.Context(), &check.Input{History: h})
		if res.Verdict != tt.want || !strings.Contains(res.Summary, tt.summary) {
			t.Errorf("%s: %s %q, want %s with %q", tt.name, res.Verdict, res.Summary, tt.want, tt.summary)
		}
	}
}
