package driver

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"squall/workloads"
)

// finalPerNode is how many final operations are under way at one node, at most.
const finalPerNode = 8

// finals are the operations after the storm: by node, each to be run there until
// it succeeds.
type finals struct {
	load   *load
	links  [][]*link
	ops    [][]workloads.Intent // by node
	next   []atomic.Int64       // by node: how many were taken
	missed atomic.Int64
}

func newFinals(l *load, links [][]*link, all []workloads.Final) *finals {
	f := &finals{load: l, links: links, ops: make([][]workloads.Intent, len(links)), next: make([]atomic.Int64, len(links))}
	turn := 0
	for _, final := range all {
		for i := range links {
			if final.EveryNode || i == turn%len(links) {
				f.ops[i] = append(f.ops[i], final.Intent)
			}
		}
		if !final.EveryNode {
			turn++
		}
	}
	return f
}

func (f *finals) wanted() int {
	n := 0
	for _, ops := range f.ops {
		n += len(ops)
	}
	return n
}

// run runs the operations, as the load's clients, which are at rest. It ends at
// Config.FinalTimeout at the latest.
func (f *finals) run(ctx context.Context) FinalCounts {
	ctx, cancel := context.WithTimeoutCause(ctx, f.load.cfg.FinalTimeout,
		fmt.Errorf("timeout: the final operations took longer than %v", f.load.cfg.FinalTimeout))
	defer cancel()
	var workers sync.WaitGroup
	for i := range min(len(f.load.clients), finalPerNode*len(f.links)) {
		workers.Go(func() { f.work(ctx, i) })
	}
	workers.Wait()
	return FinalCounts{Wanted: f.wanted(), Missing: int(f.missed.Load())}
}

// work is one client's part: its own node's operations first, then it helps others.
func (f *finals) work(ctx context.Context, i int) {
	l := f.load
	a := aside{rec: l.rec, clock: l.clock, flight: l.rec.register(), process: l.clients[i].process, fresh: l.freshProcess, timeout: l.cfg.Timeout}
	defer l.rec.release(a.flight)
	for off := range f.links {
		node := (i + off) % len(f.links)
		for {
			n := int(f.next[node].Add(1)) - 1
			if n >= len(f.ops[node]) {
				break
			}
			try := func() bool { return a.try(ctx, f.links[node][0], f.ops[node][n]) }
			if ctx.Err() != nil || !a.until(ctx, try) {
				f.missed.Add(1)
			}
		}
	}
}
