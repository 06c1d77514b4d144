package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"squall/history/check"
)

// TestALostDiskMakesTheTestInvalid: the process that serves squall's file system dies on one node. Its server gets errors by no doing
// of its own, so the test says nothing about it; and nothing stays mounted.
func TestALostDiskMakesTheTestInvalid(t *testing.T) {
	s := newDiskStorm(t)
	done := s.begin("run", "--time", "5m", "--nemesis", "none", "--nodes", "3", "--disk-journal", "16")
	s.awaitOps(t, 100)
	disks := ourDisks(t)
	if len(disks) != 3 {
		t.Fatalf("%d file systems of 3 nodes are served: %v", len(disks), disks)
	}
	if err := syscall.Kill(disks[0], syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if code := <-done; code != exitInvalid {
		t.Errorf("exit code %d, want %d", code, exitInvalid)
	}
	results := s.results(t)
	if results.Verdict != check.Invalid || !strings.Contains(strings.Join(results.Reasons, "\n"), "squall's file system has ended") {
		t.Errorf("verdict %s, because %q", results.Verdict, results.Reasons)
	}
	s.nothingLeft(t)
	if left := ourDisks(t); len(left) > 0 {
		t.Errorf("file systems are still served: %v", left)
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil || strings.Contains(string(mounts), s.out) {
		t.Errorf("mounted is %s, %v", mounts, err)
	}
}

// ourDisks are the processes below this one that serve squall's file system.
func ourDisks(t *testing.T) (pids []int) {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	parents := map[int]int{}
	var disks []int
	for _, path := range all {
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		_, rest, _ := strings.Cut(string(text), ") ") // state, parent
		if fields := strings.Fields(rest); len(fields) > 1 {
			parents[pid], _ = strconv.Atoi(fields[1])
		}
		args, _ := os.ReadFile(filepath.Join(filepath.Dir(path), "cmdline"))
		if strings.Contains(string(args), "\x00disk\x00-folder=") && !strings.Contains(string(args), "-keep") {
			disks = append(disks, pid)
		}
	}
	for _, pid := range disks {
		for at := pid; at > 1; at = parents[at] {
			if at == os.Getpid() {
				pids = append(pids, pid)
				break
			}
		}
	}
	return pids
}
