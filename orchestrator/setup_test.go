package orchestrator

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"squall/history"
	"squall/nodeimage"
	"squall/orchestrator/machines"
	"squall/orchestrator/testplan"
)

// narrow is a runtime that can do little, and counts what it is asked to make.
type narrow struct {
	machines.Runtime
	can  map[string]string
	most float64 // processors
	made int
}

func (n *narrow) Name() string                          { return "narrow" }
func (n *narrow) Arch(context.Context) (string, error)  { return "amd64", nil }
func (n *narrow) Describe(context.Context) string       { return "narrow" }
func (n *narrow) Can(context.Context) map[string]string { return n.can }

func (n *narrow) CheckSpecs(_ context.Context, machines []machines.MachineSpec) error {
	for _, m := range machines {
		if m.CPUs > n.most {
			return &testplan.FieldError{Option: "cpus", Err: errors.New("too much")}
		}
	}
	return nil
}

func (n *narrow) Up(context.Context, machines.ClusterSpec) (machines.Cluster, error) {
	n.made++
	return nil, errors.New("no machines here")
}

// quietProgress shows nothing.
type quietProgress struct{}

func (quietProgress) Planned(*testplan.Plan, string) {}
func (quietProgress) Phase(string)                   {}
func (quietProgress) Leader(string, uint64)          {}
func (quietProgress) Fault(history.Fault)            {}
func (quietProgress) Load(LoadStats)                 {}

// What keeps a test from starting is one error, before there is a run directory,
// and a look beforehand finds it, too.
func TestATestThatCannotStartLeavesNothing(t *testing.T) {
	noSources := errors.New("no sources here")
	for _, tc := range []struct {
		name   string
		change func(*testplan.Test)
		can    map[string]string
		build  error
		blame  string // the setting; "" is none
		want   string
	}{
		{name: "processors", change: func(t *testplan.Test) { t.CPUs = 100 }, blame: "cpus", want: "cpus: too much"},
		{name: "no limits", change: func(t *testplan.Test) { t.Memory = 64 }, can: map[string]string{machines.CanLimitMemory: "memory: a limit cannot be set here"},
			blame: "memory", want: "memory: a limit cannot be set here"},
		{name: "a fault", change: func(t *testplan.Test) { t.Nemesis = "power-cut" }, can: map[string]string{machines.CanRestart: "machines do not start again"},
			blame: "nemesis", want: "to run without, add to the list of faults: -power-cut"},
		{name: "a mutant", change: func(t *testplan.Test) { t.Mutant = "local-reads" }, build: errors.Join(nodeimage.ErrMutantNeedsSources, noSources), blame: "mutant", want: "needs Go"},
		{name: "no sources", change: func(*testplan.Test) {}, build: noSources, want: "no sources here"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			test := testplan.DefaultTest()
			test.Out = t.TempDir()
			tc.change(&test)
			plan, err := testplan.NewPlan(test, "test", "squall")
			if err != nil {
				t.Fatal(err)
			}
			runtime := &narrow{can: tc.can, most: 2}
			cfg := Config{Runtime: runtime, Progress: quietProgress{}, CanBuild: func(string, string) error { return tc.build },
				Build: func(context.Context, string, string) (nodeimage.Binary, error) { return nodeimage.Binary{}, tc.build }}
			_, runErr := Run(t.Context(), plan, cfg)
			cfg.CanBuild = nil // found by building alone
			_, buildErr := Run(t.Context(), plan, cfg)
			for _, err := range []error{Preflight(t.Context(), plan.Test, plan.Schedule, Config{Runtime: runtime, CanBuild: func(string, string) error { return tc.build }}), runErr, buildErr} {
				var field *testplan.FieldError
				if err == nil || !strings.Contains(err.Error(), tc.want) || errors.As(err, &field) != (tc.blame != "") || field != nil && field.Option != tc.blame {
					t.Errorf("%v, want %q, and %q to blame", err, tc.want, tc.blame)
				}
			}
			if left, _ := os.ReadDir(test.Out); len(left) > 0 || runtime.made > 0 {
				t.Errorf("it left %v, and made machines %d times", left, runtime.made)
			}
		})
	}
}

// A build that takes long ends when the test is stopped.
func TestABuildEndsWhenTheTestIsStopped(t *testing.T) {
	test := testplan.DefaultTest()
	test.Out = t.TempDir()
	plan, err := testplan.NewPlan(test, "test", "squall")
	if err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	cfg := Config{Runtime: &narrow{}, Progress: quietProgress{}, Stop: stop, Build: func(ctx context.Context, _, _ string) (nodeimage.Binary, error) {
		close(stop)
		<-ctx.Done()
		return nodeimage.Binary{}, ctx.Err()
	}}
	if _, err := Run(t.Context(), plan, cfg); !errors.Is(err, ErrStopped) {
		t.Errorf("it ended with %v, want %v", err, ErrStopped)
	}
}

func TestLittleMemoryIsRefused(t *testing.T) {
	test := testplan.DefaultTest()
	for memory, ok := range map[int]bool{0: true, 1: false, 15: false, 16: true} {
		test.Memory = memory
		if err := test.Validate(); (err == nil) != ok {
			t.Errorf("%d MiB: %v", memory, err)
		}
	}
}
