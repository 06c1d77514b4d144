// Package listappend is the workload "append": transactions of a few operations each,
// reads of whole lists and appends to them, over several lists at once. Every element
// is unique in the test, so a read tells which appends it has seen, and in which order.
//
// What makes it bite:
//   - few lists, many clients on different nodes, and transactions that read a list and
//     append to it, or to another: what they read must be of the same moment as what
//     they append;
//   - a list remembers: an append that is lost, doubled or put elsewhere shows in every
//     later read of that list, and not only in the next;
//   - lists are retired when they have had their share of operations, so they stay short, but
//     now and then a retired one is read again: a lost append stays lost, and shows
//     long after the storm moved on.
package listappend

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"squall/history"
	"squall/history/check"
	"squall/history/check/service"
	"squall/history/check/transactions"
	"squall/history/objects"
	"squall/internal/declare"
	"squall/workloads"
	"squall/workloads/systems"
)

// Workload is the workload "append".
func Workload() workloads.Workload {
	return workloads.Workload{
		Name: "append",
		Doc:  "transactions that read lists and append unique elements to them; each list must have one order that explains every answer",
		Params: declare.Params{
			{Name: "keys", Kind: declare.Count, Default: "3", Min: "1", Max: "1000", Unit: "lists",
				Doc: "lists in use at a time; the fewer, the more transactions meet on one list"},
			{Name: "ops-per-key", Kind: declare.Count, Default: "100", Min: "10", Max: "1000", Unit: "operations",
				Doc: "reads and appends of a list before a new list replaces it"},
			{Name: "length", Kind: declare.Count, Default: "4", Min: "1", Max: "32", Unit: "operations",
				Doc: "the longest transaction; each has from one operation to this many"},
			{Name: "mix", Kind: declare.Weights, Default: "50/50", Parts: []string{"read", "append"}, Min: "0", Max: "1000",
				Doc: "how often a transaction reads and how often it appends, relative to each other"},
			{Name: "look-back", Kind: declare.Share, Default: "3%", Min: "0%", Max: "50%",
				Doc: "how many transactions read lists that were replaced lately, to find appends that were lost"},
		},
		Check:     checkArgs,
		Without:   without,
		Functions: objects.AppendFunctions(),
		New:       newLoad,
		Do:        workloads.On(do),
		Checkers: func() []check.Checker {
			return []check.Checker{transactions.Append(), service.Durability(service.AppendWrites())}
		},
	}
}

func checkArgs(a declare.Args) error {
	switch mix := a.Weights("mix"); {
	case mix[0] == 0:
		return &declare.Error{Param: "mix", Err: errors.New("mix has no reads, so nothing would be observed")}
	case mix[1] == 0:
		return &declare.Error{Param: "mix", Err: errors.New("mix has no appends, so there would be nothing to observe")}
	}
	return nil
}

// without makes transactions of one operation, which any store with lists has.
func without(a declare.Args, lacks []history.Func) declare.Args {
	if slices.Contains(lacks, objects.Txn) && a["length"] != "1" {
		return declare.Args{"length": "1"}
	}
	return nil
}

// Op is one operation of a transaction: an append, or a read of a whole list.
type Op struct {
	Append  bool
	Key     string
	Element string // what is appended
}

// Client is a connection that this workload can use. Its method is safe for concurrent
// use, and returns soon after its context ends. An error is read with systems.Certain
// and systems.Lost.
type Client interface {
	systems.Client
	// Transact carries out operations in their order, all at one moment, or none of them.
	// lists are what they found, one for each operation: nothing for an append, and for
	// a list that does not exist.
	Transact(ctx context.Context, ops []Op) (lists [][]string, err error)
}

func do(ctx context.Context, client Client, op *history.Op) error {
	if op.Func != objects.Txn && op.Func != history.Read {
		return workloads.Unknown(op)
	}
	said, err := objects.ParseTxn(op, nil)
	if err != nil {
		return &systems.Error{Certain: true, Err: err}
	}
	ops := make([]Op, len(said))
	for i, o := range said {
		ops[i].Append = o.Element != ""
		ops[i].Key, _ = o.Key.Text()
		ops[i].Element, _ = o.Element.Text()
	}
	lists, err := client.Transact(ctx, ops)
	if err != nil {
		return err
	}
	if len(lists) != len(ops) {
		return fmt.Errorf("the connection answered %d operations of %d", len(lists), len(ops))
	}
	answer := make([]history.Data, len(said))
	for i, o := range said {
		answer[i] = o.Data(listOf(lists[i]))
	}
	op.Out = history.List(answer...)
	return nil
}

func listOf(elements []string) history.Data {
	all := make([]history.Data, len(elements))
	for i, e := range elements {
		all[i] = history.Text(e)
	}
	return history.List(all...)
}
