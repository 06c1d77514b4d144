package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"squall/internal/plain"
	"squall/nemesis/schedule"
	"squall/orchestrator/hunt"
	"squall/orchestrator/testplan"
	"squall/reports"
)

// shrinkFlags are the flags of squall shrink.
type shrinkFlags struct {
	againFlags
	budget time.Duration
}

func (a *app) shrinkCommand() *cobra.Command {
	var flags shrinkFlags
	cmd := &cobra.Command{
		Use:   "shrink [RUN]",
		Short: "Make the plan of a run that shows a violation as small as it can be",
		Long: `Run the plan of a run again with less and less: without what came after the
violation, without faults, with fewer clients, with shorter faults. What still
shows the same violation (the same check and kind) is kept. Each is run until it
is clear whether it shows it in about half of its runs, or hardly ever: two finds
are enough, and five failures.

The smallest plan, a run of it and its report go to RUN/shrink/smallest, all that
was tried to RUN/shrink/shrink.json. RUN is a run directory, a number from squall
list runs, or latest (default). Ctrl-C keeps the smallest so far.`,
		Example: `  squall shrink runs/latest
  squall shrink runs/latest --check linearizable --budget 10m`,
		Args:              oneArg,
		RunE:              func(cmd *cobra.Command, args []string) error { return a.shrink(cmd.Context(), args, &flags) },
		ValidArgsFunction: completeRuns,
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.DurationVar(&flags.budget, "budget", 0, "try nothing smaller after this `time`; 0: no bound")
	flags.add(cmd)
	return cmd
}

func (a *app) shrink(ctx context.Context, args []string, flags *shrinkFlags) error {
	if flags.budget < 0 {
		return usageError(fmt.Errorf("--budget is %v; it must not be below 0", flags.budget))
	}
	v, err := a.violating(ctx, args, &flags.againFlags)
	if err != nil {
		return err
	}
	defer v.place.runtime.close()
	dir, err := hunt.Place(v.dir)
	if err != nil {
		return &exitError{exitInvalid, err}
	}
	human := flags.human(a)
	plain.Fprintf(human, "from     %s\n\n", sizeText(hunt.SizeOf(v.plan)))
	ctx, stop, release := a.interruptible(ctx, human)
	defer release()
	v.place.stop = stop
	progress := newShrinkProgress(human)
	s := hunt.Shrink{Trials: v.place.trials(false, progress.told), Plan: v.plan, Finding: v.finding, FirstAt: v.finding.FirstAt(v.checked), Dir: dir,
		Budget: flags.budget, Tried: progress.tried}
	shrunk, err := s.Smallest(ctx)
	progress.end()
	if err != nil && !errors.Is(err, hunt.ErrNotAgain) {
		return notRun(err, nil)
	}
	return a.concludeShrink(ctx, shrunk, err, dir, flags, human)
}

// concludeShrink keeps the record, and prints the smallest plan and how to run it. notAgain
// is why there is none, where there is none.
func (a *app) concludeShrink(ctx context.Context, s *hunt.Shrunk, notAgain error, dir string, flags *shrinkFlags, human io.Writer) error {
	smallest := filepath.Join(dir, hunt.SmallestFolder)
	command := ""
	if s.Shows != nil {
		command = testplan.CommandFor(a.program, s.Shows.Plan.Test)
	}
	if err := hunt.WriteRecord(dir, version, command, s); err != nil {
		return &exitError{exitInvalid, err}
	}
	if flags.json {
		if err := printJSON(a.out, s); err != nil {
			return err
		}
	}
	if s.Shows == nil {
		if notAgain == nil {
			notAgain = errors.New(s.Stopped)
		}
		return &exitError{exitInvalid, fmt.Errorf("no smaller plan: %w; squall replay says how often it does", notAgain)}
	}
	reportErr := reports.WriteChecked(ctx, s.Shows.Outcome.Checked)
	plan := s.Shows.Plan
	fmt.Fprintln(human)
	schedule.Timeline(human, plan.Schedule, time.Duration(plan.Test.Time), listWidth)
	plain.Fprintf(human, "\nsmallest %s; it was %s\n", sizeText(s.To), sizeText(s.From))
	printRate(human, s.Rate, 0)
	if s.Stopped != "" {
		plain.Fprintf(human, "stopped  %s: something smaller may do\n", s.Stopped)
	}
	plain.Fprintf(human, "report   %s\nrecord   %s\nsame     %s run --plan %s\nlike it  %s\n", filepath.Join(smallest, reports.ReportFile), filepath.Join(dir, hunt.RecordFile),
		a.program, testplan.Quote(smallest), command)
	if reportErr != nil {
		return &exitError{exitViolation, fmt.Errorf("the smallest plan is kept, but its report could not be written: %w", reportErr)}
	}
	return &exitError{code: exitViolation}
}

// sizeText is how large a plan is, for people.
func sizeText(s hunt.Size) string {
	return fmt.Sprintf("%s, %.4g s of load, %s", countOf(s.Faults, "fault"), s.Seconds, countOf(s.Clients, "client"))
}

// shrinkProgress prints a line for each plan that was tried, and on a terminal the trials of
// the one under way below them.
type shrinkProgress struct {
	trialProgress
	trials hunt.Rate
}

func newShrinkProgress(out io.Writer) *shrinkProgress {
	p := &shrinkProgress{trialProgress: trialProgress{board: newBoard(out), begun: time.Now()}}
	p.spin(p.status)
	return p
}

// told counts the trials of the plan that is being tried.
func (p *shrinkProgress) told(t hunt.Trial) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.trials.Of++
}

// tried prints what came of it.
func (p *shrinkProgress) tried(t hunt.Try) {
	p.mu.Lock()
	p.trials = hunt.Rate{}
	p.mu.Unlock()
	mark := without()
	if t.Taken {
		mark = met()
	}
	came := fmt.Sprintf("shown in %d of %d", t.Rate.Found, t.Rate.Of)
	if t.Err != "" {
		mark, came = plain.In("!", plain.Magenta), "cannot be run: "+t.Err
	}
	p.print(plain.Sprintf("  %s %-44s %s\n", mark, plain.Fit(t.What, 44), came))
}

func (p *shrinkProgress) status() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return fmt.Sprintf("%s of the next, %v", countOf(p.trials.Of, "test"), time.Since(p.begun).Round(time.Second))
}
