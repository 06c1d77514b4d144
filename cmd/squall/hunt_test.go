package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"squall/internal/machinetest"
	"squall/orchestrator/hunt"
	"squall/orchestrator/testplan"
)

// A planted bug is hunted through seeds, shown again, and made smaller: a leader that answers
// reads by itself needs to be cut off, and nothing else.
func TestAHunt(t *testing.T) {
	machinetest.NeedWhole(t, "it takes some twenty storms; the package hunt tries the same on fakes")
	s := newStorm(t, testplan.RuntimeLocal)
	if code := s.run("run", "--mutant", "local-reads", "--nemesis", "partition(leader),kill(one)", "--hold", "2s", "--gap", "700ms", "--time", "12s", "--seed", "1",
		"--until", "violation", "--max", "10", "--jobs", "2"); code != exitViolation {
		t.Fatalf("exit code %d, want %d", code, exitViolation)
	}
	found := s.dir(t)
	foundBy(t, found, "linearizable")
	if code := s.run("replay", found, "--times", "2", "--check", "linearizable", "--jobs", "2"); code != exitViolation {
		t.Errorf("replay: exit code %d, want %d", code, exitViolation)
	}
	if code := s.run("shrink", found, "--check", "linearizable", "--jobs", "2", "--budget", "1m"); code != exitViolation {
		t.Fatalf("shrink: exit code %d, want %d", code, exitViolation)
	}
	smallest := filepath.Join(found, hunt.Folder, hunt.SmallestFolder)
	plan, err := testplan.ReadPlan(smallest)
	if err != nil {
		t.Fatal(err)
	}
	first, err := testplan.ReadPlan(found)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(plan.Schedule); n == 0 || n > len(first.Schedule) || plan.Test.Time > first.Test.Time {
		t.Errorf("%d faults in %v of load are left of %d in %v", n, plan.Test.Time, len(first.Schedule), first.Test.Time)
	}
	foundBy(t, smallest, "linearizable")
	for _, file := range []string{"report.html", testplan.PlanFile, "history.jsonl.zst"} {
		if _, err := os.Stat(filepath.Join(smallest, file)); err != nil {
			t.Error(err)
		}
	}
	if said := s.text.String(); !strings.Contains(said, "like it  squall run") || !strings.Contains(said, "found    ") {
		t.Error("squall did not say what is smallest, or how often it shows")
	}
	s.nothingLeft(t)
}

// Flags of a hunt that mean nothing are refused before anything runs.
func TestHuntsThatCannotBe(t *testing.T) {
	for _, tc := range []struct{ args, want string }{
		{"run --until pass", `--until: unknown end "pass"`},
		{"run --max 5", "--max is for --until violation"},
		{"run --jobs 5", "--jobs is for --until violation"},
		{"run --until violation --max 0", "--max: expected a whole number from 1 to 100000, found 0"},
		{"run --until violation --jobs 999", "--jobs: expected a whole number from 1 to 256, found 999"},
		{"run --until violation --plan x", "repeat one plan with squall replay"},
		{"run --until violation --dry-run", "leave out --dry-run"},
		{"replay --times 0", "--times: expected a whole number from 1 to 10000, found 0"},
		{"shrink --budget -1s", "--budget is -1s; it must not be below 0"},
	} {
		text := &syncBuffer{}
		a := &app{program: "squall", out: text, errOut: text}
		if code := a.run(t.Context(), append([]string{"squall"}, strings.Fields(tc.args)...)); code != exitUsage || !strings.Contains(text.String(), tc.want) {
			t.Errorf("squall %s: exit code %d, %s; want %q", tc.args, code, text, tc.want)
		}
	}
}
