package testplan

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"squall/history"
	"squall/history/check"
	"squall/internal/machinetest"
)

func TestRunDirectories(t *testing.T) {
	out := t.TempDir()
	test := DefaultTest()
	test.Out, test.Seed = out, 7
	plan, err := NewPlan(test, "v", "squall")
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	first, err := NewRunDir(plan, at)
	if err != nil {
		t.Fatal(err)
	}
	second, err := NewRunDir(plan, at) // the same second, the same seed
	if err != nil || first == second {
		t.Fatalf("second run in %q, %v", second, err)
	}
	if want := filepath.Join(out, "raftkv-register", "20260102T030405Z-7"); first != want {
		t.Errorf("run in %s, want %s", first, want)
	}
	for name, want := range map[string]string{"": second, "latest": second, first: first, "1": second, "2": first} {
		got, err := FindRun(out, name)
		want, _ := filepath.EvalSymlinks(want)
		if resolved, _ := filepath.EvalSymlinks(got); err != nil || resolved != want {
			t.Errorf("FindRun(%q) = %s, %v; want %s", name, got, err, want)
		}
	}
	if _, err := FindRun(out, "3"); err == nil || !strings.Contains(err.Error(), "squall list runs") {
		t.Errorf("FindRun of a run that is not there: %v", err)
	}
	runs, err := ListRuns(out)
	if err != nil || len(runs) != 2 || runs[0].Verdict != check.Verdict("") {
		t.Errorf("ListRuns = %+v, %v", runs, err)
	}
	for _, held := range []bool{true, false} {
		release, err := history.Hold(first)
		if err != nil {
			t.Fatal(err)
		}
		if !held { // as it is left by a squall that was killed
			release()
			if err := os.WriteFile(filepath.Join(first, history.HoldName), nil, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		runs, err := ListRuns(out)
		if err != nil || runs[1].Running != held || runs[1].Broken == held || runs[0].Running || runs[0].Broken {
			t.Errorf("held: %t; ListRuns = %+v, %v", held, runs, err)
		}
		release()
	}
	if back, err := ReadPlan(first); err != nil || !reflect.DeepEqual(back.Test, plan.Test) || len(back.Schedule) != len(plan.Schedule) {
		t.Errorf("the plan reads back as %+v, %v", back, err)
	}
	if err := os.WriteFile(filepath.Join(first, PlanFile), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadPlan(first); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("a damaged plan: %v", err)
	}
}

// TestLatestWithoutALink: where links cannot be made, the newest run is the
// latest.
func TestLatestWithoutALink(t *testing.T) {
	out := t.TempDir()
	test := DefaultTest()
	test.Out = out
	plan, err := NewPlan(test, "v", "squall")
	if err != nil {
		t.Fatal(err)
	}
	var newest string
	for _, second := range []int{8, 9, 5} {
		dir, err := NewRunDir(plan, time.Date(2026, 1, 2, 3, 4, second, 0, time.UTC))
		if err != nil {
			t.Fatal(err)
		}
		if second == 9 {
			newest = dir
		}
	}
	if err := os.Remove(filepath.Join(out, latestLink)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"", latestLink} {
		if got, err := FindRun(out, name); err != nil || got != newest {
			t.Errorf("FindRun(%q) = %s, %v; want %s", name, got, err, newest)
		}
	}
	if got, err := FindRun(t.TempDir(), latestLink); err == nil {
		t.Errorf("FindRun where there is no run = %s", got)
	}
}

// TestLatestCannotBeMade: a file system or a system without links costs the
// link and nothing else, and leaves none that points at another run.
func TestLatestCannotBeMade(t *testing.T) {
	out := t.TempDir()
	link := filepath.Join(out, latestLink)
	if err := os.Symlink("an/older/run", link); err != nil {
		machinetest.Skipf(t, "no links here: %v", err)
	}
	// What cannot be removed stands where the new link would be made.
	blocked := filepath.Join(latestTemp(out, filepath.Join("test", "run")), "x")
	if err := os.MkdirAll(blocked, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := PointLatest(out, filepath.Join(out, "test", "run")); err != nil {
		t.Errorf("the run failed for want of a link: %v", err)
	}
	if _, err := os.Lstat(link); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the link to an older run was left (%v)", err)
	}
}
