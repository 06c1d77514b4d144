package crash

import (
	"context"
	"errors"
	"math"
	"slices"
	"time"
)

// job is a state to be judged.
type job struct {
	made *made
	part part
}

// errEnough ends the making of states.
var errEnough = errors.New("enough states")

// hand makes states, worst first. The moments are taken in groups that grow, each in the order of time, for
// disks are followed forwards. Of each group the states that find most come first; the others come after those of the next group.
func (f *farm) hand(ctx context.Context, jobs chan<- job) error {
	var groups [][]Moment
	for rest, size := f.moments, 8; len(rest) > 0; size *= 2 {
		size = min(size, len(rest))
		groups = append(groups, rest[:size])
		rest = rest[size:]
	}
	for i := range len(groups) + 1 {
		if i < len(groups) {
			if err := f.group(ctx, groups[i], 0, firstVariants, jobs); err != nil {
				return err
			}
		}
		if i > 0 {
			if err := f.group(ctx, groups[i-1], firstVariants, math.MaxInt, jobs); err != nil {
				return err
			}
		}
	}
	return nil
}

// group hands out some variants of some moments.
func (f *farm) group(ctx context.Context, moments []Moment, from, to int, jobs chan<- job) error {
	moments = slices.Clone(moments)
	slices.SortFunc(moments, func(a, b Moment) int { return int(min(max(a.At-b.At, -1), 1)) })
	ws := newWalks(f.storm.Disks)
	defer ws.close()
	for _, moment := range moments {
		p := part{moment.At, from}
		if f.wasDone(p) {
			continue
		}
		if err := ws.advance(moment.At); err != nil {
			return err
		}
		err := newMaker(f.storm, ws, f.cfg.Seed).each(moment, from, to, func(m *made) error {
			if !f.begin(ctx, m, p) {
				return nil
			}
			select {
			case jobs <- job{m, p}:
				return nil
			case <-ctx.Done():
				return errEnough
			}
		})
		if err == nil {
			err = f.handedOut(ctx, p)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// wasDone reports whether all states of a part were judged. Else handing them out begins.
func (f *farm) wasDone(p part) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.record.parts[p] {
		return true
	}
	f.left[p]++ // until all are handed out
	return false
}

// begin reports whether a state is to be judged, and takes note of it.
func (f *farm) begin(ctx context.Context, m *made, p part) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.enough(ctx) {
		return false
	}
	if f.record.known[m.ID] || f.under[m.ID] {
		f.equal++
		return false
	}
	f.under[m.ID] = true
	f.handed++
	f.left[p]++
	return true
}

// enough reports whether no further state is to be begun. The lock is held.
func (f *farm) enough(ctx context.Context) bool {
	if ctx.Err() != nil || f.failure != nil ||
		f.cfg.Budget > 0 && time.Since(f.begun) >= f.cfg.Budget ||
		f.cfg.States > 0 && f.handed >= f.cfg.States ||
		!f.cfg.KeepGoing && len(f.record.violations()) > 0 {
		f.stopped = true
	}
	return f.stopped
}

// handedOut ends the handing out of a part.
func (f *farm) handedOut(ctx context.Context, p part) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.enough(ctx) { // some of its states may not have been handed out
		return errEnough
	}
	return f.leave(p)
}

// leave takes note that something of a part is over, and that the part is when nothing is left of it. The lock is held.
func (f *farm) leave(p part) error {
	if f.left[p]--; f.left[p] > 0 {
		return nil
	}
	delete(f.left, p)
	return f.record.append(line{Done: &p})
}
