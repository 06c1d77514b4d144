package workloads

import (
	"math/rand/v2"
	"strconv"
	"sync"

	"squall/history"
	"squall/history/check"
)

// Register is reads, writes and compare-and-sets on several registers at
// once. Every written value is unique in the test, so that each observation
// names the one operation it observed.
//
// What makes it bite:
//   - few keys, many clients on different nodes: a node that answers from old
//     state is soon asked for a key that others have just written elsewhere;
//   - a compare-and-set expects what was last seen of the key, so about half
//     of them succeed and tie the order of two writes down;
//   - keys are retired after some hundred operations, which keeps checking
//     cheap, but now and then a retired key is read again: a lost write stays
//     lost, and shows long after the storm moved on.
type Register struct{}

// Name is "register".
func (Register) Name() string { return "register" }

// Describe is one line for people.
func (Register) Describe() string {
	return "read, write and compare-and-set unique values on several keys; every key must be linearizable"
}

// Functions are those of a register.
func (Register) Functions() history.Functions { return history.RegisterFunctions() }

// Checkers are linearizability, key by key, Raft's own promises where the
// system writes a trace of them, whether the cluster came back after the storm,
// and whether there was enough to judge.
func (Register) Checkers(traced bool) []check.Checker {
	checkers := []check.Checker{check.Linearizable(check.RegisterModel())}
	if traced {
		checkers = append(checkers, check.Invariants()...)
	}
	return append(checkers, check.Crashes(), check.Recovery(), check.Activity(0))
}

// retiredKept is how many retired keys are looked back at. Under a leader that
// acknowledges what it will lose, keys are used up quickly; this many reach
// back some 75,000 operations.
const retiredKept = 256

// Generator makes the clients' streams. Keys are named r0, r1, …, each used in
// one slot and never again.
func (Register) Generator(seed uint64, p Params) (Generator, error) {
	p = p.WithDefaults()
	if err := p.Validate(); err != nil {
		return nil, err
	}
	g := &register{seed: seed, p: p, slots: make([]slot, p.Keys)}
	for i := range g.slots {
		g.slots[i].keyView = freshKey(i)
	}
	return g, nil
}

// register is the part of the load that all clients share: which keys are in
// use, and what was last seen of them.
type register struct {
	seed  uint64
	p     Params
	slots []slot

	mu      sync.Mutex
	retired []string // the last retiredKept, in a ring
	next    int      // where the next one goes
}

// keyView is what a client knows of a key when it picks its operation.
type keyView struct {
	key    string
	number int          // of the key: slot + generation × slots
	seen   history.Data // last value seen by any client
	call   int64        // when the operation that saw it was called
}

// slot is a place for one key in use.
type slot struct {
	mu sync.Mutex
	keyView
	ops int // operations begun on this key
	// Slots are used by all clients at once; the padding keeps two of them
	// off one cache line.
	_ [64]byte
}

func freshKey(number int) keyView {
	return keyView{key: "r" + strconv.Itoa(number), number: number, seen: history.Null}
}

// take counts one operation on the key in slot i and returns what is known of
// it. When the key has had its share, the next one takes its place.
func (g *register) take(i int) keyView {
	s := &g.slots[i]
	s.mu.Lock()
	old := ""
	if s.ops == g.p.OpsPerKey {
		old = s.key
		s.keyView = freshKey(s.number + len(g.slots))
		s.ops = 0
	}
	s.ops++
	v := s.keyView
	s.mu.Unlock()
	if old != "" {
		g.retire(old)
	}
	return v
}

func (g *register) retire(key string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.retired) < retiredKept {
		g.retired = append(g.retired, key)
		return
	}
	g.retired[g.next] = key
	g.next = (g.next + 1) % retiredKept
}

// lookBack is one of the retired keys, picked by n, or "" when there is none.
func (g *register) lookBack(n uint64) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.retired) == 0 {
		return ""
	}
	return g.retired[n%uint64(len(g.retired))]
}

// Observe notes what the operation saw, so that the next CAS can expect it.
func (g *register) Observe(op *history.Op) {
	v, ok := observed(op)
	if !ok {
		return
	}
	number, err := strconv.Atoi(op.Key[1:])
	if err != nil {
		return
	}
	s := &g.slots[number%len(g.slots)]
	s.mu.Lock()
	defer s.mu.Unlock()
	// An answer that was long on its way is older news than what is there.
	if s.number == number && op.Call >= s.call {
		s.seen, s.call = v, op.Call
	}
}

// observed is the value that the key held after the operation.
func observed(op *history.Op) (history.Data, bool) {
	if op.Outcome != history.OK || len(op.Key) < 2 {
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

// FinalReads are the keys in use and those just before them, through every
// node, then the other retired keys, latest first, through one node each.
func (g *register) FinalReads() []FinalRead {
	var reads []FinalRead
	for i := range g.slots {
		s := &g.slots[i]
		s.mu.Lock()
		if s.ops > 0 {
			reads = append(reads, FinalRead{Key: s.key, EveryNode: true})
		}
		s.mu.Unlock()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for i := range g.retired {
		n := len(g.retired)
		key := g.retired[(g.next+n-1-i)%n]
		reads = append(reads, FinalRead{Key: key, EveryNode: i < len(g.slots)})
	}
	return reads
}

// Recovery writes to a key of the node's own and reads it.
func (g *register) Recovery(node string, attempt int) (write, read Intent) {
	key := "recovery-" + node
	value := history.Text(node + "-" + strconv.Itoa(attempt+1))
	return Intent{Func: history.Write, Key: key, In: value}, Intent{Func: history.Read, Key: key}
}

// Client is the stream of client i.
func (g *register) Client(i int) Stream {
	return &registerStream{
		g:      g,
		rng:    rand.New(rand.NewPCG(g.seed, 0x7265676973746572^uint64(i))),
		client: int64(i),
	}
}

// registerStream is one client's share of the load.
type registerStream struct {
	g       *register
	rng     *rand.Rand
	client  int64
	written int64 // values that this client made so far
}

// Next draws the next operation.
func (s *registerStream) Next(readOnly bool) Intent {
	p := &s.g.p
	if s.rng.IntN(1000) < p.LookBack {
		if key := s.g.lookBack(s.rng.Uint64()); key != "" {
			return Intent{Func: history.Read, Key: key}
		}
	}
	view := s.g.take(s.rng.IntN(len(s.g.slots)))
	return s.pick(view, s.rng.IntN(p.Mix.Read+p.Mix.Write+p.Mix.CAS), readOnly)
}

// pick is a pure function of what the client knows of the key and of the
// number drawn, but for the counter that makes its values unique.
func (s *registerStream) pick(view keyView, drawn int, readOnly bool) Intent {
	mix := s.g.p.Mix
	if readOnly || drawn < mix.Read {
		return Intent{Func: history.Read, Key: view.key}
	}
	// Client i of c writes i+1, i+1+c, i+1+2c, …: unique without asking the
	// others, and the value names its writer.
	n := s.client + 1 + s.written*int64(s.g.p.Clients)
	s.written++
	if drawn >= mix.Read+mix.Write {
		return Intent{Func: history.CAS, Key: view.key, In: history.List(view.seen, number(n))}
	}
	return Intent{Func: history.Write, Key: view.key, In: number(n)}
}

// number is a number as a register stores it: a string.
func number(n int64) history.Data {
	var room [24]byte
	return history.Data(append(strconv.AppendInt(append(room[:0], '"'), n, 10), '"'))
}
