package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"squall/history/check"
	"squall/history/gate"
	"squall/orchestrator"
)

func (a *app) checkCommand() *cobra.Command {
	var asJSON bool
	var out string
	var thresholds []string
	cmd := &cobra.Command{
		Use:   "check [RUN]",
		Short: "Check a recorded run again; needs neither Docker nor network",
		Long:  "Check the history of a run again: a run directory, a number that `squall list runs` shows, or the latest.",
		Args:  oneArg,

		ValidArgsFunction: completeRuns,
		RunE: func(cmd *cobra.Command, args []string) error {
			dir, err := findRun(out, args)
			if err != nil {
				return err
			}
			results, err := checkAgain(cmd, dir, thresholds)
			if err != nil {
				return err
			}
			if asJSON {
				if err := printJSON(a.out, runOutput{Results: results, Run: dir, Command: commandOf(dir)}); err != nil {
					return err
				}
				return resultsError(results)
			}
			printVerdict(a.out, results)
			fmt.Fprintf(a.out, "\nrun      %s", dir)
			printEnd(a.out, results, dir, commandOf(dir), false)
			return resultsError(results)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the results as JSON")
	cmd.Flags().StringVar(&out, "out", orchestrator.DefaultTest().Out, "folder of the run directories")
	cmd.Flags().StringArrayVar(&thresholds, "threshold", nil,
		"bounds in place of those of the test, such as \"latency p(99) < 50ms\"; \"\" is none (docs/metrics.md)")
	return cmd
}

// checkAgain checks a run by its own thresholds, or by those given.
func checkAgain(cmd *cobra.Command, dir string, thresholds []string) (*check.Results, error) {
	if !cmd.Flags().Changed("threshold") {
		return orchestrator.Check(cmd.Context(), dir)
	}
	if _, err := gate.ParseAll(thresholds...); err != nil {
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
	dir, err := orchestrator.FindRun(out, name)
	if err != nil {
		return "", usageError(err)
	}
	return dir, nil
}

// commandOf is the command that repeats a run, "" when its plan is damaged.
func commandOf(dir string) string {
	plan, err := orchestrator.ReadPlan(dir)
	if err != nil {
		return ""
	}
	return plan.Command
}
