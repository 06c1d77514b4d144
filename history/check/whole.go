package check

import (
	"context"
	"strings"
)

// Whole returns the checker "whole": whether a history without a load is what it
// was to be. It says Invalid when the infrastructure failed, and when the history
// ends before the test did.
func Whole() Checker { return whole{} }

type whole struct{}

var _ Checker = whole{}

// Name is "whole".
func (whole) Name() string { return "whole" }

// Check implements Checker.
func (whole) Check(_ context.Context, in *Input) Result {
	wrong := infrastructure(in)
	if end := ended(in); end != "" {
		wrong = append(wrong, end)
	}
	if len(wrong) > 0 {
		wrong = append(wrong, overload(in, wrong)...)
		return Result{Verdict: Invalid, Summary: strings.Join(wrong, "; ")}
	}
	return Result{Verdict: Pass, Summary: "the history is complete, and no machine was lost"}
}
