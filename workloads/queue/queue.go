// Package queue is the workload of putting unique values into several queues and taking
// them out: "queue" of queues that keep no order, "fifo-queue" of those that do.
//
// Each value is put in once, so a dequeue names the one operation that it observed. Queues
// are retired after some hundred operations; now and then a value is taken out of a
// retired one, and when the storm is over all that are remembered are drained: a value
// that is lost shows then at the latest, but for as many as dequeues are of unknown outcome.
package queue

import (
	"context"
	"errors"

	"squall/history"
	"squall/history/check"
	"squall/history/check/linearizable"
	"squall/history/objects"
	"squall/internal/declare"
	"squall/workloads"
	"squall/workloads/systems"
)

// Workload is the workload "queue".
func Workload() workloads.Workload {
	w := of(linearizable.QueueModel())
	w.Doc = "put unique values into several queues and take them out, in any order; none may be lost, taken twice or come from nowhere"
	return w
}

// FIFO is the workload "fifo-queue".
func FIFO() workloads.Workload {
	w := of(linearizable.FIFOQueueModel())
	w.Doc = "put unique values into several queues and take them out; none may be lost, taken twice, come from nowhere or be taken out of order"
	w.Do = workloads.On(func(ctx context.Context, client FIFOClient, op *history.Op) error { return do(ctx, client, op) })
	return w
}

func of(model linearizable.Model) workloads.Workload {
	return workloads.Workload{
		Name: model.Name,
		Params: declare.Params{
			{Name: "keys", Kind: declare.Count, Default: "3", Min: "1", Max: "1000", Unit: "queues",
				Doc: "queues in use at a time; the fewer, the more clients meet on one queue"},
			{Name: "ops-per-key", Kind: declare.Count, Default: "300", Min: "10", Max: "100000", Unit: "operations",
				Doc: "operations on a queue before a new one replaces it"},
			{Name: "dequeues", Kind: declare.Share, Default: "50%", Min: "10%", Max: "90%",
				Doc: "how many operations take a value out; the more, the more often a queue is empty"},
			{Name: "look-back", Kind: declare.Share, Default: "5%", Min: "0%", Max: "50%",
				Doc: "how many operations take a value out of a queue that was replaced lately"},
		},
		Functions: model.Functions,
		New:       newLoad,
		Do:        workloads.On(do),
		Checkers:  func() []check.Checker { return []check.Checker{linearizable.Checker(model)} },
	}
}

// Client is a connection that this workload can use. Its methods are safe for concurrent
// use, and return soon after their context ends. An error is read with systems.Certain
// and systems.Lost.
type Client interface {
	systems.Client
	// Enqueue puts a value into a queue, which begins to exist with its first.
	Enqueue(ctx context.Context, key, value string) error
	// Dequeue takes a value out; found is false when there is none.
	Dequeue(ctx context.Context, key string) (value string, found bool, err error)
}

// FIFOClient is a Client whose queues keep the order.
type FIFOClient interface {
	Client
	// KeepsOrder marks it.
	KeepsOrder()
}

func do(ctx context.Context, client Client, op *history.Op) error {
	switch op.Func {
	case objects.Enqueue:
		value, ok := op.In.Text()
		if !ok {
			return &systems.Error{Certain: true, Err: errors.New("the value to enqueue is not a string")}
		}
		return client.Enqueue(ctx, op.Key, value)
	case objects.Dequeue:
		value, found, err := client.Dequeue(ctx, op.Key)
		if err != nil {
			return err
		}
		op.Out = history.Null
		if found {
			op.Out = history.Text(value)
		}
		return nil
	}
	return workloads.Unknown(op)
}
