package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"squall/history"
	"squall/history/check"
	"squall/nodeimage"
	"squall/orchestrator"
	"squall/orchestrator/docker"
)

// These tests run whole storms in containers. Where there is no engine they
// skip, except with CI=true.
func needEngine(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("a storm takes half a minute")
	}
	runtime, err := docker.New(t.Context(), docker.Options{})
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("CI needs a Docker engine: %v", err)
		}
		t.Skipf("no Docker engine: %v", err)
	}
	runtime.Close()
}

// storm is one `squall run`, in this process.
type storm struct {
	app     *app
	out     string // folder of runs
	text    *syncBuffer
	signals chan os.Signal
}

type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func newStorm(t *testing.T) *storm {
	t.Helper()
	needEngine(t)
	s := &storm{out: t.TempDir(), text: &syncBuffer{}, signals: make(chan os.Signal, 2)}
	s.app = &app{program: "squall", out: s.text, errOut: s.text, signals: s.signals, build: buildNode}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("squall said:\n%s", s.text)
		}
	})
	return s
}

func (s *storm) run(args ...string) int {
	all := append([]string{"squall", args[0], "--out", s.out}, args[1:]...)
	return s.app.run(context.Background(), all)
}

// results are those of the newest run.
func (s *storm) results(t *testing.T) *check.Results {
	t.Helper()
	results, err := check.ReadResults(s.dir(t))
	if err != nil {
		t.Fatal(err)
	}
	return results
}

func (s *storm) dir(t *testing.T) string {
	t.Helper()
	dir, err := orchestrator.FindRun(s.out, "")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// await waits until squall has said something.
func (s *storm) await(t *testing.T, words string) {
	t.Helper()
	for range 600 {
		if strings.Contains(s.text.String(), words) {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatalf("squall never said %q:\n%s", words, s.text)
}

// nothingLeft fails when the engine still has anything of the newest run.
func (s *storm) nothingLeft(t *testing.T) {
	t.Helper()
	if left := leftovers(t, s.dir(t)); left != (docker.Report{}) {
		t.Errorf("the run left something behind: %+v", left)
	}
}

// leftovers removes what a run left, and says what it was.
func leftovers(t *testing.T, dir string) docker.Report {
	t.Helper()
	runtime, err := docker.New(t.Context(), docker.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer runtime.Close()
	report, err := runtime.Clean(t.Context(), docker.CleanOptions{Run: filepath.Base(dir)})
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func TestStormOverTheCorrectNodePasses(t *testing.T) {
	s := newStorm(t)
	if code := s.run("run", "--time", "14s", "--seed", "3"); code != exitPass {
		t.Fatalf("exit code %d", code)
	}
	s.nothingLeft(t)
	results := s.results(t)
	if len(results.Elections.Losses) == 0 || results.Elections.Count < 2 {
		t.Errorf("no leader was lost and replaced: %+v", results.Elections)
	}
	if len(results.Faults) == 0 || results.Ops.OK < 1000 {
		t.Errorf("%d faults, %d operations", len(results.Faults), results.Ops.OK)
	}
	for _, f := range results.Faults {
		if !f.Verified || len(f.Proof) == 0 || f.Healed == 0 {
			t.Errorf("fault without proof: %+v", f)
		}
	}
	for _, name := range []string{"plan.json", "history.jsonl.zst", "results.json", "env.json", "squall.log", "report.html",
		"throughput.png", "latency.png", "elections.png", "nodes/n1/server.log"} {
		if info, err := os.Stat(filepath.Join(s.dir(t), name)); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	lines := strings.Split(strings.TrimSpace(s.text.String()), "\n")
	for i, prefix := range []string{"verdict  ✓ PASS", "report   ", "repeat   squall run --time 14s --seed 3"} {
		if line := lines[len(lines)-3+i]; !strings.HasPrefix(line, prefix) {
			t.Errorf("line %q, want one that begins with %q", line, prefix)
		}
	}
	// Checking and drawing again need no engine.
	t.Setenv("DOCKER_HOST", "unix:///nonexistent.sock")
	if code := s.run("check"); code != exitPass {
		t.Errorf("check: exit code %d", code)
	}
	if code := s.run("report"); code != exitPass {
		t.Errorf("report: exit code %d", code)
	}
}

// A tool that finds nothing is worth nothing: each planted bug must be caught.
func TestMutantsAreCaught(t *testing.T) {
	for _, mutant := range []string{"local-reads", "ack-before-quorum"} {
		t.Run(mutant, func(t *testing.T) {
			s := newStorm(t)
			code := s.run("run", "--mutant", mutant, "--time", "16s", "--nemesis", "partition(leader)", "--seed", "1", "--json")
			if code != exitViolation {
				t.Fatalf("exit code %d, want %d", code, exitViolation)
			}
			s.nothingLeft(t)
			for _, c := range s.results(t).Checks {
				if c.Name != "linearizable" {
					continue
				}
				if c.Verdict != check.Violation || len(c.Witness) == 0 || len(c.Witness) > 8 {
					t.Errorf("%s with %d operations to show it: %s", c.Verdict, len(c.Witness), c.Summary)
				}
				if _, err := os.Stat(filepath.Join(s.dir(t), c.Picture)); c.Picture == "" || err != nil {
					t.Errorf("porcupine's picture %q: %v", c.Picture, err)
				}
			}
		})
	}
}

func TestALostMachineMakesTheTestInvalid(t *testing.T) {
	s := newStorm(t)
	done := make(chan int)
	go func() { done <- s.run("run", "--time", "30s", "--nemesis", "none", "--nodes", "3") }()
	s.await(t, "storm")
	time.Sleep(2 * time.Second)
	name := "squall-" + filepath.Base(s.dir(t)) + "-n2"
	if out, err := exec.Command("docker", "kill", name).CombinedOutput(); err != nil {
		t.Fatalf("docker kill: %v: %s", err, out)
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

// An engine that is lost in the middle takes all its machines with it.
func TestALostEngineMakesTheTestInvalid(t *testing.T) {
	s := newStorm(t)
	proxy := newEngineProxy(t)
	t.Setenv("DOCKER_HOST", "unix://"+proxy.path)
	done := make(chan int)
	go func() { done <- s.run("run", "--time", "30s", "--nemesis", "none", "--nodes", "3") }()
	s.await(t, "storm")
	time.Sleep(time.Second)
	proxy.close()
	if code := <-done; code != exitInvalid {
		t.Errorf("exit code %d, want %d", code, exitInvalid)
	}
	if results := s.results(t); results.Verdict != check.Invalid || results.Ops.OK == 0 {
		t.Errorf("verdict %s, because %q, with %d operations", results.Verdict, results.Reasons, results.Ops.OK)
	}
	t.Setenv("DOCKER_HOST", "")
	if left := leftovers(t, s.dir(t)); left.Containers != 4 || left.Networks != 1 {
		t.Errorf("clean removed %+v, want the 4 containers and the network that could not be reached", left)
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
		t.Skipf("the engine is not at %s: %v", engine, err)
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
	s := newStorm(t)
	code := s.run("run", "--time", "5s", "--nodes", "3", "--nemesis", "none",
		"--heartbeat", "10s", "--election-min", "50s", "--election-max", "60s")
	if code != exitInvalid {
		t.Errorf("exit code %d, want %d", code, exitInvalid)
	}
	s.nothingLeft(t)
	if reasons := strings.Join(s.results(t).Reasons, "\n"); !strings.Contains(reasons, "no leader within 20s") {
		t.Errorf("the reasons are %q", reasons)
	}
}

func TestANodeThatCannotRunMakesTheTestInvalid(t *testing.T) {
	s := newStorm(t)
	s.app.build = func(context.Context, string, string) (nodeimage.Binary, error) {
		path := filepath.Join(t.TempDir(), "squall-node")
		err := os.WriteFile(path, []byte("not a program"), 0o755)
		return nodeimage.Binary{Path: path, Key: "test-not-a-program"}, err
	}
	if code := s.run("run", "--time", "20s", "--nodes", "3"); code != exitInvalid {
		t.Errorf("exit code %d, want %d", code, exitInvalid)
	}
	s.nothingLeft(t)
	s.app.build = func(context.Context, string, string) (nodeimage.Binary, error) {
		return nodeimage.Binary{}, errors.New("kv.go:7: syntax error")
	}
	if code := s.run("run", "--time", "20s", "--nodes", "3"); code != exitInvalid {
		t.Errorf("exit code %d, want %d", code, exitInvalid)
	}
	if reasons := s.results(t).Reasons; !strings.Contains(strings.Join(reasons, "\n"), "kv.go:7: syntax error") {
		t.Errorf("the reasons do not name the build's error: %q", reasons)
	}
}

func TestInterrupts(t *testing.T) {
	s := newStorm(t)
	done := make(chan int)
	go func() { done <- s.run("run", "--time", "5m", "--seed", "9", "--nodes", "3") }()
	s.await(t, "fault 1")
	s.signals <- os.Interrupt
	if code := <-done; code != exitInterrupted {
		t.Errorf("exit code %d after one Ctrl-C, want %d", code, exitInterrupted)
	}
	s.nothingLeft(t)
	if results := s.results(t); results.Verdict != check.Pass || results.Faults[0].Healed == 0 {
		t.Errorf("verdict %s (%q), first fault %+v", results.Verdict, results.Reasons, results.Faults[0])
	}

	s.text.mu.Lock()
	s.text.buf.Reset()
	s.text.mu.Unlock()
	go func() { done <- s.run("run", "--time", "5m", "--seed", "9", "--nodes", "3") }()
	s.await(t, "fault 1")
	s.signals <- os.Interrupt
	s.signals <- os.Interrupt
	if code := <-done; code != exitInterrupted {
		t.Errorf("exit code %d after two, want %d", code, exitInterrupted)
	}
	s.nothingLeft(t)
}

// After SIGKILL of squall itself the history reads back whole, and clean
// removes what is left.
func TestSIGKILLLosesNothing(t *testing.T) {
	s := newStorm(t)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Args = []string{"squall", "run", "--out", s.out, "--time", "5m", "--nodes", "3", "--nemesis", "none"}
	cmd.Stdout, cmd.Stderr = s.text, s.text
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.await(t, "ok (")
	time.Sleep(3 * time.Second)
	if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // says that it was killed
	dir := s.dir(t)
	h, err := history.Load(filepath.Join(dir, history.FileName))
	if err != nil {
		t.Fatal(err)
	}
	if len(h.Ops) < 500 || h.Ops[len(h.Ops)-1].Call-h.Mono < 2e9 {
		t.Errorf("only %d operations survived, the last of them %v after the begin", len(h.Ops), time.Duration(h.Ops[len(h.Ops)-1].Call-h.Mono))
	}
	if code := s.run("check"); code != exitInvalid { // the test has no end
		t.Errorf("check of a killed run: exit code %d, want %d", code, exitInvalid)
	}
	if code := s.app.run(context.Background(), []string{"squall", "clean", "--run", filepath.Base(dir)}); code != exitPass {
		t.Errorf("clean: exit code %d", code)
	}
	s.nothingLeft(t)
}

func TestDoctorFindsEverything(t *testing.T) {
	needEngine(t)
	t.Chdir(t.TempDir()) // its folder of runs goes there
	var out bytes.Buffer
	root, err := nodeimage.FindRoot()
	if err != nil {
		t.Skipf("FindRoot outside a checkout: %v", err)
	}
	a := &app{program: "squall", out: &out, errOut: io.Discard, build: func(ctx context.Context, arch, mutant string) (nodeimage.Binary, error) {
		return nodeimage.Build(ctx, nodeimage.BuildOptions{Root: root, Arch: arch})
	}}
	a.run(t.Context(), []string{"squall", "doctor", "--json"})
	var needs []need
	if err := json.Unmarshal(out.Bytes(), &needs); err != nil {
		t.Fatalf("%v in %s", err, &out)
	}
	for _, n := range needs {
		if !n.OK && n.Name != "squall's sources" {
			t.Errorf("%s: %s", n.Name, n.Found)
		}
	}
	if last := needs[len(needs)-1]; last.Name != "machines" || !strings.Contains(last.Found, "n2 dropped n1's packets") {
		t.Errorf("the machines were not tried: %+v", last)
	}
}
