package lease

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"

	"squall/history"
	"squall/history/objects"
	"squall/workloads"
)

// load is the part of the load that all clients share.
type load struct {
	seed               uint64
	keys               *workloads.Rotation
	ttlMs, skewMs      int64
	forget, reads, old float64
	clients            []*client
}

var (
	_ workloads.Generator = (*load)(nil)
	_ workloads.Scanner   = (*load)(nil)
)

func newLoad(l workloads.Load) workloads.Generator {
	g := &load{
		seed:    l.Seed,
		keys:    workloads.NewRotation("l", l.Args.Int("keys"), l.Args.Int("ops-per-key")),
		ttlMs:   l.Args.Duration("ttl").Milliseconds(),
		skewMs:  l.Args.Duration("skew").Milliseconds(),
		forget:  l.Args.Float("forget"),
		reads:   l.Args.Float("reads"),
		old:     l.Args.Float("old"),
		clients: make([]*client, l.Clients),
	}
	for i := range g.clients {
		g.clients[i] = &client{}
	}
	return g
}

// client is what a client knows of its leases.
type client struct {
	mu   sync.Mutex
	held []grant // oldest first
	over grant   // the last one that was released, forgotten or lost; without a key: none was
}

// grant is a lease that was granted.
type grant struct {
	key   string
	owner history.Data
	token history.Data
}

// Observe notes a lease that was granted, and one that is not held any more, for the client
// that the owner names.
func (l *load) Observe(op *history.Op) {
	if op.Outcome != history.OK {
		return
	}
	switch op.Func {
	case objects.Acquire:
		if g := (grant{op.Key, op.In.At("owner"), op.Out}); op.Out != "" && op.Out[0] != '"' {
			if c := l.clientOf(g.owner); c != nil {
				c.hold(g)
			}
		}
	case objects.KeepAlive:
		if g := (grant{op.Key, op.In.At("owner"), op.In.At("token")}); op.Out == history.False {
			if c := l.clientOf(g.owner); c != nil {
				c.lose(g)
			}
		}
	}
}

// clientOf is the client that an owner names; nil for none, as after the storm.
func (l *load) clientOf(owner history.Data) *client {
	name, _ := owner.Text()
	number, ok := strings.CutPrefix(name, ownerPrefix)
	number, _, _ = strings.Cut(number, "-")
	i, err := strconv.Atoi(number)
	if !ok || err != nil || i < 0 || i >= len(l.clients) {
		return nil
	}
	return l.clients[i]
}

// ownerPrefix begins the owner of a client: "c3-17" is client 3's 17th acquire.
const ownerPrefix = "c"

func (c *client) hold(g grant) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.held = append(c.held, g)
}

// lose takes that a lease is over.
func (c *client) lose(g grant) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.held {
		if c.held[i] == g {
			c.held, c.over = append(c.held[:i], c.held[i+1:]...), g
			return
		}
	}
}

// some is the lease that the client holds for longest, and the one that it held last; each
// without a key when there is none.
func (c *client) some() (held, over grant) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.held) > 0 {
		held = c.held[0]
	}
	return held, c.over
}

// Finals read what every lock protects: see workloads.Rotation.
func (l *load) Finals() []workloads.Final { return l.keys.Finals(read) }

// Scan reads what every lock protects that was ever used.
func (l *load) Scan() []workloads.Intent { return l.keys.Scan(read) }

func read(key string) workloads.Intent { return workloads.Intent{Func: history.Read, Key: key} }

// Recovery acquires a lock of the node's own, and reads what it protects.
func (l *load) Recovery(node string, attempt int) []workloads.Intent {
	key := "recovery-" + node
	return []workloads.Intent{l.acquire(key, node+"-"+strconv.Itoa(attempt+1)), read(key)}
}

func (l *load) acquire(key, owner string) workloads.Intent {
	return workloads.Intent{Func: objects.Acquire, Key: key, In: objects.LeaseTerms(owner, l.ttlMs, l.skewMs)}
}

func (l *load) keepAlive(g grant) workloads.Intent {
	return workloads.Intent{Func: objects.KeepAlive, Key: g.key, In: objects.KeepAliveTerms(g.owner, g.token, l.ttlMs, l.skewMs)}
}

func (g grant) release() workloads.Intent {
	return workloads.Intent{Func: objects.Release, Key: g.key, In: history.List(g.owner, g.token)}
}

func (g grant) write() workloads.Intent {
	return workloads.Intent{Func: history.Write, Key: g.key, In: g.token}
}

// Client is the stream of client i.
func (l *load) Client(i int) workloads.Stream {
	return &stream{
		load:   l,
		client: l.clients[i],
		owner:  ownerPrefix + strconv.Itoa(i) + "-",
		rng:    rand.New(rand.NewPCG(l.seed, 0x6c65617365^uint64(i))),
	}
}

// stream is one client's share of the load.
type stream struct {
	*load
	client   *client
	owner    string
	acquires int // so far
	rng      *rand.Rand
}

// The shares of what a client does that holds a lease, beside reads and old tokens.
const (
	shareWrite   = 0.4
	shareAlive   = 0.3
	shareAnother = 0.1 // it acquires another lock
)

// Next draws the next operation.
func (s *stream) Next(readOnly bool) workloads.Intent {
	reads, old, what := s.rng.Float64() < s.reads, s.rng.Float64() < s.old, s.rng.Float64()
	held, over := s.client.some()
	switch {
	case readOnly || reads:
		return read(s.readKey(held))
	case old && over.key != "":
		return s.useOld(over)
	case held.key == "" || what < shareAnother:
		s.acquires++
		return s.acquire(s.keys.Take(s.rng.IntN(s.keys.Keys())).Key, s.owner+strconv.Itoa(s.acquires))
	case what < shareAnother+shareWrite:
		return held.write()
	case what < shareAnother+shareWrite+shareAlive:
		return s.keepAlive(held)
	}
	s.client.lose(held)
	if s.rng.Float64() < s.forget {
		return held.write()
	}
	return held.release()
}

// readKey is what is read: what the client's lock protects, or another.
func (s *stream) readKey(held grant) string {
	if held.key != "" && s.rng.IntN(2) == 0 {
		return held.key
	}
	return s.keys.Peek(s.rng.IntN(s.keys.Keys()))
}

// useOld uses a token that is over, mostly to write.
func (s *stream) useOld(over grant) workloads.Intent {
	switch s.rng.IntN(6) {
	case 0:
		return over.release()
	case 1:
		return s.keepAlive(over)
	}
	return over.write()
}
