package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"squall/history/check"
	"squall/history/ledger"
	"squall/internal/machinetest"
	"squall/orchestrator/campaign"
	"squall/orchestrator/testplan"
	"squall/reports"
)

// A campaign with one cell whose node has a planted bug ends with its code, and
// names the cell. The other one passes.
func TestACampaignWithAMutantCellExitsWithTheViolation(t *testing.T) {
	machinetest.NotUnderRace(t, "a bug is looked for, as in TestMutantsAreCaught; orchestrator/campaign is run under the detector with runs made up")
	s, long := seekBug(t, testplan.RuntimeLocal, func(s *storm, long string) int {
		file := filepath.Join(t.TempDir(), "c.yaml")
		text := "name: bug\njobs: 1\ntest: {rate: 200, hold: 1500ms, gap: 700ms}\ninclude:\n- {nemesis: none, time: 1s}\n" +
			"- {mutant: local-reads, time: " + long + ", nemesis: partition(leader)}\n"
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return s.run("campaign", file, "--runtime", s.runtime)
	})
	dirs, err := filepath.Glob(filepath.Join(s.out, campaign.Folder, "bug", "*", ledger.FileName))
	if err != nil || len(dirs) != 1 {
		t.Fatalf("campaigns %v, %v", dirs, err)
	}
	dir := filepath.Dir(dirs[0])
	record, err := ledger.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []check.Verdict{check.Pass, check.Violation} {
		last := record.Cells[i].Last()
		if last.Verdict != want || len(record.Cells[i].Attempts) != 1 {
			t.Errorf("cell %+v, want %s", record.Cells[i], want)
		}
		if _, err := os.Stat(filepath.Join(dir, filepath.FromSlash(last.Dir), "report.html")); err != nil {
			t.Error(err)
		}
	}
	foundBy(t, filepath.Join(dir, filepath.FromSlash(record.Cells[1].Last().Dir)), "linearizable")
	junit, err := os.ReadFile(filepath.Join(dir, reports.JUnitFile))
	if err != nil || !strings.Contains(string(junit), record.Cells[1].ID) || !strings.Contains(string(junit), "<failure") {
		t.Errorf("JUnit does not name the cell: %v, %s", err, junit)
	}
	for _, name := range []string{reports.IndexFile, reports.SummaryFile} {
		if page, err := os.ReadFile(filepath.Join(dir, name)); err != nil || !strings.Contains(string(page), "local-reads") {
			t.Errorf("%s does not name the cell: %v", name, err)
		}
	}
	for _, words := range []string{"✗ VIOLATION  ", "mutant-local-reads", "2 of 2 cells done: 1 pass, 1 violation",
		"squall run --time " + long + " --nemesis 'partition(leader)' --rate 200 --seed 1 --runtime local --mutant local-reads --hold 1500ms --gap 700ms --stop-on violation"} {
		if !strings.Contains(s.text.String(), words) {
			t.Errorf("squall never said %q", words)
		}
	}
}

func TestACampaignsExitCodeIsThatOfItsWorstCell(t *testing.T) {
	cell := func(v check.Verdict, missed ...string) ledger.Cell {
		return ledger.Cell{State: ledger.Done, Attempts: []ledger.Attempt{{Verdict: v, Missed: missed}}}
	}
	waiting := ledger.Cell{State: ledger.Waiting}
	repeated := ledger.Cell{State: ledger.Done, Attempts: []ledger.Attempt{{Verdict: check.Invalid}, {Verdict: check.Pass}}}
	for _, tc := range []struct {
		name  string
		cells []ledger.Cell
		want  int
	}{
		{"all pass", []ledger.Cell{cell(check.Pass), repeated}, exitPass},
		{"a violation before all", []ledger.Cell{cell(check.Invalid), cell(check.Pass, "x"), cell(check.Violation), waiting}, exitViolation},
		{"a threshold", []ledger.Cell{cell(check.Unknown), cell(check.Pass, "x"), cell(check.Invalid, "x")}, exitThreshold},
		{"unknown", []ledger.Cell{cell(check.Invalid), cell(check.Unknown)}, exitUnknown},
		{"invalid", []ledger.Cell{cell(check.Pass), cell(check.Invalid, "means nothing")}, exitInvalid},
		{"not over", []ledger.Cell{cell(check.Pass), waiting}, exitUnknown},
	} {
		if got := exitOfCampaign(&ledger.Campaign{Cells: tc.cells}); got != tc.want {
			t.Errorf("%s: %d, want %d", tc.name, got, tc.want)
		}
	}
	bound := &ledger.Campaign{Cells: []ledger.Cell{cell(check.Pass)}, Thresholds: []check.Threshold{{Met: false}}}
	lost := &ledger.Campaign{Cells: []ledger.Cell{cell(check.Pass)}, Baseline: &ledger.Baseline{Rows: []ledger.Row{{Lost: true}}}}
	if exitOfCampaign(bound) != exitThreshold || exitOfCampaign(lost) != exitThreshold {
		t.Error("a threshold of the campaign, or a loss against the baseline, is no failure")
	}
}

// A page that fails to be written must not hide how the campaign ended.
func TestFailuresBesideACampaign(t *testing.T) {
	violation := &ledger.Campaign{Cells: []ledger.Cell{{ID: "s1", State: ledger.Done, Attempts: []ledger.Attempt{{Verdict: check.Violation}}}}}
	pass := &ledger.Campaign{Cells: []ledger.Cell{{ID: "s1", State: ledger.Done, Attempts: []ledger.Attempt{{Verdict: check.Pass}}}}}
	full := errors.New("no space left on device")
	for _, tc := range []struct {
		name    string
		outcome campaign.Outcome
		err     error
		want    int
	}{
		{"no page, a violation", campaign.Outcome{Record: violation, PagesErr: full}, nil, exitViolation},
		{"no page, all pass", campaign.Outcome{Record: pass, PagesErr: full}, nil, exitInvalid},
		{"no record, a violation", campaign.Outcome{Record: violation}, full, exitViolation},
		{"no record", campaign.Outcome{Record: pass}, full, exitInvalid},
		{"interrupted", campaign.Outcome{Record: pass, Interrupted: true}, nil, exitInterrupted},
		{"interrupted, a violation", campaign.Outcome{Record: violation, Interrupted: true}, nil, exitViolation},
		{"left at once", campaign.Outcome{Record: pass}, errLeave, exitInterrupted},
	} {
		var out syncBuffer
		a := &app{program: "squall", out: &out, errOut: &out}
		err := a.concludeCampaign(t.Context(), &campaign.Plan{}, &tc.outcome, tc.err, &out, &campaignFlags{})
		if code := exitCode(err); code != tc.want {
			t.Errorf("%s: exit code %d, want %d", tc.name, code, tc.want)
		}
	}
}
