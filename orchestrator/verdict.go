package orchestrator

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"squall/history/check"
	"squall/history/check/service"
	"squall/history/gate"
	"squall/orchestrator/testplan"
	"squall/workloads/catalogue"
	"squall/workloads/systems"
)

// Check checks the history in a run directory as its plan asks, judges its
// thresholds, and writes results.json, once. It needs neither cluster nor network. A
// history without a plan is checked by what its header says.
func Check(ctx context.Context, dir string) (*check.Checked, error) {
	plan, err := testplan.PlanOf(dir)
	if err != nil {
		return nil, err
	}
	return checkBy(ctx, dir, plan, plan.Test.Thresholds)
}

// CheckAgainst is Check with other thresholds than those of the plan.
func CheckAgainst(ctx context.Context, dir string, thresholds []string) (*check.Checked, error) {
	plan, err := testplan.PlanOf(dir)
	if err != nil {
		return nil, err
	}
	return checkBy(ctx, dir, plan, thresholds)
}

func checkBy(ctx context.Context, dir string, plan *testplan.Plan, texts []string) (*check.Checked, error) {
	thresholds, err := gate.ParseAll(nil, texts...)
	if err != nil { // of a plan that was edited, or of another squall
		return nil, fmt.Errorf("the thresholds of the test: %w", err)
	}
	checkers, err := checkersOf(plan.Test)
	if err != nil {
		return nil, err
	}
	checked, err := check.Judge(ctx, dir, checkers, check.Limits{
		Time:    time.Duration(plan.Test.CheckTime),
		Memory:  uint64(plan.Test.CheckMemory) << 20,
		Workers: checkWorkers(),
	}, time.Duration(plan.Test.Time))
	if err != nil {
		return nil, err
	}
	judge(checked.Results, thresholds)
	if err := checked.Write(); err != nil {
		return nil, err
	}
	return checked, nil
}

// checkersOf are the checks of a test.
func checkersOf(t testplan.Test) ([]check.Checker, error) {
	workload, err := catalogue.FindWorkload(t.Workload)
	if err != nil {
		return nil, err
	}
	system, err := t.FindSystem()
	if err != nil {
		return nil, err
	}
	checkers := workload.Checks(system)
	if within := availableWithin(t, system); within > 0 {
		checkers = append(checkers, service.Availability(within, within/2))
	}
	return checkers, nil
}

// availableWithin is how long a cluster without faults may leave its clients without a
// success: what the test asks for, or else what the system promises; 0 for nothing.
func availableWithin(t testplan.Test, system systems.System) time.Duration {
	if t.AvailableWithin > 0 {
		return time.Duration(t.AvailableWithin)
	}
	if promise, ok := systems.As[systems.Available](system); ok {
		return promise.AvailableWithin(t.SystemParams)
	}
	return 0
}

// judge puts into the results which thresholds a run met. In an invalid run nothing
// is judged: its figures mean nothing.
func judge(results *check.Results, thresholds []gate.Threshold) {
	switch {
	case len(thresholds) == 0:
	case results.Verdict == check.Invalid:
		results.Reasons = append(results.Reasons, "thresholds: not judged, for the figures of an invalid run mean nothing")
	default:
		results.Thresholds = gate.JudgeAll(thresholds, results)
	}
}

// checkWorkers is how many keys are checked at once.
func checkWorkers() int { return runtime.GOMAXPROCS(0) }
