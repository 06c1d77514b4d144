// Package counter is the workload of adding to several counters and reading them. An add
// is one operation of the store, so nothing is read and written back by clients.
//
// Keys are retired after some hundred operations, so that a counter stays decidable
// however many adds of unknown outcome it has. Now and then a retired counter is read
// again, and all that are remembered are read when the storm is over.
package counter

import (
	"context"
	"math/rand/v2"
	"strconv"

	"squall/history"
	"squall/history/check"
	"squall/history/check/linearizable"
	"squall/history/objects"
	"squall/internal/declare"
	"squall/workloads"
	"squall/workloads/systems"
)

// Workload is the workload "counter".
func Workload() workloads.Workload {
	model := linearizable.CounterModel()
	return workloads.Workload{
		Name: "counter",
		Doc:  "add to several counters and read them; no add may be lost or counted twice, and none may be read late",
		Params: declare.Params{
			{Name: "keys", Kind: declare.Count, Default: "5", Min: "1", Max: "1000", Unit: "counters",
				Doc: "counters in use at a time; the fewer, the more clients meet on one counter"},
			{Name: "ops-per-key", Kind: declare.Count, Default: "200", Min: "10", Max: "100000", Unit: "operations",
				Doc: "operations on a counter before a new one replaces it; beyond a thousand or so take most=1"},
			{Name: "reads", Kind: declare.Share, Default: "50%", Min: "1%", Max: "99%",
				Doc: "how many operations read"},
			{Name: "most", Kind: declare.Count, Default: "3", Min: "1", Max: "1000",
				Doc: "adds are of 1 to this; with 1, a counter of any length is decided quickly"},
			{Name: "look-back", Kind: declare.Share, Default: "3%", Min: "0%", Max: "50%",
				Doc: "how many operations read a counter that was replaced lately, to find adds that were lost"},
			workloads.SkewParam(),
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
	// Increase adds a number to a counter, which is 0 at first.
	Increase(ctx context.Context, key string, by int64) error
	// Count is what a counter stands at.
	Count(ctx context.Context, key string) (int64, error)
}

func do(ctx context.Context, client Client, op *history.Op) error {
	switch op.Func {
	case objects.Add:
		by, err := objects.WholeNumber(op.In)
		if err != nil {
			return &systems.Error{Certain: true, Err: err}
		}
		return client.Increase(ctx, op.Key, by)
	case history.Read:
		count, err := client.Count(ctx, op.Key)
		if err == nil {
			op.Out = number(count)
		}
		return err
	}
	return workloads.Unknown(op)
}

func number(n int64) history.Data { return history.Data(strconv.FormatInt(n, 10)) }

// load is the part of the load that all clients share: which counters are in use.
type load struct {
	seed            uint64
	keys            *workloads.Rotation
	reads, lookBack float64
	most            int64
	skew            workloads.Skew
}

var (
	_ workloads.Generator = (*load)(nil)
	_ workloads.Scanner   = (*load)(nil)
)

func newLoad(l workloads.Load) workloads.Generator {
	return &load{
		seed:     l.Seed,
		keys:     workloads.NewRotation("c", l.Args.Int("keys"), l.Args.Int("ops-per-key")),
		reads:    l.Args.Float("reads"),
		lookBack: l.Args.Float("look-back"),
		most:     int64(l.Args.Int("most")),
		skew:     workloads.NewSkew(l.Args["keys-skew"], l.Args.Int("keys")),
	}
}

// Observe has nothing to note: what is added does not depend on what was read.
func (l *load) Observe(*history.Op) {}

// Finals read every counter: see workloads.Rotation.
func (l *load) Finals() []workloads.Final { return l.keys.Finals(read) }

// Scan reads every counter that was ever used.
func (l *load) Scan() []workloads.Intent { return l.keys.Scan(read) }

// Recovery adds to a counter of the node's own and reads it.
func (l *load) Recovery(node string, _ int) []workloads.Intent {
	key := "recovery-" + node
	return []workloads.Intent{add(key, 1), read(key)}
}

func read(key string) workloads.Intent { return workloads.Intent{Func: history.Read, Key: key} }

func add(key string, n int64) workloads.Intent {
	return workloads.Intent{Func: objects.Add, Key: key, In: number(n)}
}

// Client is the stream of client i.
func (l *load) Client(i int) workloads.Stream {
	return &stream{l, rand.New(rand.NewPCG(l.seed, 0x636f756e746572^uint64(i)))}
}

// stream is one client's share of the load.
type stream struct {
	*load
	rng *rand.Rand
}

// Next draws the next operation.
func (s *stream) Next(readOnly bool) workloads.Intent {
	if key := s.keys.LookBack(s.rng, s.lookBack); key != "" {
		return read(key)
	}
	key := s.keys.Take(s.skew.Pick(s.rng)).Key
	if reads := s.rng.Float64() < s.reads; reads || readOnly {
		return read(key)
	}
	return add(key, 1+s.rng.Int64N(s.most))
}
