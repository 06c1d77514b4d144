package orchestrator

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"squall/history"
	"squall/history/check"
	"squall/orchestrator/testplan"
)

// How the history is judged while it grows.
const (
	liveEvery  = 100 * time.Millisecond // how often what was recorded is looked at
	liveBudget = 50 * time.Millisecond  // for one look, which goes on at once if that was not enough
)

// judgeLive judges the history while the load runs, where the test asks for it, and closes
// r.sight when a violation is certain. done ends it. What it cannot read it leaves to the
// check of the whole.
func (r *run) judgeLive(ctx context.Context) (done func()) {
	if r.plan.Test.StopOn != testplan.StopViolation {
		return func() {}
	}
	checkers, err := checkersOf(r.plan.Test)
	if err != nil {
		r.log.Warn("the history is not judged while it grows", "err", err)
		return func() {}
	}
	live := check.NewLive(checkers, functionsOf(r.plan.Test.Workload))
	if live == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := r.followHistory(ctx, live); err != nil {
			r.log.Warn("the history is judged no more while it grows", "err", err)
		}
	}()
	return func() {
		cancel()
		<-ended
	}
}

// followHistory reads what is recorded until ctx ends or something is seen to be broken.
func (r *run) followHistory(ctx context.Context, live *check.Live) error {
	file, err := os.Open(filepath.Join(r.dir, history.FileName))
	if err != nil {
		return err
	}
	follower, err := history.Follow(file)
	if err != nil {
		return err
	}
	defer follower.Close()
	tick := time.NewTicker(liveEvery)
	defer tick.Stop()
	for {
		more, err := follower.Poll(liveBudget, live.Take)
		if err != nil {
			return err
		}
		if seen := live.Broken(); seen != nil {
			r.saw(seen)
			return nil
		}
		if more && ctx.Err() == nil {
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// saw takes that a violation was seen: the load is to end.
func (r *run) saw(s *check.Sighting) {
	text := s.Check + ": " + s.Text
	r.mark(history.MarkSeen, text)
	r.cfg.Progress.Phase("a violation was seen: " + text)
	close(r.sight)
}
