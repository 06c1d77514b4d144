// Package monotonic is the workload of numbers that only grow: clients increase them, which
// tells what they have become, and read them. Whatever was answered, no later answer may be
// below it, on whichever node, and no two increases come to the same.
package monotonic

import (
	"context"
	"math/rand/v2"
	"strconv"

	"squall/history"
	"squall/history/check"
	"squall/history/check/numbers"
	"squall/history/objects"
	"squall/internal/declare"
	"squall/workloads"
	"squall/workloads/systems"
)

// Workload is the workload "monotonic".
func Workload() workloads.Workload {
	return workloads.Workload{
		Name: "monotonic",
		Doc:  "increase several numbers and read them; no answer may be below one that was given before",
		Params: declare.Params{
			{Name: "keys", Kind: declare.Count, Default: "5", Min: "1", Max: "1000", Unit: "numbers",
				Doc: "numbers in use at a time; the fewer, the more clients meet on one"},
			{Name: "ops-per-key", Kind: declare.Count, Default: "1000", Min: "10", Max: "1000000", Unit: "operations",
				Doc: "operations on a number before a new one replaces it"},
			{Name: "reads", Kind: declare.Share, Default: "50%", Min: "0%", Max: "99%",
				Doc: "how many operations read"},
			{Name: "look-back", Kind: declare.Share, Default: "3%", Min: "0%", Max: "50%",
				Doc: "how many operations read a number that was replaced lately"},
		},
		Functions: objects.MonotonicFunctions(),
		New:       newLoad,
		Do:        workloads.On(do),
		Checkers:  func() []check.Checker { return []check.Checker{numbers.Monotonic()} },
	}
}

// Client is a connection that this workload can use. Its methods are safe for concurrent
// use, and return soon after their context ends. An error is read with systems.Certain
// and systems.Lost.
type Client interface {
	systems.Client
	// Grow makes a number larger, and is what it has become.
	Grow(ctx context.Context, key string) (int64, error)
	// Count is what a number is, 0 at first.
	Count(ctx context.Context, key string) (int64, error)
}

func do(ctx context.Context, client Client, op *history.Op) error {
	ask := client.Count
	switch op.Func {
	case objects.Increase:
		ask = client.Grow
	case history.Read:
	default:
		return workloads.Unknown(op)
	}
	n, err := ask(ctx, op.Key)
	if err == nil {
		op.Out = history.Data(strconv.FormatInt(n, 10))
	}
	return err
}

// load is the part of the load that all clients share: which numbers are in use.
type load struct {
	seed            uint64
	keys            *workloads.Rotation
	reads, lookBack float64
}

var (
	_ workloads.Generator = (*load)(nil)
	_ workloads.Scanner   = (*load)(nil)
)

func newLoad(l workloads.Load) workloads.Generator {
	return &load{l.Seed, workloads.NewRotation("m", l.Args.Int("keys"), l.Args.Int("ops-per-key")), l.Args.Float("reads"), l.Args.Float("look-back")}
}

// Observe has nothing to note: an increase does not depend on what was read.
func (l *load) Observe(*history.Op) {}

// Finals read every number: see workloads.Rotation.
func (l *load) Finals() []workloads.Final { return l.keys.Finals(read) }

// Scan reads every number that was ever used.
func (l *load) Scan() []workloads.Intent { return l.keys.Scan(read) }

// Recovery increases a number of the node's own and reads it.
func (l *load) Recovery(node string, _ int) []workloads.Intent {
	key := "recovery-" + node
	return []workloads.Intent{increase(key), read(key)}
}

func read(key string) workloads.Intent { return workloads.Intent{Func: history.Read, Key: key} }

func increase(key string) workloads.Intent {
	return workloads.Intent{Func: objects.Increase, Key: key}
}

// Client is the stream of client i.
func (l *load) Client(i int) workloads.Stream {
	return &stream{l, rand.New(rand.NewPCG(l.seed, 0x6d6f6e6f^uint64(i)))}
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
	key := s.keys.Take(s.rng.IntN(s.keys.Keys())).Key
	if reads := s.rng.Float64() < s.reads; reads || readOnly {
		return read(key)
	}
	return increase(key)
}
