package orchestrator

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"squall/history"
	"squall/history/check"
	"squall/history/gate"
	"squall/history/historytest"
	"squall/history/measure"
	"squall/orchestrator/testplan"
)

// A history alone in a folder is checked by its header.
func TestAHistoryAloneIsChecked(t *testing.T) {
	dir := historytest.Field(t, "h1-knossos10")
	for _, name := range []string{dir, filepath.Join(dir, history.FileName)} {
		found, err := testplan.FindRun(t.TempDir(), name)
		if err != nil {
			t.Fatal(err)
		}
		checked, err := Check(t.Context(), found)
		if err != nil {
			t.Fatal(err)
		}
		results := checked.Results
		linearizable := results.Checks[0]
		if linearizable.Name != "linearizable" || linearizable.Verdict != check.Pass || len(results.Checks) < 5 {
			t.Errorf("%s: %+v", name, results.Checks)
		}
	}
	lines := strings.Replace(string(historytest.FieldLines(t, "h1-knossos10")), `"workload": "register"`, `"workload": "tetris"`, 1)
	if _, err := Check(t.Context(), historytest.Run(t, []byte(lines))); err == nil || !strings.Contains(err.Error(), "workload: expected one of register") {
		t.Errorf("an unknown workload: %v", err)
	}
	damaged, err := Check(t.Context(), historytest.Run(t, []byte("{}\n")))
	if err != nil || damaged.Results.Verdict != check.Invalid || damaged.Damage == nil {
		t.Errorf("no header: %+v, %v", damaged, err)
	}
	if err := os.WriteFile(filepath.Join(dir, testplan.PlanFile), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Check(t.Context(), dir); err == nil || !strings.Contains(err.Error(), "move plan.json away") {
		t.Errorf("a damaged plan: %v", err)
	}
}

// A test may hold any system to a bound; else its own promise counts, where it has one.
func TestAvailableWithin(t *testing.T) {
	for _, c := range []struct {
		system, asked string
		want          time.Duration
	}{
		{"raftkv", "0s", 6 * time.Second},
		{"raftkv", "9s", 9 * time.Second},
		{"etcd", "0s", 0},
		{"etcd", "4s", 4 * time.Second},
	} {
		test := testplan.DefaultTest()
		for _, o := range testplan.Options() {
			var err error
			switch o.Name {
			case "system":
				err = o.Set(&test, c.system)
			case "available-within":
				err = o.Set(&test, c.asked)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		system, err := test.FindSystem()
		if err != nil {
			t.Fatal(err)
		}
		if got := availableWithin(test, system); got != c.want {
			t.Errorf("%s, asked for %s: within %s, want %s", c.system, c.asked, got, c.want)
		}
	}
}

// A run is judged by its figures; an invalid one is not judged.
func TestJudge(t *testing.T) {
	thresholds, err := gate.ParseAll(nil, "throughput > 4/s", "availability > 99%")
	if err != nil {
		t.Fatal(err)
	}
	results := &check.Results{SchemaVersion: check.SchemaVersion, Verdict: check.Pass, Ops: measure.Ops{OK: 50, Total: 100, LoadSeconds: 10}}
	judge(results, thresholds)
	if missed := results.Missed(); len(results.Thresholds) != 2 || len(missed) != 1 || missed[0].Text != "availability > 99%" || missed[0].Value != 50 {
		t.Errorf("%+v", results.Thresholds)
	}
	invalid := &check.Results{SchemaVersion: check.SchemaVersion, Verdict: check.Invalid, Ops: results.Ops}
	judge(invalid, thresholds)
	if invalid.Thresholds != nil || !strings.Contains(strings.Join(invalid.Reasons, ""), "thresholds: not judged") {
		t.Errorf("an invalid run was judged: %+v", invalid)
	}
}

// A check reads the history once and writes results.json once, with the thresholds
// judged; the history that it read is there for the report. Thresholds that nobody
// can judge are refused before anything is checked.
func TestACheckWritesItsResultsOnce(t *testing.T) {
	dir := historytest.Field(t, "h1-knossos10")
	checked, err := CheckAgainst(t.Context(), dir, []string{"operations > 0", "throughput > 1000000/s"})
	if err != nil {
		t.Fatal(err)
	}
	stored, err := check.ReadResults(dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(checked.Results, stored, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("results.json differs from what is returned (-returned +written):\n%s", diff)
	}
	if checked.Dir != dir || checked.Damage != nil || len(checked.History.Ops) == 0 || checked.History.Info.Records != stored.History.Records {
		t.Errorf("the history that was checked: %+v", checked)
	}
	if err := os.Remove(filepath.Join(dir, check.ResultsName)); err != nil {
		t.Fatal(err)
	}
	if _, err := CheckAgainst(t.Context(), dir, []string{"nothing > 4"}); err == nil || !strings.Contains(err.Error(), "the thresholds of the test: ") {
		t.Errorf("a threshold that names no metric: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, check.ResultsName)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("results were written before the thresholds were understood: %v", err)
	}
	if err := os.Mkdir(filepath.Join(dir, check.ResultsName), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := CheckAgainst(t.Context(), dir, nil); err == nil {
		t.Error("results that could not be written were no error")
	}
}
