package mutants

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"squall/internal/machinetest"
)

// sample are the bugs whose scenarios are tried by default, one a package. In CI every
// fifth is as well.
var sample = []string{"local-reads", "short-lists"}

// TestPatchesFit: every patch still fits the sources.
func TestPatchesFit(t *testing.T) {
	for _, m := range everyMutant(t) {
		if _, err := m.Overlay(moduleRoot(t), t.TempDir()); err != nil {
			t.Error(err)
		}
	}
}

// TestBugsFailTheirScenarios: each bug has a scenario, which passes on the correct
// source and fails on the mutant. So each of them is a bug, whatever a storm finds,
// and a change of the source that makes a patch harmless does not go unnoticed.
func TestBugsFailTheirScenarios(t *testing.T) {
	machinetest.NotShort(t, "it compiles the node's tests with known bugs")
	root := moduleRoot(t)
	packages := scenarioPackages(t, root)
	for i, m := range everyMutant(t) {
		t.Run(m.Name, func(t *testing.T) {
			if packages[m.Name] == "" {
				t.Fatal("it has no scenario: add one to scenario_GROUP_test.go of the package that it is in")
			}
			if !slices.Contains(sample, m.Name) && !(machinetest.CI() && i%5 == 0) {
				machinetest.NeedWhole(t, "it has a scenario; those of others are tried with their bugs")
			}
			t.Parallel()
			overlay, err := m.Overlay(root, t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			failsItsScenario(t, root, overlay, packages[m.Name], m.Name)
		})
	}
}

// assertion is what a test's own complaint looks like in its output.
var assertion = regexp.MustCompile(`(?m)^\s+\w+_test\.go:\d+: `)

// failsItsScenario fails the test unless the scenario, run on the mutant, fails by an
// assertion: what does not compile, panics or hangs shows nothing of the bug.
func failsItsScenario(t *testing.T, root, overlay, pkg, name string) {
	t.Helper()
	events, text, err := goTest(t, root, "-overlay", overlay, "-timeout", "2m", "-run", "^TestScenarios$/^"+name+"$", pkg)
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	failed, said := false, ""
	for _, ev := range events {
		if test, within, _ := strings.Cut(strings.TrimPrefix(ev.Test, "TestScenarios/"), "/"); test == name {
			failed = failed || ev.Action == "fail" && within == ""
			said += ev.Output // a scenario may be of several cases
		}
	}
	switch {
	case err == nil:
		t.Errorf("its scenario passes on it")
	case !failed, strings.Contains(text, "panic: "), !assertion.MatchString(said):
		t.Errorf("its scenario does not fail by an assertion:\n%s", text)
	}
}

// scenarioPackages runs every scenario on the correct source, where all must pass. It
// returns in which package each is.
func scenarioPackages(t *testing.T, root string) map[string]string {
	t.Helper()
	events, text, err := goTest(t, root, "-run", "^TestScenarios$", "./nodeimage/kv", "./nodeimage/raft/...")
	if err != nil {
		t.Fatalf("the scenarios on the correct source: %v\n%s", err, text)
	}
	packages := map[string]string{}
	for _, ev := range events {
		name, ok := strings.CutPrefix(ev.Test, "TestScenarios/")
		if !ok || ev.Action != "pass" || strings.Contains(name, "/") {
			continue
		}
		if other, twice := packages[name]; twice {
			t.Errorf("%s has a scenario both in %s and in %s", name, other, ev.Package)
		}
		packages[name] = ev.Package
	}
	return packages
}

// testEvent is a line of `go test -json`.
type testEvent struct{ Action, Package, Test, Output string }

// goTest runs `go test` in the module and returns its events, and what it said in all.
func goTest(t *testing.T, root string, args ...string) (events []testEvent, text string, err error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"test", "-json", "-vet=off"}, args...)...)
	cmd.Dir = root
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	for lines := json.NewDecoder(bytes.NewReader(out)); ; {
		var ev testEvent
		if e := lines.Decode(&ev); errors.Is(e, io.EOF) {
			return events, text + stderr.String(), err
		} else if e != nil {
			t.Fatalf("reading what go test says: %v\n%s", e, out)
		}
		events = append(events, ev)
		text += ev.Output
	}
}

func everyMutant(t *testing.T) []Mutant {
	t.Helper()
	all, err := All()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func moduleRoot(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	return root
}
