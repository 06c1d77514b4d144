package numbers

import (
	"context"
	"fmt"

	"squall/history"
	"squall/history/check"
	"squall/history/objects"
)

// UniqueIDs returns the checker "unique-ids": of each key, no id was given twice. An id of
// a request that was not answered is nobody's, so such requests say nothing.
func UniqueIDs() check.Checker { return uniqueIDs{} }

type uniqueIDs struct{}

// Name is "unique-ids".
func (uniqueIDs) Name() string { return "unique-ids" }

// Check implements Checker.
func (uniqueIDs) Check(ctx context.Context, in *check.Input) check.Result {
	byKey, n, why := answers(ctx, in, objects.IDFunctions(), func(op *history.Op) error {
		if !objects.IsElement(op.Out) {
			return fmt.Errorf(`a generate that was answered without its id "o", a string or a number: it is %s`, objects.Brief(op.Out))
		}
		return nil
	})
	if why != "" {
		return check.Result{Verdict: check.Unknown, Summary: why}
	}
	res := check.Result{Stats: map[string]float64{"keys": float64(len(byKey)), "ids": float64(n)}}
	var worst *finding
	twice := 0
	for _, ops := range byKey {
		given := make(map[history.Data]*history.Op, len(ops))
		for _, op := range ops {
			if before := given[op.Out]; before != nil {
				twice++
				worst = first(worst, &finding{check.KindIDTwice, fmt.Sprintf("the id %s was given twice", op.Out.Show()), op, before, "but"})
				continue
			}
			given[op.Out] = op
		}
	}
	switch {
	case worst != nil:
		worst.tell(in, &res, twice)
	case n == 0:
		res.Verdict, res.Summary = check.Unknown, "no id was given, so nothing was observed"
	default:
		res.Verdict, res.Summary = check.Pass, check.Counted(n, "id, each", "ids, each")+" given once"
	}
	return res
}
