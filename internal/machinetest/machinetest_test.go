package machinetest

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gofrs/flock"
	"go.uber.org/goleak"
)

const holderVar = "SQUALL_TEST_HOLD"

// TestMain also is another process that has the turn: until its stdin ends.
func TestMain(m *testing.M) {
	if base := os.Getenv(holderVar); base != "" {
		other := &turns{base: base}
		if _, err := other.take(context.Background(), "TestOfAnotherPackage", alone, time.Now().Add(time.Minute)); err != nil {
			panic(err)
		}
		os.Stdout.WriteString("mine\n")
		os.Stdin.Read(make([]byte, 1))
		os.Exit(0)
	}
	goleak.VerifyTestMain(Main(m))
}

func soon() time.Time { return time.Now().Add(time.Minute) }

// A test of another process has the turn, dies with it, and the next has it.
func TestTurnsOfProcesses(t *testing.T) {
	base := filepath.Join(t.TempDir(), "turns")
	other := exec.Command(os.Args[0])
	other.Env = append(os.Environ(), holderVar+"="+base)
	in, err := other.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := other.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); _ = other.Wait() })
	if _, err := out.Read(make([]byte, 8)); err != nil {
		t.Fatal(err)
	}
	mine := &turns{base: base}
	_, err = mine.take(t.Context(), "TestX", alone, time.Now().Add(3*poll))
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "TestOfAnotherPackage of process") {
		t.Fatalf("with the turn taken: %v", err)
	}
	if err := other.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	end, err := mine.take(t.Context(), "TestX", alone, soon())
	if err != nil {
		t.Fatalf("after the other's death: %v", err)
	}
	end()
}

// Who waits comes before who had the turn a moment ago.
func TestTurnsGoRound(t *testing.T) {
	base := filepath.Join(t.TempDir(), "turns")
	first, second := &turns{base: base}, &turns{base: base}
	end, err := first.take(t.Context(), "TestA1", alone, soon())
	if err != nil {
		t.Fatal(err)
	}
	order := make(chan string, 2)
	done := make(chan struct{})
	go func() {
		defer close(done)
		end, err := second.take(t.Context(), "TestB", alone, soon())
		if err != nil {
			t.Error(err)
			return
		}
		order <- "B"
		end()
	}()
	if err := inTheDoor(base); err != nil {
		t.Fatal(err)
	}
	end()
	if end, err = first.take(t.Context(), "TestA2", alone, soon()); err != nil {
		t.Fatal(err)
	}
	order <- "A2"
	end()
	<-done
	if next := <-order; next != "B" {
		t.Errorf("%s had the turn, and B had waited for it", next)
	}
}

// Subtests join; other tests of the process wait.
func TestTurnsOfOneProcess(t *testing.T) {
	m := &turns{base: filepath.Join(t.TempDir(), "turns")}
	take := func(name string, by time.Time) (func(), error) { return m.take(t.Context(), name, alone, by) }
	end, err := take("TestA", soon())
	if err != nil {
		t.Fatal(err)
	}
	endSub, err := take("TestA/docker", soon())
	if err != nil {
		t.Fatalf("a subtest waits for its test: %v", err)
	}
	end()
	for _, name := range []string{"TestB", "TestAB"} {
		if _, err := take(name, time.Now().Add(3*poll)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s beside a subtest of TestA: %v", name, err)
		}
	}
	endSub()
	if end, err = take("TestB", soon()); err != nil {
		t.Fatal(err)
	}
	end()
}

// Tests of several processes share a turn. Who wants it alone waits for all of
// them, and nobody joins them meanwhile.
func TestSharedTurns(t *testing.T) {
	base := filepath.Join(t.TempDir(), "turns")
	take := func(name string, how kind, by time.Time) (func(), error) {
		other := &turns{base: base} // as in a process of its own
		return other.take(t.Context(), name, how, by)
	}
	var ends []func()
	for _, name := range []string{"tests of a", "tests of b"} {
		end, err := take(name, shared, soon())
		if err != nil {
			t.Fatalf("%s beside others that share: %v", name, err)
		}
		ends = append(ends, end)
	}
	if _, err := take("TestA", alone, time.Now().Add(3*poll)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("alone beside two that share: %v", err)
	}
	ends[0]()
	got := make(chan error, 1)
	go func() {
		end, err := take("TestA", alone, soon())
		if err == nil {
			end()
		}
		got <- err
	}()
	if err := inTheDoor(base); err != nil {
		t.Fatal(err)
	}
	if _, err := take("tests of c", shared, time.Now().Add(3*poll)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("sharing before one who waits: %v", err)
	}
	ends[1]()
	if err := <-got; err != nil {
		t.Error(err)
	}
	end, err := take("TestB", alone, soon())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := take("tests of a", shared, time.Now().Add(3*poll)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("sharing beside one who is alone: %v", err)
	}
	end()
}

// inTheDoor waits until somebody waits for the turn next.
func inTheDoor(base string) error {
	door := flock.New(base + ".door")
	for limit := soon(); ; time.Sleep(time.Millisecond) { // lets it come
		free, err := door.TryLock()
		if err != nil || !free {
			return err
		}
		if time.Now().After(limit) {
			return errors.New("nobody waits for the turn")
		}
		if err := door.Unlock(); err != nil {
			return err
		}
	}
}

// fakeT is a test of which only is known that it was skipped or failed.
type fakeT struct {
	testing.TB
	name, said string
	failed     bool
}

func (f *fakeT) Helper()                           {}
func (f *fakeT) Name() string                      { return f.name }
func (f *fakeT) Skip(args ...any)                  { f.said = args[0].(string) }
func (f *fakeT) Fatalf(format string, args ...any) { f.failed = true }

type fakeM func()

func (m fakeM) Run() int { m(); return 0 }

func TestSkippedIsTold(t *testing.T) {
	mine := skipped.tests
	skipped.tests = nil
	t.Cleanup(func() { skipped.tests = mine })
	file := filepath.Join(t.TempDir(), "skipped")
	t.Setenv(SkippedVar, file)
	t.Setenv("CI", "")
	t.Setenv(MuchVar, "")
	var out bytes.Buffer
	code := telling{fakeM(func() {
		Missing(&fakeT{name: "TestB"}, errors.New("no engine\nat all"))
		Missing(&fakeT{name: "TestA"}, errors.New("no engine\nat all"))
		NeedWhole(&fakeT{name: "TestC"}, "TestA tries one")
	}), &out}.Run()
	want := "skipped: TestA, TestB: no engine …\nskipped: TestC: only tried with SQUALL_TEST=whole: TestA tries one\n"
	if code != 0 || out.String() != want {
		t.Errorf("%d, %q, want %q", code, &out, want)
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != want {
		t.Errorf("the file holds %q, %v", text, err)
	}
	c := &fakeT{name: "TestC"}
	if NeedCI(c, "x"); !strings.Contains(c.said, "=ci or whole: x") || Rounds(3, 50) != 3 {
		t.Errorf("by default it said %q and tries %d", c.said, Rounds(3, 50))
	}
	t.Setenv(MuchVar, "ci")
	c = &fakeT{name: "TestC"}
	if NeedCI(c, "x"); c.said != "" || Rounds(3, 50) != 5 || Rounds(9, 50) != 9 {
		t.Errorf("before a change lands it said %q and tries %d and %d", c.said, Rounds(3, 50), Rounds(9, 50))
	}
	if NeedWhole(c, "x"); c.said == "" {
		t.Error("everything is tried before a change lands")
	}
	t.Setenv(MuchVar, "whole")
	c = &fakeT{name: "TestC"}
	if NeedCI(c, "x"); c.said != "" || Rounds(3, 50) != 50 {
		t.Errorf("when everything is to be tried it said %q and tries %d", c.said, Rounds(3, 50))
	}
	if NeedWhole(c, "x"); c.said != "" {
		t.Error("it is skipped though everything is to be tried")
	}
	t.Setenv("CI", "true")
	if Missing(c, "no engine"); !c.failed {
		t.Error("CI does without an engine")
	}
}

// runner notes how many parallel tests it may run at a time.
type runner struct{ parallel string }

func (r *runner) Run() int {
	r.parallel = flag.Lookup("test.parallel").Value.String()
	return 7
}

func TestWaitingRunsMoreTestsSideBySide(t *testing.T) {
	before := flag.Lookup("test.parallel").Value.String()
	defer flag.Set("test.parallel", before)
	said := false
	flag.Visit(func(f *flag.Flag) { said = said || f.Name == "test.parallel" })
	want := strconv.Itoa(3 * runtime.GOMAXPROCS(0))
	if said {
		want = before
	}
	var r runner
	if code := Waiting(&r).Run(); code != 7 || r.parallel != want {
		t.Errorf("code %d with %s at a time, want 7 with %s", code, r.parallel, want)
	}
}
