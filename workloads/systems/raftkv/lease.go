package raftkv

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"squall/history"
	"squall/workloads/lease"
	"squall/workloads/systems"
)

var _ lease.Client = client{}

// AcquireLease takes a lock with a lease.
func (c client) AcquireLease(ctx context.Context, key, owner string, ttl time.Duration) (uint64, string, error) {
	token, holder, err := c.kv.Acquire(ctx, key, owner, ttl)
	return token, holder.Owner, errorOf(err)
}

// KeepAlive prolongs a lease.
func (c client) KeepAlive(ctx context.Context, key, owner string, token uint64, ttl time.Duration) (bool, error) {
	alive, _, err := c.kv.KeepAlive(ctx, key, owner, token, ttl)
	return alive, errorOf(err)
}

// WriteFenced replaces the token that a register holds, which has the lock's name, by one
// that is not below it. Where the register holds a higher one, a command is sent all the same,
// which changes nothing: an earlier attempt at this operation may have taken effect, and is
// answered then.
func (c client) WriteFenced(ctx context.Context, key string, token uint64) (bool, error) {
	expect, highest, err := c.fence(ctx, key)
	if err != nil { // nothing was changed so far, whatever went wrong
		return false, &systems.Error{Certain: true, Lost: systems.Lost(err), Err: err}
	}
	if highest > token {
		expect = history.Some("") // which it never holds
	}
	swapped, _, err := c.CAS(ctx, key, expect, history.Some(strconv.FormatUint(token, 10)))
	if err == nil && !swapped && highest <= token {
		return false, &systems.Error{Certain: true, Err: errors.New("another write came first")}
	}
	return swapped, err
}

// ReadFence reads the token that a register holds.
func (c client) ReadFence(ctx context.Context, key string) (uint64, error) {
	_, highest, err := c.fence(ctx, key)
	return highest, err
}

func (c client) fence(ctx context.Context, key string) (found history.Value, token uint64, err error) {
	if found, err = c.Read(ctx, key); err != nil || !found.Present {
		return found, 0, err
	}
	if token, err = strconv.ParseUint(found.Data, 10, 64); err != nil {
		return found, 0, &systems.Error{Certain: true, Err: fmt.Errorf("the register holds what is no token: %w", err)}
	}
	return found, token, nil
}
