package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"squall/history/check"
	"squall/history/gate"
	"squall/history/ledger"
	"squall/reports"
)

// outputFlags say what is written for those who run squall for others.
type outputFlags struct {
	junit, summary string
}

func (f *outputFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.junit, "junit", "", "write a JUnit report to this file")
	cmd.Flags().StringVar(&f.summary, "summary", "", "write a Markdown summary to this file; on GitHub the job's page gets it anyway")
}

// The variables by which GitHub's runner says that it is there, and where the
// summary of a step goes.
const (
	githubVariable  = "GITHUB_ACTIONS"
	summaryVariable = "GITHUB_STEP_SUMMARY"
)

// publish writes the files that were asked for and, on GitHub, the summary of
// the step and the annotations. One that cannot be written does not keep the
// others from being written.
func (f *outputFlags) publish(w io.Writer, out *reports.Outputs) error {
	var errs []error
	if f.junit != "" {
		errs = append(errs, writeOutput(f.junit, out.JUnit))
	}
	if f.summary != "" {
		errs = append(errs, writeOutput(f.summary, []byte(out.Summary)))
	}
	if path := os.Getenv(summaryVariable); path != "" {
		errs = append(errs, appendSummary(path, out.Summary))
	}
	if os.Getenv(githubVariable) == "true" {
		_, err := io.WriteString(behind(w), out.Annotations) // commands to the runner, on purpose
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func writeOutput(path string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.WriteFile(path, content, 0o644); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// appendSummary adds to the summary of the step. GitHub throws away the whole
// when it is over a mebibyte: what does not fit beside what is there already is
// left out.
func appendSummary(path, text string) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return fmt.Errorf("write the step's summary: %w", err)
	}
	info, err := file.Stat()
	if err == nil {
		if info.Size()+int64(len(text)) > reports.MaxSummary {
			text = "squall: there is no room left here; the summary is in the report.\n"
		}
		if info.Size()+int64(len(text)) <= reports.MaxSummary {
			_, err = io.WriteString(file, text+"\n")
		}
	}
	if err := errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("write the step's summary: %w", err)
	}
	return nil
}

// baselineFlags compare a run with earlier ones.
type baselineFlags struct {
	path, tolerance string
}

func (f *baselineFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.path, "baseline", "", "compare with this run, folder of runs or campaign; exit code 3 if something is significantly worse")
	cmd.Flags().StringVar(&f.tolerance, "tolerance", percent(gate.DefaultTolerance), "share of the baseline's median that may be lost: 5% or 0.05")
}

// check says before anything is run what cannot be compared.
func (f *baselineFlags) check() error {
	if _, err := gate.ParseTolerance(f.tolerance); err != nil {
		return usageError(fmt.Errorf("--tolerance: %w", err))
	}
	if f.path == "" {
		return nil
	}
	if err := gate.CheckBaseline(f.path); err != nil {
		return usageError(fmt.Errorf("--baseline: %w", err))
	}
	return nil
}

// compare is the comparison of a run, nil where none was asked for. An invalid
// run is not compared: its figures mean nothing.
func (f *baselineFlags) compare(dir string, r *check.Results) (*ledger.Baseline, error) {
	if f.path == "" || r.Verdict == check.Invalid {
		return nil, nil
	}
	tolerance, err := gate.ParseTolerance(f.tolerance)
	if err != nil {
		return nil, usageError(fmt.Errorf("--tolerance: %w", err))
	}
	side, err := gate.OneRun(dir, r)
	if err != nil {
		return nil, err
	}
	return gate.AgainstBaseline(f.path, side, tolerance)
}

// endOfRun is the exit code of a run that may have a baseline.
func endOfRun(r *check.Results, baseline *ledger.Baseline) error {
	if baseline != nil && len(gate.Lost(baseline.Rows)) > 0 && (r.Verdict == check.Pass || r.Verdict == check.Unknown) && r.Stopped == "" {
		return &exitError{code: exitThreshold}
	}
	return resultsError(r)
}
