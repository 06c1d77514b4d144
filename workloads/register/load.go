package register

import (
	"fmt"
	"math/rand/v2"
	"strconv"

	"squall/history"
	"squall/workloads"
)

// spreadEvery is one in how many operations of a client that writes a key once, while
// there are some left: the others are as the mix says from the first one on, however
// short or slow a run is.
const spreadEvery = 4

// load is the part of the load that all clients share: which keys are in use, and
// what was last seen of them.
type load struct {
	seed     uint64
	clients  int
	keys     *workloads.Rotation
	mix      [3]int // of reads, writes and compare-and-sets
	lookBack float64
	spread   int
	skew     workloads.Skew
	size     int // of values, bytes
}

var (
	_ workloads.Generator = (*load)(nil)
	_ workloads.Scanner   = (*load)(nil)
)

func newLoad(l workloads.Load) workloads.Generator {
	g := &load{
		seed:     l.Seed,
		clients:  l.Clients,
		keys:     workloads.NewRotation("r", l.Args.Int("keys"), l.Args.Int("ops-per-key")),
		mix:      [3]int(l.Args.Weights("mix")),
		lookBack: l.Args.Float("look-back"),
		spread:   l.Args.Int("spread"),
		skew:     workloads.NewSkew(l.Args["keys-skew"], l.Args.Int("keys")),
		size:     int(l.Args.Float("value-size")),
	}
	if g.mix[1] == 0 {
		g.spread = 0 // nobody is to write, or the system cannot
	}
	return g
}

// Observe notes what the operation saw, so that the next CAS can expect it.
func (l *load) Observe(op *history.Op) {
	if v, ok := observed(op); ok {
		l.keys.Note(op.Key, op.Call, v)
	}
}

// observed is the value that the key held after the operation.
func observed(op *history.Op) (history.Data, bool) {
	if op.Outcome != history.OK {
		return "", false
	}
	switch op.Func {
	case history.Read:
		return op.Out, true
	case history.Write:
		return op.In, true
	case history.CAS:
		var said history.RegisterData
		if op.AsRegister(&said) != nil {
			return "", false
		}
		if said.Swapped {
			return said.Value, true
		}
		return said.Result, true
	}
	return "", false
}

// Finals read every key: see workloads.Rotation.
func (l *load) Finals() []workloads.Final { return l.keys.Finals(read) }

// Scan reads every key that was ever used.
func (l *load) Scan() []workloads.Intent {
	reads := l.keys.Scan(read)
	for i := range l.spread {
		reads = append(reads, read(spreadKey(i)))
	}
	return reads
}

// spreadKey is a key that is written once.
func spreadKey(i int) string { return "s" + strconv.Itoa(i) }

func read(key string) workloads.Intent { return workloads.Intent{Func: history.Read, Key: key} }

// Recovery writes to a key of the node's own and reads it.
func (l *load) Recovery(node string, attempt int) []workloads.Intent {
	key := "recovery-" + node
	value := history.Text(node + "-" + strconv.Itoa(attempt+1))
	return []workloads.Intent{{Func: history.Write, Key: key, In: value}, read(key)}
}

// Client is the stream of client i.
func (l *load) Client(i int) workloads.Stream {
	return &stream{
		load:   l,
		rng:    rand.New(rand.NewPCG(l.seed, 0x7265676973746572^uint64(i))),
		values: workloads.NewUnique(i, l.clients),
		spread: i,
	}
}

// stream is one client's share of the load.
type stream struct {
	*load
	rng    *rand.Rand
	values workloads.Unique
	spread int // the next key to be written once; of c clients, each writes every c-th
	drawn  int // operations
}

// Next draws the next operation.
func (s *stream) Next(readOnly bool) workloads.Intent {
	s.drawn++
	if s.drawn%spreadEvery == 0 && s.spread < s.load.spread && !readOnly {
		key := spreadKey(s.spread)
		s.spread += s.clients
		return workloads.Intent{Func: history.Write, Key: key, In: s.value(s.values.Next())}
	}
	if key := s.lookedBack(); key != "" {
		return read(key)
	}
	turn := s.keys.Take(s.skew.Pick(s.rng))
	return s.pick(turn, s.rng.IntN(s.mix[0]+s.mix[1]+s.mix[2]), readOnly)
}

// lookedBack is a key that nobody writes any more, drawn as often as the parameter
// look-back says: one that was replaced, or one that was written once; "" for none.
func (s *stream) lookedBack() string {
	if s.load.spread > 0 && s.rng.Float64() < s.lookBack/2 {
		return spreadKey(s.rng.IntN(s.load.spread))
	}
	return s.keys.LookBack(s.rng, s.lookBack)
}

// pick is a pure function of what the client knows of the key and of the
// number drawn, but for the counter that makes its values unique.
func (s *stream) pick(turn workloads.Turn, drawn int, readOnly bool) workloads.Intent {
	if readOnly || drawn < s.mix[0] {
		return read(turn.Key)
	}
	n := s.values.Next()
	if drawn < s.mix[0]+s.mix[1] {
		return workloads.Intent{Func: history.Write, Key: turn.Key, In: s.value(n)}
	}
	expect := turn.Seen
	if expect == "" {
		expect = history.Null // nobody has seen anything of it yet
	}
	return workloads.Intent{Func: history.CAS, Key: turn.Key, In: history.List(expect, s.value(n))}
}

// value is a number as a register stores it, with zeros before it until it is large enough.
func (l *load) value(n int64) history.Data {
	if l.size <= 1 {
		return number(n)
	}
	return history.Text(fmt.Sprintf("%0*d", l.size, n))
}

// number is a number as a register stores it: a string.
func number(n int64) history.Data {
	var room [24]byte
	return history.Data(append(strconv.AppendInt(append(room[:0], '"'), n, 10), '"'))
}
