// Package bank is the workload "bank": clients move money between accounts, each transfer in
// one transaction, and read all accounts at once. The money in all of them stays the same.
package bank

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"

	"squall/history"
	"squall/history/check"
	"squall/history/check/transactions"
	"squall/history/objects"
	"squall/internal/declare"
	"squall/workloads"
	"squall/workloads/rw"
	"squall/workloads/systems"
)

// Workload is the workload "bank".
func Workload() workloads.Workload {
	return workloads.Workload{
		Name: "bank",
		Doc:  "move money between accounts and read all of them; the total must stay, and no account be overdrawn",
		Params: declare.Params{
			{Name: "accounts", Kind: declare.Count, Default: "8", Min: "2", Max: "100", Unit: "accounts", Doc: "how many there are"},
			{Name: "each", Kind: declare.Count, Default: "20", Min: "0", Max: "1000000", Doc: "what each account holds at first"},
			{Name: "most", Kind: declare.Count, Default: "5", Min: "1", Max: "1000000", Doc: "the most that one transfer moves"},
			{Name: "reads", Kind: declare.Share, Default: "40%", Min: "1%", Max: "99%", Doc: "how many operations read all accounts"},
			{Name: "overdraw", Kind: declare.Bool, Default: "false", Doc: "whether accounts may hold less than nothing"},
		},
		Functions: objects.BankFunctions(),
		New:       newLoad,
		Do:        workloads.On(do),
		Checkers:  func() []check.Checker { return []check.Checker{transactions.Bank()} },
	}
}

// Balance is what a register holds.
type Balance struct {
	Key   string
	Value history.Value // none: there is no such register
}

// Client is a connection that this workload can use: one with transactions that have
// conditions. Its methods are safe for concurrent use, and return soon after their context ends.
// Errors are read with systems.Certain and systems.Lost.
type Client interface {
	rw.Client
	// SwapAll stores values if all registers hold what is expected of them, all at one
	// moment. Otherwise it changes nothing, and swapped is false.
	SwapAll(ctx context.Context, expect, store []Balance) (swapped bool, err error)
}

func do(ctx context.Context, client Client, op *history.Op) error {
	switch op.Func {
	case history.Read:
		return read(ctx, client, op)
	case objects.Transfer:
		return transfer(ctx, client, op)
	}
	return workloads.Unknown(op)
}

func read(ctx context.Context, client Client, op *history.Op) error {
	bank, err := objects.ParseBank(op.In)
	if err != nil {
		return &systems.Error{Certain: true, Err: err}
	}
	all := make([]int64, bank.Accounts)
	for i := range all {
		all[i] = int64(i)
	}
	balances, err := look(ctx, client, bank.Each, all...)
	if err != nil {
		return err
	}
	out := make([]history.Data, len(balances))
	for i, b := range balances {
		out[i] = history.Data(strconv.FormatInt(b.holds, 10))
	}
	op.Out = history.List(out...)
	return nil
}

// held is an account, with what it holds.
type held struct {
	Balance
	holds int64
}

// look reads accounts at one moment. Those that are not there yet hold what they did at first.
func look(ctx context.Context, client Client, each int64, accounts ...int64) ([]held, error) {
	ops := make([]rw.Op, len(accounts))
	for i, account := range accounts {
		ops[i].Key = "account-" + strconv.FormatInt(account, 10)
	}
	found, err := client.ReadWrite(ctx, ops)
	if err == nil && len(found) != len(ops) {
		err = fmt.Errorf("the connection answered %d operations of %d", len(found), len(ops))
	}
	if err != nil { // nothing was changed, whatever went wrong
		return nil, &systems.Error{Certain: true, Lost: systems.Lost(err), Err: err}
	}
	balances := make([]held, len(found))
	for i, v := range found {
		balances[i] = held{Balance{ops[i].Key, v}, each}
		if !v.Present {
			continue
		}
		if balances[i].holds, err = strconv.ParseInt(v.Data, 10, 64); err != nil {
			return nil, &systems.Error{Certain: true, Err: fmt.Errorf("%s: %w", ops[i].Key, err)}
		}
	}
	return balances, nil
}

// transfer reads both accounts, and stores what they then hold if they still hold what was read.
func transfer(ctx context.Context, client Client, op *history.Op) error {
	m, err := objects.ParseMove(op.In)
	bank, errBank := objects.ParseBank(op.In.At("bank"))
	if err = errors.Join(err, errBank); err != nil {
		return &systems.Error{Certain: true, Err: err}
	}
	b, err := look(ctx, client, bank.Each, m.From, m.To)
	if err != nil {
		return err
	}
	if b[0].holds < m.Amount && !bank.Overdraw {
		return &systems.Error{Certain: true, Err: errors.New("the account does not hold as much")}
	}
	after := func(h held, change int64) Balance {
		return Balance{h.Key, history.Some(strconv.FormatInt(h.holds+change, 10))}
	}
	swapped, err := client.SwapAll(ctx, []Balance{b[0].Balance, b[1].Balance}, []Balance{after(b[0], -m.Amount), after(b[1], m.Amount)})
	if err == nil && !swapped {
		return &systems.Error{Certain: true, Err: errors.New("another transfer came first")}
	}
	return err
}

// load is the part of the load that all clients share.
type load struct {
	seed  uint64
	bank  objects.Bank
	most  int64
	reads float64
}

func newLoad(l workloads.Load) workloads.Generator {
	return &load{seed: l.Seed, most: int64(l.Args.Int("most")), reads: l.Args.Float("reads"),
		bank: objects.Bank{Accounts: int64(l.Args.Int("accounts")), Each: int64(l.Args.Int("each")), Overdraw: l.Args.Bool("overdraw")}}
}

// Observe has nothing to note.
func (l *load) Observe(*history.Op) {}

// Finals read all accounts through every node.
func (l *load) Finals() []workloads.Final {
	return []workloads.Final{{Intent: l.read(), EveryNode: true}}
}

// Recovery moves money, and reads all accounts.
func (l *load) Recovery(_ string, attempt int) []workloads.Intent {
	from := int64(attempt) % l.bank.Accounts
	return []workloads.Intent{l.move(objects.Move{From: from, To: (from + 1) % l.bank.Accounts, Amount: 1}), l.read()}
}

func (l *load) read() workloads.Intent {
	return workloads.Intent{Func: history.Read, In: l.bank.Data()}
}

// move is a transfer, with the bank that it is of.
func (l *load) move(m objects.Move) workloads.Intent {
	data := m.Data()
	return workloads.Intent{Func: objects.Transfer, In: data[:len(data)-1] + `,"bank":` + l.bank.Data() + "}"}
}

// Client is the stream of client i.
func (l *load) Client(i int) workloads.Stream {
	return &stream{l, rand.New(rand.NewPCG(l.seed, 0x62616e6b^uint64(i)))}
}

type stream struct {
	*load
	*rand.Rand
}

// Next draws the next operation.
func (s *stream) Next(readOnly bool) workloads.Intent {
	if readOnly || s.Float64() < s.reads {
		return s.read()
	}
	from := s.Int64N(s.bank.Accounts)
	return s.move(objects.Move{From: from, To: (from + 1 + s.Int64N(s.bank.Accounts-1)) % s.bank.Accounts, Amount: 1 + s.Int64N(s.most)})
}
