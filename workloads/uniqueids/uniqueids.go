// Package uniqueids is the workload of asking for ids, through every node, of which none
// may ever be given twice. An id of a request that was not answered is nobody's.
package uniqueids

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

// Workload is the workload "unique-ids".
func Workload() workloads.Workload {
	return workloads.Workload{
		Name: "unique-ids",
		Doc:  "ask for ids through every node; none may be given twice",
		Params: declare.Params{
			{Name: "keys", Kind: declare.Count, Default: "3", Min: "1", Max: "1000", Unit: "generators",
				Doc: "generators of ids in use; the fewer, the more clients meet on one"},
		},
		Functions: objects.IDFunctions(),
		New:       newLoad,
		Do:        workloads.On(do),
		Checkers:  func() []check.Checker { return []check.Checker{numbers.UniqueIDs()} },
	}
}

// Client is a connection that this workload can use. Its method is safe for concurrent
// use, and returns soon after its context ends. An error is read with systems.Certain and
// systems.Lost.
type Client interface {
	systems.Client
	// NewID is an id that this generator has given to nobody else.
	NewID(ctx context.Context, generator string) (id string, err error)
}

func do(ctx context.Context, client Client, op *history.Op) error {
	if op.Func != objects.Generate {
		return workloads.Unknown(op)
	}
	id, err := client.NewID(ctx, op.Key)
	if err == nil {
		op.Out = history.Text(id)
	}
	return err
}

// load is the part of the load that all clients share.
type load struct {
	seed uint64
	keys int
}

var _ workloads.Generator = (*load)(nil)

func newLoad(l workloads.Load) workloads.Generator { return &load{l.Seed, l.Args.Int("keys")} }

// Observe has nothing to note: all requests are alike.
func (l *load) Observe(*history.Op) {}

// Finals ask every generator once more, through every node: one that forgot how far it was
// gives an id anew.
func (l *load) Finals() (all []workloads.Final) {
	for i := range l.keys {
		all = append(all, workloads.Final{Intent: generate(i), EveryNode: true})
	}
	return all
}

// Recovery asks for an id of the node's own.
func (l *load) Recovery(node string, _ int) []workloads.Intent {
	return []workloads.Intent{{Func: objects.Generate, Key: "recovery-" + node}}
}

func generate(i int) workloads.Intent {
	return workloads.Intent{Func: objects.Generate, Key: "id" + strconv.Itoa(i)}
}

// Client is the stream of client i.
func (l *load) Client(i int) workloads.Stream {
	return &stream{l, rand.New(rand.NewPCG(l.seed, 0x6964^uint64(i)))}
}

// stream is one client's share of the load.
type stream struct {
	*load
	rng *rand.Rand
}

// Next draws the next operation. There is none that changes nothing.
func (s *stream) Next(bool) workloads.Intent { return generate(s.rng.IntN(s.keys)) }
