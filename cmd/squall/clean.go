package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"squall/orchestrator/docker"
)

func (a *app) cleanCommand() *cobra.Command {
	var options docker.CleanOptions
	cmd := &cobra.Command{
		Use:   "clean",
		Short: "Remove what killed or kept runs left behind: containers, networks, volumes",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			runtime, err := docker.New(cmd.Context(), docker.Options{})
			if err != nil {
				return err
			}
			defer runtime.Close()
			report, err := runtime.Clean(cmd.Context(), options)
			fmt.Fprintf(a.out, "removed %d containers, %d networks, %d volumes, %d images\n",
				report.Containers, report.Networks, report.Volumes, report.Images)
			return err
		},
	}
	cmd.Flags().StringVar(&options.Run, "run", "", "only what this run left: the name of its run directory")
	cmd.Flags().BoolVar(&options.Images, "images", false, "remove the cached images too")
	return cmd
}
