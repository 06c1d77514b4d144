package raft

import (
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// simNode is a node of the simulation: a core whose workers and clock are the
// simulation's. Its storage outlives it.
type simNode struct {
	s       *sim
	id      NodeID
	storage *memStorage
	clock   *simClock
	boot    int // a task for an earlier boot is dropped
	up      bool

	core    *core
	handler handler
	applier *applier
	machine *register
	pending atomic.Int64

	// Jobs for the workers, in order; each takes some time of its own.
	writes  []writeJob
	applies []applyJob
	stores  []storeJob
}

// register is the tiny state machine: it counts, and remembers, what was
// written. The result of a write is how many there were before it.
type register struct{ ids []uint64 }

func (r *register) Apply(_ uint64, command []byte) any {
	r.ids = append(r.ids, binary.LittleEndian.Uint64(command))
	return len(r.ids)
}

func (r *register) Snapshot() (func(io.Writer) error, error) {
	ids := r.ids[:len(r.ids):len(r.ids)]
	return func(w io.Writer) error { return binary.Write(w, binary.LittleEndian, ids) }, nil
}

func (r *register) Restore(from io.Reader) error {
	b, err := io.ReadAll(from)
	if err != nil {
		return err
	}
	r.ids = make([]uint64, len(b)/8)
	for i := range r.ids {
		r.ids[i] = binary.LittleEndian.Uint64(b[8*i:])
	}
	return nil
}

func (r *register) Hash() uint64 {
	h := uint64(1)
	for _, id := range r.ids {
		h = mix(h^id, hashBlock) + hashSeed
	}
	return h
}

func (n *simNode) start() {
	st, err := n.storage.Load()
	if err != nil {
		n.s.fail("node %d: load: %v", n.id, err)
		return
	}
	n.boot++
	n.up = true
	n.machine = &register{}
	n.pending.Store(0)
	n.writes, n.applies, n.stores = nil, nil, nil
	cfg := Config{
		ID: n.id, Members: n.s.members,
		ElectionMin: 150 * time.Millisecond, ElectionMax: n.s.electionMax, Heartbeat: 40 * time.Millisecond,
		MaxBatchBytes: 400, MaxInflight: 4, MaxPending: 50,
		SnapshotEvery: n.s.snapshotEvery, SnapshotKeep: 10, SnapshotChunk: 1024,
		Clock: n.clock, Rand: rand.New(rand.NewPCG(n.s.rng.Uint64(), uint64(n.id))),
		Transport: simTransport{n}, Storage: n.storage, StateMachine: n.machine, Tracer: simTracer{n},
	}
	if n.s.configure != nil {
		n.s.configure(&cfg)
	}
	if n.s.watchSteps != nil {
		cfg.Steps = simSteps{n}
	}
	cfg, err = cfg.withDefaults()
	if err != nil {
		n.s.fail("node %d: %v", n.id, err)
		return
	}
	n.applier = &applier{cfg: &cfg, pending: &n.pending}
	if st.Snapshot != nil {
		if err := n.applier.restore(st.Snapshot); err != nil {
			n.s.fail("node %d: %v", n.id, err)
			return
		}
	}
	boot := n.boot
	n.core, err = newCore(cfg, &st, n, func(t task) { n.task(boot, t) }, &n.pending)
	if err != nil {
		n.s.fail("node %d: %v", n.id, err)
		return
	}
	n.applier.steps = n.core.steps.applier()
	n.handler = handlerOf(n.core)
	n.handler.start()
	n.handler.flush()
}

// crash loses everything that the storage has not got.
func (n *simNode) crash() {
	n.boot++
	n.up = false
	n.writes, n.applies, n.stores = nil, nil, nil
}

// task hands a task to the core, as the event loop would.
func (n *simNode) task(boot int, tasks ...task) {
	if boot != n.boot || !n.up || n.s.failure != "" {
		return
	}
	for _, t := range tasks {
		n.handler.handle(t)
	}
	n.handler.flush()
	n.s.checkNode(n)
}

func (n *simNode) write(j writeJob) {
	n.writes = append(n.writes, j)
	if len(n.writes) == 1 {
		n.later(n.s.diskTime(), n.runWrites)
	}
}

// runWrites stores what has queued up, as one batch, like the log writer.
func (n *simNode) runWrites() {
	k := 1 + n.s.rng.IntN(len(n.writes))
	jobs := n.writes[:k:k]
	var answer task = persisted{jobs[k-1].seq}
	if err := n.storage.Save(mergeWrites(jobs)); err != nil {
		answer = storageFailed{err}
	}
	n.writes = n.writes[k:]
	if len(n.writes) > 0 {
		n.later(n.s.diskTime(), n.runWrites)
	}
	// The answer is under way for a while: things may happen in between.
	n.later(n.s.between(0, time.Millisecond), func() { n.task(n.boot, answer) })
}

func (n *simNode) apply(j applyJob) {
	n.applies = append(n.applies, j)
	if len(n.applies) == 1 {
		n.later(n.s.between(0, 5*time.Millisecond), n.runApplies)
	}
}

func (n *simNode) runApplies() {
	answer := n.applier.run(n.applies[0])
	n.applies = n.applies[1:]
	if len(n.applies) > 0 {
		n.later(n.s.between(0, 5*time.Millisecond), n.runApplies)
	}
	if answer != nil {
		n.task(n.boot, answer)
	}
}

func (n *simNode) archive(j storeJob) {
	n.stores = append(n.stores, j)
	if len(n.stores) == 1 {
		n.later(n.s.diskTime(), n.runStores)
	}
}

func (n *simNode) runStores() {
	answer := runStoreJob(n.storage, n.stores[0])
	n.stores = n.stores[1:]
	if len(n.stores) > 0 {
		n.later(n.s.diskTime(), n.runStores)
	}
	if answer != nil {
		n.task(n.boot, answer)
	}
}

// later runs f unless the node has crashed by then.
func (n *simNode) later(d time.Duration, f func()) {
	boot := n.boot
	n.s.after(d, func() {
		if boot == n.boot && n.up {
			f()
		}
	})
}

type simTransport struct{ n *simNode }

func (t simTransport) Send(to NodeID, m *Message) { t.n.s.send(t.n.id, to, m) }

type simTracer struct{ n *simNode }

func (t simTracer) Trace(ev Event) {
	t.n.s.checkEvent(t.n, ev)
	if t.n.s.watch != nil {
		t.n.s.watch(t.n, ev)
	}
}

type simSteps struct{ n *simNode }

func (t simSteps) Step(s *Step) { t.n.s.watchSteps(t.n, s) }
func (simSteps) Sync()          {}

func (n *simNode) String() string {
	c := n.core
	return fmt.Sprintf("node %d %v term %d log %d..%d commit %d", n.id, c.role.kind(), c.term, c.log.base.Index+1, c.log.last(), c.log.commit)
}
