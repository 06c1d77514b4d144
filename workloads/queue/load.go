package queue

import (
	"math/rand/v2"
	"strconv"
	"sync"

	"squall/history"
	"squall/history/objects"
	"squall/workloads"
)

// load is the part of the load that all clients share: which queues are in use, and how
// much may be in them.
type load struct {
	seed               uint64
	clients            int
	keys               *workloads.Rotation
	dequeues, lookBack float64

	mu   sync.Mutex
	held map[string]int // values that may be in a queue, by key
}

var _ workloads.Generator = (*load)(nil)

func newLoad(l workloads.Load) workloads.Generator {
	return &load{
		seed:     l.Seed,
		clients:  l.Clients,
		keys:     workloads.NewRotation("q", l.Args.Int("keys"), l.Args.Int("ops-per-key")),
		dequeues: l.Args.Float("dequeues"),
		lookBack: l.Args.Float("look-back"),
		held:     make(map[string]int),
	}
}

// Observe counts what may be in a queue.
func (l *load) Observe(op *history.Op) {
	change := 0
	switch {
	case op.Func == objects.Enqueue && op.Outcome != history.Fail:
		change = 1
	case op.Func == objects.Dequeue && op.Outcome == history.OK && op.Out != history.Null:
		change = -1
	default:
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held[op.Key] += change; l.held[op.Key] == 0 {
		delete(l.held, op.Key)
	}
}

// mostDrained bounds the operations that drain queues after the storm.
const mostDrained = 20_000

// Finals drain the queues: each is asked for as many values as may be in it, and then once
// more through every node, which must find none.
func (l *load) Finals() (all []workloads.Final) {
	queues := l.keys.Finals(dequeue)
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range queues {
		for range min(max(l.held[f.Key], 0), mostDrained-len(all)) {
			all = append(all, workloads.Final{Intent: f.Intent})
		}
	}
	return append(all, queues...)
}

// Recovery puts a value into a queue of the node's own and takes one out.
func (l *load) Recovery(node string, attempt int) []workloads.Intent {
	key := "recovery-" + node
	return []workloads.Intent{enqueue(key, node+"-"+strconv.Itoa(attempt+1)), dequeue(key)}
}

func enqueue(key, value string) workloads.Intent {
	return workloads.Intent{Func: objects.Enqueue, Key: key, In: history.Text(value)}
}

func dequeue(key string) workloads.Intent { return workloads.Intent{Func: objects.Dequeue, Key: key} }

// Client is the stream of client i.
func (l *load) Client(i int) workloads.Stream {
	return &stream{load: l, rng: rand.New(rand.NewPCG(l.seed, 0x7175657565^uint64(i))), values: workloads.NewUnique(i, l.clients)}
}

// stream is one client's share of the load.
type stream struct {
	*load
	rng    *rand.Rand
	values workloads.Unique
}

// Next draws the next operation. There is none that changes nothing.
func (s *stream) Next(bool) workloads.Intent {
	if key := s.keys.LookBack(s.rng, s.lookBack); key != "" {
		return dequeue(key)
	}
	key := s.keys.Take(s.rng.IntN(s.keys.Keys())).Key
	if s.rng.Float64() < s.dequeues {
		return dequeue(key)
	}
	return enqueue(key, strconv.FormatInt(s.values.Next(), 10))
}
