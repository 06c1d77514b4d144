package validity

import (
	"context"
	"fmt"

	"squall/history"
	"squall/history/check"
)

// Observed returns the checker "activity" for a history that another tool recorded, whose
// test is over and whose load is not known: it says Invalid where no operation was answered
// with anything that a check could have found wrong. However few there are otherwise, they
// are what somebody wants to have judged.
func Observed() check.Checker { return observedAny{} }

type observedAny struct{}

var _ check.Checker = observedAny{}

func (observedAny) Name() string { return "activity" }

// Check implements Checker.
func (observedAny) Check(ctx context.Context, in *check.Input) check.Result {
	b := check.NewBudget(ctx, in.Limits)
	defer b.Cancel()
	answered, told := 0, 0
	for i := range in.Ops {
		if stop := b.Spent(); stop != "" {
			return check.Result{Verdict: check.Unknown, Summary: stop}
		}
		op := &in.Ops[i]
		if op.Outcome != history.OK {
			continue
		}
		answered++
		// What was acquired or released was free or held.
		if in.Functions.Reads(op.Func) || op.Out != "" || op.In == "" {
			told++
		}
	}
	res := check.Result{Verdict: check.Pass, Stats: map[string]float64{"ok": float64(answered), "reads": float64(told)}}
	res.Summary = fmt.Sprintf("%s succeeded, %d of them with an answer to check", check.Counted(answered, "operation", "operations"), told)
	if told == 0 {
		res.Verdict = check.Invalid
		res.Summary += ": nothing could have been found wrong, so nothing is shown"
	}
	return res
}
