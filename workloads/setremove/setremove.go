// Package setremove is the workload of sets whose elements are removed again: clients add
// unique elements, remove those that were added, and read whole sets. An element that was
// removed must not come back, and one that was not must stay.
//
// Each element is added once and removed once at most, so each answer tells of one add and one
// remove. What others added is removed too, and what an add of unknown outcome may have added.
package setremove

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"sync"

	"squall/history"
	"squall/history/check"
	"squall/history/check/service"
	"squall/history/check/sets"
	"squall/history/objects"
	"squall/internal/declare"
	"squall/workloads"
	"squall/workloads/set"
	"squall/workloads/systems"
)

// Workload is the workload "set-remove".
func Workload() workloads.Workload {
	return workloads.Workload{
		Name: "set-remove",
		Doc:  "add unique elements to several sets, remove them and read whole sets; none may be lost, stale, or come back",
		Params: declare.Params{
			{Name: "keys", Kind: declare.Count, Default: "5", Min: "1", Max: "1000", Unit: "sets",
				Doc: "sets in use at a time; the fewer, the more clients meet on one set"},
			{Name: "ops-per-key", Kind: declare.Count, Default: "100", Min: "10", Max: "2000", Unit: "operations",
				Doc: "adds and reads of a set before a new set replaces it"},
			{Name: "mix", Kind: declare.Weights, Default: "40/30/30", Parts: []string{"add", "remove", "read"}, Min: "0", Max: "1000",
				Doc: "how often each function is called, relative to the others"},
			{Name: "look-back", Kind: declare.Share, Default: "3%", Min: "0%", Max: "50%",
				Doc: "how many operations read a set that was replaced lately, to find what was lost or came back"},
		},
		Check:     checkArgs,
		Functions: objects.RemovableFunctions(),
		New:       newLoad,
		Do:        workloads.On(do),
		Checkers: func() []check.Checker {
			return []check.Checker{sets.Removals(), service.Durability(service.RemovableWrites())}
		},
	}
}

func checkArgs(a declare.Args) error {
	for i, weight := range a.Weights("mix") {
		if name := []string{"adds", "removes", "reads"}[i]; weight == 0 {
			return &declare.Error{Param: "mix", Err: errors.New("mix has no " + name + ", so there is little to find")}
		}
	}
	return nil
}

// Client is a connection that this workload can use: see set.Client.
type Client interface {
	set.Client
	// Remove removes an element from a set. removed is false when it is not there.
	Remove(ctx context.Context, key, element string) (removed bool, err error)
}

func do(ctx context.Context, client Client, op *history.Op) error {
	element, ok := op.In.Text()
	switch {
	case op.Func == history.Read:
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
	case op.Func != objects.Add && op.Func != objects.Remove:
		return workloads.Unknown(op)
	case !ok:
		return &systems.Error{Certain: true, Err: errors.New("the element is not a string")}
	case op.Func == objects.Add:
		return client.Add(ctx, op.Key, element)
	}
	removed, err := client.Remove(ctx, op.Key, element)
	if err != nil {
		return err
	}
	op.Out = history.False
	if removed {
		op.Out = history.True
	}
	return nil
}

// load is the part of the load that all clients share.
type load struct {
	seed     uint64
	clients  int
	sets     *workloads.Rotation
	mix      [3]int // of adds, removes and reads
	lookBack float64

	mu     sync.Mutex
	leaves []leaving // elements to be removed, oldest first
}

// leaving is an element that was, or may have been, added.
type leaving struct{ key, element string }

// mostLeaving bounds how many elements wait to be removed: the others stay.
const mostLeaving = 200

var (
	_ workloads.Generator = (*load)(nil)
	_ workloads.Scanner   = (*load)(nil)
)

func newLoad(l workloads.Load) workloads.Generator {
	return &load{
		seed:     l.Seed,
		clients:  l.Clients,
		sets:     workloads.NewRotation("s", l.Args.Int("keys"), l.Args.Int("ops-per-key")),
		mix:      [3]int(l.Args.Weights("mix")),
		lookBack: l.Args.Float("look-back"),
	}
}

// Observe notes an element that was added, or may have been.
func (l *load) Observe(op *history.Op) {
	element, ok := op.In.Text()
	if op.Func != objects.Add || op.Outcome == history.Fail || !ok || op.Final {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.leaves) < mostLeaving {
		l.leaves = append(l.leaves, leaving{op.Key, element})
	}
}

// leave draws an element to be removed, which nobody else removes then.
func (l *load) leave(rng *rand.Rand) (e leaving, ok bool) {
	drawn := rng.Uint64()
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(l.leaves)
	if n == 0 {
		return e, false
	}
	i := int(drawn % uint64(n))
	e = l.leaves[i]
	l.leaves[i] = l.leaves[n-1]
	l.leaves = l.leaves[:n-1]
	return e, true
}

// Finals read every set: see workloads.Rotation.
func (l *load) Finals() []workloads.Final { return l.sets.Finals(read) }

// Scan reads every set that was ever used.
func (l *load) Scan() []workloads.Intent { return l.sets.Scan(read) }

func read(key string) workloads.Intent { return workloads.Intent{Func: history.Read, Key: key} }

func add(key, element string) workloads.Intent {
	return workloads.Intent{Func: objects.Add, Key: key, In: history.Text(element)}
}

// Recovery adds to a set of the node's own and reads it.
func (l *load) Recovery(node string, attempt int) []workloads.Intent {
	key := "recovery-" + node
	return []workloads.Intent{add(key, node+"-"+strconv.Itoa(attempt+1)), read(key)}
}

// Client is the stream of client i.
func (l *load) Client(i int) workloads.Stream {
	return &stream{load: l, rng: rand.New(rand.NewPCG(l.seed, 0x72656d6f7665^uint64(i))), elements: workloads.NewUnique(i, l.clients)}
}

// stream is one client's share of the load.
type stream struct {
	*load
	rng      *rand.Rand
	elements workloads.Unique
}

// Next draws the next operation.
func (s *stream) Next(readOnly bool) workloads.Intent {
	if key := s.sets.LookBack(s.rng, s.lookBack); key != "" {
		return read(key)
	}
	drawn := s.rng.IntN(s.mix[0] + s.mix[1] + s.mix[2])
	removes := drawn >= s.mix[0] && drawn < s.mix[0]+s.mix[1]
	if removes && !readOnly {
		if e, ok := s.leave(s.rng); ok {
			return workloads.Intent{Func: objects.Remove, Key: e.key, In: history.Text(e.element)}
		}
	}
	key := s.sets.Take(s.rng.IntN(s.sets.Keys())).Key
	if readOnly || drawn >= s.mix[0]+s.mix[1] {
		return read(key)
	}
	return add(key, strconv.FormatInt(s.elements.Next(), 10))
}
