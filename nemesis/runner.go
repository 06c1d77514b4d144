package nemesis

import (
	"context"
	"errors"
	"fmt"
	"slices"
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
	// roles of the moment.
	Began func(Planned)
	// Missed, when set, is told of each fault that never began, because ctx had
	// ended before.
	Missed func(Planned)

	links *LinkLayers
	mu    sync.Mutex // one record at a time
}

// How long one injection or heal may take, and how often a heal is tried.
const (
	stepTimeout = 15 * time.Second
	healTries   = 3
)

// Run carries out the schedule; begin is the moment that its times count from,
// on Now's clock. When ctx ends, or a fault fails, the faults that hold are
// healed and Run returns ctx's error and the faults' own. Every injection and
// heal is recorded, whether it worked or not; a fault that did not take effect,
// or a heal that failed, is an error that ends the run.
//
// A fault begins late when an earlier one that it must not meet is not gone.
func (r *Runner) Run(ctx context.Context, schedule []Planned, begin int64) error {
	for _, p := range schedule {
		if _, ok := Find(r.Catalogue, p.Fault); !ok {
			return fmt.Errorf("the schedule names an unknown fault %q", p.Fault)
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
	h := r.aim(p)
	record := history.Fault{ID: p.ID, Name: p.Fault, Kind: fault.Kind, Variant: h.Plan.whom(), Params: fault.String(p.Params)}
	injectErr := r.inject(ctx, fault, h, record)
	if injectErr == nil {
		err = r.hold(ctx, fault, h, begin)
	}
	// Healing must happen however the holding ended.
	return true, errors.Join(injectErr, r.heal(context.WithoutCancel(ctx), fault, h, record), err)
}

// aim finds who plays the roles now, unless the plan says who did.
func (r *Runner) aim(p Planned) *Hit {
	if p.Roles == nil {
		roles := r.Cluster.Roles()
		p.Roles = &roles
	}
	if r.Began != nil {
		r.Began(p)
	}
	return &Hit{Cluster: r.Cluster, Plan: p, Args: p.Params, Roles: *p.Roles, Links: r.links}
}

func (r *Runner) inject(ctx context.Context, fault Fault, h *Hit, record history.Fault) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stepTimeout)
	defer cancel()
	record.Phase, record.Begin = history.Inject, r.Now()
	err := safely(ctx, h, fault.Inject)
	record.End = r.Now()
	h.take(&record)
	if err != nil {
		record.Err = err.Error()
		err = fmt.Errorf("fault %d, %s, did not take effect: %w", h.Plan.ID, h.Plan.Name(), err)
	}
	return errors.Join(err, r.record(record))
}

// hold waits until it is time to heal, while the fault goes on with what it
// does.
func (r *Runner) hold(ctx context.Context, fault Fault, h *Hit, begin int64) error {
	until := begin + (h.Plan.AtMs+h.Plan.ForMs)*int64(time.Millisecond)
	// One that began late holds for half its time at least.
	until = max(until, r.Now()+h.Hold().Nanoseconds()/2)
	if fault.Sustain == nil {
		r.sleepUntil(ctx, until)
		return nil
	}
	sustain, cancel := context.WithTimeout(ctx, time.Duration(until-r.Now()))
	defer cancel()
	err := safely(sustain, h, fault.Sustain)
	if err != nil && sustain.Err() == nil {
		return fmt.Errorf("fault %d, %s, while it held: %w", h.Plan.ID, h.Plan.Name(), err)
	}
	r.sleepUntil(ctx, until)
	return nil
}

func (r *Runner) heal(ctx context.Context, fault Fault, h *Hit, record history.Fault) error {
	record.Phase, record.Begin = history.Heal, r.Now()
	var err error
	proof, measured := h.proof, h.measured // of the time that it held
	for range healTries {
		h.proof, h.measured = slices.Clone(proof), slices.Clone(measured)
		if err = r.healOnce(ctx, fault, h); err == nil {
			break
		}
	}
	record.End = r.Now()
	h.take(&record)
	if err != nil {
		record.Err = err.Error()
		err = fmt.Errorf("fault %d, %s, could not be healed, tried %d times: %w", h.Plan.ID, h.Plan.Name(), healTries, err)
	}
	return errors.Join(err, r.record(record))
}

func (r *Runner) healOnce(ctx context.Context, fault Fault, h *Hit) error {
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	if err := r.revive(ctx, fault, h); err != nil {
		return err
	}
	return safely(ctx, h, fault.Undo)
}

// revive brings machines back that were lost while a fault held, by the doing of
// somebody else: a heal is for all that the fault has hit. Such a test is
// invalid, but what it did must end all the same. What a fault has switched off
// itself, its Undo switches on.
func (r *Runner) revive(ctx context.Context, fault Fault, h *Hit) error {
	for _, node := range h.Nodes() {
		if !node.Lost() {
			continue
		}
		if err := node.PowerOn(ctx); err != nil {
			return fmt.Errorf("%s: its machine was lost, and cannot be started again: %w", node.Name(), err)
		}
		if err := h.Links.Restore(ctx, node); err != nil {
			return err
		}
		if err := node.Start(ctx); err != nil {
			return fmt.Errorf("%s: its machine was lost and started again, but its server does not start: %w", node.Name(), err)
		}
		h.Say("%s: the machine was lost and was started again", node.Name())
	}
	return nil
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
