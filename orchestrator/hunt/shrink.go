package hunt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"squall/orchestrator/testplan"
)

// ErrNotAgain means that the plan does not show its violation often enough to be made
// smaller: whatever was left out, its absence would prove nothing.
var ErrNotAgain = errors.New("the violation does not show again often enough")

// Shrink makes a plan smaller for as long as it shows the same violation: fewer faults,
// then shorter ones, less time and fewer clients.
type Shrink struct {
	Trials
	Plan    *testplan.Plan
	Finding Finding
	// FirstAt is when the run showed it first, in seconds since the start of the load; -1
	// where that is not known.
	FirstAt float64
	// Dir is the folder of what was tried and of the smallest plan's run: see Place.
	Dir string
	// Budget is after what time nothing smaller is tried any more; 0: no bound.
	Budget time.Duration
	// Tried hears of each try that was decided, or given up; it may be nil.
	Tried func(Try)
}

// Try is a plan that was tried in place of the smallest so far.
type Try struct {
	What    string  `json:"what"` // "without fault 3, kill(leader)"
	Faults  int     `json:"faults"`
	Seconds float64 `json:"seconds"` // of load
	Clients int     `json:"clients"`
	Rate    Rate    `json:"rate"`
	Others  int     `json:"others,omitempty"` // trials that say nothing about the system
	Taken   bool    `json:"taken"`            // it shows the violation: it is the smallest now
	// Err is why it could not be run, such as faults that exclude each other.
	Err string `json:"error,omitempty"`
}

// Shrunk is what making a plan smaller came to.
type Shrunk struct {
	Finding Finding `json:"finding"`
	From    Size    `json:"from"`
	To      Size    `json:"to"`
	Rate    Rate    `json:"rate"` // of the smallest plan
	Tries   []Try   `json:"tries"`
	// Shows is a trial of the smallest plan that showed the violation; nil: none did.
	Shows *Trial `json:"-"`
	// Stopped says why nothing smaller was tried; "" when all was.
	Stopped string `json:"stopped,omitempty"`
}

// Size is how large a plan is.
type Size struct {
	Faults  int     `json:"faults"`
	Seconds float64 `json:"seconds"` // of load
	Clients int     `json:"clients"`
}

// SizeOf is how large a plan is.
func SizeOf(p *testplan.Plan) Size {
	return Size{len(p.Schedule), time.Duration(p.Test.Time).Seconds(), p.Test.Clients}
}

// Smallest makes the plan as small as it can. With ErrNotAgain the plan as a whole did not
// show the violation often enough; what was tried is returned then, too.
func (s *Shrink) Smallest(ctx context.Context) (*Shrunk, error) {
	k := &shrinking{Shrink: s, begun: time.Now(), best: Anchored(s.Plan), firstAt: s.FirstAt}
	k.best.Test.Out = filepath.Join(s.Dir, triesFolder)
	defer os.RemoveAll(k.best.Test.Out)
	k.out = &Shrunk{Finding: s.Finding, From: SizeOf(s.Plan)}
	shows, err := k.show(ctx, "the plan as it is", k.best)
	if err == nil && !shows && k.out.Stopped == "" {
		err = fmt.Errorf("%w: %v", ErrNotAgain, k.out.Tries[0].Rate)
	}
	for _, step := range []func(context.Context) error{k.end, k.noFaults, k.fewerFaults, k.end, k.fewerClients, k.shorterFaults, k.end} {
		if err != nil || k.out.Stopped != "" {
			break
		}
		err = step(ctx)
	}
	k.out.To = SizeOf(k.best)
	return k.out, errors.Join(err, k.keep())
}

// shrinking is a plan on its way.
type shrinking struct {
	*Shrink
	begun   time.Time
	best    *testplan.Plan
	firstAt float64 // when the best plan showed it, the latest seen; -1: not known
	out     *Shrunk
}

// try is show for a plan whose faults are not those that its test draws: the test is made to
// say them.
func (s *shrinking) try(ctx context.Context, what string, p *testplan.Plan) (shows bool, err error) {
	if p, err = laidDown(p); err != nil {
		return false, err
	}
	return s.show(ctx, what, p)
}

// show runs a plan until it is clear whether it shows the violation, and takes it if so.
func (s *shrinking) show(ctx context.Context, what string, p *testplan.Plan) (shows bool, err error) {
	if s.over() {
		return false, nil
	}
	t := Try{What: what, Faults: len(p.Schedule), Seconds: time.Duration(p.Test.Time).Seconds(), Clients: p.Test.Clients}
	latest := -1.0
	var shown *Trial
	var failed error
	begun, enough := 0, false
	next := func() (*testplan.Plan, bool) {
		begun++
		return p, begun <= mostTrials && failed == nil
	}
	took := func(trial Trial) bool {
		switch {
		case trial.Err != nil:
			failed = trial.Err
			return true
		case !trial.judged():
			t.Others++
			return t.Others >= mostOthers || s.over()
		}
		t.Rate.Of++
		if at, found := s.Finding.in(trial.Outcome.Checked); found {
			t.Rate.Found++
			latest = max(latest, at)
			discard(shown)
			shown = &trial
		} else {
			discard(&trial)
		}
		shows, enough = t.Rate.decide()
		return enough || s.over()
	}
	if err := s.each(ctx, next, took); err != nil {
		return false, err
	}
	if failed != nil { // it is no smaller plan
		t.Err = failed.Error()
	}
	t.Taken = shows && enough
	s.out.Tries = append(s.out.Tries, t)
	if s.Tried != nil {
		s.Tried(t)
	}
	if !t.Taken {
		discard(shown)
		return false, nil
	}
	discard(s.out.Shows)
	s.best, s.firstAt, s.out.Shows, s.out.Rate = p, latest, shown, t.Rate
	return true, nil
}

// Bounds of one try: trials in all, and those that say nothing about the system.
const (
	mostTrials = 40
	mostOthers = 5
)

// over reports whether nothing more is to be tried, and notes why.
func (s *shrinking) over() bool {
	switch {
	case s.out.Stopped != "":
	case s.stopped():
		s.out.Stopped = "stopped by Ctrl-C"
	case s.Budget > 0 && time.Since(s.begun) >= s.Budget:
		s.out.Stopped = fmt.Sprintf("its budget of %v is used up", s.Budget)
	}
	return s.out.Stopped != ""
}
