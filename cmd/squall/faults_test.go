package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"squall/history"
	"squall/history/check"
	"squall/history/measure"
	"squall/nemesis/faults"
	"squall/orchestrator"
)

// Every fault of the catalogue that our node can have, in real machines, one
// after the other under load: each must be seen to bite and to be gone, and the
// correct node must stand all of them.
func TestEveryFault(t *testing.T) { onEach(t, everyFault) }

// Variants that hit something worth seeing, where the first is not it.
var variantToTry = map[string]string{
	"partition": "halves", "delay": "all", "loss": "one", "burst-loss": "all", "duplicate": "all", "reorder": "leader",
	"corrupt": "all", "rate": "link", "bad-link": "one-way", "kill": "leader", "pause": "old-leader", "stutter": "follower",
	"crash-loop": "minority", "power-cut": "minority", "slow-cpu": "leader", "low-memory": "one", "out-of-memory": "leader",
	"clock-offset": "leader", "clock-strobe": "all", "clock-drift": "majority", "clock-back": "leader", "clock-freeze": "one",
	"flapping": "leader", "swizzle-clog": "all", "clients": "leader",
}

// Beside the first way of a fault, these.
var otherWays = []string{
	"partition(reject, leader)", "partition(random)", "partition(primaries)", "partition(overlapping)", "partition(n1+n2)",
	"corrupt(as=payload, all)", "delay(50ms±20ms, normal, all)", "delay(30ms±10ms, pareto, link)",
}

// realFaults are the faults that our node can have, as a list of steps.
func realFaults() (steps []string, count int) {
	var all []string
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
	all = append(all, otherWays...)
	for i, name := range all {
		when := "after 400ms"
		if i == 0 {
			when = "at 1s"
		}
		steps = append(steps, fmt.Sprintf("%s for 800ms: %s", when, name))
	}
	return steps, len(all)
}

func everyFault(t *testing.T, s *storm) {
	steps, count := realFaults()
	length := time.Duration(count)*1200*time.Millisecond + 8*time.Second
	code := s.run("run", "--time", length.String(), "--seed", "9", "--schedule", strings.Join(steps, "; "))
	if code != exitPass {
		t.Errorf("exit code %d", code)
	}
	s.nothingLeft(t)
	results := s.results(t)
	if len(results.Faults) != count {
		t.Errorf("%d faults, want %d", len(results.Faults), count)
	}
	for _, f := range results.Faults {
		if !f.Verified || f.Healed == 0 || f.Err != "" || len(f.Measured) == 0 || len(f.HealMeasured) == 0 || len(f.Targets) == 0 {
			t.Errorf("fault without a whole proof: %+v", f)
		}
	}
	seesEffects(t, results)
}

// seesEffects looks for what the faults did to the cluster, in what others than
// the nemesis recorded.
func seesEffects(t *testing.T, results *check.Results) {
	t.Helper()
	byName := map[string]measure.FaultRun{}
	for _, f := range results.Faults {
		if _, seen := byName[f.Name]; !seen {
			byName[f.Name] = f
		}
	}
	for _, m := range byName["delay"].Measured {
		if m.What == "round trip" && (m.Value < 15 || m.Value > 1500) {
			t.Errorf("a delay's round trip of %v ms", m.Value)
		}
	}
	if len(results.Elections.Losses) < 4 {
		t.Errorf("only %d leaders were lost", len(results.Elections.Losses))
	}
	if results.Ops.OK < 2000 {
		t.Errorf("only %d operations", results.Ops.OK)
	}
}

// A run can be replayed: the same faults at the same offsets into the same
// nodes, also where a role was hit.
func TestReplay(t *testing.T) {
	s := newStorm(t, orchestrator.RuntimeLocal)
	if code := s.run("run", "--time", "16s", "--seed", "5", "--nemesis", "kill(leader),partition(leader),delay(leader)", "--overlap", "2"); code != exitPass {
		t.Fatalf("exit code %d", code)
	}
	first := s.results(t)
	plan := filepath.Join(s.dir(t), orchestrator.PlanFile)
	// Another seed of the node's own would elect others: the plan must decide.
	if code := s.run("run", "--plan", plan, "--name", "again"); code != exitPass {
		t.Fatalf("replay: exit code %d", code)
	}
	again := s.results(t)
	if len(again.Faults) != len(first.Faults) || len(first.Faults) < 3 {
		t.Fatalf("%d faults, and %d when replayed", len(first.Faults), len(again.Faults))
	}
	for i, f := range first.Faults {
		g := again.Faults[i]
		if f.Name != g.Name || f.Variant != g.Variant || f.Params != g.Params || !slices.Equal(f.Targets, g.Targets) {
			t.Errorf("fault %d was %s %s %s into %v, and replayed %s %s %s into %v", f.ID,
				f.Name, f.Variant, f.Params, f.Targets, g.Name, g.Variant, g.Params, g.Targets)
		}
	}
	old, err := orchestrator.ReadPlanFile(plan)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range old.Schedule {
		if p.Roles == nil {
			t.Errorf("the plan does not say who played the roles when fault %d began", p.ID)
		}
	}
}

// The fault stays the same when two are in force at once, and a machine that
// is restarted in the middle of a partition is cut off again.
func TestAMachineRestartsInAPartition(t *testing.T) { onEach(t, restartInPartition) }

func restartInPartition(t *testing.T, s *storm) {
	code := s.run("run", "--time", "12s", "--seed", "2", "--schedule",
		"at 1s for 8s: partition(n1+n2); at 3s for 2s: power-cut(n1+n4); at 7s for 1s: kill(n2)")
	if code != exitPass {
		t.Fatalf("exit code %d", code)
	}
	for _, f := range s.results(t).Faults {
		if f.Name != "power-cut" {
			continue
		}
		last := f.HealMeasured[len(f.HealMeasured)-1]
		if last.What != "links without packets" || last.Value != 12 {
			t.Errorf("after the restart the links were %+v, not the 12 of the partition cut", last)
		}
	}
	s.nothingLeft(t)
}

// A machine that somebody else kills while a fault is in force makes the test
// invalid; and yet it is healed, and shown to be.
func TestAMachineLostInAFaultIsHealed(t *testing.T) { onEach(t, lostInFault) }

func lostInFault(t *testing.T, s *storm) {
	var cluster orchestrator.Cluster
	s.app.open = func(ctx context.Context, name string, log *slog.Logger) (opened, error) {
		o, err := openRuntime(ctx, name, log)
		o.Runtime = &observed{o.Runtime, &cluster}
		return o, err
	}
	done := make(chan int)
	go func() {
		done <- s.run("run", "--time", "30s", "--schedule", "at 1s for 20s: partition(n2)")
	}()
	s.await(t, "(verified in")
	if err := cluster.Machine("n2").Kill(t.Context()); err != nil {
		t.Fatal(err)
	}
	if code := <-done; code != exitInvalid {
		t.Errorf("exit code %d, want %d", code, exitInvalid)
	}
	results := s.results(t)
	if !strings.Contains(strings.Join(results.Reasons, "\n"), "the machine n2 was lost") {
		t.Errorf("the reasons: %q", results.Reasons)
	}
	f := results.Faults[0]
	if f.Healed == 0 || !slices.ContainsFunc(f.HealProof, func(s string) bool { return strings.Contains(s, "n2: the machine was lost and was started again") }) ||
		!slices.ContainsFunc(f.HealProof, func(s string) bool { return strings.Contains(s, "25 carry packets, 0 do not") }) {
		t.Errorf("the heal: %+v", f)
	}
	s.nothingLeft(t)
}

// Ctrl-C in the middle of a swizzle-clog heals every link.
func TestInterruptedSwizzleIsHealed(t *testing.T) { onEach(t, interruptedSwizzle) }

func interruptedSwizzle(t *testing.T, s *storm) {
	done := make(chan int)
	go func() {
		done <- s.run("run", "--time", "60s", "--schedule", "at 1s for 40s: swizzle-clog(all)")
	}()
	s.await(t, "(verified in")
	time.Sleep(6 * time.Second) // two nodes are cut off by now
	s.signals <- os.Interrupt
	if code := <-done; code != exitInterrupted {
		t.Errorf("exit code %d, want %d", code, exitInterrupted)
	}
	results := s.results(t)
	if len(results.Faults) != 1 {
		t.Fatalf("%d faults", len(results.Faults))
	}
	f := results.Faults[0]
	if f.Healed == 0 || f.Err != "" || !slices.ContainsFunc(f.HealProof, func(s string) bool { return strings.Contains(s, "25 carry packets, 0 do not") }) {
		t.Errorf("the heal: %+v", f)
	}
	s.nothingLeft(t)
}

// What cannot be done is refused by name, with the reason and the mend, before
// the servers start.
func TestAFaultThatCannotBeDoneIsRefused(t *testing.T) {
	s := newStorm(t, orchestrator.RuntimeLocal)
	s.app.open = func(ctx context.Context, name string, log *slog.Logger) (opened, error) {
		o, err := openRuntime(ctx, name, log)
		o.Runtime = unable{o.Runtime}
		return o, err
	}
	if code := s.run("run", "--nemesis", "slow-cpu,kill", "--time", "20s"); code != exitInvalid {
		t.Errorf("exit code %d, want %d", code, exitInvalid)
	}
	if text := s.text.String(); !strings.Contains(text, "slow-cpu cannot be done here: the controller is missing") || !strings.Contains(text, "-slow-cpu") ||
		strings.Contains(text, "waiting for a leader") {
		t.Errorf("squall said:\n%s", text)
	}
}

// unable is a runtime that cannot limit processors.
type unable struct{ orchestrator.Runtime }

func (u unable) Can(ctx context.Context) map[string]string {
	can := u.Runtime.Can(ctx)
	can[orchestrator.CanLimitCPUs] = "the controller is missing"
	return can
}

func TestListFaults(t *testing.T) {
	s := newStorm(t, orchestrator.RuntimeLocal)
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
