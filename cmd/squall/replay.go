package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"squall/internal/plain"
	"squall/orchestrator/hunt"
)

// replayFlags are the flags of squall replay.
type replayFlags struct {
	againFlags
	times int
}

func (a *app) replayCommand() *cobra.Command {
	var flags replayFlags
	cmd := &cobra.Command{
		Use:   "replay [RUN]",
		Short: "Run the plan of a run again and again: how often does it show its violation?",
		Long: `Run the faults of a run again, several times, and print in which share of the
runs its violation shows. Faults look for their targets anew: a fault that hit the
leader hits whoever leads when it begins, and one that waited for a moment waits
for it again. squall run --plan RUN hits the same nodes instead.

RUN is a run directory, a number from squall list runs, or latest (default). It
ends early once the violation is sure to show more often than not.`,
		Example: `  squall replay runs/latest              ten times
  squall replay runs/latest --times 50   to know the rate well`,
		Args:              oneArg,
		RunE:              func(cmd *cobra.Command, args []string) error { return a.replay(cmd.Context(), args, &flags) },
		ValidArgsFunction: completeRuns,
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.IntVarP(&flags.times, "times", "n", 10, "how often to run it")
	flags.add(cmd)
	return cmd
}

func (a *app) replay(ctx context.Context, args []string, flags *replayFlags) error {
	if flags.times < 1 || flags.times > 10_000 {
		return usageError(fmt.Errorf("--times: expected a whole number from 1 to 10000, found %d", flags.times))
	}
	v, err := a.violating(ctx, args, &flags.againFlags)
	if err != nil {
		return err
	}
	defer v.place.runtime.close()
	human := flags.human(a)
	ctx, stop, release := a.interruptible(ctx, human)
	defer release()
	v.place.stop = stop
	progress := newTrialProgress(human, flags.times)
	again := hunt.Again{Trials: v.place.trials(true, progress.told), Plan: hunt.Anchored(v.plan), Finding: v.finding, Times: flags.times}
	repeated, err := again.Repeat(ctx)
	progress.end()
	if err != nil {
		return notRun(err, nil)
	}
	return a.concludeReplay(repeated, v.dir, flags, human)
}

// concludeReplay exits as a run does that shows the violation, if it showed once.
func (a *app) concludeReplay(r *hunt.Repeated, dir string, flags *replayFlags, human io.Writer) error {
	if flags.json {
		if err := printJSON(a.out, r); err != nil {
			return err
		}
	}
	plain.Fprintf(human, "\n%s\n", r.Finding)
	printRate(human, r.Rate, r.Others)
	if r.Different > 0 {
		plain.Fprintf(human, "         %s showed another violation instead\n", countOf(r.Different, "test"))
	}
	if r.Rate.Found > 0 {
		plain.Fprintf(human, "smaller  %s shrink %s\n", a.program, dir)
	}
	switch {
	case r.Rate.Found+r.Different > 0:
		return &exitError{code: exitViolation}
	case r.Interrupted:
		return &exitError{code: exitInterrupted}
	case r.Rate.Of == 0:
		return &exitError{exitInvalid, errors.New("no test came to a verdict: see the reasons in their reports")}
	}
	return nil
}
