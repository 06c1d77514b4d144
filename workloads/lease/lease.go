// Package lease is the workload of locks that end by themselves: clients acquire them for a
// time, keep them alive, release them or forget them, and write to what they protect with the
// token that each grant brings.
//
// What makes it bite:
//   - leases are longer than an election, so a new leader has to know those that an earlier one
//     granted, and since when;
//   - clients that stop keeping a lease alive go on writing with its token, as one does that
//     was paused: it must be refused once a newer token was written;
//   - every acquire has an owner of its own, so that an answer names the one operation that it
//     observed.
package lease

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"squall/history"
	"squall/history/check"
	"squall/history/check/leases"
	"squall/history/check/service"
	"squall/history/objects"
	"squall/internal/declare"
	"squall/workloads"
	"squall/workloads/systems"
)

// Workload is the workload "lease".
func Workload() workloads.Workload {
	return workloads.Workload{
		Name: "lease",
		Doc:  "acquire locks for a time, keep them alive, and write with their tokens; no lease may end early, and no old token be accepted",
		Params: declare.Params{
			{Name: "keys", Kind: declare.Count, Default: "5", Min: "1", Max: "1000", Unit: "locks",
				Doc: "locks in use at a time; the fewer, the more clients meet on one lock"},
			{Name: "ops-per-key", Kind: declare.Count, Default: "1000", Min: "10", Max: "10000", Unit: "operations",
				Doc: "acquires of a lock before a new lock replaces it; with few, locks are replaced before leases end"},
			{Name: "ttl", Kind: declare.Duration, Default: "3s", Min: "10ms", Max: "1h",
				Doc: "how long a lease lasts; one longer than an election is held while leaders change"},
			{Name: "skew", Kind: declare.Duration, Default: "20ms", Min: "0s", Max: "10m",
				Doc: "by how much less of its lease a holder is sure, since clocks of computers differ"},
			{Name: "forget", Kind: declare.Share, Default: "20%", Min: "0%", Max: "100%",
				Doc: "how many leases are left to end by themselves, where others are released"},
			{Name: "reads", Kind: declare.Share, Default: "10%", Min: "0%", Max: "90%",
				Doc: "how many operations read the highest token that was written"},
			{Name: "old", Kind: declare.Share, Default: "10%", Min: "0%", Max: "50%",
				Doc: "how many operations use the token of a lease that the client has released or forgotten"},
		},
		Check:     checkArgs,
		Functions: objects.LeaseFunctions(),
		New:       newLoad,
		Do:        workloads.On(do),
		Checkers: func() []check.Checker {
			return []check.Checker{leases.Checker(), service.Durability(service.FencedWrites())}
		},
	}
}

func checkArgs(a declare.Args) error {
	if a.Duration("skew") > a.Duration("ttl")/2 {
		return &declare.Error{Param: "skew", Err: errors.New("skew is more than half of the lease, so little could be said of it")}
	}
	return nil
}

// Client is a connection that this workload can use. Its methods are safe for concurrent
// use, and return soon after their context ends. An error is read with systems.Certain and
// systems.Lost.
type Client interface {
	systems.Client
	// AcquireLease takes a lock that nobody holds, until it is released or ttl is over.
	// token, above 0, is higher than that of every earlier grant of this lock; if it was not
	// granted, token is 0 and holder is the owner who holds it.
	AcquireLease(ctx context.Context, key, owner string, ttl time.Duration) (token uint64, holder string, err error)
	// KeepAlive lets the lease of a lock that owner holds with that token end ttl from now.
	// alive is false when it does not hold it so.
	KeepAlive(ctx context.Context, key, owner string, token uint64, ttl time.Duration) (alive bool, err error)
	// Release gives back a lock that owner holds with that token. released is false when it
	// does not hold it so.
	Release(ctx context.Context, key, owner string, token uint64) (released bool, err error)
	// WriteFenced writes with a token to what the lock of this key protects. It is not
	// accepted when a write with a higher token was.
	WriteFenced(ctx context.Context, key string, token uint64) (accepted bool, err error)
	// ReadFence is the highest token that was written; 0: none was.
	ReadFence(ctx context.Context, key string) (token uint64, err error)
}

func do(ctx context.Context, client Client, op *history.Op) (err error) {
	asked := *op
	asked.Outcome = history.Info // it has no answer yet
	said, err := objects.ParseLease(&asked)
	if err != nil {
		return &systems.Error{Certain: true, Err: fmt.Errorf("this is no operation of a lease: %w", err)}
	}
	owner, _ := said.Owner.Text()
	token, yes := uint64(said.Token), false
	switch op.Func {
	case objects.Acquire:
		token, holder, err := client.AcquireLease(ctx, op.Key, owner, ttlOf(op.In))
		switch {
		case err != nil:
			return err
		case token != 0:
			op.Out = number(token)
		default:
			op.Out = history.Text(holder)
		}
		return nil
	case history.Read:
		token, err = client.ReadFence(ctx, op.Key)
		if err == nil {
			op.Out = number(token)
		}
		return err
	case objects.KeepAlive:
		yes, err = client.KeepAlive(ctx, op.Key, owner, token, ttlOf(op.In))
	case objects.Release:
		yes, err = client.Release(ctx, op.Key, owner, token)
	case history.Write:
		yes, err = client.WriteFenced(ctx, op.Key, token)
	}
	if err != nil {
		return err
	}
	op.Out = history.False
	if yes {
		op.Out = history.True
	}
	return nil
}

// ttlOf is the lease that an operation asks for.
func ttlOf(in history.Data) time.Duration {
	ms, _ := objects.WholeNumber(in.At("ttlMs"))
	return time.Duration(ms) * time.Millisecond
}

func number(token uint64) history.Data { return history.Data(strconv.FormatUint(token, 10)) }
