package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"squall/history"
	"squall/history/check"
	"squall/internal/machinetest"
	"squall/nodeimage"
	"squall/orchestrator/machines"
	"squall/orchestrator/testplan"
)

func TestALostMachineMakesTheTestInvalid(t *testing.T) {
	besideOthers(t, testplan.RuntimeLocal, lostMachine)
}

func lostMachine(t *testing.T, s *storm) {
	var cluster machines.Cluster
	s.app.open = func(ctx context.Context, name string, log *slog.Logger) (opened, error) {
		o, err := openRuntime(ctx, name, log)
		o.Runtime = &observed{o.Runtime, &cluster}
		return o, err
	}
	done := s.begin("run", "--time", "5m", "--nemesis", "none", "--nodes", "3")
	s.awaitOps(t, 100)
	if err := cluster.Machine("n2").Kill(t.Context()); err != nil {
		t.Fatal(err)
	}
	if code := <-done; code != exitInvalid {
		t.Errorf("exit code %d, want %d", code, exitInvalid)
	}
	s.nothingLeft(t)
	results := s.results(t)
	if results.Verdict != check.Invalid || !strings.Contains(strings.Join(results.Reasons, "\n"), "the machine n2 was lost") {
		t.Errorf("verdict %s, because %q", results.Verdict, results.Reasons)
	}
	if results.Ops.OK == 0 {
		t.Error("the history up to the loss is empty")
	}
}

// observed is a runtime whose cluster a test may reach for.
type observed struct {
	machines.Runtime
	cluster *machines.Cluster
}

func (o *observed) Up(ctx context.Context, spec machines.ClusterSpec) (machines.Cluster, error) {
	c, err := o.Runtime.Up(ctx, spec)
	*o.cluster = c
	return c, err
}

// An engine that is lost in the middle takes all its machines with it.
func TestALostEngineMakesTheTestInvalid(t *testing.T) {
	machinetest.NeedWhole(t, "tests of the runtime lose an engine that is not real; this one waits until a real one is given up")
	s := newStorm(t, testplan.RuntimeDocker)
	proxy := newEngineProxy(t)
	t.Setenv("DOCKER_HOST", "unix://"+proxy.path)
	done := s.begin("run", "--time", "5m", "--nemesis", "none", "--nodes", "3")
	s.awaitOps(t, 100)
	proxy.close()
	if code := <-done; code != exitInvalid {
		t.Errorf("exit code %d, want %d", code, exitInvalid)
	}
	if results := s.results(t); results.Verdict != check.Invalid || results.Ops.OK == 0 {
		t.Errorf("verdict %s, because %q, with %d operations", results.Verdict, results.Reasons, results.Ops.OK)
	}
	t.Setenv("DOCKER_HOST", "")
	if left := s.leftovers(t); !strings.Contains(left, "Containers:4 Networks:1") {
		t.Errorf("clean removed %s, want the 4 containers and the network that could not be reached", left)
	}
}

// engineProxy stands between squall and the engine, and can go away.
type engineProxy struct {
	path     string
	listener net.Listener
	mu       sync.Mutex
	conns    []net.Conn
}

func newEngineProxy(t *testing.T) *engineProxy {
	t.Helper()
	const engine = "/var/run/docker.sock"
	if _, err := os.Stat(engine); err != nil {
		machinetest.Skipf(t, "the engine is not at %s: %v", engine, err)
	}
	p := &engineProxy{path: filepath.Join(t.TempDir(), "engine.sock")}
	var err error
	if p.listener, err = net.Listen("unix", p.path); err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			near, err := p.listener.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("unix", engine)
			if err != nil {
				near.Close()
				continue
			}
			p.mu.Lock()
			p.conns = append(p.conns, near, far)
			p.mu.Unlock()
			go func() { _, _ = io.Copy(near, far); near.Close() }()
			go func() { _, _ = io.Copy(far, near); far.(*net.UnixConn).CloseWrite() }()
		}
	}()
	t.Cleanup(p.close)
	return p
}

func (p *engineProxy) close() {
	p.listener.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		c.Close()
	}
}

func TestNoLeaderMakesTheTestInvalid(t *testing.T) {
	t.Parallel()
	machinetest.Share(t) // three servers that wait, and nothing else
	s := newStormAnyTime(t, testplan.RuntimeLocal)
	s.app.build = func(ctx context.Context, arch, _ string) (nodeimage.Binary, error) {
		return otherServer(t, ctx, arch, `_, err := os.Stdin.Read(make([]byte, 1)); return err`)
	}
	s.app.leaderTimeout = 3 * time.Second
	code := s.run("run", "--time", "5s", "--nodes", "3", "--nemesis", "none")
	if code != exitInvalid {
		t.Errorf("exit code %d, want %d", code, exitInvalid)
	}
	s.nothingLeft(t)
	if reasons := strings.Join(s.results(t).Reasons, "\n"); !strings.Contains(reasons, "no leader within 3s") {
		t.Errorf("the reasons are %q", reasons)
	}
}

func TestANodeThatCannotRunMakesTheTestInvalid(t *testing.T) {
	besideOthers(t, testplan.RuntimeLocal, nodeThatCannotRun)
}

func nodeThatCannotRun(t *testing.T, s *storm) {
	s.app.build = func(context.Context, string, string) (nodeimage.Binary, error) {
		path := filepath.Join(t.TempDir(), "squall-node")
		err := os.WriteFile(path, []byte("not a program"), 0o755)
		return nodeimage.Binary{Path: path, Key: "test-not-a-program"}, err
	}
	if code := s.run("run", "--time", "20s", "--nodes", "3"); code != exitInvalid {
		t.Errorf("exit code %d, want %d", code, exitInvalid)
	}
	s.nothingLeft(t)
	if reasons := strings.Join(s.results(t).Reasons, "\n"); !strings.Contains(reasons, "exec format error") {
		t.Errorf("the reasons do not say that it is no program: %q", reasons)
	}
	s.app.build = func(context.Context, string, string) (nodeimage.Binary, error) {
		return nodeimage.Binary{}, errors.New("kv.go:7: syntax error")
	}
	before := s.dir(t)
	if code := s.run("run", "--time", "20s", "--nodes", "3"); code != exitInvalid {
		t.Errorf("exit code %d, want %d", code, exitInvalid)
	}
	if !strings.Contains(s.text.String(), "kv.go:7: syntax error") {
		t.Errorf("the error of the build is not told: %s", s.text)
	}
	if after := s.dir(t); after != before {
		t.Errorf("a run that could not begin has a directory: %s", after)
	}
}

// A server that ends at once has its last lines in the error.
func TestAServerThatDoesNotStart(t *testing.T) {
	besideOthers(t, testplan.RuntimeLocal, serverThatDoesNotStart)
}

func serverThatDoesNotStart(t *testing.T, s *storm) {
	s.app.build = func(ctx context.Context, arch, _ string) (nodeimage.Binary, error) {
		return otherServer(t, ctx, arch, `fmt.Fprintln(os.Stderr, "reading the log"); return errors.New("entry 7 is damaged")`)
	}
	if code := s.run("run", "--time", "20s", "--nodes", "3"); code != exitInvalid {
		t.Errorf("exit code %d, want %d", code, exitInvalid)
	}
	s.nothingLeft(t)
	reasons := strings.Join(s.results(t).Reasons, "\n")
	for _, want := range []string{"did not start", "exit status 1", "reading the log", "entry 7 is damaged"} {
		if !strings.Contains(reasons, want) || !strings.Contains(s.text.String(), want) {
			t.Errorf("%q is not in the reasons, or was not printed: %s", want, reasons)
		}
	}
}

// otherServer builds a squall-node whose server is this code instead.
func otherServer(t *testing.T, ctx context.Context, arch, code string) (nodeimage.Binary, error) {
	t.Helper()
	return buildOther(t, ctx, arch, code, nil, "CGO_ENABLED=0")
}

// otherKey is one that no other build has.
func otherKey() string {
	return fmt.Sprintf("test-%s-%d", strings.ToLower(rand.Text()[:6]), os.Getpid())
}

func TestInterrupts(t *testing.T) { onEach(t, testplan.RuntimeLocal, interrupts) }

func interrupts(t *testing.T, s *storm) {
	for tries := 1; ; tries++ {
		done := s.begin("run", "--time", "5m", "--seed", "9", "--nodes", "3")
		s.await(t, "fault 1")
		s.signals <- os.Interrupt
		if code := <-done; code != exitInterrupted {
			t.Errorf("exit code %d after one Ctrl-C, want %d", code, exitInterrupted)
		}
		s.nothingLeft(t)
		spoilt := s.overloaded()
		results := s.results(t)
		if !spoilt && (results.Verdict != check.Pass || results.Faults[0].Healed == 0) {
			t.Errorf("verdict %s (%q), first fault %+v", results.Verdict, results.Reasons, results.Faults[0])
		}
		s.forget()
		if !spoilt {
			break
		}
		t.Logf("the run was spoilt by the load of this computer: %q", results.Reasons)
		if tries == 3 {
			t.Fatal("three runs were")
		}
	}

	done := s.begin("run", "--time", "5m", "--seed", "9", "--nodes", "3")
	s.await(t, "fault 1")
	s.signals <- os.Interrupt
	s.signals <- os.Interrupt
	if code := <-done; code != exitInterrupted {
		t.Errorf("exit code %d after two, want %d", code, exitInterrupted)
	}
	s.nothingLeft(t)
}

// A Ctrl-C that comes when everything is recorded stops nothing: the run ends as
// every later check of it does.
func TestCtrlCWhileTheHistoryIsChecked(t *testing.T) {
	s := newStorm(t, testplan.RuntimeLocal)
	s.load = nil // the more they do, the longer it takes to check
	done := s.begin("run", "--time", "3s", "--nodes", "3", "--nemesis", "none")
	s.await(t, "checking the history")
	s.signals <- os.Interrupt
	code := <-done
	s.nothingLeft(t)
	if stopped := s.results(t).Stopped; stopped != "" {
		t.Errorf("the run is said to be stopped: %s", stopped)
	}
	if again := s.run("check"); code == exitInterrupted || code != again {
		t.Errorf("the run ended with %d, its check with %d", code, again)
	}
}

// forget forgets what was said so far.
func (s *storm) forget() {
	s.text.mu.Lock()
	defer s.text.mu.Unlock()
	s.text.buf.Reset()
}

// After SIGKILL of squall itself the history reads back whole, and clean
// removes what is left.
func TestSIGKILLLosesNothing(t *testing.T) {
	besideOthers(t, testplan.RuntimeDocker, sigkillLosesNothing)
}

func sigkillLosesNothing(t *testing.T, s *storm) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Args = []string{"squall", "run", "--out", s.out, "--time", "5m", "--nodes", "3", "--nemesis", "none", "--runtime", s.runtime}
	cmd.Stdout, cmd.Stderr = s.text, s.text
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	before := s.awaitOps(t, 500)
	if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // says that it was killed
	dir := s.dir(t)
	h, err := history.Load(filepath.Join(dir, history.FileName))
	if err != nil {
		t.Fatal(err)
	}
	if len(h.Ops) < before {
		t.Errorf("only %d operations survived, and %d were there before", len(h.Ops), before)
	}
	if code := s.run("check"); code != exitInvalid { // the test has no end
		t.Errorf("check of a killed run: exit code %d, want %d", code, exitInvalid)
	}
	s.cleanKilled(t)
	s.nothingLeft(t)
}

// cleanKilled cleans up after a squall that was killed. Its machines end by themselves,
// but not at that moment, and until then the run counts as under way.
func (s *storm) cleanKilled(t *testing.T) {
	t.Helper()
	for limit := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) { // a poll: machines of nobody tell nobody
		said := len(s.text.String())
		if code := s.app.run(context.Background(), []string{"squall", "clean", "--run", filepath.Base(s.dir(t))}); code != exitPass {
			t.Fatalf("clean: exit code %d", code)
		}
		if !strings.Contains(s.text.String()[said:], "under way") {
			return
		}
		if time.Now().After(limit) {
			t.Fatal("the run still counts as under way, though its squall was killed")
		}
	}
}

// The engine of another host has a clock of its own. A time namespace around
// squall makes it so here.
func TestClocksOfAnotherHost(t *testing.T) {
	machinetest.NeedWhole(t, "a run of its own, of which only the clocks are looked at")
	s := newStorm(t, testplan.RuntimeDocker)
	const apart = 100_000 // seconds
	shifted := []string{"--time", "--monotonic", strconv.Itoa(apart)}
	if out, err := exec.Command("unshare", append(shifted, "true")...).CombinedOutput(); err != nil {
		machinetest.Skipf(t, "no time namespace can be made here: %v: %s", err, out)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	shifted = append(shifted, "--", "bash", "-c", `exec -a squall "$@"`, "bash", exe,
		"run", "--out", s.out, "--time", "5s", "--nodes", "3", "--schedule", "at 1s for 1s: kill(leader)", "--runtime", s.runtime, "--seed", "2")
	shifted = append(shifted, s.load...)
	cmd := exec.Command("unshare", shifted...)
	cmd.Stdout, cmd.Stderr = s.text, s.text
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	results := s.results(t)
	c := results.Clocks
	if c.One || c.Compared != 2 || c.ErrorNs <= 0 || c.ErrorNs > int64(time.Second) {
		t.Errorf("clocks: %+v, want two, compared twice, and a small error", c)
	}
	if off := c.OffsetNs + apart*1e9; max(off, -off) > c.ErrorNs {
		t.Errorf("the clocks are %v apart, want -%d s ± %v", time.Duration(c.OffsetNs), apart, time.Duration(c.ErrorNs))
	}
	if len(results.Faults) != 1 {
		t.Fatalf("%d faults, want one", len(results.Faults))
	}
	// The fault's times are by squall's clock, the leader's loss is by the machines'.
	f, matches := results.Faults[0], 0
	for _, l := range results.Elections.Losses {
		if l.At >= f.Begin-c.ErrorNs && l.At <= f.Bitten+c.ErrorNs {
			matches++
			continue
		}
		// On a busy computer a leader can also lose its leadership by itself.
		t.Logf("a leader was lost %v after the command to kill one, which was carried out after %v, give or take %v",
			time.Duration(l.At-f.Begin), time.Duration(f.Bitten-f.Begin), time.Duration(c.ErrorNs))
	}
	if matches != 1 {
		t.Errorf("%d of %d losses of a leader were at the time of the kill, want one", matches, len(results.Elections.Losses))
	}
}
