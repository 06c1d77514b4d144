package nemesis

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"squall/history"
	"squall/history/trace"
)

// Watch sees moments in what the nodes tell, for faults that wait for one. It is safe
// for concurrent use; whoever feeds it is never held up by those who wait. The zero value
// has seen nothing.
type Watch struct {
	mu      sync.Mutex
	scene   scene
	waiting map[*Expected]bool
	nodes   map[string]Standpoint
	// forSteps is how many wait for a moment of the full trace, which tells far more than
	// anybody waits for.
	forSteps atomic.Int32
	wanted   func(steps bool)
}

// OnSteps has f called, with a lock held, when somebody begins to wait for a moment of the
// full trace, and when nobody does any more. It is to be called before anybody waits.
func (w *Watch) OnSteps(f func(wanted bool)) { w.wanted = f }

// await counts those who wait for a moment of the full trace.
func (w *Watch) await(more int32) {
	now := w.forSteps.Add(more)
	if begins, ends := now == 1 && more > 0, now == 0; w.wanted != nil && (begins || ends) {
		w.wanted(begins)
	}
}

// Standpoint is what a node told last of itself, by its trace.
type Standpoint struct {
	Role   string
	Leader string // whom it knows to lead
	Term   uint64
	Last   uint64 // the last entry of its log, when it told its role
	Commit uint64 // the highest commit index that it told
	Boot   int
}

// Expected is a moment that somebody waits for.
type Expected struct {
	watch  *Watch
	moment Moment
	accept func(Sighting) bool
	seen   chan Sighting // holds the first
}

// Expect begins to look out for a moment, so that what causes it can be done next. accept
// says which of them will do; nil: any. It is called with a lock held, and must not call
// the watch. Drop ends it.
func (w *Watch) Expect(name string, accept func(Sighting) bool) (*Expected, error) {
	m, ok := FindMoment(name)
	if !ok {
		return nil, fmt.Errorf("there is no moment %q", name)
	}
	e := &Expected{watch: w, moment: m, accept: accept, seen: make(chan Sighting, 1)}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.waiting == nil {
		w.waiting = map[*Expected]bool{}
	}
	w.waiting[e] = true
	if m.step != nil {
		w.await(1)
	}
	return e, nil
}

// Seen has the first sighting as soon as there is one.
func (e *Expected) Seen() <-chan Sighting { return e.seen }

// Wait returns the first sighting, or the error of ctx.
func (e *Expected) Wait(ctx context.Context) (Sighting, error) {
	select {
	case s := <-e.seen:
		return s, nil
	default:
	}
	select {
	case s := <-e.seen:
		return s, nil
	case <-ctx.Done():
		return Sighting{}, ctx.Err()
	}
}

// Drop ends the looking out.
func (e *Expected) Drop() {
	e.watch.mu.Lock()
	defer e.watch.mu.Unlock()
	e.watch.forget(e)
}

// forget is called with the lock held.
func (w *Watch) forget(e *Expected) {
	if w.waiting[e] && e.moment.step != nil {
		w.await(-1)
	}
	delete(w.waiting, e)
}

// Take takes what a node's trace, or its agent, tells, in the order in which it comes.
func (w *Watch) Take(e *history.NodeEvent) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for x := range w.waiting {
		if x.moment.event == nil {
			continue
		}
		if peer, is := x.moment.event(&w.scene, e); is {
			w.tell(x, Sighting{x.moment.Name, e.Node, peer, e.Term, e.Time})
		}
	}
	w.scene.take(e)
	w.note(e)
}

// TakeStep takes a step of a node's full trace; names are the nodes' names by their
// numbers.
func (w *Watch) TakeStep(node string, names map[trace.NodeID]string, e *trace.Event) {
	if w.forSteps.Load() == 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for x := range w.waiting {
		if x.moment.step == nil {
			continue
		}
		if peer, is := x.moment.step(e.Node, e); is {
			w.tell(x, Sighting{x.moment.Name, node, names[peer], e.Term, e.Time})
		}
	}
}

// Tell takes who leads by what clients or the servers' logs told at a moment, ns; "" is
// nobody.
func (w *Watch) Tell(leader string, now int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for x := range w.waiting {
		if x.moment.told != nil && x.moment.told(leader) {
			w.tell(x, Sighting{Moment: x.moment.Name, Node: leader, Time: now})
		}
	}
}

// tell is called with the lock held.
func (w *Watch) tell(x *Expected, s Sighting) {
	if x.accept != nil && !x.accept(s) {
		return
	}
	select {
	case x.seen <- s:
	default: // it has its first
	}
	w.forget(x)
}

// note keeps what a node tells of itself.
func (w *Watch) note(e *history.NodeEvent) {
	n := w.nodes[e.Node]
	switch e.Kind {
	case history.EventStart:
		n = Standpoint{Boot: e.Boot}
	case history.EventExit:
		n = Standpoint{Boot: n.Boot, Last: n.Last, Term: n.Term}
	case history.EventRole:
		n.Role, n.Leader, n.Term, n.Last = e.Role, e.Leader, e.Term, max(n.Last, e.Index)
	case history.EventVote:
		n.Term = max(n.Term, e.Term)
	case history.EventCommit:
		n.Commit, n.Term = max(n.Commit, e.Index), max(n.Term, e.Term)
	default:
		return
	}
	if w.nodes == nil {
		w.nodes = map[string]Standpoint{}
	}
	w.nodes[e.Node] = n
}

// Committed is the highest commit index that any node has told.
func (w *Watch) Committed() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.scene.commit
}

// Standpoint is what a node told last of itself; the zero value if it has told nothing.
func (w *Watch) Standpoint(node string) Standpoint {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.nodes[node]
}
