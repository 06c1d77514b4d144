package validity

import (
	"context"
	"strings"

	"squall/history/check"
)

// Whole returns the checker "whole": whether a history without a load is what it
// was to be. It says Invalid when the infrastructure failed, and when the history
// ends before the test did.
func Whole() check.Checker { return whole{} }

type whole struct{}

var _ check.Checker = whole{}

// Name is "whole".
func (whole) Name() string { return "whole" }

// Check implements Checker.
func (whole) Check(_ context.Context, in *check.Input) check.Result {
	wrong := Infrastructure(in)
	if end := ended(in); end != "" {
		wrong = append(wrong, end)
	}
	if len(wrong) > 0 {
		wrong = append(wrong, Overload(in, wrong)...)
		return check.Result{Verdict: check.Invalid, Summary: strings.Join(wrong, "; ")}
	}
	return check.Result{Verdict: check.Pass, Summary: "the history is complete, and no machine was lost"}
}
