package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"squall/internal/plain"
	"squall/nodeimage"
	"squall/orchestrator/docker"
	"squall/orchestrator/local"
	"squall/orchestrator/machines"
)

func (a *app) cleanCommand() *cobra.Command {
	var options docker.CleanOptions
	cmd := &cobra.Command{
		Use:   "clean",
		Short: "Remove what killed or kept runs left behind",
		Long: `Remove what killed or kept runs left behind: containers, networks and volumes in Docker, disks and control groups of local
runs, and builds of the node that were killed. Runs that are under way are left alone.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			inLocal, localErr := a.cleanLocal(options.Run)
			err := errors.Join(localErr, a.cleanBuilds(options.Run), a.cleanFiles(options.Images))
			inDocker, dockerErr := a.cleanDocker(cmd.Context(), options)
			if err = errors.Join(err, dockerErr); err == nil && options.Run != "" && !inLocal && !inDocker {
				plain.Fprintf(a.out, "nothing is left of a run called %s; what Docker shows as squall-NAME.abcdefgh is of run NAME\n", options.Run)
			}
			return err
		},
	}
	cmd.Flags().StringVar(&options.Run, "run", "", "only what this run left: the name of its run directory")
	cmd.Flags().BoolVar(&options.Images, "images", false, "remove the cached images too, and the files of machines that are kept for the next run")
	cmd.Flags().BoolVar(&options.Force, "force", false, "remove also the containers of runs that are under way, which ends them")
	return cmd
}

// cleanLocal says what it removed; found is whether there was anything.
func (a *app) cleanLocal(run string) (found bool, err error) {
	report, err := local.Clean(local.Options{}, run)
	fmt.Fprintf(a.out, "local: removed what %s left%s\n", runCount(report.Runs), leftAlone(report.InUse))
	return report != local.Report{}, err
}

// cleanBuilds removes builds that were killed, which are no run's.
func (a *app) cleanBuilds(run string) error {
	if run != "" {
		return nil
	}
	n, err := nodeimage.CleanBuilds()
	if n > 0 {
		fmt.Fprintf(a.out, "builds: removed %d that were killed\n", n)
	}
	return err
}

// cleanFiles removes the files of machines that are kept for the next run, which
// makes its copies anew, and what they were made of. Those of runs that are under way are links, or in images.
func (a *app) cleanFiles(wanted bool) error {
	if !wanted {
		return nil
	}
	store, err := nodeimage.Files()
	if err != nil {
		return err
	}
	builder, err := nodeimage.Programs()
	if err != nil {
		return err
	}
	var errs []error
	for _, kept := range []struct {
		what  string
		clear func() (int, error)
	}{{"files", store.Clear}, {"programs that were built", builder.Clear}, {"files out of images", nodeimage.ClearExtracts}} {
		n, err := kept.clear()
		if n > 0 {
			fmt.Fprintf(a.out, "%s: removed %d\n", kept.what, n)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// cleanDocker does as cleanLocal.
func (a *app) cleanDocker(ctx context.Context, options docker.CleanOptions) (found bool, err error) {
	runtime, err := docker.New(ctx, docker.Options{})
	if err != nil && !docker.Named() {
		fmt.Fprintln(a.out, "docker: there is no engine here")
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer runtime.Close()
	report, err := runtime.Clean(ctx, options)
	fmt.Fprintf(a.out, "docker: removed %s, %s, %s, %s%s\n", countOf(report.Containers, "container"), countOf(report.Networks, "network"),
		countOf(report.Volumes, "volume"), countOf(report.Images, "image"), leftAlone(report.InUse))
	report.Images = 0 // are no run's
	return report != docker.Report{}, err
}

func runCount(n int) string { return countOf(n, "run") }

// countOf is a number of things in words.
func countOf(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}

func leftAlone(n int) string {
	switch n {
	case 0:
		return ""
	case 1:
		return "; 1 run is under way and was left alone"
	}
	return fmt.Sprintf("; %d runs are under way and were left alone", n)
}

// leftovers says what there is to clean; "" is nothing. What cannot be asked is
// left out: it is no reason to fail.
func leftovers(ctx context.Context, engine *docker.Runtime) string {
	var parts []string
	if n, err := local.Leftovers(local.Options{}); err == nil && n > 0 {
		parts = append(parts, runCount(n)+" in local")
	}
	if engine != nil {
		if n, err := engine.Leftovers(ctx); err == nil && n > 0 {
			parts = append(parts, runCount(n)+" in Docker")
		}
	}
	if stale, err := nodeimage.StaleBuilds(); err == nil && len(stale) > 0 {
		parts = append(parts, countOf(len(stale), "killed build")+" of the node")
	}
	return strings.Join(parts, ", ")
}

// mentionLeftovers says in one line that there is something to clean.
func (a *app) mentionLeftovers(ctx context.Context, w io.Writer, runtime machines.Runtime) {
	engine, _ := runtime.(*docker.Runtime)
	if text := leftovers(ctx, engine); text != "" {
		fmt.Fprintf(w, "leftover %s, killed or kept (`%s clean` removes them)\n", text, a.program)
	}
}
