package listappend

import (
	"math/rand/v2"
	"slices"
	"strconv"

	"squall/history"
	"squall/history/objects"
	"squall/workloads"
)

// load is the part of the load that all clients share: which lists are in use.
type load struct {
	seed     uint64
	clients  int
	keys     *workloads.Rotation
	length   int
	mix      [2]int // of reads and appends
	lookBack float64
}

var (
	_ workloads.Generator = (*load)(nil)
	_ workloads.Scanner   = (*load)(nil)
)

func newLoad(l workloads.Load) workloads.Generator {
	return &load{
		seed:     l.Seed,
		clients:  l.Clients,
		keys:     workloads.NewRotation("l", l.Args.Int("keys"), l.Args.Int("ops-per-key")),
		length:   l.Args.Int("length"),
		mix:      [2]int(l.Args.Weights("mix")),
		lookBack: l.Args.Float("look-back"),
	}
}

// Observe notes nothing: what transactions do does not depend on what was seen.
func (l *load) Observe(*history.Op) {}

// finalLists is how many lists are read by one final transaction.
const finalLists = 4

// Finals read every list, a few in one transaction: see workloads.Rotation.
func (l *load) Finals() []workloads.Final {
	var finals []workloads.Final
	var ops []history.Data
	lists := l.keys.Finals(func(key string) workloads.Intent { return workloads.Intent{Key: key} })
	for i, list := range lists {
		ops = append(ops, read(list.Key))
		if i == len(lists)-1 || len(ops) == finalLists || lists[i+1].EveryNode != list.EveryNode {
			finals = append(finals, workloads.Final{Intent: intent(history.Read, ops), EveryNode: list.EveryNode})
			ops = ops[:0]
		}
	}
	return finals
}

// Scan reads every list that was ever used, a few in one transaction.
func (l *load) Scan() []workloads.Intent {
	var reads []workloads.Intent
	for lists := range slices.Chunk(l.keys.All(workloads.MostScanned), finalLists) {
		ops := make([]history.Data, len(lists))
		for i, list := range lists {
			ops[i] = read(list)
		}
		reads = append(reads, intent(history.Read, ops))
	}
	return reads
}

// Recovery appends to a list of the node's own and reads it.
func (l *load) Recovery(node string, attempt int) []workloads.Intent {
	key := "recovery-" + node
	element := history.Text(node + "-" + strconv.Itoa(attempt+1))
	return []workloads.Intent{
		intent(objects.Txn, []history.Data{add(key, element)}),
		intent(history.Read, []history.Data{read(key)}),
	}
}

func intent(f history.Func, ops []history.Data) workloads.Intent {
	return workloads.Intent{Func: f, In: history.List(ops...)}
}

func read(key string) history.Data {
	return objects.TxnOp{Key: history.Text(key)}.Data(history.Null)
}

func add(key string, element history.Data) history.Data {
	return objects.TxnOp{Key: history.Text(key), Element: element}.Data("")
}

// Client is the stream of client i.
func (l *load) Client(i int) workloads.Stream {
	return &stream{
		load:     l,
		rng:      rand.New(rand.NewPCG(l.seed, 0x617070656e64^uint64(i))),
		elements: workloads.NewUnique(i, l.clients),
	}
}

// stream is one client's share of the load.
type stream struct {
	*load
	rng      *rand.Rand
	elements workloads.Unique
	ops      []history.Data // of the transaction that is made
}

// Next draws the next transaction.
func (s *stream) Next(readOnly bool) workloads.Intent {
	s.ops = s.ops[:0]
	n := 1 + s.rng.IntN(s.length)
	if key := s.keys.LookBack(s.rng, s.lookBack); key != "" {
		for s.ops = append(s.ops, read(key)); len(s.ops) < n; {
			s.ops = append(s.ops, read(s.keys.LookBack(s.rng, 1)))
		}
		return intent(history.Read, s.ops)
	}
	does := history.Read
	for range n {
		turn := s.keys.Take(s.rng.IntN(s.keys.Keys()))
		if readOnly || s.rng.IntN(s.mix[0]+s.mix[1]) < s.mix[0] {
			s.ops = append(s.ops, read(turn.Key))
			continue
		}
		does = objects.Txn
		s.ops = append(s.ops, add(turn.Key, s.element()))
	}
	return intent(does, s.ops)
}

// element is the client's next one.
func (s *stream) element() history.Data {
	return history.Text(strconv.FormatInt(s.elements.Next(), 10))
}
