package driver

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
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
	l, link := r.load, r.links[node][0]
	a := aside{rec: l.rec, clock: l.clock, flight: l.rec.register(), process: l.freshProcess(), fresh: l.freshProcess,
		timeout: min(l.cfg.Timeout, max(l.cfg.Recovery/3, time.Millisecond))}
	defer l.rec.release(a.flight)
	attempt := l.cfg.Attempt
	for i := range l.gen.Recovery(link.node.Name, 0) {
		try := func() bool {
			attempt++
			return a.try(ctx, link, l.gen.Recovery(link.node.Name, attempt-1)[i])
		}
		if !a.until(ctx, try) {
			r.missed.Add(1)
		}
	}
}
