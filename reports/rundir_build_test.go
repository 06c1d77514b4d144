package reports

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"squall/history"
	"squall/history/check"
)

// saveRun writes a run directory as a test leaves it behind.
func saveRun(t testing.TB, dir string, in *history.History, res *check.Results) {
	t.Helper()
	rec, err := history.Create(filepath.Join(dir, historyFile), in.Header)
	if err != nil {
		t.Fatal(err)
	}
	for i := range in.Ops {
		add(t, rec, history.Record{Op: &in.Ops[i]})
	}
	for i := range in.Nodes {
		add(t, rec, history.Record{Node: &in.Nodes[i]})
	}
	for i := range in.Faults {
		add(t, rec, history.Record{Fault: &in.Faults[i]})
	}
	for i := range in.Marks {
		add(t, rec, history.Record{Mark: &in.Marks[i]})
	}
	if err := rec.Close(); err != nil {
		t.Fatal(err)
	}
	saveJSON(t, filepath.Join(dir, resultsFile), res)
	saveJSON(t, filepath.Join(dir, planFile), map[string]any{
		"schemaVersion": 1, "squall": "test",
		"test":    map[string]any{"name": in.Header.Test, "seed": in.Header.Seed, "system": "raftkv"},
		"nodes":   in.Header.Nodes,
		"command": "squall run --time 30s --nemesis partition,kill,pause --seed 7",
	})
	saveJSON(t, filepath.Join(dir, envFile), map[string]any{
		"engine": map[string]any{"name": "docker", "version": "28.5.2"}, "kernel": "6.18.0", "cpus": 2,
	})
}

func add(t testing.TB, rec *history.Recorder, r history.Record) {
	t.Helper()
	if err := rec.Append(r); err != nil {
		t.Fatal(err)
	}
}

func saveJSON(t testing.TB, path string, v any) {
	t.Helper()
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
}

// violate makes results say that a history holds a stale read and two leaders
// in one term.
func violate(_ *history.History, res *check.Results) {
	const s = int64(1e9)
	op := func(process int64, node, text string, outcome history.Outcome, call, ret int64) check.WitnessOp {
		return check.WitnessOp{Process: process, Node: node, Text: text, Outcome: string(outcome),
			Call: call, Return: ret, CallS: float64(call) / 1e9}
	}
	res.Verdict = check.Violation
	res.Reasons = []string{"key k4 is not linearizable: a read found 41 after 42 had been acknowledged",
		"term 2 has two leaders, n1 and n3"}
	res.Checks[0] = check.Result{Name: "linearizable", Verdict: check.Violation, Key: "k4",
		Summary: "1 of 12 keys is not linearizable: process 7 read 41 from n1 after process 3 had written 42.",
		Witness: []check.WitnessOp{
			op(2, "n1", "write(k4) ← 41", history.OK, 9*s+205e6, 9*s+207e6),
			op(3, "n4", "write(k4) ← 42", history.OK, 9*s+910e6, 9*s+914e6),
			op(3, "n4", "read(k4) → 42", history.OK, 9*s+921e6, 9*s+922e6),
			op(5, "n2", "cas(k4) 42→43", history.Info, 9*s+923e6, 10*s+923e6),
			op(7, "n1", "read(k4) → 41", history.OK, 9*s+925e6, 9*s+926e6),
			op(9, "n1", "write(k4) ← 44: no leader", history.Fail, 9*s+930e6, 9*s+990e6),
		},
		Picture: "linearizable-k4.html", Seconds: 0.41, Stats: map[string]float64{"keys": 12, "operations": 79893}}
	res.Checks[1] = check.Result{Name: "election-safety", Verdict: check.Violation, Seconds: 0.002,
		Summary: "term 2 has two leaders",
		Events: []history.NodeEvent{
			{Node: "n1", Boot: 1, Kind: history.EventRole, Time: stormMono + 4*s + 7e8, Term: 2, Role: history.RoleLeader, Reason: "won"},
			{Node: "n3", Boot: 2, Kind: history.EventRole, Time: stormMono + 4*s + 8e8, Term: 2, Role: history.RoleLeader, Reason: "won"},
			{Node: "n3", Boot: 2, Kind: history.EventCommit, Time: stormMono + 4*s + 9e8, Index: 640, EntryTerm: 2, Hash: "9c1185a5c5e9fc54"},
		}}
}
