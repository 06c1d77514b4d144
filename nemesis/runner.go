package nemesis

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"squall/history"
)

// Runner carries out a schedule.
type Runner struct {
	Catalogue []Fault
	Cluster   Cluster
	Recorder  Recorder
	// Now is CLOCK_MONOTONIC in nanoseconds.
	Now func() int64
	// Notice, when set, is told of every step as it is recorded.
	Notice func(history.Fault)
	// Began, when set, is told of each fault as it begins: Planned with the
	// roles of that time, and with how it struck its moment, if it has an aim.
	Began func(Planned)
	// Missed, when set, is told of each fault that never began, because ctx had
	// ended before.
	Missed func(Planned)

	// Warn, when set, is told of what goes wrong and does not end the run.
	Warn func(text string)
	// Load, when set, says how busy the host is at this moment, "" when it is not
	// too busy: it is added to the reason of a proof that did not come in time.
	Load func() string
	// Abandon, when closed, says that the machines can no longer be reached: what
	// is under way is given up, and nothing is healed.
	Abandon <-chan struct{}

	links *LinkLayers
	mu    sync.Mutex // one record at a time
}

// How long one injection or heal may take, and how often each is tried.
const (
	stepTimeout = 15 * time.Second
	injectTries = 3
	healTries   = 3
)

// Run carries out the schedule; begin is the moment that its times count from,
// on Now's clock. When ctx ends, or a heal fails, the faults that hold are
// healed and Run returns ctx's error and the faults' own. Every injection and
// heal is recorded, whether it worked or not. A fault that did not take effect is
// void: what it did is undone, it is tried again as long as it was to hold, and
// then the run goes on without it. A heal that failed is an error that ends the
// run.
//
// A fault begins late when an earlier one that it must not meet is not gone.
func (r *Runner) Run(ctx context.Context, schedule []Planned, begin int64) error {
	for _, p := range schedule {
		if _, ok := Find(r.Catalogue, p.Fault); !ok {
			return fmt.Errorf("the schedule names an unknown fault %q", p.Fault)
		}
		if p.Aim != nil {
			if err := p.Aim.Check(); err != nil {
				return fmt.Errorf("fault %d, %s: %w", p.ID, p.Name(), err)
			}
		}
	}
	r.links = NewLinkLayers(r.Cluster)
	running, cancel := context.WithCancel(ctx)
	defer cancel()
	over := make([]chan struct{}, len(schedule))
	errs := make([]error, len(schedule))
	var all sync.WaitGroup
	for i, p := range schedule {
		over[i] = make(chan struct{})
		fault, _ := Find(r.Catalogue, p.Fault)
		var first []chan struct{} // what has to be over before
		for j, q := range schedule[:i] {
			if earlier, _ := Find(r.Catalogue, q.Fault); p.Claim(fault).Meets(q.Claim(earlier)) {
				first = append(first, over[j])
			}
		}
		all.Go(func() {
			defer close(over[i])
			var began bool
			if began, errs[i] = r.one(running, fault, p, begin, first); errs[i] != nil {
				cancel()
			}
			if !began && ctx.Err() != nil && r.Missed != nil {
				r.Missed(p)
			}
		})
	}
	all.Wait()
	return errors.Join(errors.Join(errs...), ctx.Err())
}

// Find finds a fault by its name.
func Find(catalogue []Fault, name string) (Fault, bool) {
	for _, f := range catalogue {
		if f.Name == name {
			return f, true
		}
	}
	return Fault{}, false
}

// one carries out one fault from begin to end. That ctx ended is no error of
// the fault; it may keep it from beginning.
func (r *Runner) one(ctx context.Context, fault Fault, p Planned, begin int64, first []chan struct{}) (began bool, err error) {
	r.sleepUntil(ctx, begin+p.AtMs*int64(time.Millisecond))
	for _, earlier := range first {
		select {
		case <-earlier:
		case <-ctx.Done():
		}
	}
	if ctx.Err() != nil {
		return false, nil
	}
	seen := r.awaitMoment(ctx, p)
	if p.Aim != nil && ctx.Err() != nil {
		return false, nil
	}
	h := r.aim(p, seen)
	record := history.Fault{ID: p.ID, Name: p.Fault, Kind: fault.Kind, Variant: h.Plan.whom(), Params: fault.Params.String(p.Params)}
	until := r.holdUntil(h, begin)
	injected := record
	injected.Aim = p.Aim.recorded(seen)
	took, err := r.inject(ctx, fault, h, injected, until)
	if took {
		r.hold(ctx, fault, h, max(until, r.Now()+h.Hold().Nanoseconds()/2))
	}
	// Healing must happen however the holding ended.
	return true, errors.Join(err, r.heal(context.WithoutCancel(ctx), fault, h, record))
}

// aim finds who plays the roles now, unless the plan says who did: a replay hits the
// same nodes. One that waited for a moment hits those that it finds there.
func (r *Runner) aim(p Planned, seen *Sighting) *Hit {
	if p.Roles == nil || p.Aim != nil {
		roles := r.Cluster.Roles()
		p.Roles = &roles
	}
	if p.Aim != nil {
		aim := *p.Aim
		aim.Struck = r.struck(&aim, seen)
		p.Aim = &aim
	}
	if r.Began != nil {
		r.Began(p)
	}
	return &Hit{Cluster: r.Cluster, Plan: p, Args: p.Params, Roles: *p.Roles, Moment: seen, Links: r.links}
}

// holdUntil is until when the fault holds. One that began late holds for half its
// time at least, and one that waited for a moment for all of it.
func (r *Runner) holdUntil(h *Hit, begin int64) int64 {
	if h.Plan.Aim != nil {
		return r.Now() + h.Hold().Nanoseconds()
	}
	return max(begin+(h.Plan.AtMs+h.Plan.ForMs)*int64(time.Millisecond), r.Now()+h.Hold().Nanoseconds()/2)
}

// hold waits until it is time to heal, while the fault goes on with what it
// does. Where that fails, the fault has lapsed: it did not take effect the whole time.
func (r *Runner) hold(ctx context.Context, fault Fault, h *Hit, until int64) {
	if fault.Sustain == nil {
		r.sleepUntil(ctx, until)
		return
	}
	sustain, cancel := context.WithTimeout(ctx, time.Duration(until-r.Now()))
	defer cancel()
	if err := safely(sustain, h, fault.Sustain); err != nil && sustain.Err() == nil {
		h.lapsed = r.plain(err, 0)
		r.warn(fmt.Sprintf("fault %d, %s, stopped taking effect before its end: %s", h.Plan.ID, h.Plan.Name(), h.lapsed))
	}
	r.sleepUntil(ctx, until)
}

// safely calls a step of a fault. A panic in it must not keep the others from
// being healed.
func safely(ctx context.Context, h *Hit, step func(context.Context, *Hit) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = errors.Join(err, fmt.Errorf("%v", p))
		}
	}()
	return step(ctx, h)
}

func (r *Runner) record(f history.Fault) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.Notice != nil {
		r.Notice(f)
	}
	if err := r.Recorder.Append(history.Record{Fault: &f}); err != nil {
		return fmt.Errorf("record a fault: %w", err)
	}
	return nil
}

// sleepUntil sleeps until a moment of Now's clock, or until ctx ends.
func (r *Runner) sleepUntil(ctx context.Context, at int64) {
	timer := time.NewTimer(time.Duration(at - r.Now()))
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
