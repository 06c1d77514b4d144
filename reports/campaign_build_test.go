package reports

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"squall/history/check"
	"squall/history/ledger"
)

// saveCampaign makes a campaign's directory: two sizes × three nemeses × four
// seeds, with a mutant that violates, a threshold missed, an unknown, an invalid
// run, and cells that run or wait.
func saveCampaign(t testing.TB) (dir string, c *ledger.Campaign) {
	t.Helper()
	dir = t.TempDir()
	began := time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)
	c = &ledger.Campaign{SchemaVersion: ledger.SchemaVersion, Squall: "0.5.0", Name: "nightly", File: "campaign.yaml",
		Command: "squall campaign campaign.yaml", Began: began, Jobs: 2}
	words := map[string]string{"kill": "kill", "partition": "partition", "delay(20ms)": "delay-20ms"}
	for _, nodes := range []int{3, 5} {
		for _, nemesis := range []string{"kill", "partition", "delay(20ms)"} {
			for seed := uint64(1); seed <= 4; seed++ {
				c.Cells = append(c.Cells, ledger.Cell{ID: fmt.Sprintf("nodes-%d_nemesis-%s_s%d", nodes, words[nemesis], seed), System: "raftkv", Nodes: nodes,
					Workload: "register", Nemesis: nemesis, Seed: seed, Repeat: 1, State: ledger.Done,
					Command: fmt.Sprintf("squall run --nodes %d --nemesis '%s' --seed %d", nodes, nemesis, seed)})
			}
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	for i := range c.Cells {
		cell := &c.Cells[i]
		base := 2000.0
		if cell.Nemesis == "delay(20ms)" {
			base = 400
		}
		at := began.Add(time.Duration(i) * 40 * time.Second)
		a := ledger.Attempt{Dir: "cells/" + cell.ID + "/run", Verdict: check.Pass, Began: at, Ended: at.Add(38 * time.Second),
			Figures: map[string]float64{"throughput": base + 100*r.NormFloat64(), "latency p(50)": 8000 / base, "latency p(99)": 20000/base + 3*r.Float64(),
				"availability": 99.9 - r.Float64()/2, "operations": 60000, "leaders-lost": 3}}
		if cell.Nemesis != "delay(20ms)" {
			a.Figures["election p(50)"], a.Figures["unavailability max"] = 300+200*r.Float64(), 500+900*r.Float64()
		}
		cell.Attempts = []ledger.Attempt{a}
	}
	spoil(c)
	for i := range c.Cells {
		saveCell(t, dir, &c.Cells[i])
	}
	if err := ledger.Write(dir, c); err != nil {
		t.Fatal(err)
	}
	return dir, c
}

// spoil makes some cells fail, and leaves some to do.
func spoil(c *ledger.Campaign) {
	fail := func(i int, v check.Verdict, reason string) {
		c.Cells[i].Attempts[0].Verdict, c.Cells[i].Attempts[0].Reason = v, reason
	}
	c.Cells[1].Mutant = "forgetful-vote"
	fail(1, check.Violation, "linearizable: 1 of 12 keys is not linearizable")
	fail(6, check.Unknown, "linearizable: the check took more than 2m0s")
	fail(9, check.Invalid, "the engine did not answer")
	c.Cells[14].Attempts[0].Missed = []string{"latency p(99) < 15ms"}
	c.Cells[22].State, c.Cells[22].Attempts[0].Verdict = ledger.Running, ""
	c.Cells[23].State, c.Cells[23].Attempts = ledger.Waiting, nil
	c.Thresholds = []check.Threshold{{Text: "availability > 99%", Met: true, Value: 99.7, Limit: 99, Unit: "%", Samples: 1320000,
		Why: "1,316,040 of 1,320,000 operations: 99.7%"}}
	c.Baseline = &ledger.Baseline{Dir: "../last-night", Tolerance: 0.05, Rows: []ledger.Row{
		{Group: "nodes-3_nemesis-kill", Metric: "throughput", Unit: "ops/s", Old: ledger.Center{Median: 2300, Low: 2250, High: 2340, Count: 8},
			New: ledger.Center{Median: 1990, Low: 1900, High: 2050, Count: 8}, Delta: -13.5, P: 0.0004, Worse: true, Lost: true},
		{Group: "nodes-3_nemesis-kill", Metric: "latency p(50)", Unit: "ms", Old: ledger.Center{Median: 4, Low: 3.9, High: 4.1, Count: 8},
			New: ledger.Center{Median: 4, Low: 3.8, High: 4.2, Count: 8}, P: 0.8},
		{Group: "nodes-5_nemesis-kill", Metric: "election p(50)", Unit: "ms", Old: ledger.Center{Median: 400, Low: 300, High: 500, Count: 3},
			New: ledger.Center{Median: 350, Low: 300, High: 420, Count: 3}, P: 1, Note: "too few samples: 3 and 3, and it takes 4 of each to tell a difference"},
	}}
}

func saveCell(t testing.TB, dir string, cell *ledger.Cell) {
	t.Helper()
	last := cell.Last()
	if last == nil || cell.State != ledger.Done {
		return
	}
	at := filepath.Join(dir, filepath.FromSlash(last.Dir))
	if err := os.MkdirAll(at, 0o755); err != nil {
		t.Fatal(err)
	}
	r := &check.Results{SchemaVersion: check.SchemaVersion, Verdict: last.Verdict, Checks: []check.Result{{Name: "linearizable", Verdict: last.Verdict, Summary: "12 keys"}}}
	if last.Verdict == check.Violation {
		r.Checks[0].Summary = "1 of 12 keys is not linearizable"
		r.Checks[0].Witness = []check.WitnessOp{{Process: 7, Node: "n1", Text: "read(k4) → 41", Outcome: "ok", Call: 9.9e9, Return: 9.91e9}}
	}
	for _, text := range last.Missed {
		r.Thresholds = append(r.Thresholds, check.Threshold{Text: text, Why: "p(99) of 60,000 operations: 52.1 ms", Value: 52.1, Limit: 15, Unit: "ms", Samples: 60000})
	}
	if err := check.WriteResults(at, r); err != nil {
		t.Fatal(err)
	}
	page := "<!doctype html><html lang=en><meta charset=utf-8><title>" + cell.ID + "</title>"
	if err := os.WriteFile(filepath.Join(at, ReportFile), []byte(page), 0o644); err != nil {
		t.Fatal(err)
	}
}
