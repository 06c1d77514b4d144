package hunt

import (
	"context"
	"sync"

	"golang.org/x/sync/errgroup"

	"squall/history/check"
	"squall/orchestrator"
	"squall/orchestrator/testplan"
)

// Run carries out one plan, as orchestrator.Run does. stop, when closed, ends it early.
type Run func(ctx context.Context, p *testplan.Plan, stop <-chan struct{}) (*orchestrator.Outcome, error)

// Trial is a plan that was run. Its own mistakes are its error: nothing could begin.
type Trial struct {
	Plan    *testplan.Plan
	Outcome *orchestrator.Outcome // nil with an error
	Err     error
}

// Verdict is the trial's; invalid for one that could not begin.
func (t Trial) Verdict() check.Verdict {
	if t.Outcome == nil {
		return check.Invalid
	}
	return t.Outcome.Results.Verdict
}

// judged reports whether the trial says anything about the system under test.
func (t Trial) judged() bool {
	return t.Verdict() == check.Pass || t.Verdict() == check.Violation
}

// Trials is how trials are run.
type Trials struct {
	Run  Run
	Jobs int             // at a time
	Stop <-chan struct{} // when closed, nothing more begins, and what runs is ended early
	// Told hears of each trial that ended, one after another; it may be nil.
	Told func(Trial)
}

// each runs what next makes, until it has no more or took has enough. took hears of one
// trial at a time; of those under way when it has enough, which are ended early, it does
// not. Where Stop or ctx end them, neither is asked again.
func (t *Trials) each(ctx context.Context, next func() (*testplan.Plan, bool), took func(Trial) (enough bool)) error {
	r := &running{trials: t, next: next, took: took, halt: make(chan struct{})}
	done := make(chan struct{})
	defer close(done)
	go func() {
		select {
		case <-t.Stop:
			r.end()
		case <-done:
		}
	}()
	var group errgroup.Group
	for range max(t.Jobs, 1) {
		group.Go(func() error { r.work(ctx); return nil })
	}
	_ = group.Wait()
	return ctx.Err()
}

// stopped reports whether the user has stopped them.
func (t *Trials) stopped() bool {
	select {
	case <-t.Stop:
		return true
	default:
		return false
	}
}

type running struct {
	trials *Trials
	next   func() (*testplan.Plan, bool)
	took   func(Trial) bool

	mu   sync.Mutex // of what is called, and of ended
	halt chan struct{}
	over bool
}

func (r *running) work(ctx context.Context) {
	for {
		p, ok := r.begin(ctx)
		if !ok {
			return
		}
		outcome, err := r.trials.Run(ctx, p, r.halt)
		r.ended(ctx, Trial{Plan: p, Outcome: outcome, Err: err})
	}
}

func (r *running) begin(ctx context.Context) (*testplan.Plan, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over || ctx.Err() != nil {
		return nil, false
	}
	return r.next()
}

// ended tells of a trial. One that was ended early showed only that it found nothing until
// then, unless it found something.
func (r *running) ended(ctx context.Context, t Trial) {
	r.mu.Lock()
	defer r.mu.Unlock()
	early := r.over && t.Verdict() != check.Violation
	if early || ctx.Err() != nil {
		return
	}
	if r.trials.Told != nil {
		r.trials.Told(t)
	}
	if r.took(t) {
		r.finish()
	}
}

func (r *running) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.finish()
}

// finish is called with the lock held.
func (r *running) finish() {
	if !r.over {
		r.over = true
		close(r.halt)
	}
}
