// Package rw is the workload "rw": transactions that read several registers and write
// others, without having to read what they replace. Every value is unique in the test.
//
// It has what other workloads of transactions on registers need as well: what they want of
// a connection, how a transaction is carried out, and a load of which they say only what a
// transaction does.
package rw

import (
	"context"
	"errors"
	"fmt"

	"squall/history"
	"squall/history/check"
	"squall/history/check/transactions"
	"squall/history/objects"
	"squall/internal/declare"
	"squall/workloads"
	"squall/workloads/systems"
)

// Workload is the workload "rw".
func Workload() workloads.Workload {
	return workloads.Workload{
		Name: "rw",
		Doc:  "transactions that read registers and write unique values to them; one order must explain every answer",
		Params: append(Params("5", "100"), declare.Params{
			{Name: "length", Kind: declare.Count, Default: "4", Min: "1", Max: "32", Unit: "operations",
				Doc: "the longest transaction; each has from one operation to this many"},
			{Name: "mix", Kind: declare.Weights, Default: "50/50", Parts: []string{"read", "write"}, Min: "0", Max: "1000",
				Doc: "how often a transaction reads and how often it writes, relative to each other"},
		}...),
		Check:     checkMix,
		Functions: objects.RegistersFunctions(),
		New:       newLoad,
		Do:        Do(),
		Checkers:  func() []check.Checker { return []check.Checker{transactions.RW()} },
	}
}

// Params are the parameters of a Load.
func Params(keys, perKey string) declare.Params {
	return declare.Params{
		{Name: "keys", Kind: declare.Count, Default: keys, Min: "2", Max: "1000", Unit: "registers",
			Doc: "registers in use at a time; the fewer, the more transactions meet on one"},
		{Name: "ops-per-key", Kind: declare.Count, Default: perKey, Min: "10", Max: "1000", Unit: "operations",
			Doc: "reads and writes of a register before a new one replaces it"},
		{Name: "look-back", Kind: declare.Share, Default: "3%", Min: "0%", Max: "50%",
			Doc: "how many transactions read registers that were replaced lately, to find writes that were lost"},
	}
}

func checkMix(a declare.Args) error {
	switch mix := a.Weights("mix"); {
	case mix[0] == 0:
		return &declare.Error{Param: "mix", Err: errors.New("mix has no reads, so nothing would be observed")}
	case mix[1] == 0:
		return &declare.Error{Param: "mix", Err: errors.New("mix has no writes, so there would be nothing to observe")}
	}
	return nil
}

func newLoad(l workloads.Load) workloads.Generator {
	length, mix := l.Args.Int("length"), [2]int(l.Args.Weights("mix"))
	return NewLoad(l, "r", 4, func(t *Txn, readOnly bool) {
		for range 1 + t.IntN(length) {
			key := t.Key(t.IntN(t.Keys()))
			if readOnly || t.IntN(mix[0]+mix[1]) < mix[0] {
				t.Read(key)
			} else {
				t.Write(key)
			}
		}
	})
}

// Op is one operation of a transaction: a write of a value, or a read.
type Op struct {
	Writes bool
	Key    string
	Value  string // what is written
}

// Client is a connection that transactions on registers can use. Its method is safe for
// concurrent use, and returns soon after its context ends. An error is read with
// systems.Certain and systems.Lost.
type Client interface {
	systems.Client
	// ReadWrite carries out operations in their order, all at one moment, or none of them.
	// found is what they found, one for each operation: none for a write, and for a
	// register that does not exist.
	ReadWrite(ctx context.Context, ops []Op) (found []history.Value, err error)
}

// Do carries out transactions on registers, as objects.RegistersFunctions has them.
func Do() workloads.Do { return workloads.On(do) }

func do(ctx context.Context, client Client, op *history.Op) error {
	asking := *op
	asking.Outcome = history.Info // nothing is answered yet
	said, err := objects.ParseRegisters(&asking)
	if err != nil {
		return &systems.Error{Certain: true, Err: err}
	}
	ops := make([]Op, len(said))
	for i, o := range said {
		ops[i].Writes = o.Writes
		ops[i].Key, _ = o.Key.Text()
		ops[i].Value, _ = o.Value.Text()
	}
	found, err := client.ReadWrite(ctx, ops)
	if err != nil {
		return err
	}
	if len(found) != len(ops) {
		return fmt.Errorf("the connection answered %d operations of %d", len(found), len(ops))
	}
	answer := make([]history.Data, len(said))
	for i, o := range said {
		if !o.Writes {
			o.Value = history.Null
			if found[i].Present {
				o.Value = history.Text(found[i].Data)
			}
		}
		answer[i] = o.Data()
	}
	op.Out = history.List(answer...)
	return nil
}
