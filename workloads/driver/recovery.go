package driver

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"squall/history"
	"squall/workloads"
)

// recovery shows whether the cluster came back after the storm: through each node
// what the workload has for that (a write and then a read), each tried until it succeeds or the bound is over.
type recovery struct {
	load   *load
	links  [][]*link
	missed atomic.Int64
}

// run makes the operations, by processes of their own. It ends at Config.Recovery
// at the latest.
func (r *recovery) run(ctx context.Context) FinalCounts {
	bound := r.load.cfg.Recovery
	ctx, cancel := context.WithTimeoutCause(ctx, bound, fmt.Errorf("timeout: the node did not serve again within %v", bound))
	defer cancel()
	var workers sync.WaitGroup
	for i := range r.links {
		workers.Go(func() { r.node(ctx, i) })
	}
	workers.Wait()
	wanted := 0
	for i := range r.links {
		wanted += len(r.load.gen.Recovery(r.links[i][0].node.Name, 0))
	}
	return FinalCounts{Wanted: wanted, Missing: int(r.missed.Load())}
}

// node tries one node: the operations in order. Each attempt at one is the
// generator's next.
func (r *recovery) node(ctx context.Context, node int) {
	process := r.load.freshProcess()
	rec := r.load.rec
	flight := rec.register()
	defer rec.release(flight)
	name := r.links[node][0].node.Name
	attempt := 0
	for i := range r.load.gen.Recovery(name, 0) {
		next := func() workloads.Intent {
			attempt++
			return r.load.gen.Recovery(name, attempt-1)[i]
		}
		var ok bool
		if process, ok = r.until(ctx, flight, node, process, next); !ok {
			r.missed.Add(1)
		}
	}
}

// until tries an operation until it succeeds. It returns the process that goes on:
// one whose operation may still take effect does not. An operation that no time was
// left for is tried once all the same, so that the history tells of it.
func (r *recovery) until(ctx context.Context, f *flight, node int, process int64, next func() workloads.Intent) (int64, bool) {
	l, link := r.load, r.links[node][0]
	timeout := min(l.cfg.Timeout, max(l.cfg.Recovery/3, time.Millisecond))
	timedOut := fmt.Errorf("timeout: no answer in %v", timeout)
	for rest := restFirst; ; rest = min(2*rest, restMost) {
		op := newOp(link.node.Name, next())
		op.Process, op.Final, op.Call = process, true, l.clock.now()
		l.rec.begin(f, &op)
		attempt, cancel := context.WithTimeoutCause(ctx, timeout, timedOut)
		perform(attempt, link, &op)
		cancel()
		l.rec.end(f, &op, op.Call)
		switch op.Outcome {
		case history.OK:
			return process, true
		case history.Info:
			process = l.freshProcess()
		}
		select {
		case <-time.After(rest):
		case <-ctx.Done():
			return process, false
		}
		if ctx.Err() != nil {
			return process, false
		}
	}
}
