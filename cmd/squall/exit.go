package main

import (
	"errors"

	"squall/history/check"
	"squall/history/ledger"
)

// The exit codes of squall. This file is their one definition; the README and
// docs/exit-codes.md repeat it for people.
const (
	exitPass        = 0   // every check passed
	exitViolation   = 1   // the system under test broke a guarantee
	exitUnknown     = 2   // a check could not decide within its limits
	exitThreshold   = 3   // a threshold was missed
	exitInvalid     = 4   // the infrastructure failed, or the test was too quiet
	exitUsage       = 64  // wrong flags, or a mistake in the test file
	exitInterrupted = 130 // stopped by Ctrl-C, or the check of a run that was
)

func exitOf(v check.Verdict) int {
	switch v {
	case check.Pass:
		return exitPass
	case check.Violation:
		return exitViolation
	case check.Unknown:
		return exitUnknown
	}
	return exitInvalid
}

// exitOfRun is that of its verdict; a threshold that was missed is worse than a
// verdict that is unknown. A run that was stopped early ends with the code of that,
// unless it found a violation, and so does every check of it.
func exitOfRun(r *check.Results) int {
	if r.Stopped != "" && r.Verdict != check.Violation {
		return exitInterrupted
	}
	if len(r.Missed()) > 0 && (r.Verdict == check.Pass || r.Verdict == check.Unknown) {
		return exitThreshold
	}
	return exitOf(r.Verdict)
}

// exitOfCampaign is that of its worst cell: a violation, then a threshold, then
// unknown, then invalid. A campaign that is not over has not passed: what was
// not run is unknown.
func exitOfCampaign(c *ledger.Campaign) int {
	found := map[int]bool{}
	for i := range c.Cells {
		last := c.Cells[i].Last()
		switch {
		case c.Cells[i].State != ledger.Done:
			found[exitUnknown] = true
			continue
		case len(last.Missed) > 0 && last.Verdict != check.Invalid:
			found[exitThreshold] = true
		}
		found[exitOf(last.Verdict)] = true
	}
	for _, t := range c.Thresholds {
		found[exitThreshold] = found[exitThreshold] || !t.Met
	}
	if c.Baseline != nil {
		for _, row := range c.Baseline.Rows {
			found[exitThreshold] = found[exitThreshold] || row.Lost
		}
	}
	for _, code := range []int{exitViolation, exitThreshold, exitUnknown, exitInvalid} {
		if found[code] {
			return code
		}
	}
	return exitPass
}

// exitError is an error with the exit code it leads to. Err may be nil: then
// everything was said already.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

func usageError(err error) error { return &exitError{exitUsage, err} }

// exitCode is the code for what a command returned. An error that nobody gave
// a code to is one of the infrastructure.
func exitCode(err error) int {
	var exit *exitError
	switch {
	case err == nil:
		return exitPass
	case errors.As(err, &exit):
		return exit.code
	}
	return exitInvalid
}
