package driver

import (
	"context"
	"sync"
	"sync/atomic"

	"squall/workloads"
)

// scan reads back, through every node, all that the load wrote, until its bound is
// over. Every node begins elsewhere in the list, so that when a third of the time is
// over each of three nodes has read another third of it.
type scan struct {
	load  *load
	links [][]*link
	reads []workloads.Intent
	next  []atomic.Int64 // by node: how many were taken
	ok    atomic.Int64
}

// newScan is a scan of what the configuration says, or else of what the generator can read
// back; of nothing where it cannot.
func newScan(l *load, links [][]*link, gen workloads.Generator) *scan {
	s := &scan{load: l, links: links, next: make([]atomic.Int64, len(links))}
	if s.reads = l.cfg.Look; s.reads != nil {
		return s
	}
	if scanner, ok := gen.(workloads.Scanner); ok {
		s.reads = scanner.Scan()
	}
	return s
}

// run ends at Config.ScanTimeout, and when the operations then under way have ended:
// those are not cut short, for what is cut short says nothing of the cluster.
func (s *scan) run(ctx context.Context) FinalCounts {
	begin, cancel := context.WithTimeout(ctx, s.load.cfg.ScanTimeout)
	defer cancel()
	var workers sync.WaitGroup
	for node := range s.links {
		for range min(finalPerNode, len(s.reads)) {
			workers.Go(func() { s.work(ctx, begin, node) })
		}
	}
	workers.Wait()
	wanted := len(s.reads) * len(s.links)
	return FinalCounts{Wanted: wanted, Missing: wanted - int(s.ok.Load())}
}

// work reads one thing after the other through a node, each until it succeeds or begin
// has ended.
func (s *scan) work(ctx, begin context.Context, node int) {
	l := s.load
	a := aside{rec: l.rec, clock: l.clock, flight: l.rec.register(), process: l.freshProcess(), fresh: l.freshProcess, timeout: l.cfg.Timeout}
	defer l.rec.release(a.flight)
	first := node * len(s.reads) / len(s.links)
	for begin.Err() == nil {
		n := int(s.next[node].Add(1)) - 1
		if n >= len(s.reads) {
			return
		}
		read := s.reads[(first+n)%len(s.reads)]
		if a.until(begin, func() bool { return a.try(ctx, s.links[node][0], read) }) {
			s.ok.Add(1)
		}
	}
}
