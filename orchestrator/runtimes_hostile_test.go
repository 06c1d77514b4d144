//go:build !windows

package orchestrator

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"squall/internal/machinetest"
	"squall/nodeimage"
	"squall/nodeimage/agent/protocol"
	"squall/orchestrator/machines"
)

// Servers that are hostile, in real machines: docs/isolation.md is what is tried
// here.

// hostileSpec is a cluster of machines whose server is testdata/hostile.
func hostileSpec(t *testing.T, h testHost, machines ...string) machines.ClusterSpec {
	t.Helper()
	s := spec(t, h, machines...)
	arch, err := h.Arch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s.Binary = filepath.Join(t.TempDir(), "squall-node")
	build := exec.CommandContext(t.Context(), "go", "build", "-ldflags=-s -w", "-o", s.Binary, "./testdata/hostile")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	program, err := os.ReadFile(s.Binary)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(program)
	s.BinaryKey = "hostile-" + hex.EncodeToString(sum[:8])
	return s
}

func hostile(args ...string) protocol.StartSpec {
	return protocol.StartSpec{Argv: append([]string{"/squall-node"}, args...), Dir: "/data"}
}

// leak opens a file that every program inherits which this one starts, as the
// file of a shell does, and returns its path.
func leak(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	fd, err := unix.Open(path, unix.O_CREAT|unix.O_RDWR, 0o600) // without O_CLOEXEC
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return path
}

// TestHostileServer lets a server try everything that it must not be able to do.
func TestHostileServer(t *testing.T) { onEach(t, hostileServer) }

func hostileServer(t *testing.T, h testHost) {
	s := hostileSpec(t, h, "n1", "n2")
	secret := leak(t)
	m := up(t, h, s).Machine("n1")
	c, out := command(t, m)
	hello, err := c.Hello(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("isolation: %+v", hello.Isolation)
	if _, err := c.Start(t.Context(), hostile("attack")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "all attacks", func() bool { return strings.Contains(out.text(), "that is all\n") })
	wantRefused(t, out.text(), hello.Isolation)
	wantOwnUser(t, out.text(), hello.Isolation)
	wantNoMoreFiles(t, out.text(), secret)
	// The agent is as it was, and so is the machine's next life.
	if _, err := c.Kill(t.Context()); err != nil {
		t.Error(err)
	}
	if err := m.Kill(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-c.Done()
	if err := m.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	c, _ = command(t, m)
	if again, err := c.Hello(t.Context()); err != nil || again.PID != 1 {
		t.Errorf("the machine after a power cut: %+v, %v", again, err)
	}
	if _, err := c.Start(t.Context(), hostile("attack")); err != nil {
		t.Errorf("a server after a power cut: %v", err)
	}
}

// wantRefused wants every attack to have failed.
func wantRefused(t *testing.T, text string, is protocol.Isolation) {
	t.Helper()
	tried := 0
	for line := range strings.Lines(text) {
		name, came, ok := strings.Cut(strings.TrimSpace(line), ": ")
		if name == "allowed" {
			if strings.Contains(came, "refused") {
				t.Errorf("a server may not do what it has to: %s", line)
			}
			continue
		}
		if !ok || came != "DONE" && !strings.HasPrefix(came, "refused: ") {
			continue
		}
		tried++
		if came == "DONE" && is.UID == 0 && name == "list the agent's files" {
			continue // by number only: what they are it does not see
		}
		switch {
		case came == "DONE":
			t.Errorf("a server could %s", name)
		case strings.HasPrefix(name, "call ") && !strings.HasSuffix(came, unix.EPERM.Error()) && !strings.HasSuffix(came, unix.ENOSYS.Error()):
			t.Errorf("only its arguments kept a server from it to %s: %s", name, came)
		}
	}
	if tried < 50 {
		t.Errorf("only %d attacks were tried", tried)
	}
}

func wantOwnUser(t *testing.T, text string, is protocol.Isolation) {
	t.Helper()
	const none = "0000000000000000"
	uid := fmt.Sprintf("%d\t%[1]d\t%[1]d\t%[1]d", is.UID)
	for _, want := range []string{"Uid:\t" + uid + "\n", "Gid:\t" + uid + "\n", "Seccomp:\t2\n", "NoNewPrivs:\t1\n",
		"CapEff:\t" + none + "\n", "CapPrm:\t" + none + "\n", "score 500\n", fmt.Sprintf("processes %d\n", nodeimage.MaxProcesses)} {
		if !strings.Contains(text, want) {
			t.Errorf("the server is not what it should be: %q is missing in\n%s", want, text)
		}
	}
	if is.UID == 0 && len(is.Weaker) == 0 {
		t.Error("the server has the agent's user, and nothing is said of it")
	}
}

// wantNoMoreFiles wants a server to have its own file descriptors and those of
// Go's runtime.
func wantNoMoreFiles(t *testing.T, text, secret string) {
	t.Helper()
	if strings.Contains(text, secret) {
		t.Errorf("a file of squall's caller is open in the server:\n%s", text)
	}
	for _, m := range regexp.MustCompile(`(?m)^open (\d+) (.*)$`).FindAllStringSubmatch(text, -1) {
		fd, err := strconv.Atoi(m[1])
		if err != nil || fd > 3 && !strings.HasPrefix(m[2], "anon_inode:") && !strings.HasPrefix(m[2], "/proc/") && !strings.HasPrefix(m[2], "/sys/fs/cgroup/") {
			t.Errorf("file descriptor %s of the server is %s", m[1], m[2])
		}
	}
}

// TestServerFillsMemory: what is written to temporary directories is bounded.
func TestServerFillsTemporaryDirectories(t *testing.T) { onEach(t, fillsTemporary) }

func fillsTemporary(t *testing.T, h testHost) {
	c, out := command(t, up(t, h, hostileSpec(t, h, "n1")).Machine("n1"))
	if _, err := c.Start(t.Context(), hostile("fill", "/tmp", "/dev/shm")); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"/tmp", "/dev/shm"} {
		line := regexp.MustCompile(`(?m)^` + dir + `: (\d+) bytes: .*no space left on device$`)
		eventually(t, dir+" to be full", func() bool { return line.MatchString(out.text()) })
		if n, _ := strconv.Atoi(line.FindStringSubmatch(out.text())[1]); n > nodeimage.TempSize || n < nodeimage.TempSize/2 {
			t.Errorf("%d bytes went into %s, want %d at most", n, dir, nodeimage.TempSize)
		}
	}
}

// TestServerForks: a server that starts processes without end is stopped, and
// its agent and the other machines continue.
func TestServerForks(t *testing.T) {
	machinetest.NeedWhole(t, "4,000 processes that end at once hold up whatever else runs; what a machine may have is set and asked for without")
	machinetest.Turn(t)
	for name, open := range hosts() {
		t.Run(name, func(t *testing.T) { forks(t, opened(t, open)) })
	}
}

func forks(t *testing.T, h testHost) {
	cl := up(t, h, hostileSpec(t, h, "n1", "n2"))
	c, out := command(t, cl.Machine("n1"))
	other, _ := command(t, cl.Machine("n2"))
	hello, err := c.Hello(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Start(t.Context(), hostile("fork")); err != nil {
		t.Fatal(err)
	}
	forked := regexp.MustCompile(`forked (\d+): (.*)\n`)
	patience := time.Now().Add(2 * time.Minute)
	for !forked.MatchString(out.text()) {
		if time.Now().After(patience) {
			t.Fatalf("it does not end to fork: %q", out.text())
		}
		time.Sleep(10 * time.Millisecond)
	}
	n, _ := strconv.Atoi(forked.FindStringSubmatch(out.text())[1])
	if n > nodeimage.MachineProcesses || n == 0 {
		t.Errorf("a server started %d processes, want %d at most", n, nodeimage.MachineProcesses)
	}
	if _, err := c.Spin(t.Context(), 10*time.Millisecond, 2); err != nil && hello.Isolation.UID != 0 {
		t.Errorf("the agent has no room for a helper of its own: %v", err)
	}
	if _, err := other.Start(t.Context(), hostile("attack")); err != nil {
		t.Errorf("a server of another machine: %v", err)
	}
	if _, err := c.Kill(t.Context()); err != nil {
		death := cl.Machine("n1").Death(t.Context())
		// The kernel does not bound how many processes the host's root has, so that a
		// server with that user can take all that the machine may have, and the agent
		// may then want for a thread. No squall gives a server that user but this test's.
		if hello.Isolation.UID == 0 && os.Geteuid() == 0 && strings.Contains(death, "exit status 2") {
			t.Logf("the agent ended for want of a thread: %s", death)
			return
		}
		t.Errorf("killing it: %v; the machine: %s", err, death)
	}
	if st, err := c.Process(t.Context()); err != nil || st.Running || !slices.Contains(out.kinds(), "exit 1") {
		t.Errorf("after its end: %+v, %v", st, err)
	}
	if _, err := c.Start(t.Context(), hostile("attack")); err != nil {
		t.Errorf("the next server: %v", err)
	}
}
