package set

import (
	"math/rand/v2"
	"strconv"

	"squall/history"
	"squall/history/objects"
	"squall/workloads"
)

// load is the part of the load that all clients share: which sets are in use.
type load struct {
	seed     uint64
	clients  int
	sets     *workloads.Rotation
	mix      [2]int // of adds and reads
	lookBack float64
}

var (
	_ workloads.Generator = (*load)(nil)
	_ workloads.Scanner   = (*load)(nil)
)

// reach is how many operations ago a set can have been retired that is looked back at.
// A server that lost elements shows it only once it leads, which may be much later.
const reach = 75_000

func newLoad(l workloads.Load) workloads.Generator {
	perSet := l.Args.Int("ops-per-key")
	sets := workloads.NewRotation("s", l.Args.Int("keys"), perSet)
	sets.Keep(min(max(reach/perSet, 256), 2000))
	return &load{
		seed:     l.Seed,
		clients:  l.Clients,
		sets:     sets,
		mix:      [2]int(l.Args.Weights("mix")),
		lookBack: l.Args.Float("look-back"),
	}
}

// Observe has nothing to note: an add does not depend on what was found.
func (l *load) Observe(*history.Op) {}

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
	return &stream{load: l, rng: rand.New(rand.NewPCG(l.seed, 0x736574^uint64(i))), elements: workloads.NewUnique(i, l.clients)}
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
	key := s.sets.Take(s.rng.IntN(s.sets.Keys())).Key
	if drawn := s.rng.IntN(s.mix[0] + s.mix[1]); readOnly || drawn >= s.mix[0] {
		return read(key)
	}
	return add(key, strconv.FormatInt(s.elements.Next(), 10))
}
