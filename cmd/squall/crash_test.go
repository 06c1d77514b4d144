package main

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"squall/history/check"
	"squall/internal/machinetest"
	"squall/nodeimage/disk"
	"squall/orchestrator/crash"
	"squall/orchestrator/machines"
	"squall/orchestrator/testplan"
	"squall/reports"
)

// newDiskStorm is a storm whose nodes' disks can keep journals.
func newDiskStorm(t *testing.T) *storm {
	t.Helper()
	s := newStorm(t, testplan.RuntimeLocal)
	runtime, err := openRuntime(t.Context(), testplan.RuntimeLocal, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer runtime.close()
	if why := runtime.Can(t.Context())[machines.CanDisk]; why != "" {
		machinetest.Missing(t, why)
	}
	return s
}

// journaled runs a test that keeps journals; it passes whatever its node does not sync.
func (s *storm) journaled(t *testing.T, args ...string) {
	t.Helper()
	if code := s.run(append([]string{"run", "--nodes", "3", "--time", "3s", "--nemesis", "none", "--disk-journal", "64"}, args...)...); code != exitPass {
		t.Fatalf("exit code %d", code)
	}
}

// TestCrashStatesOfTheCorrectNodeAreClean: none of the states that a power cut may have left loses anything, and
// the farm goes on where it was stopped.
func TestCrashStatesOfTheCorrectNodeAreClean(t *testing.T) {
	s := newDiskStorm(t)
	s.journaled(t)
	states := machinetest.Rounds(5, 200)
	for i, more := range []int{states - 3, 3} {
		if i == 1 {
			s.app.open = openWithoutDisks
		}
		if code := s.run("crash", "--states", strconv.Itoa(more)); code != exitPass {
			t.Fatalf("call %d: exit code %d", i+1, code)
		}
	}
	s.nothingLeft(t)
	record, err := crash.ReadRecord(s.dir(t))
	if err != nil {
		t.Fatal(err)
	}
	if len(record.Results) != states {
		t.Errorf("%d states were judged, want %d", len(record.Results), states)
	}
	if page, err := os.ReadFile(filepath.Join(s.dir(t), reports.CrashFile)); err != nil || !strings.Contains(string(page), "kept what was acknowledged") {
		t.Errorf("the page: %d bytes, %v", len(page), err)
	}
	ids := map[string]bool{}
	for _, r := range record.Results {
		if ids[r.ID] || r.Verdict != check.Pass || r.Acknowledged == 0 {
			t.Errorf("%+v", r)
		}
		ids[r.ID] = true
	}
	s.await(t, "verdict  ✓ PASS")
	s.await(t, "at the second start servers were killed, and lost nothing: there is no FUSE here")
}

// withoutDisks is a place that cannot mount.
type withoutDisks struct{ machines.Runtime }

func (r withoutDisks) Can(ctx context.Context) map[string]string {
	can := r.Runtime.Can(ctx)
	can[machines.CanDisk] = "there is no FUSE here"
	return can
}

func openWithoutDisks(ctx context.Context, name string, log *slog.Logger) (opened, error) {
	o, err := openRuntime(ctx, name, log)
	if err == nil {
		o.Runtime = withoutDisks{o.Runtime}
	}
	return o, err
}

// TestCrashStatesShowAMissingSync: a node that never syncs passes its storm, and states of it show an acknowledged write
// that is lost, with the file, in a state that can be booted again.
func TestCrashStatesShowAMissingSync(t *testing.T) {
	machinetest.NeedCI(t, "it builds another node; the tests of the farm judge states that lost a write, made by hand")
	s := newDiskStorm(t)
	s.journaled(t, "--mutant", "no-fsync")
	if code := s.run("crash", "--states", "20"); code != exitViolation {
		t.Fatalf("exit code %d", code)
	}
	for _, words := range []string{"a power cut at ", "lost raft/", ".wal: ", "durability: ", "acknowledged by n"} {
		s.await(t, words)
	}
	kept, err := filepath.Glob(filepath.Join(s.dir(t), crash.Folder, crash.Violations, "*", crash.StateFile))
	if err != nil || len(kept) != 1 {
		t.Fatalf("kept are %v, %v", kept, err)
	}
	if info, err := os.Stat(filepath.Join(filepath.Dir(kept[0]), "n1")); err != nil || !info.IsDir() {
		t.Errorf("the disk of n1: %v", err)
	}
	if code := s.run("crash", "--state", filepath.Base(filepath.Dir(kept[0]))[:8]); code != exitViolation {
		t.Errorf("booted again: exit code %d", code)
	}
	if err := os.RemoveAll(filepath.Join(s.dir(t), disk.RunFolder)); err != nil {
		t.Fatal(err)
	}
	if code := s.run("crash"); code != exitUsage {
		t.Errorf("without journals: exit code %d", code)
	}
	s.await(t, "run the test again with --disk-journal")
	s.nothingLeft(t)
}

// TestCrashStatesShowAKeptTornTail: a node that leaves a torn record where it is passes its storm and every first start; the second finds
// it.
func TestCrashStatesShowAKeptTornTail(t *testing.T) {
	machinetest.NeedWhole(t, "it builds another node; the tests of the farm judge second starts, made by hand")
	s := newDiskStorm(t)
	s.journaled(t, "--mutant", "torn-tail-kept")
	if code := s.run("crash", "--once", "--states", "10"); code != exitPass {
		t.Fatalf("started once: exit code %d", code)
	}
	if code := s.run("crash", "--fresh", "--states", "200"); code != exitViolation {
		t.Fatalf("exit code %d", code)
	}
	for _, words := range []string{"the power of all was cut", "at the second start starts: the server of n", "a record that was written later"} {
		s.await(t, words)
	}
	s.nothingLeft(t)
}

// TestCrashRefuses: flags that mean nothing.
func TestCrashRefuses(t *testing.T) {
	for args, want := range map[string]string{
		"--jobs=-1":    "--jobs is -1",
		"--jobs=65":    "--jobs is 65",
		"--budget=-1s": "--budget is -1s",
		"--states=-1":  "--states is -1",
		"--serve=0s":   "--serve is 0s",
		"--names=ext4": `--names is "ext4"; it can be strict or journaled`,
		"none":         "none",
	} {
		var text syncBuffer
		a := &app{program: "squall", out: &text, errOut: &text, build: buildNode, open: openRuntime}
		if code := a.run(t.Context(), []string{"squall", "crash", "--out", t.TempDir(), args}); code != exitUsage || !strings.Contains(text.String(), want) {
			t.Errorf("%s: exit code %d: %s", args, code, text.String())
		}
	}
}
