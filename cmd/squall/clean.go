package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"squall/orchestrator/docker"
	"squall/orchestrator/local"
)

func (a *app) cleanCommand() *cobra.Command {
	var options docker.CleanOptions
	cmd := &cobra.Command{
		Use:   "clean",
		Short: "Remove what killed or kept runs left behind",
		Long: `Remove what killed or kept runs left behind: containers, networks and volumes in Docker, also those of runs that are
under way there; disks and control groups of local runs that have ended.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return errors.Join(a.cleanLocal(options.Run), a.cleanDocker(cmd.Context(), options))
		},
	}
	cmd.Flags().StringVar(&options.Run, "run", "", "only what this run left: the name of its run directory")
	cmd.Flags().BoolVar(&options.Images, "images", false, "remove the cached images too")
	return cmd
}

func (a *app) cleanLocal(run string) error {
	report, err := local.Clean(local.Options{}, run)
	fmt.Fprintf(a.out, "local: removed what %d runs left", report.Runs)
	if report.InUse > 0 {
		fmt.Fprintf(a.out, "; %d are under way and were left alone", report.InUse)
	}
	fmt.Fprintln(a.out)
	return err
}

func (a *app) cleanDocker(ctx context.Context, options docker.CleanOptions) error {
	runtime, err := docker.New(ctx, docker.Options{})
	if err != nil && !docker.Named() {
		fmt.Fprintln(a.out, "docker: there is no engine here")
		return nil
	}
	if err != nil {
		return err
	}
	defer runtime.Close()
	report, err := runtime.Clean(ctx, options)
	fmt.Fprintf(a.out, "docker: removed %d containers, %d networks, %d volumes, %d images\n",
		report.Containers, report.Networks, report.Volumes, report.Images)
	return err
}
