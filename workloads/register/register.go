// Package register is the workload of reads, writes and compare-and-sets on several
// registers at once. Every written value is unique in the test, so that each
// observation names the one operation it observed.
//
// What makes it bite:
//   - few keys, many clients on different nodes: a node that answers from old
//     state is soon asked for a key that others have just written elsewhere;
//   - a compare-and-set expects what was last seen of the key, so about half
//     of them succeed and tie the order of two writes down;
//   - keys are retired after some hundred operations, which keeps checking
//     cheap, but now and then a retired key is read again: a lost write stays
//     lost, and shows long after the storm moved on;
//   - some keys are written once, early, beside the others, and never again: whoever
//     loses a part of the state, as a snapshot that leaves keys out does, loses some of
//     them.
package register

import (
	"context"
	"errors"
	"slices"
	"strings"

	"squall/history"
	"squall/history/check"
	"squall/history/check/linearizable"
	"squall/history/check/service"
	"squall/internal/declare"
	"squall/workloads"
	"squall/workloads/systems"
)

// Workload is the workload "register".
func Workload() workloads.Workload {
	return workloads.Workload{
		Name: "register",
		Doc:  "read, write and compare-and-set unique values on several keys; every key must be linearizable",
		Params: declare.Params{
			{Name: "keys", Kind: declare.Count, Default: "5", Min: "1", Max: "1000", Unit: "keys",
				Doc: "keys in use at a time; the fewer, the more clients meet on one key"},
			{Name: "ops-per-key", Kind: declare.Count, Default: "300", Min: "10", Max: "5000", Unit: "operations",
				Doc: "operations on a key before a new key replaces it"},
			{Name: "mix", Kind: declare.Weights, Default: "50/30/20", Parts: []string{"read", "write", "cas"}, Min: "0", Max: "1000",
				Doc: "how often each function is called, relative to the others"},
			{Name: "look-back", Kind: declare.Share, Default: "3%", Min: "0%", Max: "50%",
				Doc: "how many operations read a key that was replaced lately, to find writes that were lost"},
			{Name: "spread", Kind: declare.Count, Default: "200", Min: "0", Max: "100000", Unit: "keys",
				Doc: "keys that are written once, by one in four of a client's operations until all are, unless the mix has no writes: a part of the state that snapshots and logs must not lose"},
			{Name: "value-size", Kind: declare.Bytes, Default: "1B", Min: "1B", Max: "64KiB",
				Doc: "how large written values are at least"},
			workloads.SkewParam(),
		},
		Check:     checkArgs,
		Without:   without,
		Functions: history.RegisterFunctions(),
		New:       newLoad,
		Do:        workloads.On(do),
		Checkers: func() []check.Checker {
			return []check.Checker{linearizable.Checker(linearizable.RegisterModel()), service.Durability(service.RegisterWrites())}
		},
	}
}

func checkArgs(a declare.Args) error {
	switch mix := a.Weights("mix"); {
	case mix[0] == 0:
		return &declare.Error{Param: "mix", Err: errors.New("mix has no reads, so nothing would be observed")}
	case mix[1] == 0 && mix[2] == 0:
		return &declare.Error{Param: "mix", Err: errors.New("mix has neither writes nor cas, so there would be nothing to observe")}
	}
	return nil
}

// without leaves functions out of the mix.
func without(a declare.Args, lacks []history.Func) declare.Args {
	mix := strings.Split(a["mix"], "/")
	for i, f := range []history.Func{history.Read, history.Write, history.CAS} {
		if slices.Contains(lacks, f) {
			mix[i] = "0"
		}
	}
	if changed := strings.Join(mix, "/"); changed != a["mix"] {
		return declare.Args{"mix": changed}
	}
	return nil
}

// Client is a connection that this workload can use. Its methods are safe for
// concurrent use, and return soon after their context ends. An error is read with
// systems.Certain and systems.Lost.
type Client interface {
	systems.Client
	Read(ctx context.Context, key string) (history.Value, error)
	Write(ctx context.Context, key string, value history.Value) error
	// CAS stores value if the key holds expect. If it does not, found is what
	// it holds.
	CAS(ctx context.Context, key string, expect, value history.Value) (swapped bool, found history.Value, err error)
	Delete(ctx context.Context, key string) error
}

// Replacer is a Client whose writes tell what they replaced, so that each is a read, too.
type Replacer interface {
	Client
	// Replace is Write, and tells what the key held before.
	Replace(ctx context.Context, key string, value history.Value) (old history.Value, err error)
}

func do(ctx context.Context, client Client, op *history.Op) error {
	switch op.Func {
	case history.Read:
		found, err := client.Read(ctx, op.Key)
		op.Out = found.AsData()
		return err
	case history.Write:
		value := op.Register().Value
		if replacer, ok := client.(Replacer); ok && value.Present {
			old, err := replacer.Replace(ctx, op.Key, value)
			op.Out = old.AsData()
			return err
		}
		return client.Write(ctx, op.Key, value)
	case history.CAS:
		said := op.Register()
		swapped, found, err := client.CAS(ctx, op.Key, said.Expect, said.Value)
		op.Out = history.CASAnswer(swapped, found)
		return err
	case history.Delete:
		return client.Delete(ctx, op.Key)
	}
	return workloads.Unknown(op)
}
