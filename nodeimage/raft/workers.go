package raft

import (
	"fmt"
	"slices"
	"sync"
)

// fifo is the list of jobs of one worker. It needs no bound of its own: the
// core never has more than a bounded number of jobs under way.
type fifo[J any] struct {
	mu     sync.Mutex
	filled sync.Cond
	jobs   []J
	closed bool
}

func newFIFO[J any]() *fifo[J] {
	f := &fifo[J]{}
	f.filled.L = &f.mu
	return f
}

func (f *fifo[J]) put(j J) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.jobs = append(f.jobs, j)
	f.filled.Signal()
}

// offer is put, unless the list is closed.
func (f *fifo[J]) offer(j J) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return false
	}
	f.jobs = append(f.jobs, j)
	f.filled.Signal()
	return true
}

// take waits for jobs and returns all there are. After close it returns what
// is left, and then not ok.
func (f *fifo[J]) take() (jobs []J, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for len(f.jobs) == 0 && !f.closed {
		f.filled.Wait()
	}
	jobs, f.jobs = f.jobs, nil
	return jobs, len(jobs) > 0
}

func (f *fifo[J]) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	f.filled.Signal()
}

func (f *fifo[J]) isClosed() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.closed
}

// workers are the goroutines that do what takes long: one writes the log, one
// runs the state machine, one keeps the snapshot files. Each answers with a
// task on the node's queue.
type workers struct {
	writes  *fifo[writeJob]
	applies *fifo[applyJob]
	stores  *fifo[storeJob]
	wg      sync.WaitGroup
}

func startWorkers(storage Storage, a *applier, post func(task) bool) *workers {
	w := &workers{writes: newFIFO[writeJob](), applies: newFIFO[applyJob](), stores: newFIFO[storeJob]()}
	w.wg.Go(func() { w.runWriter(storage, post) })
	w.wg.Go(func() { w.runApplier(a, post) })
	w.wg.Go(func() { w.runStore(storage, post) })
	return w
}

func (w *workers) write(j writeJob)   { w.writes.put(j) }
func (w *workers) apply(j applyJob)   { w.applies.put(j) }
func (w *workers) archive(j storeJob) { w.stores.put(j) }

// stop ends the workers after the job that each is at.
func (w *workers) stop() {
	w.writes.close()
	w.applies.close()
	w.stores.close()
	w.wg.Wait()
}

// runWriter makes writes durable. Those that came during the last fsync share
// the next one.
func (w *workers) runWriter(s Storage, post func(task) bool) {
	for {
		jobs, ok := w.writes.take()
		if !ok || w.writes.isClosed() {
			return
		}
		if err := s.Save(mergeWrites(jobs)); err != nil {
			post(storageFailed{fmt.Errorf("raft: write the log: %w", err)})
			return
		}
		post(persisted{jobs[len(jobs)-1].seq})
	}
}

func (w *workers) runApplier(a *applier, post func(task) bool) {
	for {
		jobs, ok := w.applies.take()
		if !ok {
			return
		}
		for _, j := range jobs {
			if w.applies.isClosed() {
				a.abandon(j)
				continue
			}
			if answer := a.run(j); answer != nil {
				post(answer)
			}
		}
	}
}

func (w *workers) runStore(s Storage, post func(task) bool) {
	for {
		jobs, ok := w.stores.take()
		if !ok {
			return
		}
		for _, j := range jobs {
			if w.stores.isClosed() {
				return
			}
			if answer := runStoreJob(s, j); answer != nil {
				post(answer)
			}
		}
	}
}

// mergeWrites makes one batch of consecutive writes, with the effect of all.
func mergeWrites(jobs []writeJob) Batch {
	merged := jobs[0].batch
	for _, j := range jobs[1:] {
		b := &j.batch
		if b.Hard != nil {
			merged.Hard = b.Hard
		}
		if b.Reset != nil {
			merged.Reset, merged.Entries, merged.Compact = b.Reset, nil, 0
		}
		merged.Entries = mergeEntries(merged.Entries, b.Entries)
		merged.Compact = max(merged.Compact, b.Compact)
	}
	return merged
}

// mergeEntries appends entries that may overwrite the end of those before.
func mergeEntries(before, after []Entry) []Entry {
	if len(before) == 0 || len(after) == 0 {
		return append(before, after...)
	}
	first := before[0].Index
	if after[0].Index <= first {
		return after
	}
	keep := before[:min(after[0].Index-first, uint64(len(before)))]
	return append(slices.Clip(keep), after...)
}
