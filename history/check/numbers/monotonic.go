package numbers

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"squall/history"
	"squall/history/check"
	"squall/history/objects"
)

// Monotonic returns the checker "monotonic": each key is a number that only grows. What an
// increase was answered is above, and what a read was answered not below, any number that
// had been answered before it was called, to the same process or another one; and no two
// increases are answered the same number. Operations of unknown outcome may have made the
// number grow, which nothing forbids. It takes n log n.
func Monotonic() check.Checker { return monotonic{} }

type monotonic struct{}

// Name is "monotonic".
func (monotonic) Name() string { return "monotonic" }

// Check implements Checker.
func (monotonic) Check(ctx context.Context, in *check.Input) check.Result {
	byKey, n, why := answers(ctx, in, objects.MonotonicFunctions(), func(op *history.Op) error {
		if _, err := objects.WholeNumber(op.Out); err != nil {
			return fmt.Errorf(`a %s whose number "o" is none: %w`, op.Func, err)
		}
		return nil
	})
	if why != "" {
		return check.Result{Verdict: check.Unknown, Summary: why}
	}
	res := check.Result{Stats: map[string]float64{"keys": float64(len(byKey)), "answers": float64(n)}}
	var worst *finding
	wrong := 0
	for _, ops := range byKey {
		f, count := shrinks(ops)
		worst = first(worst, f)
		wrong += count
	}
	switch {
	case wrong > 0:
		worst.tell(in, &res, wrong)
	case n == 0:
		res.Verdict, res.Summary = check.Unknown, "nothing was answered, so nothing was observed"
	default:
		res.Verdict = check.Pass
		res.Summary = fmt.Sprintf("%s on %s never went back", check.Counted(n, "number", "numbers"), check.Counted(len(byKey), "key", "keys"))
	}
	return res
}

// shrinks finds what is wrong with the answers of a key, by return: the first, and how
// many.
func shrinks(byReturn []*history.Op) (worst *finding, count int) {
	byCall := slices.Clone(byReturn)
	slices.SortStableFunc(byCall, func(a, b *history.Op) int { return cmp.Compare(a.Call, b.Call) })
	given := make(map[int64]*history.Op) // by increases
	var highest *history.Op              // of those that returned so far
	most := int64(0)
	note := func(f *finding) {
		worst = first(worst, f)
		count++
	}
	for _, op := range byCall {
		for len(byReturn) > 0 && byReturn[0].Return < op.Call {
			if n := numberOf(byReturn[0]); highest == nil || n > most {
				highest, most = byReturn[0], n
			}
			byReturn = byReturn[1:]
		}
		n, grows := numberOf(op), op.Func == objects.Increase
		switch twin := given[n]; {
		case grows && twin != nil:
			if twin.Return > op.Return {
				op, twin = twin, op
			}
			note(&finding{check.KindIDTwice, fmt.Sprintf("two increases of key %s were answered %d", history.Show(op.Key), n), op, twin, "but"})
		case highest != nil && (n < most || grows && n == most):
			whose := "before that was called,"
			if highest.Process == op.Process {
				whose = "to the same process, before that was called,"
			}
			note(&finding{check.KindBackwards, fmt.Sprintf("key %s went back to %d after %d", history.Show(op.Key), n, most), op, highest, "but " + whose})
		}
		if grows && given[n] == nil {
			given[n] = op
		}
	}
	return worst, count
}

// numberOf is what an operation was answered, which is a whole number.
func numberOf(op *history.Op) int64 {
	n, _ := objects.WholeNumber(op.Out)
	return n
}
