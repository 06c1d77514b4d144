package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"squall/history"
	"squall/history/check"
	"squall/history/measure"
	"squall/internal/machinetest"
	"squall/nemesis/faults"
	"squall/orchestrator/machines"
	"squall/orchestrator/testplan"
)

// A run can be replayed: the same faults at the same offsets into the same
// nodes, also where a role was hit.
func TestReplay(t *testing.T) {
	machinetest.NeedWhole(t, "two runs; that plans decide who is hit is tried on fakes without")
	s := newStorm(t, testplan.RuntimeLocal)
	if code := s.runUnlessOverloaded(t, "run", "--time", "5s", "--seed", "5",
		"--schedule", "at 1s for 1s: kill(leader); at 2500ms for 1s: partition(leader); at 3s for 1s: delay(leader)"); code != exitPass {
		t.Fatalf("exit code %d", code)
	}
	first := s.results(t)
	plan := filepath.Join(s.dir(t), testplan.PlanFile)
	// Another seed of the node's own would elect others: the plan must decide.
	if code := s.runUnlessOverloaded(t, "run", "--plan", plan, "--name", "again"); code != exitPass {
		t.Fatalf("replay: exit code %d", code)
	}
	again := s.results(t)
	// A computer that stands still for seconds may leave either without one, and begin two
	// in another order.
	if len(first.Faults) < 2 || len(again.Faults) < 2 {
		t.Fatalf("%d faults, and %d when replayed", len(first.Faults), len(again.Faults))
	}
	for _, f := range first.Faults {
		i := slices.IndexFunc(again.Faults, func(g measure.FaultRun) bool { return g.ID == f.ID })
		if i < 0 {
			continue
		}
		g := again.Faults[i]
		if f.Name != g.Name || f.Variant != g.Variant || f.Params != g.Params || !slices.Equal(f.Targets, g.Targets) {
			t.Errorf("fault %d was %s %s %s into %v, and replayed %s %s %s into %v", f.ID,
				f.Name, f.Variant, f.Params, f.Targets, g.Name, g.Variant, g.Params, g.Targets)
		}
	}
	old, err := testplan.ReadPlanFile(plan)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range old.Schedule {
		if p.Roles == nil {
			t.Errorf("the plan does not say who played the roles when fault %d began", p.ID)
		}
	}
}

// What cannot be done is refused by name, with the reason and the mend, before
// the servers start.
func TestAFaultThatCannotBeDoneIsRefused(t *testing.T) {
	s := newStorm(t, testplan.RuntimeLocal)
	s.app.open = func(ctx context.Context, name string, log *slog.Logger) (opened, error) {
		o, err := openRuntime(ctx, name, log)
		o.Runtime = unable{o.Runtime}
		return o, err
	}
	if code := s.run("run", "--nemesis", "slow-cpu,kill", "--time", "20s"); code != exitUsage {
		t.Errorf("exit code %d, want %d", code, exitUsage)
	}
	if text := s.text.String(); !strings.Contains(text, "slow-cpu is not available here: the controller is missing") || !strings.Contains(text, "-slow-cpu") ||
		strings.Contains(text, "waiting for a leader") {
		t.Errorf("squall said:\n%s", text)
	}
}

// unable is a runtime that cannot limit processors.
type unable struct{ machines.Runtime }

func (u unable) Can(ctx context.Context) map[string]string {
	can := u.Runtime.Can(ctx)
	can[machines.CanLimitCPUs] = "the controller is missing"
	return can
}

func TestListFaults(t *testing.T) {
	s := newStorm(t, testplan.RuntimeLocal)
	var out syncBuffer
	s.app.out = &out
	if code := s.app.run(t.Context(), []string{"squall", "list", "faults", "--json", "--runtime", "local"}); code != exitPass {
		t.Fatalf("exit code %d", code)
	}
	var listed []faultListing
	if err := json.Unmarshal([]byte(out.String()), &listed); err != nil {
		t.Fatal(err)
	}
	if len(listed) != len(faults.All()) {
		t.Errorf("%d faults are listed, there are %d", len(listed), len(faults.All()))
	}
	for _, f := range listed {
		if f.Possible == nil {
			t.Errorf("%s: nobody was asked", f.Name)
		} else if want := f.Kind != string(history.KindMembership); *f.Possible != want || (f.Why == "") != want {
			t.Errorf("%s: possible %t, because %q", f.Name, *f.Possible, f.Why)
		}
		if f.Needs == nil || f.Params == nil || len(f.Variants) == 0 || !slices.Contains(f.Excludes, f.Name) {
			t.Errorf("incomplete: %+v", f)
		}
	}
}

// runUnlessOverloaded is run, and once or twice more while the run is invalid and
// says that the host was overloaded. Whatever else makes it invalid stands.
func (s *storm) runUnlessOverloaded(t *testing.T, args ...string) (code int) {
	t.Helper()
	for range 3 {
		if code = s.run(args...); code != exitInvalid || !s.overloaded() {
			return code
		}
		t.Log("the run was spoilt by the load of this computer")
	}
	return code
}

// tooBusy is in the reasons of an invalid run on a host that was overloaded.
const tooBusy = "the host was overloaded"

// overloaded reports whether the latest run is invalid and says that the host was
// overloaded.
func (s *storm) overloaded() bool {
	dir, err := testplan.FindRun(s.out, "")
	if err != nil { // a campaign's runs lie deeper
		return strings.Contains(s.text.String(), tooBusy)
	}
	results, err := check.ReadResults(dir)
	return err == nil && results.Verdict == check.Invalid &&
		slices.ContainsFunc(results.Reasons, func(r string) bool { return strings.Contains(r, tooBusy) })
}

// Only an invalid run that says so was spoilt by the load of this computer.
func TestWhatIsTakenForOverload(t *testing.T) {
	for _, tc := range []struct {
		verdict check.Verdict
		reason  string
		want    bool
	}{
		{check.Invalid, "activity: no fault of the plan took effect; " + tooBusy + ": load 80 on 2 cores", true},
		{check.Invalid, "activity: no fault of the plan took effect", false},
		{check.Unknown, "recovery: " + tooBusy, false},
		{check.Violation, tooBusy, false},
	} {
		s := &storm{out: t.TempDir(), text: &syncBuffer{}}
		dir := filepath.Join(s.out, "latest")
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, testplan.PlanFile), []byte("{}"), 0o644); err != nil {
			t.Fatal(err)
		}
		res := &check.Results{SchemaVersion: check.SchemaVersion, Verdict: tc.verdict, Reasons: []string{tc.reason}}
		if err := check.WriteResults(dir, res); err != nil {
			t.Fatal(err)
		}
		if got := s.overloaded(); got != tc.want {
			t.Errorf("%s, %q: %v, want %v", tc.verdict, tc.reason, got, tc.want)
		}
	}
}
