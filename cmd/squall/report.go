package main

import (
	"path/filepath"

	"github.com/spf13/cobra"

	"squall/internal/plain"
	"squall/orchestrator/testplan"
	"squall/reports"
)

func (a *app) reportCommand() *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:   "report [RUN]",
		Short: "Write the report of a recorded run again",
		Long: `Write report.html and the figures of a run again, from its history and results.
RUN is a run directory, a number from squall list runs, or latest (default).`,
		Args: oneArg,

		ValidArgsFunction: completeRuns,
		RunE: func(cmd *cobra.Command, args []string) error {
			dir, err := findRun(out, args)
			if err != nil {
				return err
			}
			if err := reports.Write(cmd.Context(), dir); err != nil {
				return err
			}
			plain.Fprintln(a.out, filepath.Join(dir, reports.ReportFile))
			return nil
		},
	}
	cmd.Flags().StringVar(&out, "out", testplan.DefaultTest().Out, "folder of the run directories")
	return cmd
}
