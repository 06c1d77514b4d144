package rw

import (
	"math/rand/v2"
	"slices"
	"strconv"

	"squall/history"
	"squall/history/objects"
	"squall/workloads"
)

// Draw makes one transaction, which with readOnly only reads.
type Draw func(t *Txn, readOnly bool)

// load is the part of a load that all clients share: which registers are in use.
type load struct {
	seed     uint64
	clients  int
	keys     *workloads.Rotation
	perRead  int // how many registers one transaction reads that looks at many
	lookBack float64
	draw     Draw
}

var (
	_ workloads.Generator = (*load)(nil)
	_ workloads.Scanner   = (*load)(nil)
)

// NewLoad is a load of transactions on registers whose names begin with a prefix, with the parameters
// of Params. Where many are to be read, one transaction reads so many.
func NewLoad(l workloads.Load, prefix string, perRead int, draw Draw) workloads.Generator {
	return &load{
		seed:     l.Seed,
		clients:  l.Clients,
		keys:     workloads.NewRotation(prefix, l.Args.Int("keys"), l.Args.Int("ops-per-key")),
		perRead:  perRead,
		lookBack: l.Args.Float("look-back"),
		draw:     draw,
	}
}

// Observe notes nothing: what transactions do does not depend on what was seen.
func (l *load) Observe(*history.Op) {}

// Finals read every register, a few in one transaction: see workloads.Rotation.
func (l *load) Finals() []workloads.Final {
	var finals []workloads.Final
	var keys []string
	all := l.keys.Finals(func(key string) workloads.Intent { return workloads.Intent{Key: key} })
	for i, f := range all {
		keys = append(keys, f.Key)
		if i == len(all)-1 || len(keys) == l.perRead || all[i+1].EveryNode != f.EveryNode {
			finals = append(finals, workloads.Final{Intent: readAll(keys), EveryNode: f.EveryNode})
			keys = keys[:0]
		}
	}
	return finals
}

// Scan reads every register that was ever used, a few in one transaction.
func (l *load) Scan() []workloads.Intent {
	var reads []workloads.Intent
	for keys := range slices.Chunk(l.keys.All(workloads.MostScanned), l.perRead) {
		reads = append(reads, readAll(keys))
	}
	return reads
}

func readAll(keys []string) workloads.Intent {
	ops := make([]history.Data, len(keys))
	for i, key := range keys {
		ops[i] = objects.RegisterOp{Key: history.Text(key)}.Data()
	}
	return workloads.Intent{Func: history.Read, In: history.List(ops...)}
}

// Recovery writes a register of the node's own, which it reads before, and reads it again.
func (l *load) Recovery(node string, attempt int) []workloads.Intent {
	t := &Txn{Unique: workloads.NewUnique(0, 1)}
	key := "recovery-" + node
	t.Read(key)
	t.write(key, node+"-"+strconv.Itoa(attempt+1))
	return []workloads.Intent{t.intent(), readAll([]string{key})}
}

// Client is the stream of client i.
func (l *load) Client(i int) workloads.Stream {
	return &stream{load: l, Txn: Txn{Rand: rand.New(rand.NewPCG(l.seed, 0x7265676973746572^uint64(i))), Rotation: l.keys, Unique: workloads.NewUnique(i, l.clients)}}
}

// stream is one client's share of the load.
type stream struct {
	*load
	Txn
}

// Next draws the next transaction.
func (s *stream) Next(readOnly bool) workloads.Intent {
	s.ops, s.writes = s.ops[:0], false
	if key := s.keys.LookBack(s.Rand, s.lookBack); key != "" {
		for s.Read(key); len(s.ops) < s.perRead; {
			s.Read(s.keys.LookBack(s.Rand, 1))
		}
	} else {
		s.draw(&s.Txn, readOnly)
	}
	return s.intent()
}

// Txn is a transaction that is being made.
type Txn struct {
	*rand.Rand
	*workloads.Rotation
	workloads.Unique
	ops    []history.Data
	writes bool
}

// Key counts one operation on the register that is in use in a slot, from 0 up to Keys, and
// is its name.
func (t *Txn) Key(slot int) string { return t.Take(slot).Key }

// Read adds a read.
func (t *Txn) Read(key string) {
	t.ops = append(t.ops, objects.RegisterOp{Key: history.Text(key)}.Data())
}

// Write adds a write of a value that nobody else writes.
func (t *Txn) Write(key string) { t.write(key, strconv.FormatInt(t.Unique.Next(), 10)) }

func (t *Txn) write(key, value string) {
	t.writes = true
	t.ops = append(t.ops, objects.RegisterOp{Key: history.Text(key), Writes: true, Value: history.Text(value)}.Data())
}

func (t *Txn) intent() workloads.Intent {
	f := history.Read
	if t.writes {
		f = objects.Txn
	}
	return workloads.Intent{Func: f, In: history.List(t.ops...)}
}
