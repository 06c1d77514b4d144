package driver

import (
	"context"
	"errors"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"squall/history"
	"squall/internal/declare"
	"squall/workloads"
	"squall/workloads/catalogue"
	"squall/workloads/systems"
)

// How a node of the fake system behaves.
type mode int32

const (
	healthy   mode = iota
	paused         // takes requests and answers them when it is healthy again
	down           // refuses connections; those there were are broken
	breaking       // breaks the connection at every operation, having carried out every other one
	refusing       // answers that it certainly did nothing
	stale          // answers reads from what it knew when it became stale, or was paused before
	forgetful      // acknowledges writes that it never carries out
	mute           // answers reads, and nothing that changes something
)

// fake is a system in memory: one linearizable map, spoken to through nodes
// that misbehave on demand.
type fake struct {
	latency time.Duration // of each operation; half before it takes effect

	// repeats is a bug: what comes again in a session is carried out again.
	repeats bool

	mu        sync.Mutex
	data      store
	nodes     map[string]*fakeNode
	sessions  int
	forgotten int // sessions up to this one are not known any more
	applied   map[fakeOnce]fakeAnswer
	again     int // operations that came again
}

type store map[string]history.Value

type fakeNode struct {
	mode    atomic.Int32
	healed  chan struct{} // closed when the mode changes; guarded by fake.mu
	old     store
	conns   map[*fakeClient]bool
	dials   atomic.Int64
	ops     atomic.Int64
	breaker atomic.Int64
}

func newFake(latency time.Duration, nodes ...systems.Node) *fake {
	f := &fake{latency: latency, data: store{}, nodes: map[string]*fakeNode{}, applied: map[fakeOnce]fakeAnswer{}}
	for _, n := range nodes {
		f.nodes[n.Name] = &fakeNode{healed: make(chan struct{}), conns: map[*fakeClient]bool{}}
	}
	return f
}

// set changes how a node behaves.
func (f *fake) set(node string, m mode) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := f.nodes[node]
	if was := mode(n.mode.Load()); m == paused || m == stale && was != paused {
		n.old = maps.Clone(f.data)
	}
	n.mode.Store(int32(m))
	close(n.healed)
	n.healed = make(chan struct{})
	if m == down {
		for c := range n.conns {
			c.breakUp()
		}
		clear(n.conns)
	}
}

func (f *fake) Name() string              { return "fake" }
func (f *fake) Describe() string          { return "" }
func (f *fake) Params() declare.Params    { return nil }
func (f *fake) Prototype() systems.Client { return &fakeClient{} }
func (f *fake) Server(systems.Node, systems.Cluster, declare.Args) (systems.Start, error) {
	return systems.Start{}, nil
}

func (f *fake) Dial(_ context.Context, node systems.Node) (systems.Client, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := f.nodes[node.Name]
	n.dials.Add(1)
	if mode(n.mode.Load()) == down {
		return nil, &systems.Error{Certain: true, Lost: true, Err: errors.New("connection refused")}
	}
	c := &fakeClient{f: f, n: n, broken: make(chan struct{})}
	n.conns[c] = true
	return c, nil
}

type fakeClient struct {
	f      *fake
	n      *fakeNode
	once   sync.Once
	broken chan struct{}
}

func (c *fakeClient) breakUp() { c.once.Do(func() { close(c.broken) }) }

func (c *fakeClient) Close() error { c.breakUp(); return nil }

var errBroken = &systems.Error{Lost: true, Err: errors.New("connection reset by peer")}

// do is serve, of what changes something.
func (c *fakeClient) do(ctx context.Context, apply func(from, to store)) error {
	if mode(c.n.mode.Load()) != mute {
		return c.serve(ctx, apply)
	}
	select {
	case <-c.broken:
		return errBroken
	case <-ctx.Done():
		return ctx.Err()
	}
}

// serve waits as the node's mode has it, and carries out the operation.
func (c *fakeClient) serve(ctx context.Context, apply func(from, to store)) error {
	c.n.ops.Add(1)
	if err := c.wait(ctx, c.f.latency/2); err != nil {
		return err
	}
	for {
		c.f.mu.Lock()
		m, healed := mode(c.n.mode.Load()), c.n.healed
		from, to := c.f.data, c.f.data
		switch m {
		case stale:
			from = c.n.old
		case forgetful:
			to = store{}
		case refusing:
			c.f.mu.Unlock()
			return &systems.Error{Certain: true, Err: errors.New("no leader")}
		case breaking:
			if c.n.breaker.Add(1)%2 == 0 {
				apply(from, to)
			}
			c.f.mu.Unlock()
			c.breakUp()
			return errBroken
		}
		if m != paused {
			apply(from, to)
			c.f.mu.Unlock()
			return c.wait(ctx, c.f.latency/2)
		}
		c.f.mu.Unlock()
		select {
		case <-healed:
		case <-c.broken:
			return errBroken
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (c *fakeClient) wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-c.broken:
		return errBroken
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *fakeClient) Read(ctx context.Context, key string) (v history.Value, err error) {
	err = c.serve(ctx, func(from, _ store) { v = from[key] })
	return v, err
}

func (c *fakeClient) Write(ctx context.Context, key string, value history.Value) error {
	return c.do(ctx, func(_, to store) { to[key] = value })
}

func (c *fakeClient) CAS(ctx context.Context, key string, expect, value history.Value) (swapped bool, found history.Value, err error) {
	err = c.do(ctx, func(_, to store) {
		if found = c.f.data[key]; found == expect {
			to[key], swapped = value, true
		}
	})
	return swapped, found, err
}

func (c *fakeClient) Delete(ctx context.Context, key string) error {
	return c.do(ctx, func(_, to store) { delete(to, key) })
}

// name of the node at i, round and round.
func (f *fake) name(i int) string {
	return []string{"n1", "n2", "n3"}[i%3]
}

// registers is the workload register.
func registers() workloads.Workload {
	w, err := catalogue.FindWorkload("register")
	if err != nil {
		panic(err)
	}
	return w
}
