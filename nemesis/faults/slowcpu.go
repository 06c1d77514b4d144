package faults

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"squall/history"
	"squall/internal/declare"
	"squall/nemesis"
)

// slowCPU makes nodes slow: their machines get a small share of a processor.
func slowCPU() nemesis.Fault {
	return nemesis.Fault{
		Name: "slow-cpu",
		Kind: history.KindMachine,
		Doc:  "machines get only a share of a processor",
		Params: []declare.Param{
			{Name: "cpus", Kind: declare.Number, Default: "0.1", Draw: []string{"0.05", "0.1", "0.2"}, Min: "0.02", Max: "64",
				Doc: "processors' worth of time that a machine may use"},
		},
		Variants: harmless(),
		Needs:    []nemesis.Need{nemesis.NeedCPU},
		// The agent is slow, too: what it measures of links would be its own
		// slowness.
		Holds:    []nemesis.Resource{nemesis.HoldCPU, nemesis.HoldLinks, nemesis.HoldPackets},
		MinNodes: 1,
		Inject: func(ctx context.Context, h *nemesis.Hit) error {
			chosen, err := choose(h)
			if err != nil {
				return err
			}
			return squeeze(ctx, h, chosen, h.Args.Float("cpus"))
		},
		Undo: func(ctx context.Context, h *nemesis.Hit) error { return squeeze(ctx, h, h.Targets, 0) },
	}
}

// spinFor is how long a processor is kept busy to see how much of it there is:
// several periods of the kernel's scheduler, which are 100 ms.
const spinFor = 400 * time.Millisecond

// leastShare is what a machine without a limit gets of a processor even on a
// busy computer.
const leastShare = 0.3

// squeeze limits the processors of nodes, or with 0 puts their own limit back,
// and measures what a busy thread is given then.
func squeeze(ctx context.Context, h *nemesis.Hit, nodes []string, cpus float64) error {
	for _, name := range nodes {
		if err := h.Node(name).LimitCPU(ctx, cpus); err != nil {
			return fmt.Errorf("%s: limit its processors: %w", name, err)
		}
	}
	// Where so many busy threads could be slow without any limit, because they
	// share this computer's processors, one machine is measured after the other.
	atOnce := len(nodes)
	if float64(len(nodes))*bound(h) > 1 {
		atOnce = 1
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	got := make([]history.Measure, len(nodes))
	for i, name := range nodes {
		node := h.Node(name)
		group.Go(func() (err error) {
			if got[i], err = spin(ctx, h, node, cpus); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for _, m := range got {
		h.Prove(m)
	}
	return nil
}

// bound is what a busy thread may be given under the limit: the machine may have
// saved some of one period's share.
func bound(h *nemesis.Hit) float64 { return h.Args.Float("cpus")*1.35 + 0.05 }

// spin measures what busy threads of a machine are given, and holds it against
// the limit or, healed, against what there was before.
func spin(ctx context.Context, h *nemesis.Hit, node nemesis.Node, cpus float64) (m history.Measure, err error) {
	threads := max(1, int(cpus)+1)
	most := bound(h)
	for range proveTries {
		cpu, err := node.Spin(ctx, spinFor, threads)
		if err != nil {
			return m, fmt.Errorf("measure its processors: %w", err)
		}
		share := cpu.Seconds() / spinFor.Seconds()
		m = history.Measure{What: "processor", Where: node.Name(), Value: round(share), Unit: "CPUs", Want: "≤ " + figure(most)}
		holds := share <= most
		if cpus == 0 { // healed: what a busy computer has left to give may be less than a large share
			m.Want, holds = "> "+figure(min(most, leastShare)), share > min(most, leastShare)
		}
		if holds {
			return m, nil
		}
	}
	if cpus == 0 {
		return m, fmt.Errorf("its limit was lifted, and it still gets only %s of a processor", figure(m.Value))
	}
	return m, fmt.Errorf("limited to %v processors it still gets %s", cpus, figure(m.Value))
}
