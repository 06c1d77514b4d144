// Package machinetest is what the tests of every room share: whose turn it is to
// start machines on this computer, how much a test tries, and what was not tried
// and why. docs/testing.md tells how the tests are layered.
//
// How much is tried:
//
//   - `go test -short` starts no machines, compiles no nodes and opens no browser;
//   - `go test` tries each kind of thing once, small;
//   - SQUALL_TEST=ci tries more, in a quarter of an hour, as .ci/run does;
//   - SQUALL_TEST=whole tries everything, which takes more than an hour, as .ci/whole does.
//
// A package that skips anything prints what and why when it ends: its TestMain
// passes its testing.M through Main.
package machinetest

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
)

const (
	// MuchVar is the environment variable that says how much is tried: "ci",
	// "whole", or what `go test` tries without it.
	MuchVar = "SQUALL_TEST"
	// SkippedVar names a file to which every package appends what it skipped:
	// `go test ./...` shows nothing of what a package that passed has printed.
	SkippedVar = "SQUALL_TEST_SKIPPED"
)

// Whole reports whether everything is to be tried.
func Whole() bool { return os.Getenv(MuchVar) == "whole" }

// CI reports whether at least as much is to be tried as before a change lands.
func CI() bool { return Whole() || os.Getenv(MuchVar) == "ci" }

// Rounds is how often a test tries what it makes up, or how much of it: all when
// everything is to be tried, otherwise some, which must be enough to find what is
// wrong in general, and in CI a tenth of all if that is more.
func Rounds(some, all int) int {
	switch {
	case Whole():
		return all
	case CI():
		return max(some, all/10)
	default:
		return some
	}
}

// NeedCI skips the test unless as much is to be tried as before a change lands. The
// reason says what tries the same thing when it is not.
func NeedCI(t testing.TB, why string) {
	t.Helper()
	if !CI() {
		Skip(t, "only tried with "+MuchVar+"=ci or whole: "+why)
	}
}

// NeedWhole skips the test unless everything is to be tried. The reason says
// what tries the same thing when it is not.
func NeedWhole(t testing.TB, why string) {
	t.Helper()
	if !Whole() {
		Skip(t, "only tried with "+MuchVar+"=whole: "+why)
	}
}

// NotShort skips the test under -short, where there are no machines, no
// compiling of nodes, and no browser. The reason says what the test needs of
// these.
func NotShort(t testing.TB, why string) {
	t.Helper()
	if testing.Short() {
		Skip(t, "not tried with -short: "+why)
	}
}

// NotUnderRace skips the test under the race detector, which makes it many times slower.
// The reason says why there is nothing for the detector to find.
func NotUnderRace(t testing.TB, why string) {
	t.Helper()
	if underRace {
		Skip(t, "not tried with -race: "+why)
	}
}

// Missing skips a test for which this computer lacks something; with CI=true it
// fails it.
func Missing(t testing.TB, lacking any) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("CI needs it: %v", lacking)
	}
	Skip(t, lacking)
}

// Skip is t.Skip, and remembers it for the end of the package.
func Skip(t testing.TB, why ...any) {
	t.Helper()
	text := strings.TrimSuffix(fmt.Sprintln(why...), "\n")
	skipped.add(t.Name(), text)
	t.Skip(text)
}

// Skipf is Skip with a format.
func Skipf(t testing.TB, format string, args ...any) {
	t.Helper()
	Skip(t, fmt.Sprintf(format, args...))
}

// notes are tests that were skipped, with the reasons.
type notes struct {
	mu    sync.Mutex
	tests map[string][]string // by reason
}

var skipped notes

func (n *notes) add(test, why string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.tests == nil {
		n.tests = map[string][]string{}
	}
	n.tests[why] = append(n.tests[why], test)
}

// lines are one line a reason.
func (n *notes) lines() (lines []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for why, tests := range n.tests {
		slices.Sort(tests)
		tests = slices.Compact(tests) // the same test of several -count
		first, _, more := strings.Cut(why, "\n")
		if more {
			first += " …"
		}
		lines = append(lines, fmt.Sprintf("skipped: %s: %s", strings.Join(tests, ", "), first))
	}
	slices.Sort(lines)
	return lines
}

// Runner is a testing.M, or what stands in for one.
type Runner interface{ Run() int }

// Main has a package say at its end what was skipped:
//
//	func TestMain(m *testing.M) { goleak.VerifyTestMain(machinetest.Main(m)) }
func Main(m Runner) Runner { return telling{m, os.Stdout} }

type telling struct {
	Runner
	out io.Writer
}

func (m telling) Run() int {
	code := m.Runner.Run()
	lines := skipped.lines()
	if len(lines) == 0 {
		return code
	}
	text := strings.Join(lines, "\n") + "\n"
	_, _ = io.WriteString(m.out, text)
	if path := os.Getenv(SkippedVar); path != "" {
		if err := appendTo(path, text); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", SkippedVar, err)
			return max(code, 1)
		}
	}
	return code
}

// appendTo adds to a file in one write, so that packages that end at the same
// time do not mix their lines.
func appendTo(path, text string) error {
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = file.WriteString(text)
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	return err
}
