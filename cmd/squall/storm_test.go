package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"squall/history"
	"squall/history/check"
	"squall/internal/machinetest"
	"squall/internal/plain"
	"squall/nodeimage"
	"squall/orchestrator/docker"
	"squall/orchestrator/local"
	"squall/orchestrator/testplan"
	"squall/workloads/catalogue"
	"squall/workloads/systems"
)

// These tests run whole storms, on every runtime that this computer offers.
// Where one is missing its tests skip, except with CI=true.

// onEach runs a test on both runtimes, or, unless everything is to be tried, on
// the first of them that can be had: Docker's for tests of what it does in its
// own way.
func onEach(t *testing.T, first string, test func(t *testing.T, s *storm)) {
	t.Helper()
	onEachWith(t, newStorm, first, test)
}

// besideOthers is onEach for runs of a few machines that mostly wait, and that no
// other run minds.
func besideOthers(t *testing.T, first string, test func(t *testing.T, s *storm)) {
	t.Helper()
	t.Parallel()
	machinetest.Share(t)
	onEachWith(t, newStormAnyTime, first, test)
}

func onEachWith(t *testing.T, begin func(t *testing.T, runtime string) *storm, first string, test func(t *testing.T, s *storm)) {
	t.Helper()
	second := testplan.RuntimeLocal
	if first == second {
		second = testplan.RuntimeDocker
	}
	tried := false
	for _, runtime := range []string{first, second} {
		t.Run(runtime, func(t *testing.T) {
			if tried {
				machinetest.NeedWhole(t, first+" machines have tried it")
			}
			s := begin(t, runtime)
			tried = true
			test(t, s)
		})
	}
}

func needRuntime(t *testing.T, name string) {
	t.Helper()
	runtime, err := openRuntime(t.Context(), name, nil)
	if err != nil {
		machinetest.Missing(t, err)
	}
	runtime.close()
}

// storm is one `squall run`, in this process.
type storm struct {
	app     *app
	runtime string
	load    []string // flags that say how much the clients of a run do
	out     string   // folder of runs
	text    *syncBuffer
	signals chan os.Signal
	ctx     context.Context // ends with the test
	runs    sync.WaitGroup  // those that were begun
}

// paced is a load that leaves the processors to others: as many operations as clients
// can send would only cost time where a test looks at something else.
var paced = []string{"--rate", "200"}

// patience is how long a test waits for what must come; a busy computer makes it
// come late.
const patience = 3 * time.Minute

// longestStorm is for all that a test does with squall, such as compiling a server.
const longestStorm = 20 * time.Minute

type syncBuffer struct {
	mu   sync.Mutex
	buf  bytes.Buffer
	more chan struct{} // if anybody waits: is closed when something is written
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.more != nil {
		close(b.more)
		b.more = nil
	}
	return b.buf.Write(p)
}

// until waits until what was written matches.
func (b *syncBuffer) until(ctx context.Context, what *regexp.Regexp) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		b.mu.Lock()
		found := what.Match(b.buf.Bytes())
		if b.more == nil {
			b.more = make(chan struct{})
		}
		more := b.more
		b.mu.Unlock()
		if found {
			return nil
		}
		select {
		case <-more:
		case <-ctx.Done():
			return fmt.Errorf("squall never said %s: %w", what, ctx.Err())
		}
	}
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// newStorm is a storm that is this computer's only one.
func newStorm(t *testing.T, runtime string) *storm {
	t.Helper()
	machinetest.Turn(t)
	return newStormAnyTime(t, runtime)
}

// newStormAnyTime is a storm beside which there may be others.
func newStormAnyTime(t *testing.T, runtime string) *storm {
	t.Helper()
	needRuntime(t, runtime)
	s := &storm{runtime: runtime, load: paced, out: t.TempDir(), text: &syncBuffer{}, signals: make(chan os.Signal, 2)}
	s.app = &app{program: "squall", out: plain.NewWriter(s.text), errOut: plain.NewWriter(s.text), ctrlC: ctrlC{signals: s.signals}, build: buildNode, open: openRuntime}
	ctx, cancel := context.WithTimeout(context.Background(), longestStorm)
	s.ctx = ctx
	t.Cleanup(func() {
		cancel()
		s.runs.Wait()
		if t.Failed() {
			t.Logf("squall said:\n%s", s.text)
		}
	})
	return s
}

func (s *storm) run(args ...string) int {
	all := append([]string{"squall", args[0], "--out", s.out}, args[1:]...)
	if args[0] == "run" {
		all = append(all, "--runtime", s.runtime)
		if !slices.Contains(args, "--plan") { // which says how much they do
			all = append(all, s.load...)
		}
	}
	return s.app.run(s.ctx, all)
}

// begin has squall run beside the test, which may end before it does.
func (s *storm) begin(args ...string) (code <-chan int) {
	ended := make(chan int, 1)
	s.runs.Go(func() { ended <- s.run(args...) })
	return ended
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
	dir, err := testplan.FindRun(s.out, "")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// await waits until squall has said something.
func (s *storm) await(t *testing.T, words string) {
	t.Helper()
	if err := s.text.until(t.Context(), regexp.MustCompile(regexp.QuoteMeta(words))); err != nil {
		t.Fatal(err)
	}
}

// awaitOps waits until the newest run has recorded so many operations.
func (s *storm) awaitOps(t *testing.T, count int) (recorded int) {
	t.Helper()
	s.await(t, "storm")
	file := filepath.Join(s.dir(t), history.FileName)
	for limit := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) { // a poll: a file tells nobody that it grows
		h, err := history.Load(file)
		if err == nil && len(h.Ops) >= count {
			return len(h.Ops)
		}
		if time.Now().After(limit) {
			t.Fatalf("%d operations were never recorded: %v", count, err)
		}
	}
}

// nothingLeft fails when anything of the newest run is still there.
func (s *storm) nothingLeft(t *testing.T) {
	t.Helper()
	if left := s.leftovers(t); left != "" {
		t.Errorf("the run left something behind: %s", left)
	}
}

// leftovers removes what the newest run left, and says what it was: "" is
// nothing.
func (s *storm) leftovers(t *testing.T) string {
	t.Helper()
	run := filepath.Base(s.dir(t))
	if s.runtime == testplan.RuntimeLocal {
		report, err := local.Clean(local.Options{}, run)
		if err != nil {
			t.Fatal(err)
		}
		return unless(report == local.Report{}, report)
	}
	engine, err := docker.New(t.Context(), docker.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	report, err := engine.Clean(t.Context(), docker.CleanOptions{Run: run})
	if err != nil {
		t.Fatal(err)
	}
	return unless(report == docker.Report{}, report)
}

func unless(nothing bool, left any) string {
	if nothing {
		return ""
	}
	return fmt.Sprintf("%+v", left)
}

func TestStormOverTheCorrectNodePasses(t *testing.T) {
	onEach(t, testplan.RuntimeDocker, correctNodePasses)
}

func correctNodePasses(t *testing.T, s *storm) {
	s.load = nil // as much as they can
	if code := s.run("run", "--time", "8s", "--hold", "1500ms", "--gap", "700ms", "--seed", "3"); code != exitPass {
		t.Fatalf("exit code %d", code)
	}
	s.nothingLeft(t)
	results := s.results(t)
	if len(results.Elections.Losses) == 0 || results.Elections.Count < 2 {
		t.Errorf("no leader was lost and replaced: %+v", results.Elections)
	}
	if len(results.Faults) == 0 || results.Ops.OK < 500 {
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
	for i, prefix := range []string{"report   ", "repeat   squall run --time 8s --seed 3 --runtime " + s.runtime, "", "verdict  ✓ PASS"} {
		if line := lines[len(lines)-4+i]; !strings.HasPrefix(line, prefix) {
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

// TestStormOverTheCorrectNodePassesWithEveryWorkload is the same for those that are not
// the default.
func TestStormOverTheCorrectNodePassesWithEveryWorkload(t *testing.T) {
	machinetest.NeedWhole(t, "a storm with the workload register, and planted bugs that others must find")
	for _, w := range catalogue.Workloads()[1:] {
		if !w.Fits(systems.Prototype(catalogue.Systems()[0])) {
			continue // the storms on other systems have it
		}
		t.Run(w.Name, func(t *testing.T) {
			s := newStorm(t, testplan.RuntimeLocal)
			if code := s.run("run", "--workload", w.Name, "--nemesis", "storm", "--time", "8s", "--hold", "1500ms", "--gap", "700ms", "--seed", "3"); code != exitPass {
				t.Errorf("exit code %d", code)
			}
			s.nothingLeft(t)
		})
	}
}

// A tool that finds nothing is worth nothing: each planted bug must be caught.
// Each is looked for in one runtime: that storms are the same in both, the tests
// of the correct node show.
func TestMutantsAreCaught(t *testing.T) {
	machinetest.NotUnderRace(t, "whether a bug is found has nothing to do with races")
	machinetest.NeedWhole(t, "the campaign with a mutant's cell looks for one, and tests of the server for others")
	for mutant, how := range map[string]struct {
		runtime  string
		settings []string
		checks   []string // that must find it
		sooner   string   // a check that may find it before clients can
	}{
		"ack-before-quorum": {testplan.RuntimeLocal, []string{"--nemesis", "partition(leader)"}, []string{"linearizable"}, ""},
		"half-quorum":       {testplan.RuntimeLocal, []string{"--nodes", "4", "--nemesis", "partition(halves)"}, []string{"linearizable"}, "election-safety"},
		"local-reads":       {testplan.RuntimeDocker, []string{"--nemesis", "partition(leader)"}, []string{"linearizable"}, ""},
		// Snapshots are restored when servers start again.
		"short-lists": {testplan.RuntimeLocal, []string{"--workload", "set", "--system", "raftkv(snapshot-every=200)", "--nemesis", "kill(all)"},
			[]string{"set", "linearizable"}, ""},
		"early-txn-reads": {testplan.RuntimeLocal, []string{"--workload", "append", "--nodes", "3", "--nemesis", "pause(one)"}, []string{"append"}, ""},
		"early-updates":   {testplan.RuntimeLocal, []string{"--workload", "counter", "--nodes", "3", "--nemesis", "pause(one)"}, []string{"linearizable"}, ""},
	} {
		t.Run(mutant, func(t *testing.T) {
			mutantIsCaught(t, how.runtime, mutant, how.settings, how.checks, how.sooner)
		})
	}
}

// seekBug looks for a planted bug: for some seconds, in which a few partitions
// mostly show it, and, where chance or a busy computer was against that, again for
// longer. It returns the storm that showed it, and how long that was.
func seekBug(t *testing.T, runtime string, look func(s *storm, long string) (code int)) (*storm, string) {
	t.Helper()
	for _, long := range []string{"9s", "20s", "50s"} {
		s := newStorm(t, runtime)
		switch code := look(s, long); code {
		case exitViolation:
			return s, long
		case exitPass:
			t.Logf("a storm of %s showed nothing", long)
		case exitInvalid:
			if !s.overloaded() {
				t.Fatalf("exit code %d, want %d", code, exitViolation)
			}
			t.Logf("a storm of %s was spoilt by the load of this computer", long)
		default:
			t.Fatalf("exit code %d, want %d", code, exitViolation)
		}
	}
	t.Fatal("the planted bug was not caught")
	return nil, ""
}

// A test that is to stop on a violation ends long before its time when there is one, and
// its verdict is that of the whole check. The correct node is not stopped.
func TestATestStopsOnAViolation(t *testing.T) {
	machinetest.NotUnderRace(t, "whether a bug is found has nothing to do with races")
	machinetest.NeedCI(t, "histories that grow are judged without machines, in package orchestrator and in the packages of checks")
	const long = "90s"
	settings := []string{"run", "--hold", "1500ms", "--gap", "700ms", "--seed", "1", "--nemesis", "partition(leader)", "--stop-on", "violation", "--json"}
	s := newStorm(t, testplan.RuntimeLocal)
	if code := s.run(append(settings, "--mutant", "local-reads", "--time", long)...); code != exitViolation {
		t.Fatalf("exit code %d, want %d", code, exitViolation)
	}
	s.nothingLeft(t)
	r := s.results(t)
	if !strings.Contains(r.Stopped, "of 90 s: violation seen") || r.Seen == "" || r.Ops.LoadSeconds > 80 {
		t.Errorf("stopped %q, seen %q, after %.1f s", r.Stopped, r.Seen, r.Ops.LoadSeconds)
	}
	foundBy(t, s.dir(t), "linearizable")
	correct := newStorm(t, testplan.RuntimeLocal)
	if code := correct.run(append(settings, "--time", "20s")...); code != exitPass {
		t.Fatalf("exit code %d, want %d", code, exitPass)
	}
	if r := correct.results(t); r.Stopped != "" || r.Seen != "" {
		t.Errorf("the correct node: stopped %q, seen %q", r.Stopped, r.Seen)
	}
}

func mutantIsCaught(t *testing.T, runtime, mutant string, settings, by []string, sooner string) {
	s, _ := seekBug(t, runtime, func(s *storm, long string) int {
		return s.run(append([]string{"run", "--mutant", mutant, "--time", long, "--hold", "1500ms", "--gap", "700ms", "--seed", "1", "--json"}, settings...)...)
	})
	s.nothingLeft(t)
	if c := slices.IndexFunc(s.results(t).Checks, func(c check.Result) bool { return c.Name == sooner && c.Verdict == check.Violation }); c >= 0 {
		t.Logf("%s has found it, and servers may have ended because of it before clients saw anything", sooner)
		return
	}
	foundBy(t, s.dir(t), by...)
}

// foundBy fails unless each of the checks has found a violation, and shows it in a few
// operations.
func foundBy(t *testing.T, dir string, names ...string) {
	t.Helper()
	results, err := check.ReadResults(dir)
	if err != nil {
		t.Fatal(err)
	}
	checks := results.Checks
	for _, name := range names {
		i := slices.IndexFunc(checks, func(c check.Result) bool { return c.Name == name })
		if i < 0 {
			t.Fatalf("there is no check %q: %+v", name, checks)
		}
		c := checks[i]
		if c.Verdict != check.Violation || len(c.Witness) == 0 || len(c.Witness) > 8 {
			t.Errorf("%s: %s with %d operations to show it: %s", name, c.Verdict, len(c.Witness), c.Summary)
		}
		if name != "linearizable" {
			continue
		}
		if _, err := os.Stat(filepath.Join(dir, c.Picture)); c.Picture == "" || err != nil {
			t.Errorf("porcupine's picture %q: %v", c.Picture, err)
		}
	}
}

func TestDoctorFindsEverything(t *testing.T) {
	machinetest.Turn(t)
	needRuntime(t, testplan.RuntimeDocker)
	needRuntime(t, testplan.RuntimeLocal)
	t.Chdir(t.TempDir()) // its folder of runs goes there
	var out bytes.Buffer
	root, err := nodeimage.FindRoot()
	if err != nil {
		machinetest.Skipf(t, "FindRoot outside a checkout: %v", err)
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
		// The computer may be busy, and somebody may have kept a run.
		if !n.OK && !slices.Contains([]string{"squall's sources", "this computer", "leftovers"}, n.Name) {
			t.Errorf("%s: %s", n.Name, n.Found)
		}
	}
	for _, name := range []string{"docker machines", "local machines"} {
		if !slices.ContainsFunc(needs, func(n need) bool { return n.Name == name && strings.Contains(n.Found, "n2 dropped n1's packets") }) {
			t.Errorf("the %s were not tried: %+v", name, needs)
		}
	}
}
