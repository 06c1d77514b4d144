package lock

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
	seed        uint64
	keys        *workloads.Rotation
	hold, again float64
	clients     []*client
}

var (
	_ workloads.Generator = (*load)(nil)
	_ workloads.Scanner   = (*load)(nil)
)

func newLoad(l workloads.Load) workloads.Generator {
	g := &load{
		seed:    l.Seed,
		keys:    workloads.NewRotation("l", l.Args.Int("keys"), l.Args.Int("ops-per-key")),
		hold:    l.Args.Float("hold"),
		again:   l.Args.Float("again"),
		clients: make([]*client, l.Clients),
	}
	for i := range g.clients {
		g.clients[i] = &client{}
	}
	return g
}

// client is what a client knows of its locks.
type client struct {
	mu       sync.Mutex
	held     []grant // not released yet, oldest first
	released grant   // the last one that was; without a key: none was
}

// grant is a lock that was granted.
type grant struct {
	key   string
	owner history.Data
	token history.Data
}

func (g grant) release() workloads.Intent {
	return workloads.Intent{Func: objects.Release, Key: g.key, In: history.List(g.owner, g.token)}
}

// Observe notes a lock that was granted, and one whose release had no effect, for
// the client that the owner names.
func (l *load) Observe(op *history.Op) {
	switch g := (grant{op.Key, op.In, op.Out}); {
	case op.Func == objects.Acquire && op.Outcome == history.OK && op.Out != "" && op.Out[0] != '"':
		if c := l.clientOf(g.owner); c != nil {
			c.hold(g)
		}
	case op.Func == objects.Release && op.Outcome == history.Fail:
		g.owner, g.token = op.In.At("0"), op.In.At("1")
		if c := l.clientOf(g.owner); c != nil {
			c.hold(g)
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

func (c *client) hold(g grant) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.held = append(c.held, g)
}

// ownerPrefix begins the owner of a client: "c3-17" is client 3's 17th acquire.
const ownerPrefix = "c"

// Finals acquire every lock, which shows who holds it: see workloads.Rotation.
func (l *load) Finals() []workloads.Final {
	return l.keys.Finals(final)
}

// final asks for a lock on behalf of nobody in the load.
func final(key string) workloads.Intent { return acquire(key, "final-"+key) }

// Scan acquires every lock that was ever used.
func (l *load) Scan() []workloads.Intent { return l.keys.Scan(final) }

// Recovery acquires a lock of the node's own.
func (l *load) Recovery(node string, attempt int) []workloads.Intent {
	return []workloads.Intent{acquire("recovery-"+node, node+"-"+strconv.Itoa(attempt+1))}
}

func acquire(key, owner string) workloads.Intent {
	return workloads.Intent{Func: objects.Acquire, Key: key, In: history.Text(owner)}
}

// Client is the stream of client i.
func (l *load) Client(i int) workloads.Stream {
	return &stream{
		load:   l,
		client: l.clients[i],
		owner:  ownerPrefix + strconv.Itoa(i) + "-",
		rng:    rand.New(rand.NewPCG(l.seed, 0x6c6f636b^uint64(i))),
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

// Next draws the next operation. Nothing reads a lock; what changes nothing is a
// release with a token that is over.
func (s *stream) Next(readOnly bool) workloads.Intent {
	again, hold := s.rng.Float64() < s.again, s.rng.Float64() < s.hold
	if over := s.over(); over.key != "" && (readOnly || again) {
		return over.release()
	}
	if g := s.drop(readOnly || hold); g.key != "" {
		return g.release()
	}
	turn := s.keys.Take(s.rng.IntN(s.keys.Keys()))
	s.acquires++
	return acquire(turn.Key, s.owner+strconv.Itoa(s.acquires))
}

// over is a lock that the client has released.
func (s *stream) over() grant {
	s.client.mu.Lock()
	defer s.client.mu.Unlock()
	return s.client.released
}

// drop takes the lock that the client holds for longest, to be released, unless it
// is to be kept.
func (s *stream) drop(keep bool) grant {
	c := s.client
	c.mu.Lock()
	defer c.mu.Unlock()
	if keep || len(c.held) == 0 {
		return grant{}
	}
	g := c.held[0]
	c.held = c.held[1:]
	c.released = g
	return g
}
