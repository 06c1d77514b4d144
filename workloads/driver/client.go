package driver

import (
	"context"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"squall/history"
	"squall/workloads"
)

// How long a client rests after an operation that was not OK: the first time,
// and at most. It grows by factors of two and is spread by half, so that a
// dead node sees a few attempts a second of each client, and no stampede when
// it is back.
const (
	restFirst = 20 * time.Millisecond
	restMost  = 200 * time.Millisecond
)

// client is one client of the load: a stream of operations against one node.
// At any moment one runner owns it, and that one alone touches it.
type client struct {
	load    *load
	link    *link
	stream  workloads.Stream
	rng     *rand.Rand // for rests alone
	process int64      // of the next operation
	again   *resender  // nil: it sends all once
	owner   atomic.Pointer[runner]
}

// renumber gives the client a fresh process number, after an operation that
// may still take effect. Client i's processes are i, i+n, i+2n, …, of n
// clients.
func (c *client) renumber() { c.process += int64(len(c.load.clients)) }

// States of a runner; any other is the call time of its operation under way.
const (
	idle = 0
	left = -1 // its client lost patience and went on with another runner
)

// runner runs a client's operations one by one, until the client loses
// patience with one of them: then the runner only sees that one to its end,
// and a new runner has the client.
type runner struct {
	client   *client
	flight   *flight
	again    *resender
	ctx      context.Context
	cancel   context.CancelCauseFunc
	state    atomic.Int64
	finished atomic.Bool
	leftCall int64 // the call time of the operation it was left with; the watcher's
	// suspect is true while the node owes the answer to an operation that may
	// take effect: nothing but reads then. They find out what the node answers
	// from when it wakes up, and do not pile up writes whose outcome nobody
	// knows. A node that owes reads alone is still offered a write: one that
	// acknowledges what it cannot keep shows itself by that.
	suspect bool
	failed  int // operations in a row that were not OK
	op      history.Op
}

// run is the life of a runner.
func (r *runner) run() {
	l := r.client.load
	defer l.exit(r)
	rest := time.NewTimer(time.Hour)
	defer rest.Stop()
	for {
		due, ok := l.next()
		if !ok || !r.step(due) {
			return
		}
		if r.failed == 0 {
			continue
		}
		rest.Reset(r.restTime())
		select {
		case <-rest.C:
		case <-l.stopped:
			return
		}
	}
}

// step runs one operation. It returns false when the runner no longer owns
// the client.
func (r *runner) step(due int64) bool {
	c, l := r.client, r.client.load
	r.op = newOp(c.link.node.Name, c.stream.Next(r.suspect))
	again := r.again.takes(r.ctx, r.op.Func)
	r.op.Process = c.process
	l.rec.begin(r.flight, &r.op, l.clock.now)
	if due == 0 {
		due = r.op.Call
	}
	r.state.Store(r.op.Call)
	if again {
		r.again.perform(r.ctx, &r.op)
	} else {
		perform(r.ctx, c.link, &r.op)
	}
	l.rec.end(r.flight, &r.op, due)
	l.gen.Observe(&r.op)
	if !r.state.CompareAndSwap(r.op.Call, idle) {
		return false
	}
	switch r.op.Outcome {
	case history.OK:
		r.suspect, r.failed = false, 0
		return true
	case history.Info:
		c.renumber()
	}
	r.failed++
	return true
}

func (r *runner) restTime() time.Duration {
	d := min(restFirst<<min(r.failed-1, 10), restMost)
	return d/2 + time.Duration(r.client.rng.Int64N(int64(d)))
}

// watch looks after patience and timeouts for all clients, until over is
// closed. One goroutine that looks now and then costs the operations nothing,
// where a timer for each would.
func (l *load) watch(over <-chan struct{}) {
	tick := time.NewTicker(min(max(l.cfg.Patience/20, time.Millisecond), 50*time.Millisecond))
	defer tick.Stop()
	var waiting []*runner // left by their clients
	for {
		select {
		case <-tick.C:
		case <-over:
			return
		}
		now := l.clock.now()
		for _, c := range l.clients {
			if r := l.losePatience(c, now); r != nil {
				waiting = append(waiting, r)
			}
		}
		kept := waiting[:0]
		for _, r := range waiting {
			if r.finished.Load() {
				continue
			}
			// The runner was left at this operation, so it is its last one,
			// and its context ends nothing else.
			if now-r.leftCall > int64(l.cfg.Timeout) {
				r.cancel(l.timedOut)
			}
			kept = append(kept, r)
		}
		clear(waiting[len(kept):])
		waiting = kept
	}
}

// losePatience takes a client from a runner whose operation is under way for
// too long, and returns that runner.
func (l *load) losePatience(c *client, now int64) *runner {
	r := c.owner.Load()
	call := r.state.Load()
	if call <= idle || now-call <= int64(l.cfg.Patience) {
		return nil
	}
	// Under the lock, so that the runner, when it ends at once, does not take
	// the count of runners to zero before its successor is counted.
	l.mu.Lock()
	defer l.mu.Unlock()
	if !r.state.CompareAndSwap(call, left) {
		return nil // it has just ended
	}
	r.leftCall = call
	c.renumber()
	if !l.isStopped() {
		l.start(c, r.suspect || !c.link.work.Functions.Reads(r.op.Func))
	}
	return r
}
