// Package lock is the workload of locks: clients acquire them, hold them for a few
// operations, and release them, with a fencing token that each grant brings.
//
// What makes it bite:
//   - few locks and many clients: most requests find the lock held, and the answer
//     names the owner, so a node that answers from old state, or forgot who holds a
//     lock, contradicts another;
//   - every acquire has an owner of its own, so that an answer names the one
//     operation that it observed;
//   - now and then a lock is released once more, with a token that is over: that must
//     be refused even when others have held the lock since;
//   - locks have no lease, so mutual exclusion is exact. One whose acquire was not
//     answered may stay held for good; locks are retired after some operations.
package lock

import (
	"context"
	"fmt"
	"strconv"

	"squall/history"
	"squall/history/check"
	"squall/history/check/linearizable"
	"squall/history/check/service"
	"squall/history/objects"
	"squall/internal/declare"
	"squall/workloads"
	"squall/workloads/systems"
)

// Workload is the workload "lock".
func Workload() workloads.Workload {
	model := linearizable.LockModel()
	return workloads.Workload{
		Name: "lock",
		Doc:  "acquire and release locks with fencing tokens; no lock may ever be held by two, and tokens must grow",
		Params: declare.Params{
			{Name: "keys", Kind: declare.Count, Default: "5", Min: "1", Max: "1000", Unit: "locks",
				Doc: "locks in use at a time; the fewer, the more clients meet on one lock"},
			{Name: "ops-per-key", Kind: declare.Count, Default: "100", Min: "10", Max: "5000", Unit: "operations",
				Doc: "acquires of a lock before a new lock replaces it"},
			{Name: "hold", Kind: declare.Share, Default: "50%", Min: "0%", Max: "95%",
				Doc: "how often a client that holds a lock tries another one before it releases it"},
			{Name: "again", Kind: declare.Share, Default: "5%", Min: "0%", Max: "50%",
				Doc: "how many operations release a lock again that the client has released"},
		},
		Functions: model.Functions,
		New:       newLoad,
		Do:        workloads.On(do),
		Checkers: func() []check.Checker {
			return []check.Checker{linearizable.Checker(model), service.Durability(service.LockWrites())}
		},
	}
}

// Client is a connection that this workload can use. Its methods are safe for
// concurrent use, and return soon after their context ends. An error is read with
// systems.Certain and systems.Lost.
type Client interface {
	systems.Client
	// Acquire takes a lock that nobody holds, until it is released. token, above 0,
	// is higher than that of every earlier grant of this lock; if it was not granted,
	// token is 0 and holder is the owner who holds it, possibly owner itself.
	Acquire(ctx context.Context, key, owner string) (token uint64, holder string, err error)
	// Release gives back a lock that owner holds with that token. released is false
	// when it does not hold it so.
	Release(ctx context.Context, key, owner string, token uint64) (released bool, err error)
}

func do(ctx context.Context, client Client, op *history.Op) error {
	switch op.Func {
	case objects.Acquire:
		owner, _ := op.In.Text()
		token, holder, err := client.Acquire(ctx, op.Key, owner)
		switch {
		case err != nil:
			return err
		case token != 0:
			op.Out = history.Data(strconv.FormatUint(token, 10))
		default:
			op.Out = history.Text(holder)
		}
		return nil
	case objects.Release:
		owner, _ := op.In.At("0").Text()
		token, err := strconv.ParseUint(string(op.In.At("1")), 10, 64)
		if err != nil {
			return &systems.Error{Certain: true, Err: fmt.Errorf("release without a token: %w", err)}
		}
		released, err := client.Release(ctx, op.Key, owner, token)
		if err != nil {
			return err
		}
		op.Out = history.False
		if released {
			op.Out = history.True
		}
		return nil
	}
	return workloads.Unknown(op)
}
