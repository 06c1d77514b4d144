package hunt

import (
	"context"
	"fmt"

	"squall/history/check"
	"squall/orchestrator/testplan"
)

// Until is a search through seeds.
type Until struct {
	Trials
	// Plan makes the test's plan of a seed.
	Plan  func(seed uint64) (*testplan.Plan, error)
	First uint64 // the first seed; those after it follow
	Max   int    // trials, at most
}

// Hunted is what a search came to.
type Hunted struct {
	Found *Trial // the first that showed a violation; nil: none did
	Rate  Rate   // violations among trials that were judged
	// Others are trials that say nothing about the system: invalid and unknown ones, and
	// those that could not begin.
	Others      int
	Interrupted bool
}

// Hunt runs seed after seed until one shows a violation. An error means that no plan could
// be made, that a trial could not begin, or that ctx has ended.
func (u *Until) Hunt(ctx context.Context) (*Hunted, error) {
	hunted := &Hunted{}
	var failed error
	begun := 0
	next := func() (*testplan.Plan, bool) {
		if begun == u.Max || failed != nil {
			return nil, false
		}
		p, err := u.Plan(u.First + uint64(begun))
		if failed = err; err != nil {
			return nil, false
		}
		begun++
		return p, true
	}
	took := func(t Trial) (enough bool) {
		switch {
		case t.Err != nil:
			failed = fmt.Errorf("seed %d: %w", t.Plan.Test.Seed, t.Err)
			return true
		case !t.judged():
			hunted.Others++
			return false
		}
		hunted.Rate.Of++
		if t.Verdict() == check.Violation {
			hunted.Rate.Found++
			if hunted.Found == nil {
				hunted.Found = &t
			}
		}
		return hunted.Found != nil
	}
	err := u.each(ctx, next, took)
	if hunted.Found == nil && err == nil {
		err = failed
	}
	hunted.Interrupted = hunted.Found == nil && u.stopped()
	return hunted, err
}
