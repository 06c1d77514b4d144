package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"squall/history/check"
	"squall/history/elections"
	"squall/internal/plain"
	"squall/orchestrator"
	experiment "squall/orchestrator/elections"
	"squall/orchestrator/testplan"
	"squall/reports"
)

// defaultTimeouts are the ranges that `squall elections` measures when it is
// told nothing: of the paper's, those that a system may well be run with.
const defaultTimeouts = "150-300ms,150-200ms,150-155ms,100-200ms,50-100ms"

// modelled is how many trials of the model stand beside each range.
const modelled = 4000

// electionsFlags are the flags of `squall elections`.
type electionsFlags struct {
	what     experiment.Settings
	timeouts string
	disk     string
	system   string
	runtime  string
	from     string
	json     bool
	verbose  bool
	given    []string // the flags as they were given, for the command that repeats it
}

func (a *app) electionsCommand() *cobra.Command {
	var flags electionsFlags
	cmd := &cobra.Command{
		Use:   "elections",
		Short: "Measure election times as the Raft paper did, beside its figures",
		Long: `Measure how long a cluster is without a leader, as Figure 16 of the Raft paper
did. In each trial the leader of five servers leaves two followers with shorter
logs, broadcasts a heartbeat, and crashes at a random moment of the heartbeat
interval; the time runs until another server hears from the new leader.
The table has the paper's figures and those of a model beside the measured ones;
elections-cdf.png and .svg draw the curves.

The first Ctrl-C reports what was measured so far; the second ends at once.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.runElections(cmd, &flags) },
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVar(&flags.timeouts, "timeouts", defaultTimeouts, "ranges of election timeouts; the heartbeat interval is half the minimum")
	f.IntVar(&flags.what.Trials, "trials", 100, "trials of each range")
	f.DurationVar(&flags.what.Broadcast, "broadcast", 15*time.Millisecond, "time of a broadcast, from sending an entry to all until the last one has it on disk; links are delayed to reach it; 0: no delay")
	f.StringVar(&flags.disk, "disk", "", "delay each write to disk by this range, such as `0-6ms`, one write at a time, as in the paper's servers")
	f.BoolVar(&flags.what.PreVote, "pre-vote", false, "use pre-vote, and refuse votes while a leader is heard; the paper's servers did neither")
	f.BoolVar(&flags.what.Plain, "plain", false, "kill leaders from outside at any moment, with all logs equal")
	f.StringVar(&flags.system, "system", "raftkv", "system under test, with its parameters: `raftkv(snapshot-every=500)`")
	f.IntVar(&flags.what.Nodes, "nodes", 5, "servers")
	f.DurationVar(&flags.what.Limit, "limit", 10*time.Minute, "how long a trial may go without a leader")
	f.Uint64Var(&flags.what.Seed, "seed", 0, "seed; 0: a new one")
	f.StringVar(&flags.runtime, "runtime", testplan.RuntimeAuto, "where nodes run: auto, docker or local")
	f.StringVar(&flags.what.Out, "out", "runs", "folder of the runs")
	f.StringVar(&flags.from, "from", "", "print and draw the trials of this run `directory` again")
	f.BoolVar(&flags.json, "json", false, "print the record as JSON on stdout, everything else on stderr")
	f.BoolVarP(&flags.verbose, "verbose", "v", false, "log every step on stderr")
	return cmd
}

// resolve checks the flags and fills in what they mean.
func (f *electionsFlags) resolve(cmd *cobra.Command, program string) (err error) {
	if f.what.Ranges, err = elections.ParseRanges(f.timeouts); err != nil {
		return usageError(fmt.Errorf("--timeouts: %w", err))
	}
	if f.disk != "" {
		r, err := parseSpread(f.disk)
		if err != nil {
			return usageError(fmt.Errorf("--disk: %w", err))
		}
		f.what.Disk = &r
		if !cmd.Flags().Changed("broadcast") {
			f.what.Broadcast = 0 // the disks are what takes the time
		}
	}
	if f.what.Plain && !cmd.Flags().Changed("broadcast") {
		f.what.Broadcast = 0
	}
	if err := f.what.SetSystem(f.system); err != nil {
		return usageError(fmt.Errorf("--system: %w", withColumn(err)))
	}
	if err := checkSetting("runtime", f.runtime); err != nil {
		return err
	}
	if err := f.what.Validate(); err != nil {
		return usageError(err)
	}
	f.what.Command = repeatCommand(cmd, program)
	return nil
}

// parseSpread reads "0-6ms".
func parseSpread(text string) (elections.Spread, error) {
	low, high, _ := strings.Cut(text, "-")
	most, err := time.ParseDuration(high)
	if err != nil {
		return elections.Spread{}, fmt.Errorf("%q is not a range of times such as 0-6ms: %w", text, err)
	}
	least, err := time.ParseDuration(low)
	if err != nil {
		least, err = time.ParseDuration(low + strings.TrimLeft(high, "0123456789."))
	}
	if err != nil || least < 0 || most < least {
		return elections.Spread{}, fmt.Errorf("%q is not an ascending range of times such as 0-6ms", text)
	}
	return elections.Spread{Min: elections.MillisOf(int64(least)), Max: elections.MillisOf(int64(most))}, nil
}

func (a *app) runElections(cmd *cobra.Command, flags *electionsFlags) error {
	human := a.out
	if flags.json {
		human = a.errOut
	}
	if flags.from != "" {
		return a.electionsAgain(cmd.Context(), flags, human)
	}
	if err := flags.resolve(cmd, a.program); err != nil {
		return err
	}
	var log *slog.Logger
	if flags.verbose {
		log = slog.New(slog.NewTextHandler(a.errOut, nil))
	}
	runtime, err := a.open(cmd.Context(), flags.runtime, log)
	if err != nil {
		return &exitError{exitInvalid, err}
	}
	defer runtime.close()
	fmt.Fprintln(human, runtime.line(cmd.Context()))
	ctx, stop, release := a.interruptible(cmd.Context(), human)
	defer release()
	outcome, err := experiment.Run(ctx, flags.what, experiment.Config{
		Config: orchestrator.Config{Version: version, Runtime: runtime.Runtime, Build: a.build, CanBuild: canBuild, Images: openImages(log), Log: log, Stop: stop},
		Trials: newTrialsProgress(human),
	})
	if err != nil {
		return notRun(err, nil)
	}
	return a.concludeElections(outcome, human, flags.json)
}

// electionsAgain reads a record, finds its figures again, and shows them.
func (a *app) electionsAgain(ctx context.Context, flags *electionsFlags, human io.Writer) error {
	outcome, err := experiment.Load(ctx, flags.from)
	if err != nil {
		return usageError(err)
	}
	if err := outcome.Write(); err != nil {
		return err
	}
	return a.concludeElections(outcome, human, flags.json)
}

// electionsOutput is what `squall elections --json` prints.
type electionsOutput struct {
	Run       string              `json:"run"`
	Verdict   check.Verdict       `json:"verdict"`
	Summaries []elections.Summary `json:"summaries"`
	*elections.Record
}

// concludeElections draws the curves and prints the table.
func (a *app) concludeElections(o *experiment.Outcome, human io.Writer, asJSON bool) error {
	summaries := o.Record.Summarize(modelled)
	drawErr := reports.WriteElections(o.Dir, o.Record)
	if asJSON {
		if err := printJSON(a.out, electionsOutput{o.Dir, o.Results.Verdict, summaries, o.Record}); err != nil {
			return err
		}
	}
	printElections(human, o, summaries)
	if drawErr != nil {
		return fmt.Errorf("the figures are saved, but the curves could not be drawn: %w", drawErr)
	}
	plain.Fprintf(human, "\ncurves   %s/%s and .svg\nrepeat   %s\nagain    %s elections --from %s\n",
		o.Dir, reports.ElectionsPNG, o.Record.Command, a.program, o.Dir)
	if o.Record.Interrupted && o.Results.Verdict != check.Violation {
		return &exitError{code: exitInterrupted}
	}
	return resultsError(o.Results)
}
