package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"runtime"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"squall/history"
	"squall/history/check"
	"squall/internal/plain"
	"squall/orchestrator"
	"squall/orchestrator/crash"
	"squall/orchestrator/crash/boot"
	"squall/orchestrator/testplan"
)

// crashFlags are the flags of `squall crash`.
type crashFlags struct {
	budget    time.Duration
	states    int
	jobs      int
	seed      uint64
	serve     time.Duration
	state     string
	keepGoing bool
	mayRefuse bool
	once      bool
	names     string
	fresh     bool
	runtime   string
	out       string
	json      bool
	verbose   bool
}

func (a *app) crashCommand() *cobra.Command {
	var flags crashFlags
	cmd := &cobra.Command{
		Use:   "crash [RUN]",
		Short: "Boot and judge what power cuts during a run may have left on the disks",
		Long: `Take moments of a run that kept journals of its nodes' disks (squall run
--disk-journal), and of each the states that a power cut of all nodes may have left: what was
synced alone, with a part of the rest, with writes reordered or torn, names lost, each
node on its own. Boot a cluster from each, and judge it: servers start; every
node serves; every write that was acknowledged before is found through every node; the
nodes' copies agree. Then cut the power once more, start again, and judge it again.

RUN is a run directory, a number from squall list runs, or latest (default). Moments
come worst first: just after acknowledgements, new files, syncs, snapshots, elections.
Where it was stopped, the same command goes on. The first violation ends it, is
made as small as can be, and kept in RUN/crash/violations. RUN/crash.html shows what was
covered.`,
		Example: `  squall crash runs/latest --budget 5m     as many states as five minutes allow
  squall crash --states 1000 --jobs 4      a thousand states, four clusters at a time
  squall crash --state 3f2a9c              boot one state again`,
		Args:              oneArg,
		RunE:              func(cmd *cobra.Command, args []string) error { return a.crash(cmd, args, &flags) },
		ValidArgsFunction: completeRuns,
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.DurationVar(&flags.budget, "budget", 0, "begin no further state after this `time`; 0: no bound")
	f.IntVar(&flags.states, "states", 0, "judge so many states, at most; 0: all")
	f.IntVar(&flags.jobs, "jobs", 0, "clusters at a time; 0: one a processor")
	f.DurationVar(&flags.serve, "serve", 30*time.Second, "time in which every node of a state must serve")
	f.StringVar(&flags.state, "state", "", "boot only this state again, by the beginning of its `ID`")
	f.BoolVar(&flags.keepGoing, "keep-going", false, "go on after a violation")
	f.BoolVar(&flags.mayRefuse, "may-refuse", false, "a server may end, if it names the file that it cannot start from and the others serve")
	f.BoolVar(&flags.once, "once", false, "start each state once, without a second power cut")
	f.StringVar(&flags.names, "names", namesStrict, "which names survive: strict, whose directory was synced, as POSIX has it; journaled, also those before the sync of any file, as on ext4 and XFS")
	f.BoolVar(&flags.fresh, "fresh", false, "forget what was judged before, and begin anew")
	f.Uint64Var(&flags.seed, "seed", 0, "seed of what is drawn; 0: the run's")
	f.StringVar(&flags.runtime, "runtime", testplan.RuntimeLocal, "where nodes run: auto, docker or local")
	f.StringVar(&flags.out, "out", testplan.DefaultTest().Out, "folder of the run directories")
	f.BoolVar(&flags.json, "json", false, "print the outcome as JSON on stdout, everything else on stderr")
	f.BoolVarP(&flags.verbose, "verbose", "v", false, "log every step on stderr")
	return cmd
}

// check refuses flags that mean nothing.
func (f *crashFlags) check() error {
	switch {
	case f.budget < 0:
		return usageError(fmt.Errorf("--budget is %v; it must not be below 0", f.budget))
	case f.states < 0:
		return usageError(fmt.Errorf("--states is %d; it must not be below 0", f.states))
	case f.jobs < 0 || f.jobs > 64:
		return usageError(fmt.Errorf("--jobs is %d; from 1 to 64 are possible, and 0 for one a processor", f.jobs))
	case f.names != namesStrict && f.names != namesJournaled:
		return usageError(fmt.Errorf("--names is %q; it can be %s or %s", f.names, namesStrict, namesJournaled))
	case f.serve <= 0:
		return usageError(fmt.Errorf("--serve is %v; it must be above 0", f.serve))
	}
	return checkSetting("runtime", f.runtime)
}

// crashOf reads the run, and refuses one whose states cannot be booted.
func crashOf(dir string) (*testplan.Plan, *crash.Storm, error) {
	plan, err := testplan.ReadPlan(dir)
	if err != nil {
		return nil, nil, usageError(err)
	}
	h, err := history.Load(filepath.Join(dir, history.FileName))
	if err != nil {
		return nil, nil, &exitError{exitInvalid, err}
	}
	if err := boot.Refuse(plan, h); err != nil {
		return nil, nil, usageError(err)
	}
	disks, err := crash.FindDisks(dir, h.Header.Nodes)
	if errors.Is(err, crash.ErrNoJournals) {
		return nil, nil, usageError(fmt.Errorf("%w; run the test again with --disk-journal", err))
	}
	if err != nil {
		return nil, nil, err
	}
	return plan, &crash.Storm{Dir: dir, History: h, Disks: disks, Limit: int64(plan.Test.DiskJournal) << 20}, nil
}

func (a *app) crash(cmd *cobra.Command, args []string, flags *crashFlags) error {
	if err := flags.check(); err != nil {
		return err
	}
	dir, err := findRun(flags.out, args)
	if err != nil {
		return err
	}
	plan, storm, err := crashOf(dir)
	if err != nil {
		return err
	}
	readNames(storm, flags)
	human := a.out
	if flags.json {
		human = a.errOut
	}
	var log *slog.Logger
	if flags.verbose {
		log = slog.New(slog.NewTextHandler(a.errOut, nil))
	}
	opened, err := a.open(cmd.Context(), flags.runtime, log)
	if err != nil {
		return &exitError{exitInvalid, err}
	}
	defer opened.close()
	fmt.Fprintln(human, opened.line(cmd.Context()))
	ctx, stop, release := a.interruptible(cmd.Context(), human)
	defer release()
	preparing := newProgress(human)
	made, err := orchestrator.PrepareMachines(ctx, plan.Test, orchestrator.Config{Version: version, Runtime: opened.Runtime, Build: a.build,
		CanBuild: canBuild, Images: openImages(log), Log: log, Stop: stop, Progress: preparing})
	preparing.end()
	if err != nil {
		return notRun(err, nil)
	}
	checkers, leftOut, err := boot.Checkers(&plan.Test, dir)
	if err != nil {
		return err
	}
	for _, name := range leftOut {
		plain.Fprintf(human, "%s is left out: the run itself did not pass it\n", name)
	}
	cfg := crash.Config{Squall: version, Seed: flags.seed, Binary: made.Binary(), Checkers: checkers, Budget: flags.budget, States: flags.states,
		KeepGoing: flags.keepGoing, MayRefuse: flags.mayRefuse, Once: flags.once, Fresh: flags.fresh,
		Limits: check.Limits{Time: time.Duration(plan.Test.CheckTime), Memory: uint64(plan.Test.CheckMemory) << 20, Workers: 1}}
	if cfg.Seed == 0 {
		cfg.Seed = plan.Test.Seed
	}
	sites, err := crashSites(flags, boot.Options{Run: filepath.Base(dir), Runtime: opened.Runtime, Machines: made, Test: plan.Test, Serve: flags.serve, Disk: secondCut(ctx, opened.Runtime, flags, human)})
	if err != nil {
		return err
	}
	for _, s := range sites {
		cfg.Booters = append(cfg.Booters, s)
	}
	booting, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-stop:
			cancel(errInterrupted)
		case <-booting.Done():
		}
	}()
	defer func() {
		for _, s := range sites {
			_ = s.Close()
		}
	}()
	if flags.state != "" {
		return a.crashAgain(booting, storm, cfg, flags, human)
	}
	show := newCrashProgress(human, flags)
	cfg.Progress = show.take
	outcome, err := crash.Run(booting, storm, cfg)
	show.end()
	if err != nil {
		return crashError(booting, err)
	}
	return errors.Join(a.concludeCrash(booting, outcome, dir, flags, human), writeCrashPage(dir, a.program, storm, outcome))
}

// crashError gives an error its exit code.
func crashError(ctx context.Context, err error) error {
	var other *crash.OtherFarmError
	switch {
	case ctx.Err() != nil:
		return &exitError{exitInterrupted, err}
	case errors.As(err, &other):
		return usageError(err)
	}
	return &exitError{exitInvalid, err}
}

// crashSites are as many as there are jobs.
func crashSites(flags *crashFlags, o boot.Options) (sites []*boot.Site, err error) {
	jobs := flags.jobs
	if jobs == 0 {
		jobs = runtime.NumCPU()
	}
	if flags.state != "" {
		jobs = 1
	}
	run := o.Run
	for i := range jobs {
		o.Run = run + "-crash-" + strconv.Itoa(i+1)
		site, err := boot.New(o)
		if err != nil {
			return nil, err
		}
		sites = append(sites, site)
	}
	return sites, nil
}

// crashAgain boots one state again, and tells what came of it.
func (a *app) crashAgain(ctx context.Context, storm *crash.Storm, cfg crash.Config, flags *crashFlags, human io.Writer) error {
	again, err := crash.Replay(ctx, storm, cfg, flags.state)
	if err != nil {
		return crashError(ctx, err)
	}
	if flags.json {
		if err := printJSON(a.out, again.Result); err != nil {
			return err
		}
	}
	printReplay(human, again)
	if code := exitOf(again.Result.Verdict); code != exitPass {
		return &exitError{code: code}
	}
	return nil
}

// crashOutput is what `squall crash --json` prints.
type crashOutput struct {
	Run     string        `json:"run"`
	Verdict check.Verdict `json:"verdict"`
	Reason  string        `json:"reason,omitempty"`
	Cover   crash.Cover   `json:"cover"`
	Worst   *crash.Result `json:"worst,omitempty"`
	Folder  string        `json:"folder,omitempty"`
}

func (a *app) concludeCrash(ctx context.Context, o *crash.Outcome, dir string, flags *crashFlags, human io.Writer) error {
	if flags.json {
		if err := printJSON(a.out, crashOutput{dir, o.Verdict, o.Reason, o.Cover, o.Worst, o.Folder}); err != nil {
			return err
		}
	}
	printCrash(human, o, dir, a.program)
	code := exitOf(o.Verdict)
	if ctx.Err() != nil && o.Verdict != check.Violation {
		code = exitInterrupted
	}
	if code != exitPass {
		return &exitError{code: code}
	}
	return nil
}
