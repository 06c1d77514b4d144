package faults

import (
	"context"
	"fmt"
	"math"
	"time"

	"golang.org/x/sync/errgroup"

	"squall/history"
	"squall/internal/declare"
	"squall/nemesis"
)

// bending is a fault on the clocks that servers see.
type bending struct {
	name, doc string
	params    []declare.Param
	check     func(declare.Args) error
	bend      func(h *nemesis.Hit) nemesis.Bend
	sustain   func(ctx context.Context, h *nemesis.Hit) error
	// shown is what must be measured once the clocks are bent.
	shown func(a declare.Args) clockClaim
}

// clockClaim is what a server's clock must show: how far it is from true time,
// and how much passes on it in a true second.
type clockClaim struct {
	offset time.Duration
	rate   float64
	// drifts: the offset grows with the rate, so only the rate is claimed.
	drifts bool
}

func (b bending) fault() nemesis.Fault {
	return nemesis.Fault{
		Name: b.name, Kind: history.KindClock, Doc: b.doc, Params: b.params, Check: b.check,
		Variants: harmless(),
		Needs:    []nemesis.Need{nemesis.NeedClock},
		// A server that does not run, or stands still, does not answer what
		// time it is.
		Holds:    []nemesis.Resource{nemesis.HoldClocks, nemesis.HoldServers},
		MinNodes: 1,
		Inject: func(ctx context.Context, h *nemesis.Hit) error {
			if _, err := choose(h); err != nil {
				return err
			}
			return bendTo(ctx, h, b.bend(h), b.shown(h.Args))
		},
		Sustain: b.sustain,
		Undo: func(ctx context.Context, h *nemesis.Hit) error {
			return bendTo(ctx, h, nemesis.Bend{}, clockClaim{rate: 1})
		},
	}
}

// bendTo bends the clocks of the targets and reads what they show then.
func bendTo(ctx context.Context, h *nemesis.Hit, bend nemesis.Bend, want clockClaim) error {
	return bendEach(ctx, h, h.Targets, bend, want)
}

// bendEach bends the clocks of the named nodes and reads what they show then.
func bendEach(ctx context.Context, h *nemesis.Hit, names []string, bend nemesis.Bend, want clockClaim) error {
	lines := make([][]history.Measure, len(names))
	group, ctx := errgroup.WithContext(ctx)
	for i, name := range names {
		node := h.Node(name)
		group.Go(func() (err error) {
			if err := node.BendClock(ctx, bend); err != nil {
				return fmt.Errorf("%s: bend its clock: %w", name, err)
			}
			if lines[i], err = readClock(ctx, node, want); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for _, measured := range lines {
		for _, m := range measured {
			h.Prove(m)
		}
	}
	return nil
}

// rateOver is how long a clock is watched to see how fast it goes.
const rateOver = 80 * time.Millisecond

// clockTries is how often a clock is read until the reading says something: on a
// busy machine the answer may take so long that nothing follows from it.
const clockTries = 6

// readClock measures a clock against true time.
func readClock(ctx context.Context, node nemesis.Node, want clockClaim) (measured []history.Measure, err error) {
	for range clockTries {
		var r clockReadings
		if r, err = readTwice(ctx, node); err != nil {
			return nil, err
		}
		if measured, err = r.holdAgainst(node.Name(), want); err == nil {
			return measured, nil
		}
	}
	return nil, err
}

// clockReadings is what two looks at a clock came to.
type clockReadings struct {
	offset, offsetError time.Duration
	rate, rateError     float64
}

func readTwice(ctx context.Context, node nemesis.Node) (r clockReadings, err error) {
	first, err := node.ReadClock(ctx)
	if err != nil {
		return r, fmt.Errorf("read its clock: %w", err)
	}
	if !sleep(ctx, rateOver) {
		return r, ctx.Err()
	}
	second, err := node.ReadClock(ctx)
	if err != nil {
		return r, fmt.Errorf("read its clock again: %w", err)
	}
	passed := float64(second.True - first.True)
	r.rate = float64(second.Server-first.Server) / passed
	// What the clock showed it may have shown that much earlier or later.
	r.rateError = float64(first.Error+second.Error)/passed*max(1, r.rate) + 0.01
	r.offset = time.Duration(first.Server - first.True)
	r.offsetError = time.Duration(float64(first.Error)*max(1, r.rate)) + time.Millisecond
	return r, nil
}

// holdAgainst says what was measured, and whether it shows what is wanted: it
// must fit that, and must not fit a clock that is not bent so.
func (r clockReadings) holdAgainst(name string, want clockClaim) ([]history.Measure, error) {
	rate := history.Measure{What: history.ClockRate, Where: name, Value: round(r.rate), Unit: "s/s",
		Want: figure(round(want.rate-r.rateError)) + " to " + figure(round(want.rate+r.rateError))}
	offset := history.Measure{What: "clock offset", Where: name, Value: round(ms(r.offset)), Unit: "ms"}
	if math.Abs(r.rate-want.rate) > r.rateError {
		return nil, fmt.Errorf("its clock goes at %s seconds a second, wanted %s", figure(r.rate), rate.Want)
	}
	if want.drifts {
		if r.rateError > math.Abs(want.rate-1)/2 {
			return nil, fmt.Errorf("its clock goes at %s seconds a second, but it answers too slowly to tell (± %s)", figure(r.rate), figure(r.rateError))
		}
		return []history.Measure{offset, rate}, nil
	}
	offset.Want = figure(ms(want.offset-r.offsetError)) + " to " + figure(ms(want.offset+r.offsetError))
	if (r.offset - want.offset).Abs() > r.offsetError {
		return nil, fmt.Errorf("its clock is %v from true time, wanted %s ms", r.offset, offset.Want)
	}
	if most := max(want.offset.Abs()/2, 20*time.Millisecond); r.offsetError > most {
		return nil, fmt.Errorf("its clock is %v from true time, but it answers too slowly to tell (± %v)", r.offset, r.offsetError)
	}
	return []history.Measure{offset, rate}, nil
}
