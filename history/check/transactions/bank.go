package transactions

import (
	"context"
	"fmt"
	"slices"

	"squall/history"
	"squall/history/check"
	"squall/history/objects"
)

// Bank returns the checker "bank": money is moved between accounts (see
// objects.BankFunctions), so every read of all of them must find as much as there was
// at first, and no account overdrawn, unless that is allowed.
//
// It is fast and easy to understand, and it finds what breaks transactions in the middle. It does
// not say that reads are new, or that transfers took effect: for that there are "mini" and "rw".
func Bank() check.Checker { return bankCheck{} }

type bankCheck struct{}

var _ check.Checker = bankCheck{}

// Name is "bank".
func (bankCheck) Name() string { return "bank" }

// Check implements Checker.
func (bankCheck) Check(ctx context.Context, in *check.Input) check.Result {
	b := check.NewBudget(ctx, in.Limits)
	defer b.Cancel()
	k := &books{in: in}
	reads, wrong := 0, 0
	for i := range in.Ops {
		if stop := b.Spent(); stop != "" && k.worst == nil {
			return check.Result{Verdict: check.Unknown, Summary: stop}
		}
		f, err := k.look(&in.Ops[i])
		switch {
		case err != nil:
			return check.Result{Verdict: check.Unknown, Summary: err.Error()}
		case f != nil:
			wrong++
			if k.worst == nil || f.at < k.worst.at {
				k.worst = f
			}
		}
		if op := &in.Ops[i]; op.Func == history.Read && op.Outcome == history.OK {
			reads++
		}
	}
	res := check.Result{Stats: map[string]float64{"reads": float64(reads), "transfers": float64(len(k.transfers)), "wrong": float64(wrong)}}
	switch {
	case k.worst != nil:
		k.worst.show(in, &res)
		res.Anomaly, res.Summary = "", fmt.Sprintf("%s: %d of %s cannot have been of one moment", k.worst.kind, wrong, check.Counted(reads, "read", "reads"))
	case reads == 0:
		res.Verdict, res.Summary = check.Unknown, "no read was answered"
	default:
		res.Verdict = check.Pass
		res.Summary = fmt.Sprintf("%s found all the money, while there were %s", check.Counted(reads, "read", "reads"), check.Counted(len(k.transfers), "transfer", "transfers"))
	}
	return res
}

// books are what was seen of the bank.
type books struct {
	in        *check.Input
	transfers []transfer
	worst     *finding // the one that was certain first
}

// transfer is one that may have taken effect.
type transfer struct {
	op *history.Op
	objects.Move
}

// look takes one operation, and returns what is wrong with it.
func (k *books) look(op *history.Op) (*finding, error) {
	if op.Func == objects.Transfer {
		m, err := objects.ParseMove(op.In)
		if err == nil && op.Outcome != history.Fail {
			k.transfers = append(k.transfers, transfer{op, m})
		}
		return nil, err
	}
	if op.Func != history.Read {
		return nil, fmt.Errorf("the operation %s, which this check does not know; it knows %s", history.Show(string(op.Func)), objects.BankFunctions())
	}
	bank, err := objects.ParseBank(op.In)
	if err != nil || op.Outcome != history.OK {
		return nil, err
	}
	balances, err := objects.ParseBalances(bank, op.Out)
	if err != nil {
		return nil, err
	}
	total := int64(0)
	for account, n := range balances {
		if n < 0 && !bank.Overdraw {
			return k.overdrawn(op, account, n), nil
		}
		total += n
	}
	if want := bank.Accounts * bank.Each; total != want {
		return k.total(op, total, want), nil
	}
	return nil, nil
}

// brokenBank is what no snapshot of a bank shows: the transfers of a snapshot leave it as it is.
func brokenBank(kind check.Kind) anomaly {
	return anomaly{name: string(kind), kind: kind, weakest: snapshotIsolation}
}

func (k *books) total(op *history.Op, found, want int64) *finding {
	f := &finding{anomaly: brokenBank(check.KindTotal), at: op.Return, ops: []*history.Op{op}}
	f.tells = func() string {
		differs, by := "too few", want-found
		if by < 0 {
			differs, by = "too many", -by
		}
		told := fmt.Sprintf("%s: %d in all, and there must be %d, so it is %d %s.", k.answered(op), found, want, by, differs)
		for _, t := range slices.Backward(k.transfers) {
			if t.Amount == by && t.op.Call < op.Return && (t.op.Outcome != history.OK || t.op.Return > op.Call) {
				f.beside = append(f.beside, t.op)
				return told + fmt.Sprintf(" A transfer of as much, from %d to %d, was called on %s at %.3f s and not answered yet: it may have been seen in part.",
					t.From, t.To, history.Show(t.op.Node), k.in.Since(t.op.Call))
			}
		}
		return told
	}
	return f
}

func (k *books) overdrawn(op *history.Op, account int, balance int64) *finding {
	return &finding{anomaly: brokenBank(check.KindOverdrawn), at: op.Return, ops: []*history.Op{op}, tells: func() string {
		return fmt.Sprintf("%s: account %d holds %d, and no transfer may overdraw it.", k.answered(op), account, balance)
	}}
}

func (k *books) answered(op *history.Op) string {
	r := registers{in: k.in}
	return r.answered(op)
}
