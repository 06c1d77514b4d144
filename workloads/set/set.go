// Package set is the workload of adding elements to several sets, and reading whole
// sets. Every element is unique in the test, so each read tells of every add before it
// whether it is still there: one read sees what is lost in the whole set, where the read
// of a register sees the last write alone.
//
// Sets are keys, and keys are retired after some hundred operations, so that reads stay
// cheap. Now and then a retired set is read again, and all that are remembered are read
// when the storm is over: an element that is lost shows then at the latest.
package set

import (
	"context"
	"errors"

	"squall/history"
	"squall/history/check"
	"squall/history/check/linearizable"
	"squall/history/check/service"
	"squall/history/check/sets"
	"squall/history/objects"
	"squall/internal/declare"
	"squall/workloads"
	"squall/workloads/systems"
)

// Workload is the workload "set".
func Workload() workloads.Workload {
	return workloads.Workload{
		Name: "set",
		Doc:  "add unique elements to several sets and read whole sets; no element may be lost, stale, doubled or from nowhere",
		Params: declare.Params{
			{Name: "keys", Kind: declare.Count, Default: "5", Min: "1", Max: "1000", Unit: "sets",
				Doc: "sets in use at a time; the fewer, the more clients meet on one set"},
			{Name: "ops-per-key", Kind: declare.Count, Default: "100", Min: "10", Max: "2000", Unit: "operations",
				Doc: "operations on a set before a new set replaces it; the more, the longer are sets and their reads"},
			{Name: "mix", Kind: declare.Weights, Default: "50/50", Parts: []string{"add", "read"}, Min: "0", Max: "1000",
				Doc: "how often each function is called, relative to the other"},
			{Name: "look-back", Kind: declare.Share, Default: "3%", Min: "0%", Max: "50%",
				Doc: "how many operations read a set that was replaced lately, to find elements that were lost"},
		},
		Check:     checkArgs,
		Functions: linearizable.SetModel().Functions,
		New:       newLoad,
		Do:        workloads.On(do),
		Checkers: func() []check.Checker {
			return []check.Checker{sets.Checker(), linearizable.Checker(linearizable.SetModel()), service.Durability(service.SetWrites())}
		},
	}
}

func checkArgs(a declare.Args) error {
	switch mix := a.Weights("mix"); {
	case mix[0] == 0:
		return &declare.Error{Param: "mix", Err: errors.New("mix has no adds, so there would be nothing to find")}
	case mix[1] == 0:
		return &declare.Error{Param: "mix", Err: errors.New("mix has no reads, so nothing would be observed")}
	}
	return nil
}

// Client is a connection that this workload can use. Its methods are safe for concurrent
// use, and return soon after their context ends. An error is read with systems.Certain
// and systems.Lost.
type Client interface {
	systems.Client
	// Add adds an element to a set, which begins to exist with its first.
	Add(ctx context.Context, key, element string) error
	// Elements are all elements of a set, each as often as it is there, in any order.
	Elements(ctx context.Context, key string) ([]string, error)
}

func do(ctx context.Context, client Client, op *history.Op) error {
	switch op.Func {
	case objects.Add:
		element, ok := op.In.Text()
		if !ok {
			return &systems.Error{Certain: true, Err: errors.New("the element to add is not a string")}
		}
		return client.Add(ctx, op.Key, element)
	case history.Read:
		elements, err := client.Elements(ctx, op.Key)
		if err != nil {
			return err
		}
		found := make([]history.Data, len(elements))
		for i, e := range elements {
			found[i] = history.Text(e)
		}
		op.Out = history.List(found...)
		return nil
	}
	return workloads.Unknown(op)
}
