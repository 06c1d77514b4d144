package nemesis

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"squall/history"
)

// inject begins a fault and has it prove that it takes effect, a few times if need be and
// as long as it was to hold, and records what it came to. took is false for a fault
// that is void.
func (r *Runner) inject(ctx context.Context, fault Fault, h *Hit, record history.Fault, until int64) (took bool, err error) {
	record.Phase = history.Inject
	var before []string // what came of the tries before
	for try := 1; ; try++ {
		record.Begin = r.Now()
		failure := r.step(ctx, h, fault.Inject)
		record.End = r.Now()
		h.take(&record)
		record.Err = ""
		if failure != nil {
			record.Err = r.plain(failure, stepTimeout)
		}
		last := failure == nil || try == injectTries || ctx.Err() != nil || r.abandoned() || r.Now() >= until
		if !last {
			// What it did by halves must be gone before it is tried again.
			before = append(before, fmt.Sprintf("try %d: %s", try, record.Err))
			last = r.healOnce(ctx, fault, h) != nil
			h.Forget()
		}
		if last {
			record.Proof = append(before, record.Proof...)
			if record.Err != "" {
				r.warn(fmt.Sprintf("fault %d, %s, did not take effect: %s", h.Plan.ID, h.Plan.Name(), record.Err))
			}
			return record.Err == "", r.record(record)
		}
		h.Targets, h.Cut, h.Detail, h.rng = nil, nil, "", nil
	}
}

// heal undoes a fault and has it prove that it is gone, and records it.
func (r *Runner) heal(ctx context.Context, fault Fault, h *Hit, record history.Fault) error {
	record.Phase, record.Begin, record.Lapsed = history.Heal, r.Now(), h.lapsed
	var err error
	proof, measured := h.proof, h.measured // of the time that it held
	for range healTries {
		h.proof, h.measured = slices.Clone(proof), slices.Clone(measured)
		if err = r.healOnce(ctx, fault, h); err == nil || r.abandoned() {
			break
		}
	}
	if err != nil && !r.abandoned() {
		if down := r.crashed(ctx, h); down != "" { // then that is what is wrong, and is found as such
			h.Say("%s, so the heal could not be fully verified: %s", down, r.plain(err, stepTimeout))
			r.warn(fmt.Sprintf("fault %d, %s: %s", h.Plan.ID, h.Plan.Name(), down))
			err = nil
		}
	}
	record.End = r.Now()
	h.take(&record)
	if err != nil {
		record.Err = r.plain(err, stepTimeout)
		err = fmt.Errorf("fault %d, %s, could not be healed, tried %d times: %s", h.Plan.ID, h.Plan.Name(), healTries, record.Err)
	}
	return errors.Join(err, r.record(record))
}

func (r *Runner) healOnce(ctx context.Context, fault Fault, h *Hit) error {
	return r.step(ctx, h, func(ctx context.Context, h *Hit) error {
		if err := r.revive(ctx, h); err != nil {
			return err
		}
		return fault.Undo(ctx, h)
	})
}

// revive brings machines back that were lost while a fault held, by the doing of
// somebody else, and servers that ended by themselves: a heal is for all that the
// fault has hit. What a fault has switched off itself, its Undo switches on.
func (r *Runner) revive(ctx context.Context, h *Hit) error {
	for _, node := range h.Nodes() {
		if node.Lost() {
			if err := reviveLost(ctx, h, node); err != nil {
				return err
			}
		} else if slices.Contains(h.Targets, node.Name()) && node.Up() {
			if err := reviveCrashed(ctx, h, node); err != nil {
				return err
			}
		}
	}
	return nil
}

func reviveLost(ctx context.Context, h *Hit, node Node) error {
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
	return nil
}

func reviveCrashed(ctx context.Context, h *Hit, node Node) error {
	p, err := node.Process(ctx)
	if err != nil || !p.Crashed {
		return err
	}
	if err := node.Start(ctx); err != nil {
		return fmt.Errorf("%s: its server had ended by itself, and does not start: %w", node.Name(), err)
	}
	h.Say("%s: its server had ended by itself (%s) and was started again", node.Name(), p.Exit)
	return nil
}

// crashed says which of the fault's targets have a server that ended by itself; ""
// when none has.
func (r *Runner) crashed(ctx context.Context, h *Hit) string {
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	var down []string
	for _, node := range h.Nodes() {
		if !slices.Contains(h.Targets, node.Name()) || !node.Up() {
			continue
		}
		if p, err := node.Process(ctx); err == nil && p.Crashed {
			down = append(down, fmt.Sprintf("the server of %s ended by itself (%s)", node.Name(), p.Exit))
		}
	}
	return strings.Join(down, ", ")
}

// errAbandoned ends what is under way in machines that cannot be reached.
var errAbandoned = errors.New("the machines can no longer be reached")

// step carries out one step of a fault, which the end of ctx does not cut in half.
// A panic in it must not keep the others from being healed.
func (r *Runner) step(ctx context.Context, h *Hit, do func(context.Context, *Hit) error) error {
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), stepTimeout)
	defer cancel()
	bounded, abandon := context.WithCancelCause(limited)
	defer abandon(nil)
	if r.Abandon != nil {
		watch := make(chan struct{})
		defer close(watch)
		go func() {
			select {
			case <-r.Abandon:
				abandon(errAbandoned)
			case <-watch:
			}
		}()
	}
	if r.abandoned() {
		return errAbandoned
	}
	err := safely(bounded, h, do)
	if err != nil && r.abandoned() {
		return errAbandoned
	}
	return err
}

func (r *Runner) abandoned() bool {
	select {
	case <-r.Abandon: // a nil channel never is
		return true
	default:
		return false
	}
}

// plain is an error of a step in plain words: a deadline says nothing to people.
// limit is how long the step could take; 0: it is not said.
func (r *Runner) plain(err error, limit time.Duration) string {
	text := err.Error()
	if !errors.Is(err, context.DeadlineExceeded) {
		return text
	}
	text = strings.ReplaceAll(text, context.DeadlineExceeded.Error(), "no answer in time")
	if limit > 0 {
		text = fmt.Sprintf("it was not seen within %v: %s", limit, text)
	}
	if r.Load != nil {
		if load := r.Load(); load != "" {
			text += " (" + load + ")"
		}
	}
	return text
}

func (r *Runner) warn(text string) {
	if r.Warn != nil {
		r.Warn(text)
	}
}
