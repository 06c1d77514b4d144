package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"squall/history/check"
	"squall/history/ledger"
	"squall/internal/declare"
	"squall/internal/plain"
	"squall/orchestrator"
	"squall/orchestrator/testplan"
	"squall/reports"
)

// runFlags are the flags of `squall run` that are no settings of the test.
type runFlags struct {
	settings []setting // in the order given
	profile  string    // goes below the file and the other flags
	plan     string
	until    untilFlags
	dryRun   bool
	json     bool
	verbose  bool
	outputs  outputFlags
	baseline baselineFlags
}

// setting is a setting of the test given as a flag. It goes over the test file.
type setting struct {
	option testplan.Option
	text   string
}

func (a *app) runCommand() *cobra.Command {
	var flags runFlags
	cmd := &cobra.Command{
		Use:   "run [TEST.yaml]",
		Short: "Run one test: launch a cluster, storm it, check it, report",
		Long: `Run one test: launch a Raft cluster in containers or, without Docker, in
Linux namespaces; load it while faults are injected, record everything, check
it, and write a report. A test file sets the flags below by name (nodes: 5);
flags take precedence over it.

The first Ctrl-C heals the cluster, collects, checks and reports; the second
ends at once.`,
		Example: `  squall run                                 # our own Raft, 30 s of faults
  squall run --nemesis storm --time 2m       # every kind of fault, two at once
  squall run --system etcd --workload mini   # transactions on etcd
  squall run test.yaml --seed 7              # settings in a file
  squall run --mutant local-reads --until violation`,
		Args: oneArg,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := flags.until.check(cmd); err != nil {
				return err
			}
			return a.runTest(cmd.Context(), args, &flags)
		},
	}
	cmd.Flags().SortFlags = false // the most important first
	defaults := testplan.DefaultTest()
	for _, option := range testplan.Options() {
		cmd.Flags().Var(&settingFlag{option: option, into: &flags.settings, shown: option.Get(&defaults)},
			option.Name, option.Usage)
	}
	for _, option := range testplan.OldOptions() {
		cmd.Flags().Var(&settingFlag{option: option, into: &flags.settings, shown: option.Get(&defaults)}, option.Name, option.Usage)
		_ = cmd.Flags().MarkHidden(option.Name)
	}
	cmd.Flags().Lookup("swarm").NoOptDefVal = "true"
	cmd.Flags().StringVar(&flags.profile, "profile", "", profileUsage())
	cmd.Flags().StringVar(&flags.plan, "plan", "", "replay the plan.json of a run: the same faults, at the same times, on the same nodes")
	flags.until.add(cmd)
	cmd.Flags().BoolVar(&flags.dryRun, "dry-run", false, "print the plan as a time line, with the time of every fault, and exit")
	cmd.Flags().BoolVar(&flags.json, "json", false, "print the results as JSON on stdout, everything else on stderr")
	flags.baseline.add(cmd)
	flags.outputs.add(cmd)
	cmd.Flags().BoolVarP(&flags.verbose, "verbose", "v", false, "log every step on stderr")
	cmd.ValidArgsFunction = completeTestFiles
	completeOptions(cmd)
	_ = cmd.RegisterFlagCompletionFunc("profile", cobra.FixedCompletions(testplan.ProfileNames(), cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// profileUsage says which profiles there are.
func profileUsage() string {
	usage := "a group of settings; the file and the flags take precedence:"
	for i, p := range testplan.Profiles() {
		if i > 0 {
			usage += ";"
		}
		usage += " " + p.Name + " (" + p.Doc + ")"
	}
	return usage
}

// settingFlag is the command line's side of a setting.
type settingFlag struct {
	option testplan.Option
	into   *[]setting
	shown  string
	given  bool
}

func (f *settingFlag) String() string { return f.shown }

// Type is how help names the value: as for the flags that are no settings.
func (f *settingFlag) Type() string {
	if f.option.Type == "whole number" {
		return "int"
	}
	return f.option.Type
}

// Set checks the value at once, so that the error names the flag.
func (f *settingFlag) Set(text string) error {
	scratch := testplan.DefaultTest()
	if err := f.option.Set(&scratch, text); err != nil {
		return withColumn(err)
	}
	if f.given && f.option.Joined != "" {
		text = f.shown + f.option.Joined + text
	}
	f.given = true
	*f.into = append(*f.into, setting{f.option, text})
	f.shown = text
	return nil
}

// withColumn says where in a value the mistake is, where that is known.
func withColumn(err error) error {
	if misfit := new(declare.Error); errors.As(err, &misfit) && misfit.Column > 1 {
		return fmt.Errorf("column %d: %w", misfit.Column, err)
	}
	return err
}

// resolve makes the plan out of the defaults, the file and the flags, or of an
// old plan and the flags. The file is nil where there is none.
func (f *runFlags) resolve(args []string, program string) (*testplan.Plan, *testplan.TestFile, error) {
	if f.plan != "" {
		plan, err := f.replay(args, program)
		return plan, nil, err
	}
	t := testplan.DefaultTest()
	if f.profile != "" {
		if err := testplan.ApplyProfile(&t, f.profile); err != nil {
			return nil, nil, usageError(fmt.Errorf("--profile: %w", err))
		}
	}
	var file *testplan.TestFile
	if len(args) == 1 {
		var err error
		if file, err = testplan.ReadTestFile(args[0], &t); err != nil {
			return nil, nil, usageError(err)
		}
		if f.profile != "" && file.Profile() != "" && file.Profile() != f.profile {
			return nil, nil, usageError(fmt.Errorf("--profile %s: %s says profile: %s; leave out one of the two", f.profile, args[0], file.Profile()))
		}
	}
	if err := f.apply(&t, file); err != nil {
		return nil, nil, err
	}
	if err := t.Validate(); err != nil {
		return nil, nil, usageError(file.Place(err))
	}
	plan, err := testplan.NewPlan(t, version, program)
	if err != nil {
		return nil, nil, usageError(file.Place(err))
	}
	return plan, file, nil
}

// apply sets what the flags say over what the file says.
func (f *runFlags) apply(t *testplan.Test, file *testplan.TestFile) error {
	var given []testplan.Setting
	for _, s := range f.settings {
		if err := s.option.Set(t, s.text); err != nil {
			return usageError(fmt.Errorf("--%s: %w", s.option.Name, err))
		}
		file.Override(s.option.Name)
		given = append(given, testplan.Setting{Option: s.option, Text: s.text})
	}
	if err := testplan.Conflict(given); err != nil {
		return usageError(fmt.Errorf("--%w", err))
	}
	return nil
}

// instead says what to write in place of settings of earlier versions; "" where
// none was used.
func (f *runFlags) instead(t *testplan.Test, file *testplan.TestFile) string {
	var used []string
	for _, s := range f.settings {
		if s.option.Of != "" {
			used = append(used, s.option.Name)
		}
	}
	if len(used) > 0 {
		return testplan.Instead(append(used, file.Old()...), t, true)
	}
	return testplan.Instead(file.Old(), t, false)
}

// planned are the settings that a plan has decided.
var planned = []string{"nodes", "time", "seed", "nemesis", "schedule", "hold", "gap", "overlap", "limit", "swarm"}

// replay makes a plan of an old one. Other flags may change what the plan does
// not depend on, such as where it runs.
func (f *runFlags) replay(args []string, program string) (*testplan.Plan, error) {
	if len(args) > 0 {
		return nil, usageError(fmt.Errorf("--plan already has the whole test: leave out %s", args[0]))
	}
	if f.profile != "" {
		return nil, usageError(errors.New("--plan already has the whole test: leave out --profile"))
	}
	for _, s := range f.settings {
		if slices.Contains(planned, s.option.Name) {
			return nil, usageError(fmt.Errorf("--%s: the plan already sets that; leave out --%[1]s or --plan", s.option.Name))
		}
	}
	path := f.plan
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, testplan.PlanFile)
	}
	old, err := testplan.ReadPlanFile(path)
	if err != nil {
		return nil, usageError(err)
	}
	t := old.Test
	if err := f.apply(&t, nil); err != nil {
		return nil, err
	}
	if t.System != old.Test.System {
		return nil, usageError(fmt.Errorf("--system: the plan is of %s; leave out --system or --plan", old.Test.System))
	}
	if err := t.Validate(); err != nil {
		return nil, usageError(err)
	}
	plan, err := testplan.ReplayPlan(old, t, version, program, path)
	if err != nil {
		return nil, usageError(err)
	}
	return plan, nil
}

func (a *app) runTest(ctx context.Context, args []string, flags *runFlags) error {
	plan, file, err := flags.resolve(args, a.program)
	if err != nil {
		return err
	}
	if err := flags.baseline.check(); err != nil {
		return err
	}
	if text := flags.instead(&plan.Test, file); text != "" {
		plain.Fprintf(a.errOut, "squall: %s\n", text)
	}
	if text := mutantHint(plan); text != "" {
		plain.Fprintf(a.errOut, "squall: %s\n", text)
	}
	if flags.dryRun {
		return a.dryRun(ctx, plan, file, flags.json)
	}
	human := a.out // --json keeps stdout for the results
	if flags.json {
		human = a.errOut
	}
	if flags.until.what != "" {
		return a.huntSeeds(ctx, plan, file, flags, human)
	}
	var log *slog.Logger
	if flags.verbose {
		log = slog.New(slog.NewTextHandler(a.errOut, nil))
	}
	runtime, err := a.open(ctx, plan.Test.Runtime, log)
	if err != nil {
		return &exitError{exitInvalid, err}
	}
	defer runtime.close()
	fmt.Fprintln(human, runtime.line(ctx))
	a.mentionLeftovers(ctx, human, runtime.Runtime)
	ctx, stop, release := a.interruptible(ctx, human)
	defer release()
	progress := newProgress(human)
	outcome, err := orchestrator.Run(ctx, plan, orchestrator.Config{
		Version: version, Runtime: runtime.Runtime, Build: a.build, CanBuild: canBuild, Images: openImages(log), Log: log, Progress: progress, Stop: stop,
		LeaderTimeout: a.leaderTimeout,
	})
	progress.end()
	if err != nil {
		return notRun(err, file)
	}
	return a.conclude(ctx, outcome, human, flags)
}

// conclude writes the report and prints the end of a run.
func (a *app) conclude(ctx context.Context, o *orchestrator.Outcome, human io.Writer, flags *runFlags) error {
	reportErr := reports.WriteChecked(ctx, o.Checked)
	baseline, baselineErr := flags.baseline.compare(o.Dir, o.Results)
	if flags.json {
		if err := printJSON(a.out, runOutput{Results: o.Results, Run: o.Dir, Command: o.Plan.Command, Interrupted: o.Interrupted, Baseline: baseline}); err != nil {
			return err
		}
	}
	printVerdict(human, o.Results)
	if baseline != nil {
		printComparison(human, baseline)
	}
	if o.Kept != "" {
		plain.Fprintf(human, "The machines were kept, stopped, with their disks: %s; `%s clean --run %s` removes them.\n",
			o.Kept, a.program, filepath.Base(o.Dir))
	}
	printEnd(human, o.Results, o.Dir, o.Plan.Command, reportErr == nil)
	outputs, outputErr := reports.RunOutputs(o.Dir, o.Plan.Test.Name, o.Plan.Command, o.Results, baseline)
	if outputErr == nil {
		outputErr = flags.outputs.publish(human, outputs)
	}
	end := endOfRun(o.Results, baseline)
	if o.Interrupted && o.Results.Verdict != check.Violation {
		end = &exitError{code: exitInterrupted}
	}
	if reportErr != nil {
		reportErr = fmt.Errorf("the verdict stands, but the report could not be written: %w", reportErr)
	}
	return afterwards(end, reportErr, baselineErr, outputErr)
}

// afterwards is how a command ends that has its verdict, and then could not do
// all that follows: with the code of the verdict, unless that is pass.
func afterwards(end error, errs ...error) error {
	trouble := errors.Join(errs...)
	if trouble == nil {
		return end
	}
	code := exitInvalid
	if end != nil {
		code = exitCode(end)
	}
	return &exitError{code, trouble}
}

// resultsError carries the exit code of results that were printed already.
func resultsError(r *check.Results) error {
	code := exitOfRun(r)
	if code == exitPass {
		return nil
	}
	return &exitError{code: code}
}

// runOutput is what `squall run --json` prints: results.json, and where it is.
type runOutput struct {
	*check.Results
	Run         string `json:"run"`
	Command     string `json:"command"`
	Interrupted bool   `json:"interrupted"`
	// Baseline is the comparison with earlier runs, where one was asked for.
	Baseline *ledger.Baseline `json:"baseline,omitempty"`
}

func printJSON(w io.Writer, v any) error {
	return plain.JSON(w, v)
}

// dryRun prints the plan, and what would keep it from being carried out here.
func (a *app) dryRun(ctx context.Context, plan *testplan.Plan, file *testplan.TestFile, asJSON bool) error {
	if asJSON {
		if err := printJSON(a.out, plan); err != nil {
			return err
		}
	} else {
		printPlan(a.out, plan)
	}
	runtime, err := a.open(ctx, plan.Test.Runtime, nil)
	if err != nil {
		return &exitError{exitInvalid, err}
	}
	defer runtime.close()
	return notRun(orchestrator.Preflight(ctx, plan.Test, plan.Schedule, orchestrator.Config{Runtime: runtime.Runtime, CanBuild: canBuild}), file)
}

// notRun gives a test that could not begin its exit code: a setting that cannot
// be is a mistake in the command, or in its file.
func notRun(err error, file *testplan.TestFile) error {
	var field *testplan.FieldError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errLeave) || errors.Is(err, orchestrator.ErrStopped):
		return &exitError{exitInterrupted, err}
	case errors.As(err, &field):
		return usageError(file.Place(err))
	}
	return err
}
