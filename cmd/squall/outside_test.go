package main

import (
	"bytes"
	"strings"
	"testing"
	"unicode"

	"squall/history/check"
	"squall/internal/plain"
	"squall/orchestrator/testplan"
)

// evil does in one text all that a text can do to a terminal or a log.
const evil = "x\x1b[2J\u202e\r\u009b\x00\nFAKE verdict ✓ PASS\n::stop-commands::x\n  ##[error]x\xff"

// looksSafe looks at every byte that was printed.
func looksSafe(t *testing.T, what, printed string) {
	t.Helper()
	if !strings.Contains(printed, `\x1b[2J`) {
		t.Errorf("%s does not show the text at all: %q", what, printed)
	}
	for line := range strings.SplitSeq(printed, "\n") {
		if strings.HasPrefix(line, "FAKE") || strings.HasPrefix(strings.TrimSpace(line), "::") || strings.Contains(line, "##[") {
			t.Errorf("%s: a foreign text begins the line %q", what, line)
		}
		for _, r := range line {
			if r != ' ' && !unicode.IsPrint(r) || r == '\ufffd' {
				t.Errorf("%s: %q in %q", what, r, line)
			}
		}
	}
}

func TestForeignTextIsPrintedPlain(t *testing.T) {
	bad := check.Result{Name: evil, Verdict: check.Violation, Summary: evil, Witness: []check.WitnessOp{{Node: evil, Text: evil, Outcome: evil}}}
	results := &check.Results{Verdict: check.Violation, Reasons: []string{evil}, Checks: []check.Result{bad}}
	plan := &testplan.Plan{Command: evil}
	plan.Test.Name, plan.Test.System, plan.Test.Workload, plan.Test.Mutant = evil, evil, evil, evil
	for what, show := range map[string]func(out *plain.Writer){
		"the verdict": func(out *plain.Writer) { printVerdict(out, results) },
		"the end":     func(out *plain.Writer) { printEnd(out, results, evil, evil, true) },
		"the plan":    func(out *plain.Writer) { printPlan(out, plan) },
		"the runs": func(out *plain.Writer) {
			printRuns(out, []testplan.RunInfo{{Dir: evil, Verdict: check.Verdict(evil)}})
		},
		"a line of progress": func(out *plain.Writer) { (&progress{board: newBoard(out)}).line("%s", evil) },
	} {
		var out bytes.Buffer
		show(plain.NewWriter(&out))
		looksSafe(t, what, out.String())
	}
}

// TestTheListSaysHowARunStands: also of one without results.
func TestTheListSaysHowARunStands(t *testing.T) {
	for want, run := range map[string]testplan.RunInfo{
		"running":                      {Running: true},
		"killed, not checked":          {Broken: true},
		"not checked":                  {},
		"pass":                         {Verdict: check.Pass},
		"pass, stopped after 1 s of 2": {Verdict: check.Pass, Stopped: "stopped after 1 s of 2"},
	} {
		var out bytes.Buffer
		printRuns(&out, []testplan.RunInfo{run})
		if _, row, _ := strings.Cut(out.String(), "\n"); !strings.HasPrefix(row, "  1  "+want+"  ") {
			t.Errorf("%+v is listed as %q, want %q", run, row, want)
		}
	}
}

// TestForeignTextInErrors: whatever a command fails with goes through one place.
func TestForeignTextInErrors(t *testing.T) {
	for _, args := range [][]string{{evil}, {"check", evil}, {"report", evil}, {"list", evil}, {"compare", evil, evil}, {"run", "--nemesis", evil, "--dry-run"},
		{"campaign", evil}, {"serve", "--out", evil}, {"elections", "--from", evil}, {"check", "--" + evil}} {
		var out, errOut bytes.Buffer
		if code := run(t.Context(), append([]string{"squall"}, args...), nil, &out, &errOut); code == exitPass {
			t.Errorf("squall %q passed", args)
		}
		looksSafe(t, args[0], out.String()+errOut.String())
	}
}
