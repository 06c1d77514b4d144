package raftkv

import (
	"context"
	"fmt"
	"strconv"

	"squall/workloads/counter"
	"squall/workloads/monotonic"
	"squall/workloads/queue"
	"squall/workloads/setremove"
	"squall/workloads/systems"
	"squall/workloads/uniqueids"
)

var (
	_ counter.Client   = client{}
	_ queue.FIFOClient = client{}
	_ monotonic.Client = client{}
	_ uniqueids.Client = client{}
	_ setremove.Client = client{}
)

// Increase adds to a number, in one step of the servers.
func (c client) Increase(ctx context.Context, key string, by int64) error {
	_, err := c.kv.Add(ctx, key, by)
	return errorOf(err)
}

// Count reads a number, which is a string of the servers'.
func (c client) Count(ctx context.Context, key string) (int64, error) {
	text, found, err := c.kv.Get(ctx, key)
	if err != nil || !found {
		return 0, errorOf(err)
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, &systems.Error{Certain: true, Err: fmt.Errorf("the counter holds what is no number: %w", err)}
	}
	return n, nil
}

// KeepsOrder marks a queue.FIFOClient.
func (c client) KeepsOrder() {}

// Enqueue appends to a list, which makes a queue of it.
func (c client) Enqueue(ctx context.Context, key, value string) error {
	return errorOf(c.kv.Append(ctx, key, value))
}

// Dequeue takes the first element out of a list.
func (c client) Dequeue(ctx context.Context, key string) (string, bool, error) {
	value, found, err := c.kv.Pop(ctx, key)
	return value, found, errorOf(err)
}

// Grow adds 1 to a number.
func (c client) Grow(ctx context.Context, key string) (int64, error) {
	n, err := c.kv.Add(ctx, key, 1)
	return n, errorOf(err)
}

// NewID is what a number has become that 1 was added to.
func (c client) NewID(ctx context.Context, generator string) (string, error) {
	n, err := c.Grow(ctx, generator)
	return strconv.FormatInt(n, 10), err
}

// Remove takes an element out of a list, which is a set as long as nothing is added twice.
func (c client) Remove(ctx context.Context, key, element string) (bool, error) {
	removed, err := c.kv.Remove(ctx, key, element)
	return removed, errorOf(err)
}
