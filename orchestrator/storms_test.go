package orchestrator

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"squall/history"
	"squall/history/check"
	"squall/internal/machinetest"
	"squall/nemesis/faults"
	"squall/nodeimage"
	"squall/orchestrator/machines"
	"squall/orchestrator/testplan"
)

// These tests run whole storms of the nemesis in real machines, one at a time:
// several at once would be slow in ways that no fault claims.

// storms runs a test on local machines and on Docker's; unless everything is to
// be tried, only on the first of them that can be had.
func storms(t *testing.T, test func(t *testing.T, h testHost)) {
	t.Helper()
	machinetest.Turn(t)
	tried := false
	for _, name := range []string{"local", "docker"} {
		t.Run(name, func(t *testing.T) {
			if tried {
				machinetest.NeedWhole(t, "local machines have tried it")
			}
			h := opened(t, hosts()[name])
			tried = true
			test(t, h)
		})
	}
}

// storm runs a schedule on five nodes, until stop is closed: how long a fault
// takes is up to the computer, and a test that waited for a time instead would
// find out how busy it is. When the storm is over, nothing of it may be left.
func storm(t *testing.T, h testHost, steps string, stop <-chan struct{}, notice func(history.Fault)) (*Outcome, error) {
	t.Helper()
	test := testplan.DefaultTest()
	// A run's name is its second and its seed: no other test has this one, and so
	// none takes the machines of this one for leftovers of its own.
	const seed = 481516
	const limit = 4 * time.Minute // of a storm that goes wrong
	test.Out, test.Seed, test.Time, test.Schedule = t.TempDir(), seed, testplan.Duration(limit), steps
	rate, _ := testplan.FindOption("rate")
	if err := rate.Set(&test, "200"); err != nil { // as many as can be sent would take the processors from what is tried
		t.Fatal(err)
	}
	plan, err := testplan.NewPlan(test, "test", "squall")
	if err != nil {
		t.Fatal(err)
	}
	watch := &watcher{t: t, notice: notice}
	outcome, err := Run(t.Context(), plan, Config{Version: "test", Runtime: h, Progress: watch, Stop: stop,
		Build: func(ctx context.Context, arch, mutant string) (nodeimage.Binary, error) {
			return nodeimage.Build(ctx, nodeimage.BuildOptions{Arch: arch})
		}})
	if outcome != nil {
		parts := strings.Split(outcome.Dir, "/")
		wantNothing(t, h, parts[len(parts)-1])
	}
	return outcome, err
}

// whenHealed stops a storm once so many faults are healed, whatever they took,
// and lets its effects pass before.
func whenHealed(count int) (stop <-chan struct{}, notice func(history.Fault)) {
	const calm = 2 * time.Second
	stopping, healed := make(chan struct{}), 0
	return stopping, func(f history.Fault) {
		if f.Phase != history.Heal {
			return
		}
		if healed++; healed == count {
			time.AfterFunc(calm, func() { close(stopping) })
		}
	}
}

// watcher logs a run, and lets a test know of its faults.
type watcher struct {
	t      *testing.T
	notice func(history.Fault)
	mu     sync.Mutex
}

func (w *watcher) Planned(*testplan.Plan, string)  {}
func (w *watcher) Phase(text string)               { w.t.Log(text) }
func (w *watcher) Load(LoadStats)                  {}
func (w *watcher) Leader(node string, term uint64) { w.t.Logf("leader %s, term %d", node, term) }

func (w *watcher) Fault(f history.Fault) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.t.Logf("fault %d %s(%s) %s: %s after %v %s", f.ID, f.Name, f.Variant, f.Params, f.Phase, time.Duration(f.End-f.Begin).Round(time.Millisecond), f.Err)
	if w.notice != nil {
		w.notice(f)
	}
}

func wantVerdict(t *testing.T, o *Outcome, err error, want check.Verdict) *check.Results {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if o.Results.Verdict != want {
		t.Errorf("the verdict is %s, because %q; want %s", o.Results.Verdict, o.Results.Reasons, want)
	}
	return o.Results
}

// Every fault of the catalogue that our node can have, in real machines, one
// after the other under load: each must be seen to bite and to be gone, and the
// correct node must stand all of them.
//
// In CI each fault is tried once, half of them in either runtime; by default every
// fourth is, and in the whole all are in both.
func TestEveryFault(t *testing.T) {
	machinetest.Turn(t)
	names := []string{"docker", "local"}
	var there []string
	for _, name := range names {
		if _, closeIt, err := hosts()[name](t.Context()); err == nil {
			closeIt()
			there = append(there, name)
		}
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			h := opened(t, hosts()[name])
			var mine []string
			for i, fault := range realFaults() {
				switch {
				case machinetest.Whole(),
					machinetest.CI() && there[i%len(there)] == name,
					i%4 == 0 && there[i/4%len(there)] == name:
					mine = append(mine, fault)
				}
			}
			everyFault(t, h, mine)
		})
	}
}

// Variants that hit something worth seeing, where the first is not it.
var variantToTry = map[string]string{
	"partition": "halves", "delay": "all", "loss": "one", "burst-loss": "all", "duplicate": "all", "reorder": "leader",
	"corrupt": "all", "rate": "link", "bad-link": "one-way", "kill": "leader", "pause": "old-leader", "stutter": "follower",
	"crash-loop": "minority", "power-cut": "minority", "slow-cpu": "leader", "low-memory": "one", "out-of-memory": "leader",
	"clock-offset": "leader", "clock-strobe": "all", "clock-drift": "majority", "clock-back": "leader", "clock-freeze": "one",
	"message-delay": "all", "message-loss": "leader", "message-duplicate": "all", "message-reorder": "minority", "message-replay": "leader",
	"flapping": "leader", "swizzle-clog": "all", "clients": "leader",
}

// Beside the first way of a fault, these.
var otherWays = []string{
	"partition(reject, leader)", "partition(random)", "partition(primaries)", "partition(overlapping)", "partition(n1+n2)",
	"corrupt(as=payload, all)", "delay(50ms±20ms, normal, all)", "delay(30ms±10ms, pareto, link)",
}

// realFaults are the faults that our node can have.
func realFaults() (all []string) {
	for _, f := range faults.All() {
		if f.Kind == history.KindMembership {
			continue
		}
		name := f.Name
		if v := variantToTry[f.Name]; v != "" {
			name += "(" + v + ")"
		}
		all = append(all, name)
	}
	return append(all, otherWays...)
}

func everyFault(t *testing.T, h testHost, all []string) {
	const pause, long = "200ms", "600ms"
	var steps []string
	for i, name := range all {
		when := "after " + pause
		if i == 0 {
			when = "at 1s"
		}
		steps = append(steps, fmt.Sprintf("%s for %s: %s", when, long, name))
	}
	count := len(all)
	stop, notice := whenHealed(count)
	outcome, err := storm(t, h, strings.Join(steps, "; "), stop, notice)
	results := wantVerdict(t, outcome, err, check.Pass)
	if len(results.Faults) != count {
		t.Errorf("%d faults, want %d", len(results.Faults), count)
	}
	for _, f := range results.Faults {
		whole := f.Verified && f.Healed > 0 && f.Err == "" && len(f.Targets) > 0
		measured := len(f.Measured) > 0 && len(f.HealMeasured) > 0
		if !whole || !measured {
			t.Errorf("fault without a whole proof: %+v", f)
		}
	}
	seesEffects(t, results)
}

// seesEffects looks for what the faults did to the cluster, in what others than
// the nemesis recorded.
func seesEffects(t *testing.T, results *check.Results) {
	t.Helper()
	for _, f := range results.Faults {
		for _, m := range f.Measured {
			if f.Name == "delay" && m.What == "round trip" && (m.Value < 15 || m.Value > 1500) {
				t.Errorf("a round trip of %v ms under a delay with %s", m.Value, f.Params)
			}
		}
	}
	if len(results.Elections.Losses) < len(results.Faults)/8 {
		t.Errorf("only %d leaders were lost", len(results.Elections.Losses))
	}
	if results.Ops.OK < int64(60*len(results.Faults)) {
		t.Errorf("only %d operations", results.Ops.OK)
	}
}

// Two faults at once do not undo each other, and a machine that is restarted in
// the middle of a partition is cut off again.
func TestAMachineRestartsInAPartition(t *testing.T) { storms(t, restartInPartition) }

func restartInPartition(t *testing.T, h testHost) {
	stop, notice := whenHealed(1) // the partition is for as long as the storm
	outcome, err := storm(t, h, "at 1s for 200s: partition(n1+n2); at 3s for 2s: power-cut(n1+n4)", stop, notice)
	for _, f := range wantVerdict(t, outcome, err, check.Pass).Faults {
		if f.Name != "power-cut" {
			continue
		}
		last := f.HealMeasured[len(f.HealMeasured)-1]
		if last.What != "links without packets" || last.Value != 12 {
			t.Errorf("after the restart the links were %+v, not the 12 of the partition cut", last)
		}
	}
}

// A machine that somebody else ends while a fault is in force, and its agent with
// it, makes the test invalid; and yet it is healed, and shown to be.
func TestAMachineLostInAFaultIsHealed(t *testing.T) { storms(t, lostInFault) }

func lostInFault(t *testing.T, h testHost) {
	seen := &observer{Runtime: h.Runtime}
	h.Runtime = seen
	outcome, err := storm(t, h, "at 1s for 200s: partition(n2)", nil, func(f history.Fault) {
		if f.Phase == history.Inject {
			go func() {
				if err := seen.cluster.Machine("n2").Kill(context.Background()); err != nil {
					t.Error(err)
				}
			}()
		}
	})
	results := wantVerdict(t, outcome, err, check.Invalid)
	if !strings.Contains(strings.Join(results.Reasons, "\n"), "the machine n2 was lost") {
		t.Errorf("the reasons: %q", results.Reasons)
	}
	wantHealed(t, results, "n2: the machine was lost and was started again", "25 carry packets, 0 do not")
}

func wantHealed(t *testing.T, results *check.Results, proofs ...string) {
	t.Helper()
	if len(results.Faults) != 1 {
		t.Fatalf("%d faults", len(results.Faults))
	}
	f := results.Faults[0]
	for _, proof := range proofs {
		if f.Healed == 0 || !slices.ContainsFunc(f.HealProof, func(s string) bool { return strings.Contains(s, proof) }) {
			t.Errorf("the heal has no %q: %+v", proof, f)
		}
	}
}

// observer is a runtime whose cluster a test may reach for.
type observer struct {
	machines.Runtime
	cluster machines.Cluster
}

func (o *observer) Up(ctx context.Context, spec machines.ClusterSpec) (machines.Cluster, error) {
	var err error
	o.cluster, err = o.Runtime.Up(ctx, spec)
	return o.cluster, err
}

// A test that is stopped in the middle of a swizzle-clog heals every link.
func TestAStoppedSwizzleIsHealed(t *testing.T) {
	machinetest.NeedWhole(t, "the tests of the fault stop it on fakes, and TestAMachineLostInAFaultIsHealed heals real links")
	storms(t, stoppedSwizzle)
}

func stoppedSwizzle(t *testing.T, h testHost) {
	stop := make(chan struct{})
	outcome, err := storm(t, h, "at 1s for 30s: swizzle-clog(all)", stop, func(f history.Fault) {
		if f.Phase == history.Inject {
			time.AfterFunc(5*time.Second, func() { close(stop) }) // two nodes are cut off by then
		}
	})
	if err != nil || !outcome.Interrupted {
		t.Fatalf("%+v, %v", outcome, err)
	}
	wantHealed(t, outcome.Results, "cut off: ", "25 carry packets, 0 do not")
}
