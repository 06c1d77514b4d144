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

// finalPerNode is how many final reads are under way at one node, at most.
const finalPerNode = 8

// finalReads are the reads after the storm: keys by node, each to be read
// there until it answers.
type finalReads struct {
	load   *load
	links  [][]*link
	keys   [][]string     // by node
	next   []atomic.Int64 // by node: how many keys were taken
	missed atomic.Int64
}

func newFinalReads(l *load, links [][]*link, reads []workloads.FinalRead) *finalReads {
	f := &finalReads{load: l, links: links, keys: make([][]string, len(links)), next: make([]atomic.Int64, len(links))}
	turn := 0
	for _, read := range reads {
		for i := range links {
			if read.EveryNode || i == turn%len(links) {
				f.keys[i] = append(f.keys[i], read.Key)
			}
		}
		if !read.EveryNode {
			turn++
		}
	}
	return f
}

func (f *finalReads) wanted() int {
	n := 0
	for _, keys := range f.keys {
		n += len(keys)
	}
	return n
}

// run makes the reads, as the load's clients, which are at rest. It ends at
// Config.FinalTimeout at the latest.
func (f *finalReads) run(ctx context.Context) FinalCounts {
	ctx, cancel := context.WithTimeoutCause(ctx, f.load.cfg.FinalTimeout,
		fmt.Errorf("timeout: the final reads took longer than %v", f.load.cfg.FinalTimeout))
	defer cancel()
	var workers sync.WaitGroup
	for i := range min(len(f.load.clients), finalPerNode*len(f.links)) {
		workers.Go(func() { f.work(ctx, i) })
	}
	workers.Wait()
	return FinalCounts{Wanted: f.wanted(), Missing: int(f.missed.Load())}
}

// work is one client's part: its own node's keys first, then it helps others.
func (f *finalReads) work(ctx context.Context, i int) {
	flight := f.load.rec.register()
	defer f.load.rec.release(flight)
	for off := range f.links {
		node := (i + off) % len(f.links)
		for {
			n := int(f.next[node].Add(1)) - 1
			if n >= len(f.keys[node]) {
				break
			}
			if !f.read(ctx, flight, f.load.clients[i].process, node, f.keys[node][n]) {
				f.missed.Add(1)
			}
		}
	}
}

// read reads a key through a node until it answers. Each attempt is an
// operation of its own, and a read without an answer had no effect, so the
// process goes on.
func (f *finalReads) read(ctx context.Context, flight *flight, process int64, node int, key string) bool {
	l, link := f.load, f.links[node][0]
	for rest := restFirst; ; rest = min(2*rest, restMost) {
		if ctx.Err() != nil {
			return false
		}
		op := newOp(link.node.Name, workloads.Intent{Func: history.Read, Key: key})
		op.Process, op.Final, op.Call = process, true, l.clock.now()
		l.rec.begin(flight, &op)
		attempt, cancel := context.WithTimeoutCause(ctx, l.cfg.Timeout, l.timedOut)
		perform(attempt, link, &op)
		cancel()
		l.rec.end(flight, &op, op.Call)
		if op.Outcome == history.OK {
			return true
		}
		select {
		case <-time.After(rest):
		case <-ctx.Done():
			return false
		}
	}
}
