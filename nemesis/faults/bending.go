package faults

import (
	"context"
	"fmt"
	"math"
	"time"

	"golang.org/x/sync/errgroup"

	"squall/history"
	"squall/nemesis"
)

// bending is a fault on the clocks that servers see.
type bending struct {
	name, doc string
	params    []nemesis.Param
	check     func(nemesis.Args) error
	bend      func(h *nemesis.Hit) nemesis.Bend
	sustain   func(ctx context.Context, h *nemesis.Hit) error
	// shown is what must be measured once the clocks are bent.
	shown func(a nemesis.Args) clockClaim
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
	lines := make([][]history.Measure, len(h.Targets))
	group, ctx := errgroup.WithContext(ctx)
	for i, name := range h.Targets {
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

// readClock measures a clock against true time, twice.
func readClock(ctx context.Context, node nemesis.Node, want clockClaim) ([]history.Measure, error) {
	first, err := node.ReadClock(ctx)
	if err != nil {
		return nil, fmt.Errorf("read its clock: %w", err)
	}
	if !sleep(ctx, rateOver) {
		return nil, ctx.Err()
	}
	second, err := node.ReadClock(ctx)
	if err != nil {
		return nil, fmt.Errorf("read its clock again: %w", err)
	}
	offset := time.Duration(first.Server - first.True)
	passed := float64(second.True - first.True)
	rate := float64(second.Server-first.Server) / passed
	// A reading is as wrong as its question took long, in each of the two.
	slack := float64(first.Error+second.Error)/passed*max(1, want.rate) + 0.02
	measured := []history.Measure{
		{What: "clock offset", Where: node.Name(), Value: ms(offset), Unit: "ms"},
		{What: "clock rate", Where: node.Name(), Value: round(rate), Unit: "s/s",
			Want: figure(want.rate-slack) + " to " + figure(want.rate+slack)},
	}
	if math.Abs(rate-want.rate) > slack {
		return nil, fmt.Errorf("its clock goes at %.3f seconds a second, wanted %s", rate, measured[1].Want)
	}
	if want.drifts {
		return measured, nil
	}
	near := time.Duration(first.Error) + 100*time.Millisecond*time.Duration(math.Ceil(math.Abs(1-want.rate)))
	near = max(near, 2*time.Millisecond)
	measured[0].Want = figure(ms(want.offset-near)) + " to " + figure(ms(want.offset+near))
	if (offset - want.offset).Abs() > near {
		return nil, fmt.Errorf("its clock is %v from true time, wanted %s ms", offset, measured[0].Want)
	}
	return measured, nil
}
