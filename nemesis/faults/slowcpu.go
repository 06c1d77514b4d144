package faults

import (
	"context"
	"fmt"
	"time"

	"squall/history"
	"squall/nemesis"
)

// slowCPU makes nodes slow: their machines get a small share of a processor.
func slowCPU() nemesis.Fault {
	return nemesis.Fault{
		Name: "slow-cpu",
		Kind: history.KindMachine,
		Doc:  "machines get only a share of a processor",
		Params: []nemesis.Param{
			{Name: "cpus", Kind: nemesis.Number, Default: "0.1", Draw: []string{"0.05", "0.1", "0.2"}, Min: "0.02", Max: "64",
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
const spinFor = 600 * time.Millisecond

// leastShare is what a machine without a limit gets of a processor even on a
// busy computer.
const leastShare = 0.3

// squeeze limits the processors of nodes, or with 0 puts their own limit back,
// and measures what a busy thread is given then.
func squeeze(ctx context.Context, h *nemesis.Hit, nodes []string, cpus float64) error {
	for _, name := range nodes {
		if err := h.Node(name).Limit(ctx, nemesis.Limits{CPUs: cpus}); err != nil {
			return fmt.Errorf("%s: limit its processors: %w", name, err)
		}
	}
	// One at a time: all at once they would share this computer's processors,
	// and be slow without any limit.
	for _, name := range nodes {
		if err := spin(ctx, h, h.Node(name), cpus); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func spin(ctx context.Context, h *nemesis.Hit, node nemesis.Node, cpus float64) error {
	threads := max(1, int(cpus)+1)
	// The machine may have saved some of one period's share.
	bound := h.Args.Float("cpus")*1.35 + 0.05
	var got float64
	for range proveTries {
		cpu, err := node.Spin(ctx, spinFor, threads)
		if err != nil {
			return fmt.Errorf("measure its processors: %w", err)
		}
		got = cpu.Seconds() / spinFor.Seconds()
		m := history.Measure{What: "processor", Where: node.Name(), Value: round(got), Unit: "CPUs", Want: "≤ " + figure(bound)}
		holds := got <= bound
		if cpus == 0 { // healed: what a busy computer has left to give may be less than a large share
			m.Want, holds = "> "+figure(min(bound, leastShare)), got > min(bound, leastShare)
		}
		if holds {
			h.Prove(m)
			return nil
		}
	}
	if cpus == 0 {
		return fmt.Errorf("its limit was lifted, and it still gets only %.2f of a processor", got)
	}
	return fmt.Errorf("limited to %v processors it still gets %.2f", cpus, got)
}
