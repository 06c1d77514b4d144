package main

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"squall/history/check"
	"squall/internal/plain"
	"squall/orchestrator"
	"squall/orchestrator/testplan"
	"squall/reports"
)

// checkFlags are the flags of `squall check`.
type checkFlags struct {
	out        string
	thresholds []string
	json       bool
	outputs    outputFlags
	baseline   baselineFlags
	file       fileFlags
}

func (a *app) checkCommand() *cobra.Command {
	var flags checkFlags
	cmd := &cobra.Command{
		Use:   "check [RUN|FILE]",
		Short: "Check a recorded run again, or the history of another tool",
		Long: `Check the history of a run again, and judge its thresholds or those given.
RUN is a run directory, a number from squall list runs, or latest (default).
A history alone in a folder, without plan.json, is checked by its header.

FILE is a history in a file of its own, in a format that is recognised: EDN of
Jepsen, Knossos or Elle, Jepsen's text history or log, porcupine's test data or
JSON, or squall's own. A folder in which Jepsen keeps a test will do as well.
What its operations act on is recognised too, or said with --model.`,
		Example: `  squall check runs/latest
  squall check store/latest/history.edn
  squall check etcd_000.log --model cas-register
  squall check history.edn --model multi-register --initial '{:x 0, :y 0}'`,
		Args:              oneArg,
		RunE:              func(cmd *cobra.Command, args []string) error { return a.check(cmd, args, &flags) },
		ValidArgsFunction: completeRuns,
	}
	cmd.Flags().BoolVar(&flags.json, "json", false, "print the results as JSON")
	cmd.Flags().StringVar(&flags.out, "out", testplan.DefaultTest().Out, "folder of the run directories")
	cmd.Flags().StringArrayVar(&flags.thresholds, "threshold", nil,
		"bounds that replace those of the test, such as \"latency p(99) < 50ms\"; \"\" for none (docs/metrics.md)")
	flags.file.add(cmd)
	flags.baseline.add(cmd)
	flags.outputs.add(cmd)
	return cmd
}

func (a *app) check(cmd *cobra.Command, args []string, flags *checkFlags) error {
	if path, is := historyFile(args); is {
		return a.checkFile(cmd, path, flags)
	}
	if given := flags.file.given(cmd, "model", "workload", "initial", "nil"); len(given) > 0 {
		return usageError(fmt.Errorf("%s: a run says itself what it is of; only a FILE is told", given[0]))
	}
	dir, err := findRun(flags.out, args)
	if err != nil {
		return err
	}
	if err := flags.baseline.check(); err != nil {
		return err
	}
	checked, err := checkAgain(cmd, dir, flags.thresholds)
	if err != nil {
		return err
	}
	results := checked.Results
	baseline, baselineErr := flags.baseline.compare(dir, results)
	command, human := a.commandOf(dir), a.out
	if flags.json {
		human = a.errOut
		if err := printJSON(a.out, runOutput{Results: results, Run: dir, Command: command, Baseline: baseline}); err != nil {
			return err
		}
	} else {
		printVerdict(a.out, results)
		if baseline != nil {
			printComparison(a.out, baseline)
		}
		plain.Fprintf(a.out, "\nrun      %s", dir)
		printEnd(a.out, results, dir, command, false)
	}
	outputs, outputErr := reports.RunOutputs(dir, nameOf(dir), command, results, baseline)
	if outputErr == nil {
		outputErr = flags.outputs.publish(human, outputs)
	}
	return afterwards(endOfRun(results, baseline), baselineErr, outputErr)
}

// nameOf is the name of a run's test.
func nameOf(dir string) string {
	if plan, err := testplan.ReadPlan(dir); err == nil {
		return plan.Test.Name
	}
	return filepath.Base(dir)
}

// checkAgain checks a run by its own thresholds, or by those given.
func checkAgain(cmd *cobra.Command, dir string, thresholds []string) (*check.Checked, error) {
	if !cmd.Flags().Changed("threshold") {
		return orchestrator.Check(cmd.Context(), dir)
	}
	if err := testplan.CheckThresholds(thresholds...); err != nil {
		return nil, usageError(fmt.Errorf("--threshold: %w", err))
	}
	return orchestrator.CheckAgainst(cmd.Context(), dir, thresholds)
}

// findRun is the run that the arguments name.
func findRun(out string, args []string) (string, error) {
	name := ""
	if len(args) == 1 {
		name = args[0]
	}
	dir, err := testplan.FindRun(out, name)
	if err != nil {
		return "", usageError(err)
	}
	return dir, nil
}

// commandOf is the command that repeats a run, "" when its plan is damaged or
// not there.
func (a *app) commandOf(dir string) string {
	plan, err := testplan.ReadPlan(dir)
	if err != nil {
		return ""
	}
	return plan.Repeat(a.program, filepath.Join(dir, testplan.PlanFile))
}
