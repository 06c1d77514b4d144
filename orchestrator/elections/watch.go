package elections

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"

	"squall/history"
)

// watch keeps the events of one trial, and wakes who waits for some of them. It
// is all that the trials wait by: no status is ever asked for.
type watch struct {
	mu      sync.Mutex
	events  []history.NodeEvent
	changed chan struct{} // closed and replaced at every event
}

func newWatch() *watch { return &watch{changed: make(chan struct{})} }

func (w *watch) see(e history.NodeEvent) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, e)
	close(w.changed)
	w.changed = make(chan struct{})
}

// forget begins a new trial.
func (w *watch) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = nil
}

// seen are the events since forget, by time.
func (w *watch) seen() []history.NodeEvent {
	w.mu.Lock()
	defer w.mu.Unlock()
	events := slices.Clone(w.events)
	slices.SortStableFunc(events, func(a, b history.NodeEvent) int { return cmp.Compare(a.Time, b.Time) })
	return events
}

// until waits for events that are enough, in the order in which they came.
func (w *watch) until(ctx context.Context, enough func([]history.NodeEvent) bool) error {
	for {
		w.mu.Lock()
		done, changed := enough(w.events), w.changed
		w.mu.Unlock()
		if done {
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-changed:
		}
	}
}

// ended reports whether the node's server has ended.
func ended(node string) func([]history.NodeEvent) bool {
	return func(events []history.NodeEvent) bool {
		return slices.ContainsFunc(events, func(e history.NodeEvent) bool {
			return e.Node == node && e.Kind == history.EventExit
		})
	}
}

// trialOver reports whether a trial of the leader of that term was refused, or
// the leader has crashed and every survivor has heard one and the same leader of
// a later term.
func trialOver(leader string, term uint64, survivors int) func([]history.NodeEvent) bool {
	return func(events []history.NodeEvent) bool {
		crashed := false
		heard := map[uint64]map[string]bool{}
		for _, e := range events {
			switch {
			case e.Node == leader && e.Kind == history.EventTrial:
				if strings.HasPrefix(e.Reason, "refused") {
					return true
				}
			case e.Node == leader:
				crashed = crashed || e.Kind == history.EventExit
			case e.Kind == history.EventRole && e.Leader != "" && e.Term > term:
				if heard[e.Term] == nil {
					heard[e.Term] = map[string]bool{}
				}
				heard[e.Term][e.Node] = true
			}
		}
		for _, who := range heard {
			if crashed && len(who) == survivors {
				return true
			}
		}
		return false
	}
}
