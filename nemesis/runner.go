package nemesis

import (
	"context"
	"errors"
	"fmt"
	"time"

	"squall/history"
)

// Runner carries out a schedule.
type Runner struct {
	Cluster  Cluster
	Recorder Recorder
	// Now is CLOCK_MONOTONIC in nanoseconds.
	Now func() int64
	// Notice, when set, is told of every step as it is recorded.
	Notice func(history.Fault)
}

// How long one injection or heal may take, and how often a heal is tried.
const (
	stepTimeout = 10 * time.Second
	healTries   = 3
)

// Run carries out the schedule; begin is the moment that its times count from,
// on Now's clock. When ctx ends, the fault that holds is healed and Run returns
// ctx's error. Every injection and heal is recorded, whether it worked or not; a
// fault that did not take effect, or a heal that failed, is an error that ends
// the run.
func (r *Runner) Run(ctx context.Context, schedule []Planned, begin int64) error {
	for _, p := range schedule {
		at := begin + p.AtMs*int64(time.Millisecond)
		if err := r.sleepUntil(ctx, at); err != nil {
			return err
		}
		if err := r.one(ctx, p, at+p.ForMs*int64(time.Millisecond)); err != nil {
			return err
		}
	}
	return nil
}

func (r *Runner) one(ctx context.Context, p Planned, healAt int64) error {
	fault, ok := find(p.Fault)
	if !ok {
		return fmt.Errorf("the schedule names an unknown fault %q", p.Fault)
	}
	record := history.Fault{ID: p.ID, Name: p.Fault, Variant: p.Variant}
	held, injectErr := r.inject(ctx, fault, p, &record)
	var waitErr error
	if injectErr == nil {
		waitErr = r.sleepUntil(ctx, healAt)
	}
	// Healing must happen however the waiting ended.
	healErr := r.heal(context.WithoutCancel(ctx), held, record)
	return errors.Join(injectErr, healErr, waitErr)
}

func (r *Runner) inject(ctx context.Context, fault Fault, p Planned, record *history.Fault) (injury, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stepTimeout)
	defer cancel()
	record.Phase, record.Begin = history.Inject, r.Now()
	held, err := fault.inject(ctx, r.Cluster, p, record)
	record.End = r.Now()
	if err != nil {
		record.Err = err.Error()
		err = fmt.Errorf("fault %d, %s(%s), did not take effect: %w", p.ID, p.Fault, p.Variant, err)
	}
	return held, errors.Join(err, r.record(*record))
}

func (r *Runner) heal(ctx context.Context, held injury, injected history.Fault) error {
	record := injected
	record.Phase, record.Begin, record.Proof, record.Err = history.Heal, r.Now(), nil, ""
	var err error
	for range healTries {
		record.Proof, err = r.healOnce(ctx, held)
		if err == nil {
			break
		}
	}
	record.End = r.Now()
	if err != nil {
		record.Err = err.Error()
		err = fmt.Errorf("fault %d, %s(%s), could not be healed: %w", record.ID, record.Name, record.Variant, err)
	}
	return errors.Join(err, r.record(record))
}

func (r *Runner) healOnce(ctx context.Context, held injury) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	return held.heal(ctx, r.Cluster)
}

func (r *Runner) record(f history.Fault) error {
	if r.Notice != nil {
		r.Notice(f)
	}
	if err := r.Recorder.Append(history.Record{Fault: &f}); err != nil {
		return fmt.Errorf("record a fault: %w", err)
	}
	return nil
}

func (r *Runner) sleepUntil(ctx context.Context, at int64) error {
	timer := time.NewTimer(time.Duration(at - r.Now()))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// HealAll makes every node whole, whatever was done to it: no packet dropped,
// every server running and not paused. It is idempotent and returns the proof.
func HealAll(ctx context.Context, c Cluster) ([]string, error) {
	proof, err := partitioned{}.heal(ctx, c)
	if err != nil {
		return nil, err
	}
	for _, node := range c.Nodes() {
		if err := node.Start(ctx); err != nil {
			return nil, fmt.Errorf("%s: start: %w", node.Name(), err)
		}
		if err := node.Resume(ctx); err != nil {
			return nil, fmt.Errorf("%s: resume: %w", node.Name(), err)
		}
		p, err := node.Process(ctx)
		if err != nil {
			return nil, fmt.Errorf("%s: look at the process: %w", node.Name(), err)
		}
		if !p.Running || p.State == "T" {
			return nil, fmt.Errorf("%s: still hurt: running %t, state %s", node.Name(), p.Running, p.State)
		}
		proof = append(proof, fmt.Sprintf("%s: process %d runs (state %s)", node.Name(), p.PID, p.State))
	}
	return proof, nil
}
