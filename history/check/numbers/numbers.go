// Package numbers has the checks of what clients were handed: "unique-ids", that no id was
// given twice, and "monotonic", that a number which only grows is never seen to shrink.
package numbers

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"squall/history"
	"squall/history/check"
)

// finding is a violation: what an operation was answered, and which one speaks against it.
type finding struct {
	kind        check.Kind
	what        string // of the key, for the summary
	op, against *history.Op
	but         string // between the two, in the explanation
}

// tell fills in the result of a violation, the first of count.
func (f *finding) tell(in *check.Input, res *check.Result, count int) {
	res.Verdict, res.Kind, res.Key, res.FirstAt = check.Violation, f.kind, f.op.Key, in.FirstAt(f.op.Return)
	res.Summary = f.what
	if count > 1 {
		res.Summary += fmt.Sprintf("; %d such answers in all", count)
	}
	told := func(op *history.Op) string { return check.Briefly(in.Functions, op) }
	res.Explanation = fmt.Sprintf("At %.3f s %s%s answered %s, %s %s%s had answered %s, called at %.3f s, at %.3f s.%s",
		in.Since(f.op.Return), history.Show(f.op.Node), check.Standing(in, f.op.Node, f.op.Return), told(f.op), f.but,
		history.Show(f.against.Node), check.Standing(in, f.against.Node, f.against.Return), told(f.against), in.Since(f.against.Call), in.Since(f.against.Return),
		check.Elsewhere(in, f.op.Node, f.op.Return))
	res.Witness = check.WitnessOps([]*history.Op{f.against, f.op}, nil, in)
	res.Stats["violating"], res.Stats["witness"] = float64(count), 2
}

// answers are the operations that were answered, by key, each key's by return. why says
// what is wrong with one, or which limit was reached.
func answers(ctx context.Context, in *check.Input, known history.Functions, read func(op *history.Op) error) (byKey map[string][]*history.Op, n int, why string) {
	b := check.NewBudget(ctx, in.Limits)
	defer b.Cancel()
	byKey = make(map[string][]*history.Op)
	for i := range in.Ops {
		op := &in.Ops[i]
		if stop := b.Spent(); stop != "" {
			return nil, 0, stop
		}
		if !known.Have(op.Func) {
			return nil, 0, fmt.Sprintf("process %d has the operation %s, which this check does not know; it knows %s", op.Process, history.Show(string(op.Func)), known)
		}
		if op.Outcome != history.OK {
			continue
		}
		if err := read(op); err != nil {
			return nil, 0, fmt.Sprintf("process %d has, on key %s, %v", op.Process, history.Show(op.Key), err)
		}
		byKey[op.Key] = append(byKey[op.Key], op)
		n++
	}
	for _, ops := range byKey {
		slices.SortStableFunc(ops, func(a, b *history.Op) int { return cmp.Compare(a.Return, b.Return) })
	}
	return byKey, n, ""
}

// first is the earlier of two findings, the one that was certain first.
func first(a, b *finding) *finding {
	if a == nil || b != nil && b.op.Return < a.op.Return {
		return b
	}
	return a
}
