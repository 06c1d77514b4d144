package reports

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"squall/history/check"
	"squall/history/check/linearizable"
	"squall/history/check/validity"
)

// A report made right after the check, from the history and the results that the
// check has in memory, is the one that is made of the files later: whatever bytes
// texts hold, and without a history too.
func TestTheReportOfACheckedRun(t *testing.T) {
	in := newStorm(7, 10, 3, 20*time.Millisecond, true)
	for i := range in.Ops {
		in.Ops[i].Key += "\xff\x1b"
	}
	for i := range in.Faults {
		in.Faults[i].Variant += "\xff"
	}
	for i := range in.Nodes {
		in.Nodes[i].Reason += "\xff"
	}
	for name, damage := range map[string]func(*testing.T, string){
		"whole":   func(*testing.T, string) {},
		"damaged": overwrite(historyFile, "hello"),
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			saveRun(t, dir, in, judged(in))
			damage(t, dir)
			checked, err := check.Judge(t.Context(), dir, []check.Checker{linearizable.Checker(linearizable.RegisterModel()), validity.Activity(0)}, check.Limits{}, 0)
			if err != nil {
				t.Fatal(err)
			}
			if err := checked.Write(); err != nil {
				t.Fatal(err)
			}
			if name == "whole" && (checked.Results.Verdict != check.Violation || len(checked.Results.Checks[0].Witness) == 0) {
				t.Fatalf("no witness to show: %+v", checked.Results.Checks)
			}
			// The history that was read is what is drawn: the file may go.
			if name == "whole" {
				if err := os.Rename(filepath.Join(dir, historyFile), filepath.Join(dir, "away")); err != nil {
					t.Fatal(err)
				}
			}
			first := writeRun(t.Context(), newBatch(dir), runOf(checked), coarse)
			before := reportFiles(t, dir)
			if name == "whole" {
				if err := os.Rename(filepath.Join(dir, "away"), filepath.Join(dir, historyFile)); err != nil {
					t.Fatal(err)
				}
			}
			again := writeTo(t.Context(), newBatch(dir), coarse)
			if (first == nil) != (again == nil) || first != nil && first.Error() != again.Error() {
				t.Errorf("of the check: %v; of the files: %v", first, again)
			}
			for name, want := range reportFiles(t, dir) {
				if !bytes.Equal(before[name], want) {
					t.Errorf("%s differs: %d and %d bytes", name, len(before[name]), len(want))
				}
			}
			if n := len(before); name == "whole" && n != 10 || n == 0 {
				t.Errorf("%d files", n)
			}
		})
	}
}

// reportFiles are the pages and figures in dir.
func reportFiles(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	for _, pattern := range []string{ReportFile, TimelineFile, "*.png", "*.svg"} {
		names, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if files[filepath.Base(name)], err = os.ReadFile(name); err != nil {
				t.Fatal(err)
			}
		}
	}
	return files
}
