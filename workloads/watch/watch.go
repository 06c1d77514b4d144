// Package watch is the workload of watches: clients write keys below one prefix, and some
// of them watch it besides. Every event must come once, in the order of revisions, none
// lost and none early, and a watch that ends must go on where it ended.
//
// What makes it bite:
//   - each value is unique and each write is answered with its revision, so an answer of a
//     watch can be held against everything that was written, on whatever node;
//   - a watch is asked for in pieces, each from where the last one ended, while one real
//     watch stays open below them; when its connection or its node is lost, the next piece
//     begins a new one at the same revision;
//   - an answer without events must say how far it reaches, so that a watch which lost an
//     event cannot hide behind silence;
//   - now and then a watcher goes back some revisions, so that events come from the store's
//     history and not from its memory;
//   - when the storm is over, every watcher catches up, and the last part of all is
//     watched again, through every node.
package watch

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"squall/history"
	"squall/history/check"
	"squall/history/check/watches"
	"squall/history/objects"
	"squall/internal/declare"
	"squall/workloads"
	"squall/workloads/systems"
)

// Workload is the workload "watch".
func Workload() workloads.Workload {
	return workloads.Workload{
		Name: "watch",
		Doc:  "write keys below a prefix while clients watch it; every event must come once, in the order of revisions, none lost and none early",
		Params: declare.Params{
			{Name: "keys", Kind: declare.Count, Default: "10", Min: "2", Max: "100000", Unit: "keys",
				Doc: "keys below the prefix"},
			{Name: "watchers", Kind: declare.Count, Default: "6", Min: "1", Max: "1000", Unit: "clients",
				Doc: "clients that watch as well as write; the others write alone"},
			{Name: "mix", Kind: declare.Weights, Default: "50/5/45", Parts: []string{"write", "txn", "watch"}, Min: "0", Max: "1000",
				Doc: "how often a client that watches calls each function, relative to the others; a txn writes two keys at one revision"},
			{Name: "most", Kind: declare.Count, Default: "500", Min: "1", Max: "5000", Unit: "events",
				Doc: "events in one answer of a watch, about"},
			{Name: "wait", Kind: declare.Duration, Default: "100ms", Min: "10ms", Max: "1m",
				Doc: "how long a watch waits for an event, or for news of the revision"},
			{Name: "go-back", Kind: declare.Share, Default: "2%", Min: "0%", Max: "50%",
				Doc: "how many watches go back some revisions instead of going on"},
		},
		Check:     checkArgs,
		Functions: objects.WatchFunctions(),
		New:       newLoad,
		Do:        workloads.On(do),
		Checkers:  func() []check.Checker { return []check.Checker{watches.Checker()} },
	}
}

func checkArgs(a declare.Args) error {
	switch mix := a.Weights("mix"); {
	case mix[0] == 0:
		return &declare.Error{Param: "mix", Err: errors.New("mix has no writes, so there would be nothing to watch")}
	case mix[2] == 0:
		return &declare.Error{Param: "mix", Err: errors.New("mix has no watches, so nothing would be observed")}
	}
	return nil
}

// Client is a connection that this workload can use. Its methods are safe for concurrent
// use, and return soon after their context ends. An error is read with systems.Certain and
// systems.Lost.
type Client interface {
	systems.Client
	// Write stores a value and returns the revision at which it did.
	Write(ctx context.Context, key, value string) (revision int64, err error)
	// WriteAll stores pairs of keys and values, all at one revision.
	WriteAll(ctx context.Context, pairs [][2]string) (revision int64, err error)
	// Watch tells what is written below a prefix, as objects.WatchRequest and
	// objects.WatchAnswer have it.
	Watch(ctx context.Context, prefix string, r objects.WatchRequest) (objects.WatchAnswer, error)
}

func do(ctx context.Context, client Client, op *history.Op) error {
	certain := func(err error) error { return &systems.Error{Certain: true, Err: err} }
	switch op.Func {
	case history.Write:
		value, ok := op.In.Text()
		if !ok {
			return certain(errors.New("the value to write is not a string"))
		}
		revision, err := client.Write(ctx, op.Key, value)
		return answered(op, revision, err)
	case objects.Txn:
		pairs, err := objects.ParsePairs(op.In)
		if err != nil {
			return certain(err)
		}
		revision, err := client.WriteAll(ctx, pairs)
		return answered(op, revision, err)
	case objects.Watch:
		request, err := objects.ParseWatchRequest(op.In)
		if err != nil {
			return certain(err)
		}
		answer, err := client.Watch(ctx, op.Key, request)
		if err != nil {
			return fmt.Errorf("watch from revision %d: %w", request.From, err)
		}
		op.Out = answer.Data()
		return nil
	}
	return workloads.Unknown(op)
}

func answered(op *history.Op, revision int64, err error) error {
	if err == nil {
		op.Out = history.Data(strconv.FormatInt(revision, 10))
	}
	return err
}
