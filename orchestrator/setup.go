package orchestrator

import (
	"context"
	"errors"
	"strings"
	"time"

	"squall/nemesis"
	"squall/nemesis/faults"
	"squall/nodeimage"
	"squall/orchestrator/machines"
	"squall/orchestrator/testplan"
)

// ErrStopped says that a test was stopped before it had a run directory.
var ErrStopped = errors.New("stopped before the test began")

// Preflight looks for what would keep a test from starting: nothing to make its
// node of, files of its system that machines cannot use, limits that cannot be
// set, faults that the runtime cannot do. It makes nothing and compiles nothing. What a setting is to blame for is a *FieldError.
func Preflight(ctx context.Context, t testplan.Test, schedule []nemesis.Planned, cfg Config) error {
	specs := machineSpecs(testplan.NodeNames(t.Nodes), t, machineSets{}, schedule)
	if err := checkLimits(ctx, cfg.Runtime, t); err != nil {
		return err
	}
	if err := checkJournals(ctx, cfg.Runtime, t); err != nil {
		return err
	}
	if checker, ok := cfg.Runtime.(machines.SpecChecker); ok {
		if err := blameLimit(checker.CheckSpecs(ctx, specs)); err != nil {
			return err
		}
	}
	if err := checkRuntimeNeeds(ctx, cfg.Runtime, schedule); err != nil {
		return &testplan.FieldError{Option: "nemesis", Err: err}
	}
	arch, err := cfg.Runtime.Arch(ctx)
	if err != nil {
		return err
	}
	system, err := t.FindSystem()
	if err != nil {
		return err
	}
	if err := checkFiles(ctx, system, t.SystemParams, t.Nodes, arch); err != nil {
		return err
	}
	if cfg.CanBuild == nil {
		return nil
	}
	return blameMutant(t, cfg.CanBuild(arch, t.Mutant))
}

// blameMutant says that the setting is to blame where the node alone could be
// had, and a planted bug needs more.
func blameMutant(t testplan.Test, err error) error {
	if t.Mutant != "" && errors.Is(err, nodeimage.ErrMutantNeedsSources) {
		return &testplan.FieldError{Option: "mutant", Err: err}
	}
	return err
}

// blameLimit says which setting a limit comes from.
func blameLimit(err error) error {
	if limit := new(machines.LimitError); errors.As(err, &limit) {
		return &testplan.FieldError{Option: limit.Limit, Err: limit.Err}
	}
	return err
}

// checkLimits refuses limits where the runtime can set none.
func checkLimits(ctx context.Context, rt machines.Runtime, t testplan.Test) error {
	if t.CPUs == 0 && t.Memory == 0 {
		return nil
	}
	can := rt.Can(ctx)
	for _, limit := range []struct {
		option, ability string
		asked           bool
	}{{"cpus", machines.CanLimitCPUs, t.CPUs > 0}, {"memory", machines.CanLimitMemory, t.Memory > 0}} {
		if why := can[limit.ability]; limit.asked && why != "" {
			return &testplan.FieldError{Option: limit.option, Err: errors.New(strings.TrimPrefix(why, limit.option+": "))}
		}
	}
	return nil
}

// checkRuntimeNeeds refuses the faults of a schedule that the runtime says it
// cannot do. What only a machine can tell is asked when there is one.
func checkRuntimeNeeds(ctx context.Context, rt machines.Runtime, schedule []nemesis.Planned) error {
	wanted := needsOf(schedule)
	if len(wanted) == 0 {
		return nil
	}
	can := rt.Can(ctx)
	why := map[nemesis.Need]string{
		nemesis.NeedCPU: can[machines.CanLimitCPUs], nemesis.NeedMemory: can[machines.CanLimitMemory], nemesis.NeedRestart: can[machines.CanRestart],
		nemesis.NeedDisk: can[machines.CanDisk],
	}
	return unmet(wanted, why)
}

// prepared is what a test has before it has a run directory.
type prepared struct {
	binary nodeimage.Binary
	files  machineSets
	took   time.Duration // to build and take them
}

// prepare is everything that can fail before a run directory is made: what
// Preflight looks for, and the node and the files of its system, which take as
// long as they take.
func prepare(ctx context.Context, t testplan.Test, schedule []nemesis.Planned, cfg Config) (prepared, error) {
	begun := time.Now()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-ctx.Done():
		case <-cfg.Stop:
			cancel(ErrStopped)
		}
	}()
	p, err := prepareIn(ctx, t, schedule, cfg)
	if err != nil {
		return prepared{}, cause(ctx, err)
	}
	p.took = time.Since(begun)
	return p, nil
}

// kept is within what time a node is had that was compiled before.
const kept = time.Second

func prepareIn(ctx context.Context, t testplan.Test, schedule []nemesis.Planned, cfg Config) (p prepared, err error) {
	if err := Preflight(ctx, t, schedule, cfg); err != nil {
		return p, err
	}
	cfg.Progress.Phase("building the node")
	arch, err := cfg.Runtime.Arch(ctx)
	if err != nil {
		return p, err
	}
	announced := time.AfterFunc(kept, func() {
		cfg.Progress.Phase("compiling squall-node, once: about 20 s on two processors")
	})
	defer announced.Stop()
	if p.binary, err = cfg.Build(ctx, arch, t.Mutant); err != nil {
		return p, blameMutant(t, err)
	}
	announced.Stop()
	system, err := t.FindSystem()
	if err != nil {
		return p, err
	}
	p.files, err = takeFiles(ctx, system, t.SystemParams, origins{arch: arch, images: cfg.images, progress: cfg.Progress})
	return p, err
}

// needsOf are the faults of a schedule, by what they need of the place.
func needsOf(schedule []nemesis.Planned) map[nemesis.Need][]string {
	wanted, seen := map[nemesis.Need][]string{}, map[string]bool{}
	catalogue := faults.All()
	for _, p := range schedule {
		if seen[p.Fault] {
			continue
		}
		seen[p.Fault] = true
		fault, _ := nemesis.Find(catalogue, p.Fault)
		for _, need := range fault.Needs {
			if !need.OfSystem() {
				wanted[need] = append(wanted[need], p.Fault)
			}
		}
	}
	return wanted
}

// unmet refuses the faults whose needs are not met, and says why.
func unmet(wanted map[nemesis.Need][]string, why map[nemesis.Need]string) error {
	for need := range wanted {
		if why[need] == "" {
			delete(wanted, need)
		}
	}
	return testplan.Refusal(wanted, func(n nemesis.Need) string { return why[n] })
}
