package programtest

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"squall/internal/machinetest"
)

func TestMain(m *testing.M) { os.Exit(machinetest.Main(m).Run()) }

// asKilled is set in the process of a test that is killed.
const asKilled = "SQUALL_TEST_AS_KILLED"

// TestAServerEndsWithItsTest: also with one that is killed, and cleans nothing up.
func TestAServerEndsWithItsTest(t *testing.T) {
	if os.Getenv(asKilled) != "" {
		s := StartServer(t, []string{"/bin/sleep", "600"})
		fmt.Printf("pid %d\n", s.cmd.Process.Pid)
		time.Sleep(time.Hour) // until it is killed; to wait for nothing would be a deadlock, and end it before
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestAServerEndsWithItsTest$")
	cmd.Env = append(cmd.Environ(), asKilled+"=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var pid int
	for lines := bufio.NewScanner(out); pid == 0 && lines.Scan(); {
		_, _ = fmt.Sscanf(lines.Text(), "pid %d", &pid)
	}
	if !running(pid) {
		t.Fatalf("its server, process %d, does not run", pid)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	for until := time.Now().Add(patience); running(pid); time.Sleep(time.Millisecond) { // a poll: it is no child of ours
		if time.Now().After(until) {
			t.Fatalf("its server, process %d, still runs", pid)
		}
	}
}

// running reports whether a process is there and has not ended.
func running(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, _ := strings.Cut(string(stat), ") ")
	return err == nil && !strings.HasPrefix(rest, "Z")
}
