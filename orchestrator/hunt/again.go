package hunt

import (
	"context"
	"fmt"
	"slices"

	"squall/nemesis"
	"squall/orchestrator/testplan"
)

// Anchored is a plan whose faults look for their targets again: whoever leads when a fault
// at the leader begins, and not the node that led in the run. A moment comes at another
// time in each run, and so does a leader.
func Anchored(p *testplan.Plan) *testplan.Plan {
	anchored := *p
	anchored.Schedule = slices.Clone(p.Schedule)
	for i := range anchored.Schedule {
		anchored.Schedule[i] = unstruck(anchored.Schedule[i])
	}
	return &anchored
}

// unstruck is a fault without what was seen when it struck.
func unstruck(p nemesis.Planned) nemesis.Planned {
	p.Roles = nil
	if p.Aim != nil {
		aim := *p.Aim
		aim.Struck = nil
		p.Aim = &aim
	}
	return p
}

// Again is a plan that is run several times.
type Again struct {
	Trials
	Plan    *testplan.Plan
	Finding Finding
	Times   int
}

// Repeated is what running a plan again and again came to.
type Repeated struct {
	Finding Finding `json:"finding"`
	Rate    Rate    `json:"rate"`   // of the finding
	Others  int     `json:"others"` // trials that say nothing about the system
	// Different are trials with other violations than the finding.
	Different   int  `json:"different"`
	Interrupted bool `json:"interrupted,omitempty"`
}

// Repeat runs the plan until it has been judged so many times, or is found to show the
// finding more often than not. Invalid trials are made up for, up to as many again.
func (a *Again) Repeat(ctx context.Context) (*Repeated, error) {
	out := &Repeated{Finding: a.Finding}
	var failed error
	begun := 0
	next := func() (*testplan.Plan, bool) {
		if failed != nil || begun-out.Others >= a.Times || begun >= 2*a.Times {
			return nil, false
		}
		begun++
		return a.Plan, true
	}
	took := func(t Trial) (enough bool) {
		switch {
		case t.Err != nil:
			failed = fmt.Errorf("the plan cannot be run: %w", t.Err)
			return true
		case !t.judged():
			out.Others++
			return false
		}
		out.count(t)
		low, _ := out.Rate.Interval()
		return low > 0.5
	}
	err := a.each(ctx, next, took)
	if err == nil {
		err = failed
	}
	out.Interrupted = a.stopped()
	return out, err
}

// count counts a trial that was judged.
func (r *Repeated) count(t Trial) {
	r.Rate.Of++
	if _, found := r.Finding.in(t.Outcome.Checked); found {
		r.Rate.Found++
	} else if len(Findings(t.Outcome.Results)) > 0 {
		r.Different++
	}
}
