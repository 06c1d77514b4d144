package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"squall/orchestrator"
)

func (a *app) checkCommand() *cobra.Command {
	var asJSON bool
	var out string
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
			results, err := orchestrator.Check(cmd.Context(), dir)
			if err != nil {
				return err
			}
			if asJSON {
				if err := printJSON(a.out, runOutput{Results: results, Run: dir, Command: commandOf(dir)}); err != nil {
					return err
				}
				return verdictError(results.Verdict)
			}
			printVerdict(a.out, results)
			fmt.Fprintf(a.out, "\nrun      %s", dir)
			printEnd(a.out, results, dir, commandOf(dir), false)
			return verdictError(results.Verdict)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the results as JSON")
	cmd.Flags().StringVar(&out, "out", orchestrator.DefaultTest().Out, "folder of the run directories")
	return cmd
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
