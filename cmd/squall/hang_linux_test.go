package main

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"squall/history/check"
	"squall/internal/machinetest"
	"squall/orchestrator/testplan"
)

// A driver that is stopped for good says nothing, and does not end: the test ends
// by its name, long before the load would.
func TestAStoppedDriverMakesTheTestInvalid(t *testing.T) {
	machinetest.NeedWhole(t, "the tests of the driver's watch try it in virtual time; this one waits for its 10 s")
	s := newStorm(t, testplan.RuntimeLocal)
	done := s.begin("run", "--time", "30m", "--nemesis", "none", "--nodes", "3")
	s.awaitOps(t, 100)
	if err := syscall.Kill(driverProcess(t), syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	select {
	case code := <-done:
		if code != exitInvalid {
			t.Errorf("exit code %d, want %d", code, exitInvalid)
		}
	case <-time.After(5 * time.Minute):
		t.Fatal("nobody notices")
	}
	s.nothingLeft(t)
	results := s.results(t)
	if reasons := strings.Join(results.Reasons, "\n"); results.Verdict != check.Invalid ||
		!strings.Contains(reasons, "the driver, which runs the clients, has said nothing for 10s: its process is stopped") {
		t.Errorf("verdict %s, because %q", results.Verdict, results.Reasons)
	}
	if results.Ops.OK == 0 {
		t.Error("the history up to then is empty")
	}
}

// driverProcess is the one driver among the processes that this one has started.
func driverProcess(t *testing.T) int {
	t.Helper()
	started := map[process]bool{}
	descendants(t, os.Getpid(), started)
	var found []int
	for p := range started {
		line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", p.pid))
		if args := strings.Split(string(line), "\x00"); err == nil && len(args) > 1 && strings.HasSuffix(args[0], "squall-node") && args[1] == "driver" {
			found = append(found, p.pid)
		}
	}
	if len(found) != 1 {
		t.Fatalf("the processes of drivers are %v, want one", found)
	}
	return found[0]
}
