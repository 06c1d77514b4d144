// Package leases has the check "lease": locks that end by themselves, and the tokens by
// which what they protect tells who holds them.
package leases

import (
	"context"
	"errors"
	"fmt"

	"squall/history"
	"squall/history/check"
	"squall/history/objects"
)

// Checker returns the checker "lease". Of each key, a lock:
//
//   - there is one order of all grants, by their tokens, which fits the times: each owner
//     holds the lock from his grant until he released it, or his lease has ended, and the
//     next grant comes after that. What keep-alives, releases and refused acquires were
//     answered fits the same order;
//   - a lease lasts at least from the call of its acquire, or of the last keep-alive that was
//     answered true, for as long as was asked for, less the skew that the operation declares.
//     Nothing says that it ends then. All times are the recorder's. While the clock of any
//     server is bent by a fault, a lease may end at any time;
//   - fencing: a write with a token is accepted if and only if none with a higher one was
//     before, and a read finds the highest one.
//
// Operations of unknown outcome may have taken effect at any time after their call, or
// never. Each acquire must have an owner of its own, and nobody may use a token before the
// grant that told it has returned: a history that breaks this is Unknown, and so is one with
// too many acquires of unknown outcome that others saw at the same time. Apart from those
// the check takes n log n.
func Checker() check.Checker { return leases{} }

type leases struct{}

var _ check.Streamed = leases{}

// Name is "lease".
func (leases) Name() string { return "lease" }

// Check implements Checker.
func (leases) Check(ctx context.Context, in *check.Input) check.Result {
	b := check.NewBudget(ctx, in.Limits)
	defer b.Cancel()
	locks, err := readLocks(in.Ops, b)
	if err != nil {
		return check.Result{Verdict: check.Unknown, Summary: err.Error()}
	}
	bent := bentTimes(in.Faults)
	t := tally{}
	var first *conflict
	for _, l := range locks {
		c, err := l.judge(bent, b)
		if err != nil {
			if t.open == nil {
				t.open = err
			}
			continue
		}
		t.grants, t.writes = t.grants+len(l.tenures), t.writes+len(l.fixed)
		if c != nil {
			t.wrong++
			first = earlier(first, c)
		}
	}
	res := check.Result{Stats: map[string]float64{"keys": float64(len(locks)), "operations": float64(len(in.Ops)), "grants": float64(t.grants), "violating": float64(t.wrong)}}
	switch {
	case first != nil:
		first.tell(in, &res, t.wrong)
	case t.open != nil:
		res.Verdict, res.Summary = check.Unknown, t.open.Error()
	case t.grants == 0:
		res.Verdict, res.Summary = check.Unknown, "no lease was granted, so nothing was observed"
	default:
		res.Verdict = check.Pass
		res.Summary = fmt.Sprintf("%s on %s, each after the lease before it; %s kept to the order of tokens",
			check.Counted(t.grants, "grant", "grants"), check.Counted(len(locks), "key", "keys"), check.Counted(t.writes, "write and read", "writes and reads"))
	}
	return res
}

// tally counts what was looked at.
type tally struct {
	grants, writes, wrong int
	open                  error // why a key could not be decided
}

// leaseOp is an operation, read.
type leaseOp struct {
	*history.Op
	said objects.LeaseOp
}

// lock is one key.
type lock struct {
	key     string
	asked   map[history.Data]*leaseOp // acquires, by owner
	tenures []*tenure                 // of grants that were answered, by token once judged
	byOwner map[history.Data]*tenure
	rest    []leaseOp // keep-alives and releases
	refused []leaseOp // acquires
	fence
}

// readLocks reads the operations of all locks, or says what is wrong with one.
func readLocks(ops []history.Op, b *check.Budget) (locks []*lock, err error) {
	if len(ops) == 0 {
		return nil, errors.New("the history holds no operations")
	}
	byKey := make(map[string]*lock)
	for i := range ops {
		if stop := b.Spent(); stop != "" {
			return nil, errors.New(stop)
		}
		op := &ops[i]
		l := byKey[op.Key]
		if l == nil {
			l = &lock{key: op.Key, asked: make(map[history.Data]*leaseOp), byOwner: make(map[history.Data]*tenure)}
			byKey[op.Key] = l
			locks = append(locks, l)
		}
		said, err := objects.ParseLease(op)
		if err == nil {
			err = l.take(leaseOp{op, said})
		}
		if err != nil {
			return nil, fmt.Errorf("process %d has, on key %s, %w", op.Process, history.Show(op.Key), err)
		}
	}
	return locks, nil
}

// take sorts an operation in.
func (l *lock) take(o leaseOp) error {
	switch o.Func {
	case history.Write, history.Read:
		l.fence.take(o)
		return nil
	case objects.Acquire:
		if l.asked[o.said.Owner] != nil {
			return fmt.Errorf("an acquire by %s, who has asked before: this check needs an owner of its own for each", o.said.Owner.Show())
		}
		l.asked[o.said.Owner] = &o
		switch {
		case o.said.Granted:
			t := newTenure(o)
			l.tenures, l.byOwner[o.said.Owner] = append(l.tenures, t), t
		case o.said.Answered:
			l.refused = append(l.refused, o)
		}
		return nil
	}
	if o.Outcome != history.Fail && (o.said.Answered || o.Func == objects.Release) {
		l.rest = append(l.rest, o)
	}
	return nil
}

// earlier is the conflict that was certain first.
func earlier(a, b *conflict) *conflict {
	if a == nil || b != nil && b.certain() < a.certain() {
		return b
	}
	return a
}
