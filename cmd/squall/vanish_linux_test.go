package main

import (
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"squall/history"
	"squall/internal/machinetest"
	"squall/orchestrator/testplan"
)

// process is a process by its number and its start, since numbers come again.
type process struct {
	pid   int
	start string
}

// processes are all that there are, with their parents.
func processes(t *testing.T) map[process]int {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	all := map[process]int{}
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		parent, _ := strconv.Atoi(fields[1])
		all[process{pid, fields[19]}] = parent
	}
	return all
}

// descendants adds what a process has started, and what that has started.
func descendants(t *testing.T, root int, known map[process]bool) {
	t.Helper()
	all := processes(t)
	pids := map[int]bool{root: true}
	for found := true; found; {
		found = false
		for p, parent := range all {
			if pids[parent] && !pids[p.pid] {
				pids[p.pid], known[p], found = true, true, true
			}
		}
	}
}

// traces are what a run could leave on this computer beside processes.
func traces(t *testing.T, run string) (left []string) {
	t.Helper()
	interfaces, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range interfaces {
		if i.Name == "switch" || strings.HasPrefix(i.Name, "port") {
			left = append(left, "interface "+i.Name)
		}
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(mounts), run) {
		left = append(left, "a mount")
	}
	_ = filepath.WalkDir("/sys/fs/cgroup", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && strings.Contains(d.Name(), run) {
			left = append(left, path)
		}
		return nil
	})
	return left
}

// Whenever squall is killed, no process, mount, interface or control group of
// a local run stays, nor its disks.
func TestSIGKILLAtAnyMomentLeavesNothing(t *testing.T) {
	s := newStorm(t, testplan.RuntimeLocal)
	cache := machinetest.OwnCache(t)
	if _, err := buildNode(t.Context(), runtime.GOARCH, ""); err != nil { // so that the moments below are those of a run
		t.Fatal(err)
	}
	moments := []time.Duration{20, 60, 100, 140, 180, 220, 280, 340, 420, 520, 700, 1000, 2500}
	if !machinetest.Whole() {
		moments = []time.Duration{100, 280, 1500} // before, in the middle of and after the machines' start
	}
	for i, after := range moments {
		killedAfter(t, s, cache, after*time.Millisecond, i%2 == 0)
	}
}

func killedAfter(t *testing.T, s *storm, cache string, after time.Duration, limits bool) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	seed := fmt.Sprint(730_000_000 + after.Milliseconds()) // the run is known by it
	cmd := exec.Command(exe)
	cmd.Args = append([]string{"squall", "run", "--out", s.out, "--time", "60s", "--nodes", "3", "--runtime", s.runtime, "--seed", seed}, s.load...)
	if limits && os.Geteuid() == 0 {
		cmd.Args = append(cmd.Args, "--cpus", "1", "--memory", "512")
	}
	cmd.Stdout, cmd.Stderr = s.text, s.text
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	started := map[process]bool{}
	for begin := time.Now(); time.Since(begin) < after; time.Sleep(5 * time.Millisecond) {
		descendants(t, cmd.Process.Pid, started)
	}
	if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // says that it was killed
	run := "-" + seed
	var left []string
	for limit := time.Now().Add(time.Minute); time.Now().Before(limit); time.Sleep(10 * time.Millisecond) {
		left = traces(t, run)
		for p := range processes(t) {
			if started[p] {
				left = append(left, fmt.Sprintf("process %d", p.pid))
			}
		}
		disks, _ := filepath.Glob(filepath.Join(cache, "squall", "local", "*"))
		if left = append(left, disks...); len(left) == 0 {
			break
		}
	}
	slices.Sort(left)
	if len(left) > 0 {
		t.Errorf("killed after %v: %q are left", after, left)
	}
	t.Logf("killed after %v, when it had started %d processes", after, len(started))
	for _, file := range globbed(t, s.out, run) {
		if _, err := history.Load(file); err != nil {
			t.Errorf("killed after %v: %v", after, err)
		}
	}
}

// globbed are the histories of a run that got so far as to have one.
func globbed(t *testing.T, out, run string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(out, "*", "*"+run, history.FileName))
	if err != nil {
		t.Fatal(err)
	}
	return files
}
