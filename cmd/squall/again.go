package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"

	"squall/history/check"
	"squall/internal/plain"
	"squall/orchestrator"
	"squall/orchestrator/hunt"
	"squall/orchestrator/testplan"
)

// againFlags are those of commands that run the plan of a run again, for its violation.
type againFlags struct {
	jobs    int
	check   string
	runtime string
	out     string
	json    bool
	verbose bool
}

func (f *againFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.IntVarP(&f.jobs, "jobs", "j", 0, jobsUsage)
	flags.StringVar(&f.check, "check", "", "the check whose violation is meant (default: the first that shows one)")
	flags.StringVar(&f.runtime, "runtime", "", "where nodes run: auto, docker or local (default: the run's)")
	flags.StringVar(&f.out, "out", testplan.DefaultTest().Out, "folder of the run directories")
	flags.BoolVar(&f.json, "json", false, "print the outcome as JSON on stdout, everything else on stderr")
	flags.BoolVarP(&f.verbose, "verbose", "v", false, "log every step on stderr")
}

// human is where people read.
func (f *againFlags) human(a *app) io.Writer {
	if f.json {
		return a.errOut
	}
	return a.out
}

// violation is a run that shows one, ready to be run again.
type violation struct {
	dir     string
	plan    *testplan.Plan
	checked *check.Checked
	finding hunt.Finding
	place   *place // to be closed
}

// violating reads the run that is named, and opens where its plan can be run again.
func (a *app) violating(ctx context.Context, args []string, flags *againFlags) (*violation, error) {
	if err := checkJobs(flags.jobs); err != nil {
		return nil, err
	}
	dir, err := findRun(flags.out, args)
	if err != nil {
		return nil, err
	}
	v := &violation{dir: dir}
	if v.checked, err = orchestrator.Check(ctx, dir); err != nil {
		return nil, &exitError{exitInvalid, err}
	}
	if v.finding, err = hunt.Among(hunt.Findings(v.checked.Results), flags.check); err != nil {
		return nil, usageError(fmt.Errorf("%s: %w", dir, err))
	}
	if v.plan, err = a.planAgain(dir, flags); err != nil {
		return nil, err
	}
	if v.place, err = a.openPlace(ctx, v.plan.Test, flags.jobs, flags.verbose, flags.human(a)); err != nil {
		return nil, err
	}
	plain.Fprintf(flags.human(a), "looks for %s\n", v.finding)
	return v, nil
}

// planAgain is the plan of a run, to be run where the flags say.
func (a *app) planAgain(dir string, flags *againFlags) (*testplan.Plan, error) {
	path := filepath.Join(dir, testplan.PlanFile)
	old, err := testplan.ReadPlanFile(path)
	if err != nil {
		return nil, usageError(err)
	}
	t := old.Test
	t.Out = flags.out
	if flags.runtime != "" {
		if err := checkSetting("runtime", flags.runtime); err != nil {
			return nil, err
		}
		t.Runtime = flags.runtime
	}
	plan, err := testplan.ReplayPlan(old, t, version, a.program, path)
	if err != nil {
		return nil, usageError(err)
	}
	return plan, nil
}
