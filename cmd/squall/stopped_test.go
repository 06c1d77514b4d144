package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"squall/history"
	"squall/history/check"
	"squall/orchestrator/testplan"
)

// recorded is a run directory of a storm of 20 s that three traced nodes stood:
// load from 1 s on, a fault from 5 s to 8 s, then a write and a read through every
// node. change may edit the history before it is written.
func recorded(t *testing.T, change func(h *history.History)) (out, dir string) {
	t.Helper()
	out = t.TempDir()
	test := testplan.DefaultTest()
	test.Out, test.Nodes, test.Time, test.Seed, test.Thresholds = out, 3, testplan.Duration(20*time.Second), 7, []string{"election max < 1s"}
	plan, err := testplan.NewPlan(test, "test", "squall")
	if err != nil {
		t.Fatal(err)
	}
	dir = filepath.Join(out, plan.Test.Name, "20261128T000000Z-7")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(plan)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, testplan.PlanFile), text, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := testplan.PointLatest(out, dir); err != nil {
		t.Fatal(err)
	}
	h := stormOf20s()
	change(h)
	save(t, dir, h)
	return out, dir
}

func stormOf20s() *history.History {
	const s = int64(time.Second)
	h := &history.History{Header: history.Header{Test: "t", System: "raftkv", Workload: "register", Nodes: []string{"n1", "n2", "n3"}, Functions: history.RegisterFunctions(), Seed: 7}}
	mark := func(name string, at int64) { h.Marks = append(h.Marks, history.Mark{Name: name, Time: at}) }
	mark(history.MarkUp, 1)
	mark(history.MarkServing, s/2)
	mark(history.MarkLoadBegin, s)
	mark(history.MarkLoadEnd, 21*s)
	h.Marks = append(h.Marks, history.Mark{Name: history.MarkHealed, Time: 21*s + 1, Bound: 30 * s})
	mark(history.MarkDone, 23*s)
	fault := history.Fault{Name: "partition", Kind: history.KindPartition, ID: 1, Variant: "one", Phase: history.Inject, Targets: []string{"n3"}, Begin: 5 * s, End: 5*s + s/10}
	heal := fault
	heal.Phase, heal.Begin, heal.End = history.Heal, 8*s, 8*s+s/10
	h.Faults = []history.Fault{fault, heal}
	for i, n := range h.Header.Nodes {
		h.Nodes = append(h.Nodes, history.NodeEvent{Node: n, Boot: 1, Kind: history.EventStart, Time: int64(i + 1)})
	}
	h.Nodes = append(h.Nodes, history.NodeEvent{Node: "n1", Boot: 1, Kind: history.EventVote, Time: s / 3, Term: 1, Vote: "n1"},
		history.NodeEvent{Node: "n1", Boot: 1, Kind: history.EventRole, Role: history.RoleLeader, Time: s / 2, Term: 1})
	value := history.None
	add := func(at int64, i int, f history.Func, final bool) {
		op := history.Op{Process: int64(i % 3), Node: h.Header.Nodes[i%3], Func: f, Key: "r0", Outcome: history.OK, Call: at, Return: at + s/1000, Final: final}
		if f != history.Read {
			value = history.Some("v" + time.Duration(at).String())
		}
		op.SetRegister(history.Register{Value: value, Result: value})
		h.Ops = append(h.Ops, op)
		for _, n := range h.Header.Nodes {
			at := at + s/2000
			h.Nodes = append(h.Nodes, history.NodeEvent{Node: n, Boot: 1, Kind: history.EventCommit, Time: at, Term: 1, Index: uint64(len(h.Ops)), EntryTerm: 1, Hash: "0000000000000001"},
				history.NodeEvent{Node: n, Boot: 1, Kind: history.EventState, Time: at, Term: 1, Index: uint64(len(h.Ops)), Hash: "0000000000000002"})
		}
	}
	for i := range 400 {
		add(s+int64(i)*s/20, i, []history.Func{history.Write, history.Read}[i/3%2], false)
	}
	for i := range 3 {
		add(22*s+int64(i)*s/10, i, history.Write, true)
		add(22*s+int64(i)*s/10+s/20, i, history.Read, true)
	}
	return h
}

func save(t *testing.T, dir string, h *history.History) {
	t.Helper()
	rec, err := history.Create(filepath.Join(dir, history.FileName), h.Header)
	if err != nil {
		t.Fatal(err)
	}
	var records []history.Record
	for i := range h.Marks {
		records = append(records, history.Record{Mark: &h.Marks[i]})
	}
	for i := range h.Nodes {
		records = append(records, history.Record{Node: &h.Nodes[i]})
	}
	for i := range h.Faults {
		records = append(records, history.Record{Fault: &h.Faults[i]})
	}
	for i := range h.Ops {
		records = append(records, history.Record{Op: &h.Ops[i]})
	}
	for _, r := range records {
		if err := rec.Append(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := rec.Close(); err != nil {
		t.Fatal(err)
	}
}

// say runs a command on a folder of runs and returns what it said.
func say(t *testing.T, out string, want int, args ...string) string {
	t.Helper()
	var text bytes.Buffer
	a := &app{program: "squall", out: &text, errOut: &text}
	if code := a.run(context.Background(), append(append([]string{"squall"}, args...), "--out", out)); code != want {
		t.Fatalf("squall %s: exit code %d, want %d:\n%s", strings.Join(args, " "), code, want, &text)
	}
	return text.String()
}

func wantAll(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			t.Errorf("no %q in:\n%s", p, text)
		}
	}
}

const stoppedAt = "stopped after 12.2 s of 20 s"

// stop makes a history that of a run which was stopped: its recorder says so, or,
// as in earlier versions, only the length of its load tells.
func stop(h *history.History, told bool) {
	const s = int64(time.Second)
	end := s + 12200*s/1000
	for i := range h.Marks {
		if m := &h.Marks[i]; m.Name == history.MarkLoadEnd {
			m.Time = end
		}
	}
	h.Ops = slices.DeleteFunc(h.Ops, func(op history.Op) bool { return !op.Final && op.Return > end })
	if told {
		i := slices.IndexFunc(h.Marks, func(m history.Mark) bool { return m.Name == history.MarkLoadEnd })
		h.Marks = slices.Insert(h.Marks, i, history.Mark{Name: history.MarkStopped, Time: end - 1, Text: stoppedAt})
	}
}

// TestAStoppedRunSaysSo: wherever the verdict stands, and in the exit code of every
// later check.
func TestAStoppedRunSaysSo(t *testing.T) {
	for name, told := range map[string]bool{"told": true, "of before": false} {
		t.Run(name, func(t *testing.T) {
			out, dir := recorded(t, func(h *history.History) { stop(h, told) })
			wantAll(t, say(t, out, exitInterrupted, "check"), "verdict  ✓ PASS, "+stoppedAt, "– election max < 1s", "no data", "1 of 1 thresholds had no data")
			wantAll(t, say(t, out, exitInterrupted, "check", "--json"), `"stopped": "`+stoppedAt+`"`, `"noData": true`)
			wantAll(t, say(t, out, exitPass, "list", "runs"), "pass, "+stoppedAt)
			say(t, out, exitPass, "report")
			page, err := os.ReadFile(filepath.Join(dir, "report.html"))
			if err != nil {
				t.Fatal(err)
			}
			wantAll(t, string(page), "<strong>Pass, "+stoppedAt+"</strong>", "Thresholds without data")
			junit, summary := filepath.Join(t.TempDir(), "j.xml"), filepath.Join(t.TempDir(), "s.md")
			say(t, out, exitInterrupted, "check", "--junit", junit, "--summary", summary)
			for _, name := range []string{junit, summary} {
				text, err := os.ReadFile(name)
				if err != nil {
					t.Fatal(err)
				}
				wantAll(t, string(text), stoppedAt, "no data")
			}
			wantAll(t, say(t, out, exitPass, "compare", dir, dir), "! "+dir+": "+stoppedAt)
		})
	}
}

// TestAStoppedRunWithAViolation: the violation outweighs that it was stopped.
func TestAStoppedRunWithAViolation(t *testing.T) {
	out, _ := recorded(t, func(h *history.History) {
		stop(h, true)
		h.Ops[3].Out = history.Text("never written")
	})
	wantAll(t, say(t, out, exitViolation, "check"), "VIOLATION, "+stoppedAt)
}

func TestWholeRun(t *testing.T) {
	out, _ := recorded(t, func(*history.History) {})
	text := say(t, out, exitPass, "check")
	wantAll(t, text, "verdict  ✓ PASS\n", "recovery", "commit-monotonic", "leader-completeness")
	if strings.Contains(text, "stopped") {
		t.Errorf("it was not stopped:\n%s", text)
	}
}

// TestFirstViolation: the terminal, results.json, the report and JUnit say when a
// promise was first broken.
func TestFirstViolation(t *testing.T) {
	const s = int64(time.Second)
	out, dir := recorded(t, func(h *history.History) {
		h.Nodes = append(h.Nodes, history.NodeEvent{Node: "n2", Boot: 1, Kind: history.EventRole, Role: history.RoleLeader, Time: 77 * s / 10, Term: 1})
	})
	junit, summary := filepath.Join(t.TempDir(), "j.xml"), filepath.Join(t.TempDir(), "s.md")
	wantAll(t, say(t, out, exitViolation, "check", "--junit", junit, "--summary", summary), "two leaders in term 1: n1 and n2; first violation at 7.7 s")
	say(t, out, exitPass, "report")
	for name, part := range map[string]string{junit: "first violation at 7.7 s", summary: "first violation at 7.7 s",
		filepath.Join(dir, "report.html"): "first violation at 7.7 s", filepath.Join(dir, check.ResultsName): `"firstAt": 7.7`} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		wantAll(t, string(text), part)
	}
}

// TestAClusterThatNeverServesAgain is the case from the field: nothing succeeds from
// 2.2 s on, and no read after the storm does.
func TestAClusterThatNeverServesAgain(t *testing.T) {
	const s = int64(time.Second)
	out, _ := recorded(t, func(h *history.History) {
		for i := range h.Ops {
			if op := &h.Ops[i]; op.Call > 22*s/10 {
				op.Outcome, op.Error, op.Out = history.Fail, "no leader is known", ""
			}
		}
	})
	wantAll(t, say(t, out, exitViolation, "check"), "✗ recovery", "after every fault was healed at 21.0 s the cluster did not recover through every node within 30.0 s: n1: none of 1 write succeeded")
}
