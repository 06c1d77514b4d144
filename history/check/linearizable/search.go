package linearizable

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/anishathalye/porcupine"

	"squall/history/check"
)

// watchEvery is how often limits are looked at. Two busy processors allocate
// some ten megabytes in that time.
const watchEvery = 10 * time.Millisecond

// watch stops work when it reaches a limit, and runs porcupine's searches so.
//
// Porcupine itself knows a timeout but no memory limit, and after a timeout it
// leaves its goroutine behind. So searches are stopped from inside: once the
// reason is set, the model refuses every step, the search runs out of moves and
// returns, and its answer is thrown away.
type watch struct {
	memory uint64

	mu      sync.Mutex
	running map[*guard]struct{}

	full    atomic.Bool
	collect sync.Mutex // one collection at a time
	stop    chan struct{}
	stopped sync.WaitGroup
}

// guard tells work when it must stop. Asking it costs next to nothing, so that
// loops ask in every round or every so many. A nil guard never stops anything.
type guard struct {
	reason   atomic.Int32
	deadline time.Time
	watch    *watch
}

// room says whether so many bytes more fit into the memory limit, and halts the work
// when they do not: what is taken at once must not be noticed only afterwards.
func (g *guard) room(bytes int) bool {
	if g == nil || check.HeapBytes()+uint64(bytes) <= g.watch.memory {
		return true
	}
	g.watch.collect.Lock()
	defer g.watch.collect.Unlock()
	if g.stopped() {
		return false
	}
	if check.HeapBytes()+uint64(bytes) > g.watch.memory {
		runtime.GC()
	}
	if check.HeapBytes()+uint64(bytes) > g.watch.memory {
		g.halt(check.StopMemory)
		return false
	}
	return true
}

func (g *guard) stopped() bool { return g.why() != check.NotStopped }

func (g *guard) why() check.StopReason {
	if g == nil {
		return check.NotStopped
	}
	return check.StopReason(g.reason.Load())
}

func (g *guard) halt(why check.StopReason) {
	g.reason.CompareAndSwap(int32(check.NotStopped), int32(why))
}

// guard begins to watch over some work until the deadline; release ends it.
func (w *watch) guard(deadline time.Time) (g *guard, release func()) {
	g = &guard{deadline: deadline, watch: w}
	if !time.Now().Before(deadline) {
		g.halt(check.StopTime)
	}
	w.mu.Lock()
	w.running[g] = struct{}{}
	w.mu.Unlock()
	return g, func() {
		w.mu.Lock()
		delete(w.running, g)
		w.mu.Unlock()
	}
}

// startWatch begins to watch. The caller must close it.
func startWatch(ctx context.Context, memory uint64) *watch {
	w := &watch{
		memory:  memory,
		running: make(map[*guard]struct{}),
		stop:    make(chan struct{}),
	}
	w.stopped.Go(func() { w.loop(ctx) })
	w.stopped.Go(w.watchMemory)
	return w
}

func (w *watch) close() {
	close(w.stop)
	w.stopped.Wait()
}

func (w *watch) loop(ctx context.Context) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-w.stop:
			return
		case now := <-tick.C:
			w.mu.Lock()
			for s := range w.running {
				switch {
				case ctx.Err() != nil:
					s.halt(check.StopCancelled)
				case w.full.Load():
					s.halt(check.StopMemory)
				case now.After(s.deadline):
					s.halt(check.StopTime)
				}
			}
			w.mu.Unlock()
		}
	}
}

// watchMemory finds out whether the heap is full. To be sure of that the garbage
// has to be collected, which on a large heap takes longer than deadlines can wait
// for, and may take a fourth of the time at most.
func (w *watch) watchMemory() {
	wait := time.NewTimer(watchEvery)
	defer wait.Stop()
	for {
		select {
		case <-w.stop:
			return
		case begin := <-wait.C:
			w.full.Store(check.MemoryFull(w.memory))
			wait.Reset(max(watchEvery, 3*time.Since(begin)))
		}
	}
}

// found is the answer of a search.
type found struct {
	result porcupine.CheckResult // Unknown when it was stopped
	why    check.StopReason
	info   porcupine.LinearizationInfo // when asked for, and not stopped
}

// run searches for a linearization until the deadline. It returns after the
// search has ended, whatever the reason: nothing goes on behind its back.
func (w *watch) run(model porcupine.Model, ops []porcupine.Operation, deadline time.Time, withInfo bool) found {
	g, release := w.guard(deadline)
	defer release()
	var refused atomic.Bool // a step was refused, so the answer means nothing
	step := model.Step
	model.StepContext = nil
	model.Step = func(state, input, output any) (bool, any) {
		if g.stopped() {
			refused.Store(true)
			return false, state
		}
		return step(state, input, output)
	}
	var f found
	if withInfo {
		f.result, f.info = porcupine.CheckOperationsVerbose(model, ops, 0)
	} else if porcupine.CheckOperations(model, ops) {
		f.result = porcupine.Ok
	} else {
		f.result = porcupine.Illegal
	}
	if refused.Load() {
		return found{result: porcupine.Unknown, why: g.why()}
	}
	return f
}

// eachOf calls work for 0 … n−1 on a pool of workers, in that order. It panics if work
// did, after all have ended.
func eachOf(workers, n int, work func(i int)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	var panicked atomic.Pointer[any]
	for range min(workers, n) {
		wg.Go(func() {
			defer func() {
				if p := recover(); p != nil {
					panicked.CompareAndSwap(nil, &p)
				}
			}()
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				work(i)
			}
		})
	}
	wg.Wait()
	if p := panicked.Load(); p != nil {
		panic(*p)
	}
}

// inRounds works on 0 … n−1 with a pool of workers under a time limit, so that
// no single one uses up the time of the others: each first gets a small share
// of it, and those that ask for more (again) then share what is left.
func inRounds(n int, limits check.Limits, work func(i int, deadline time.Time) (again bool)) {
	end := time.Now().Add(limits.Time)
	share := min(limits.Time/4, max(limits.Time/50, time.Second))
	more := make([]bool, n)
	eachOf(limits.Workers, n, func(i int) {
		deadline := time.Now().Add(share)
		if deadline.After(end) {
			deadline = end
		}
		more[i] = work(i, deadline)
	})
	var again []int
	for i := range more {
		if more[i] {
			again = append(again, i)
		}
	}
	eachOf(limits.Workers, len(again), func(i int) { work(again[i], end) })
}
