package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"squall/history/check"
	"squall/internal/plain"
	"squall/internal/suggest"
	"squall/orchestrator/hunt"
	"squall/orchestrator/testplan"
)

// untilViolation is what --until may say.
const untilViolation = "violation"

// untilFlags are those with which squall run runs one test with seed after seed.
type untilFlags struct {
	what string // "" runs one
	most int
	jobs int
}

func (f *untilFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.what, "until", "", `run the test with seed after seed until one shows a "violation"`)
	cmd.Flags().IntVar(&f.most, "max", 50, "with --until: tests, at most")
	cmd.Flags().IntVarP(&f.jobs, "jobs", "j", 0, "with --until: "+jobsUsage)
	_ = cmd.RegisterFlagCompletionFunc("until", cobra.FixedCompletions([]string{untilViolation}, cobra.ShellCompDirectiveNoFileComp))
}

// check refuses flags that do not go together.
func (f *untilFlags) check(cmd *cobra.Command) error {
	given := func(name string) bool { return cmd.Flags().Changed(name) }
	switch {
	case given("until") && f.what != untilViolation:
		return usageError(fmt.Errorf("--until: unknown end %q; %s", f.what, suggest.Among(f.what, []string{untilViolation})))
	case f.what == "" && given("max"):
		return usageError(errors.New("--max is for --until violation; without it one test is run"))
	case f.what == "" && given("jobs"):
		return usageError(errors.New("--jobs is for --until violation; without it one test is run"))
	case f.what == "":
		return nil
	case given("plan"):
		return usageError(errors.New("--until draws a plan for each seed: leave out --plan, or repeat one plan with squall replay"))
	case given("dry-run"):
		return usageError(errors.New("--until runs many tests: leave out --dry-run, or --until to see the plan of the first"))
	case f.most < 1 || f.most > 100_000:
		return usageError(fmt.Errorf("--max: expected a whole number from 1 to 100000, found %d", f.most))
	}
	return checkJobs(f.jobs)
}

// huntSeeds runs the test of a plan with its seed and those after it, until one shows a
// violation, and ends as that one does.
func (a *app) huntSeeds(ctx context.Context, first *testplan.Plan, file *testplan.TestFile, flags *runFlags, human io.Writer) error {
	place, err := a.openPlace(ctx, first.Test, flags.until.jobs, flags.verbose, human)
	if err != nil {
		return err
	}
	defer place.runtime.close()
	ctx, stop, release := a.interruptible(ctx, human)
	defer release()
	place.stop = stop
	progress := newTrialProgress(human, flags.until.most)
	until := hunt.Until{Trials: place.trials(true, progress.told), First: first.Test.Seed, Max: flags.until.most,
		Plan: func(seed uint64) (*testplan.Plan, error) {
			t := first.Test
			t.Seed = seed
			return testplan.NewPlan(t, version, a.program)
		}}
	hunted, err := until.Hunt(ctx)
	progress.end()
	if err != nil {
		return notRun(err, file)
	}
	return a.concludeHunt(ctx, hunted, first.Test.Out, flags, human)
}

// concludeHunt ends as the run does in which something was found.
func (a *app) concludeHunt(ctx context.Context, h *hunt.Hunted, out string, flags *runFlags, human io.Writer) error {
	if h.Found != nil {
		if err := testplan.PointLatest(out, h.Found.Outcome.Dir); err != nil {
			return &exitError{exitInvalid, err}
		}
		err := a.conclude(ctx, h.Found.Outcome, human, flags)
		printRate(human, h.Rate, h.Others)
		plain.Fprintf(human, "again    %s replay %s\n", a.program, h.Found.Outcome.Dir)
		return err
	}
	if flags.json {
		if err := printJSON(a.out, h.Rate); err != nil {
			return err
		}
	}
	fmt.Fprintln(human)
	printRate(human, h.Rate, h.Others)
	switch {
	case h.Interrupted:
		return &exitError{code: exitInterrupted}
	case h.Rate.Of == 0:
		return &exitError{code: exitInvalid}
	case h.Others > h.Rate.Of: // most said nothing
		return &exitError{code: exitInvalid}
	}
	return nil
}

// printRate prints in how many tests something was found.
func printRate(w io.Writer, r hunt.Rate, others int) {
	plain.Fprintf(w, "found    in %s\n", r)
	if others > 0 {
		plain.Fprintf(w, "         %s more came to nothing (%s or %s), and did not count\n", countOf(others, "test"), check.Invalid, check.Unknown)
	}
}
