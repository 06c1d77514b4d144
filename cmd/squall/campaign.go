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
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"squall/history/check"
	"squall/history/ledger"
	"squall/internal/plain"
	"squall/orchestrator"
	"squall/orchestrator/campaign"
	"squall/orchestrator/testplan"
	"squall/reports"
)

// campaignFlags are the flags of `squall campaign`.
type campaignFlags struct {
	over    campaign.Overrides
	out     string
	fresh   bool
	label   string
	dryRun  bool
	json    bool
	verbose bool
	outputs outputFlags
}

func (a *app) campaignCommand() *cobra.Command {
	var flags campaignFlags
	cmd := &cobra.Command{
		Use:   "campaign CAMPAIGN.yaml",
		Short: "Run many tests: every cell of a matrix, a few at once",
		Long: `Run every test that a campaign file's matrix expands to, a few at once, each
in a network of its own, and write their reports. squall init writes an example.

The same command resumes a campaign that was interrupted by Ctrl-C, a crash or
its budget: finished cells are not run again.

The first Ctrl-C ends the running cells and writes the reports; the second quits
immediately.`,
		Args:              exactlyOne("a campaign file"),
		RunE:              func(cmd *cobra.Command, args []string) error { return a.runCampaign(cmd, args[0], &flags) },
		ValidArgsFunction: completeTestFiles,
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.IntVarP(&flags.over.Jobs, "jobs", "j", 0, "cells at once; 0: set by the file, else by cores and memory")
	f.DurationVar(&flags.over.Budget, "budget", 0, "time after which no more cells begin; 0: set by the file")
	f.BoolVar(&flags.fresh, "new", false, "start afresh, even if an earlier campaign was interrupted")
	f.StringVar(&flags.label, "label", "", "what to call it in the trends over campaigns, such as the commit under test")
	f.BoolVar(&flags.dryRun, "dry-run", false, "print the cells and the time they will take, and exit")
	f.Uint64Var(&flags.over.Seed, "seed", 0, "the seed, or the first seed; 0: set by the file")
	f.StringVar(&flags.over.Runtime, "runtime", "", "where nodes run: auto, docker or local (default: set by the file)")
	f.StringVar(&flags.over.Baseline, "baseline", "", "earlier campaign to compare with: a significant loss beyond the tolerance fails")
	f.StringVar(&flags.over.Tolerance, "tolerance", "", "share that may be lost against the baseline, such as 5% (default: set by the file)")
	f.StringVar(&flags.out, "out", testplan.DefaultTest().Out, "folder of runs; the campaign goes to campaigns/ below it")
	f.IntVar(&flags.over.MaxCells, "max-cells", 0,
		fmt.Sprintf("refuse a campaign with more cells; 0: set by the file, else %d", campaign.DefaultMaxCells))
	f.BoolVar(&flags.json, "json", false, "print the record as JSON on stdout, everything else on stderr")
	flags.outputs.add(cmd)
	f.BoolVarP(&flags.verbose, "verbose", "v", false, "log every step of every cell on stderr")
	completeOptions(cmd)
	return cmd
}

// exactlyOne wants one argument.
func exactlyOne(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return usageError(fmt.Errorf("%s is missing: squall %s", what, cmd.Use))
		}
		return oneArg(cmd, args)
	}
}

// check refuses flags whose values cannot be.
func (f *campaignFlags) check() error {
	scratch := testplan.DefaultTest()
	runtime, _ := testplan.FindOption("runtime")
	switch {
	case f.over.Jobs < 0 || f.over.Jobs > 256:
		return fmt.Errorf("--jobs: expected a whole number from 1 to 256, found %d", f.over.Jobs)
	case f.over.MaxCells < 0 || f.over.MaxCells > campaign.MostCells:
		return fmt.Errorf("--max-cells: expected a whole number from 1 to %d, found %d", campaign.MostCells, f.over.MaxCells)
	case f.over.Budget < 0 || f.over.Budget > 0 && f.over.Budget < time.Second:
		return fmt.Errorf("--budget: expected a second or more, found %v", f.over.Budget)
	case f.over.Runtime != "":
		if err := runtime.Set(&scratch, f.over.Runtime); err != nil {
			return fmt.Errorf("--runtime: %w", err)
		}
	}
	return nil
}

// command repeats or resumes a campaign.
func (f *campaignFlags) command(program, file string, cmd *cobra.Command) string {
	words := []string{program, "campaign", testplan.Quote(file)}
	for _, name := range []string{"jobs", "budget", "seed", "runtime", "baseline", "tolerance", "out", "max-cells"} {
		if flag := cmd.Flags().Lookup(name); flag.Changed {
			words = append(words, "--"+name, testplan.Quote(flag.Value.String()))
		}
	}
	return strings.Join(words, " ")
}

func (a *app) runCampaign(cmd *cobra.Command, path string, flags *campaignFlags) error {
	if err := flags.check(); err != nil {
		return usageError(err)
	}
	file, err := campaign.Read(path, flags.over)
	if err != nil {
		return usageError(err)
	}
	plan, err := campaign.NewPlan(file, version, a.program, flags.command(a.program, path, cmd))
	if err != nil {
		return usageError(err)
	}
	if text := testplan.InsteadOf(file.Old()); text != "" {
		plain.Fprintf(a.errOut, "squall: %s: %s\n", path, text)
	}
	if flags.dryRun {
		if err := a.dryCampaign(plan, flags.json); err != nil {
			return err
		}
		places, err := a.openAll(cmd.Context(), plan.Runtimes(), nil)
		if err != nil {
			return &exitError{exitInvalid, err}
		}
		defer places.close()
		return notRun(places.preflight(cmd.Context(), plan.Tests()), nil)
	}
	return a.storms(cmd.Context(), plan, flags)
}

// storms runs the campaign.
func (a *app) storms(ctx context.Context, plan *campaign.Plan, flags *campaignFlags) error {
	human := a.out // --json keeps stdout for the record
	if flags.json {
		human = a.errOut
	}
	outcome, err := a.runCells(ctx, plan, human, flags.verbose, campaign.Config{Out: flags.out, New: flags.fresh, Label: flags.label,
		Report: reports.WriteChecked, Pages: reports.WriteCampaign})
	return a.concludeCampaign(ctx, plan, outcome, err, human, flags)
}

// runCells runs the cells of a campaign, with progress to human. It fills in what cfg
// needs beside where runs go and what is written of them. Without an outcome nothing
// was run.
func (a *app) runCells(ctx context.Context, plan *campaign.Plan, human io.Writer, verbose bool, cfg campaign.Config) (*campaign.Outcome, error) {
	var log *slog.Logger
	if verbose {
		log = slog.New(slog.NewTextHandler(a.errOut, nil))
	}
	places, err := a.openAll(ctx, plan.Runtimes(), log)
	if err != nil {
		return nil, &exitError{exitInvalid, err}
	}
	defer places.close()
	if err := places.preflight(ctx, plan.Tests()); err != nil {
		return nil, notRun(err, nil)
	}
	for _, line := range places.lines(ctx) {
		fmt.Fprintln(human, line)
	}
	ctx, stop, release := a.interruptible(ctx, human)
	defer release()
	progress := newCampaignProgress(human)
	defer progress.end()
	build := buildOnce(a.build)
	cfg.Progress, cfg.Stop, cfg.Check, cfg.Clean = progress, stop, orchestrator.Check, places.clean
	cfg.Run = func(ctx context.Context, p *testplan.Plan, progress orchestrator.Progress, stop <-chan struct{}) (*orchestrator.Outcome, error) {
		return orchestrator.Run(ctx, p, orchestrator.Config{Version: version, Runtime: places[p.Test.Runtime], Build: build,
			CanBuild: canBuild, Images: openImages(log), Log: log, Progress: progress, Stop: stop})
	}
	return campaign.Run(ctx, plan, cfg)
}

// concludeCampaign prints the end of a campaign.
func (a *app) concludeCampaign(ctx context.Context, plan *campaign.Plan, o *campaign.Outcome, err error, human io.Writer, flags *campaignFlags) error {
	if o == nil {
		return err
	}
	if flags.json {
		if err := printJSON(a.out, campaignOutput{Campaign: o.Record, Dir: o.Dir, Interrupted: o.Interrupted}); err != nil {
			return err
		}
	}
	trends, trendsErr := reports.WriteTrends(context.WithoutCancel(ctx), filepath.Dir(o.Dir))
	o.PagesErr = errors.Join(o.PagesErr, trendsErr)
	printCampaign(human, o.Record, o.Dir, trends, plan.Command)
	if outputs, outputErr := reports.CampaignOutputs(o.Dir); outputErr != nil {
		o.PagesErr = errors.Join(o.PagesErr, outputErr)
	} else {
		o.PagesErr = errors.Join(o.PagesErr, flags.outputs.publish(human, outputs))
	}
	code := exitOfCampaign(o.Record)
	switch {
	case errors.Is(err, errLeave) && code != exitViolation:
		return &exitError{exitInterrupted, err}
	case err != nil && code != exitViolation:
		return &exitError{exitInvalid, err}
	case err != nil:
		return &exitError{code, err}
	case o.PagesErr != nil:
		plain.Fprintf(a.errOut, "squall: the record is saved, but its pages could not be written: %v\n", o.PagesErr)
	}
	switch {
	case o.Interrupted && code != exitViolation:
		return &exitError{code: exitInterrupted}
	case code == exitPass && o.PagesErr != nil:
		return &exitError{code: exitInvalid}
	case code == exitPass:
		return nil
	}
	return &exitError{code: code}
}

// campaignOutput is what `squall campaign --json` prints: campaign.json, and
// where it is.
type campaignOutput struct {
	*ledger.Campaign
	Dir         string `json:"dir"`
	Interrupted bool   `json:"interrupted"`
}

// dryCampaign prints the cells and the time that they will take.
func (a *app) dryCampaign(plan *campaign.Plan, asJSON bool) error {
	if asJSON {
		type cell struct {
			ledger.Cell
			Seconds float64 `json:"seconds"`
		}
		var cells []cell
		for i := range plan.Cells {
			cells = append(cells, cell{plan.Cells[i], plan.CellTime(i).Seconds()})
		}
		return printJSON(a.out, map[string]any{"name": plan.File.Name, "digest": plan.Digest, "jobs": plan.Jobs, "jobsWhy": plan.JobsWhy,
			"seconds": plan.Total().Seconds(), "budgetSeconds": plan.File.Budget.Seconds(), "cells": cells})
	}
	plain.Fprintf(a.out, "%s: %d cells, %d at once (%s)\n\n", plan.File.Name, len(plan.Cells), plan.Jobs, plan.JobsWhy)
	table := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "    #\tcell\tnodes\tworkload\tnemesis\tseed\ttakes about")
	for i, c := range plan.Cells {
		plain.Fprintf(table, "%5d\t%s\t%d\t%s\t%s\t%d\t%v\n", i+1, c.ID, c.Nodes, c.Workload, plain.Fit(c.Nemesis, 40), c.Seed, plan.CellTime(i))
	}
	table.Flush()
	plain.Fprintf(a.out, "\ntotal time: about %v", plan.Total().Round(time.Second))
	if b := plan.File.Budget; b > 0 {
		plain.Fprintf(a.out, "; after its budget of %v no more cells begin", b)
	}
	plain.Fprintf(a.out, "\nrun      %s\n", plan.Command)
	return nil
}

// mostListed bounds the cells that are printed in the end.
const mostListed = 20

// printCampaign prints the cells that did not pass, and what to do.
func printCampaign(w io.Writer, c *ledger.Campaign, dir, trends, command string) {
	fmt.Fprintln(w)
	bad := slices.DeleteFunc(slices.Clone(c.Cells), func(cell ledger.Cell) bool {
		return cell.State != ledger.Done || cell.Last().Verdict == check.Pass && len(cell.Last().Missed) == 0
	})
	for i, cell := range bad {
		if i == mostListed {
			plain.Fprintf(w, "  … and %d more\n", len(bad)-i)
			break
		}
		printCell(w, cell, dir)
	}
	s := campaign.Count(c)
	plain.Fprintf(w, "campaign %s: %d of %d cells done: %s\n", c.Name, s.Done, s.Total, tally(s))
	if n := repeated(c); n > 0 {
		plain.Fprintf(w, "         invalid runs repeated: %d\n", n)
	}
	if c.Stopped != "" {
		plain.Fprintf(w, "stopped  %s\n", c.Stopped)
	}
	if page := filepath.Join(dir, reports.IndexFile); exists(page) {
		plain.Fprintf(w, "report   %s\n", page)
	}
	if trends != "" {
		plain.Fprintf(w, "trends   %s\n", trends)
	}
	plain.Fprintf(w, "record   %s\n", filepath.Join(dir, ledger.FileName))
	verb := "repeat"
	if !c.Finished() {
		verb = "resume"
	}
	plain.Fprintf(w, "%s   %s\n", verb, command)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func printCell(w io.Writer, cell ledger.Cell, dir string) {
	last := cell.Last()
	plain.Fprintf(w, "  %s %s  %s\n", symbol(last.Verdict), strings.ToUpper(string(last.Verdict)), cell.ID)
	if last.Reason != "" {
		plain.Fprintf(w, "      %s\n", plain.Fit(firstLine(last.Reason), 200))
	}
	for _, missed := range last.Missed {
		plain.Fprintf(w, "      threshold missed: %s\n", missed)
	}
	if last.Dir != "" {
		plain.Fprintf(w, "      %s\n", filepath.Join(dir, filepath.FromSlash(last.Dir), reports.ReportFile))
	}
	plain.Fprintf(w, "      %s\n", cell.Command)
}

// repeated counts the invalid runs that were followed by another.
func repeated(c *ledger.Campaign) int {
	n := 0
	for i := range c.Cells {
		n += c.Cells[i].InvalidAttempts()
		if last := c.Cells[i].Last(); last != nil && last.Verdict == check.Invalid && !last.Interrupted {
			n--
		}
	}
	return n
}

// tally says how many cells have which verdict.
func tally(s campaign.Status) string {
	var parts []string
	for _, v := range []check.Verdict{check.Pass, check.Violation, check.Unknown, check.Invalid} {
		if n := s.Verdicts[v]; n > 0 || v == check.Pass {
			parts = append(parts, fmt.Sprintf("%d %s", n, v))
		}
	}
	if s.Missed > 0 {
		parts = append(parts, fmt.Sprintf("%d missed a threshold", s.Missed))
	}
	return strings.Join(parts, ", ")
}
