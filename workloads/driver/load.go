package driver

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"squall/workloads"
)

// load is the clients at work, from the first operation to the end of the
// last.
type load struct {
	cfg      Config
	clock    clock
	rec      *recorder
	gen      workloads.Generator
	clients  []*client
	arrivals chan int64 // when operations are due; nil in a closed loop
	timedOut error      // why an operation was given up
	ctx      context.Context
	abort    context.CancelCauseFunc

	stopOnce sync.Once
	stopped  chan struct{} // no operation begins any more
	done     chan struct{} // every operation has ended

	mu      sync.Mutex
	fresh   int64 // the next process number that nobody has; 0: not known yet
	runners int
	ended   chan struct{} // closed when the last runner has ended
}

// beginLoad starts the clients. links are by node, Config.Conns of each.
// Their processes count from first on.
func beginLoad(ctx context.Context, cfg Config, c clock, rec *recorder, gen workloads.Generator, links [][]*link, first int64) *load {
	l := &load{
		cfg: cfg, clock: c, rec: rec, gen: gen,
		timedOut: fmt.Errorf("timeout: no answer in %v", cfg.Timeout),
		stopped:  make(chan struct{}),
		done:     make(chan struct{}),
		ended:    make(chan struct{}),
	}
	l.ctx, l.abort = context.WithCancelCause(ctx)
	if cfg.Look != nil {
		l.stop()
	}
	for i := range cfg.processes() {
		node := links[i%len(links)]
		l.clients = append(l.clients, &client{
			load:    l,
			link:    node[i/len(links)%len(node)],
			stream:  gen.Client(i),
			rng:     rand.New(rand.NewPCG(cfg.Seed, 0x72657374^uint64(i))),
			process: first + int64(i),
			again:   newResender(cfg, i, links),
		})
	}
	var helpers sync.WaitGroup
	if len(cfg.Rate) > 0 {
		// Some are kept ready, so that clients do not wait for the sender;
		// being full it waits, but what is due is due all the same.
		l.arrivals = make(chan int64, 1024)
		helpers.Go(l.arrive)
	}
	l.mu.Lock()
	for _, c := range l.clients {
		l.start(c, false)
	}
	l.mu.Unlock()
	helpers.Go(func() { l.watch(l.ended) })
	go func() {
		<-l.ended
		l.stop() // so that arrive ends, should the clients have ended by themselves
		helpers.Wait()
		l.abort(nil)
		close(l.done)
	}()
	if cfg.Duration > 0 {
		timer := time.AfterFunc(cfg.Duration, l.stop)
		context.AfterFunc(l.ctx, func() { timer.Stop() })
	}
	return l
}

// stop lets no further operation begin. Those under way go on to their end.
func (l *load) stop() { l.stopOnce.Do(func() { close(l.stopped) }) }

func (l *load) isStopped() bool {
	select {
	case <-l.stopped:
		return true
	default:
		return false
	}
}

// start gives the client to a new runner. The lock is held.
func (l *load) start(c *client, suspect bool) {
	r := &runner{client: c, flight: l.rec.register(), suspect: suspect, again: c.again.fresh()}
	r.ctx, r.cancel = context.WithCancelCause(l.ctx)
	l.runners++
	c.owner.Store(r)
	go r.run()
}

// exit is a runner's last act.
func (l *load) exit(r *runner) {
	r.finished.Store(true)
	r.cancel(nil)
	l.rec.release(r.flight)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.runners--; l.runners == 0 {
		close(l.ended)
	}
}

// freshProcess is a process number that nobody had, for operations after the load.
func (l *load) freshProcess() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fresh == 0 {
		for _, c := range l.clients {
			l.fresh = max(l.fresh, c.process+1)
		}
	}
	l.fresh++
	return l.fresh - 1
}

// next waits until an operation is due. It returns when that was, or 0 for at
// once, and false when there is to be no other operation.
func (l *load) next() (due int64, ok bool) {
	if l.isStopped() {
		return 0, false
	}
	if l.arrivals == nil {
		return 0, true
	}
	select {
	case due = <-l.arrivals:
		return due, true
	case <-l.stopped:
		return 0, false
	}
}

// arrive makes operations due at the configured rate. It never slows down for
// the system under test: when all clients are busy it falls behind, and hands
// out moments that have passed, so the wait counts as latency.
func (l *load) arrive() {
	rng := rand.New(rand.NewPCG(l.cfg.Seed, 0x6172726976616c73))
	wake := time.NewTimer(time.Hour)
	defer wake.Stop()
	begin, arrivals := l.clock.now(), l.cfg.Rate.Arrivals()
	for {
		operations := 1.0
		if l.cfg.Arrival == Poisson {
			operations = rng.ExpFloat64()
		}
		after, ok := arrivals.Next(operations)
		if !ok {
			return
		}
		due := begin + int64(after)
		if wait := due - l.clock.now(); wait > 0 {
			wake.Reset(time.Duration(wait))
			select {
			case <-wake.C:
			case <-l.stopped:
				return
			}
		}
		select {
		case l.arrivals <- due:
		case <-l.stopped:
			return
		}
	}
}
