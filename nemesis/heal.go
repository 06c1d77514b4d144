package nemesis

import (
	"context"
	"errors"
	"fmt"
)

// HealAll makes every node whole, whatever was done to it: its machine up and
// unlimited, no packet dropped or delayed, its clock true, its server running
// and not paused. It is idempotent. The error says which machines are still
// hurt, and how. A server that ends by itself when it is started is not hurt by
// anything that could be healed.
func HealAll(ctx context.Context, c Cluster) (proof []string, err error) {
	h := &Hit{Cluster: c, Links: NewLinkLayers(c)}
	var errs []error
	for _, node := range c.Nodes() {
		if err := node.PowerOn(ctx); err != nil {
			errs = append(errs, fmt.Errorf("%s is not healed: its machine does not start: %w", node.Name(), err))
		}
	}
	if err := h.Links.Clear(ctx); err != nil {
		errs = append(errs, err)
	} else if err := h.ProveLinks(ctx, nil); err != nil {
		errs = append(errs, err)
	}
	for _, node := range c.Nodes() {
		if err := healNode(ctx, h, node); err != nil {
			errs = append(errs, fmt.Errorf("%s is not healed: %w", node.Name(), err))
		}
	}
	return h.proof, errors.Join(errs...)
}

func healNode(ctx context.Context, h *Hit, node Node) error {
	for _, step := range []struct {
		what string
		do   func(context.Context) error
	}{
		{"take memory back", func(ctx context.Context) error { return node.Hog(ctx, 0) }},
		{"lift its limit of processors", func(ctx context.Context) error { return node.LimitCPU(ctx, 0) }},
		{"lift its limit of memory", func(ctx context.Context) error { return node.LimitMemory(ctx, 0) }},
		{"reset its clock", func(ctx context.Context) error { return node.BendClock(ctx, Bend{}) }},
		{"start its server", node.Start},
		{"resume its server", node.Resume},
	} {
		if err := step.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", step.what, err)
		}
	}
	p, err := node.Process(ctx)
	if err != nil {
		return fmt.Errorf("look at its process: %w", err)
	}
	if p.Crashed { // it was started and has ended by itself again: that is found as such
		h.Say("%s: its server ended by itself (%s)", node.Name(), p.Exit)
		return nil
	}
	if !p.Running || p.State == "T" {
		return fmt.Errorf("its server does not run: running %t, state %q", p.Running, p.State)
	}
	h.Say("%s: process %d runs (state %s)", node.Name(), p.PID, p.State)
	return nil
}
