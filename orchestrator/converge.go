package orchestrator

import (
	"context"
	"slices"
	"sync"
	"time"

	"squall/history"
	"squall/workloads/systems"
)

// convergence is history.Convergence for those who wait.
type convergence struct {
	mu      sync.Mutex
	now     *history.Convergence // nil: before there are nodes
	changed chan struct{}        // closed and replaced at every change
}

func newConvergence(nodes []string) *convergence {
	return &convergence{now: history.NewConvergence(nodes), changed: make(chan struct{})}
}

func (c *convergence) take(e history.NodeEvent) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.now.Take(&e) {
		close(c.changed)
		c.changed = make(chan struct{})
	}
}

func (c *convergence) committed() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now.Committed()
}

// wait returns when all nodes have converged of which that can be expected, or when ctx
// ends: then it names those that have not. A server that ended, or that tells nothing any
// more, is nothing to wait for.
func (c *convergence) wait(ctx context.Context, index uint64) (behind []history.Standing) {
	for {
		c.mu.Lock()
		behind = c.now.Behind(index)
		changed := c.changed
		c.mu.Unlock()
		behind = slices.DeleteFunc(behind, func(s history.Standing) bool { return s.Silent || !s.Running })
		if len(behind) == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return behind
		case <-changed:
		}
	}
}

// awaitConvergence waits until every node follows one leader and has what was committed
// when everything was healed, where the nodes' traces tell. When the bound is over, the
// history tells who has not: that is for its checks.
func (r *run) awaitConvergence(ctx context.Context, index uint64, end time.Time) error {
	system, err := r.plan.Test.FindSystem()
	if err != nil || !systems.Traced(system) {
		return err
	}
	waiting, cancel := context.WithDeadline(ctx, end)
	defer cancel()
	for _, s := range r.converged.wait(waiting, index) {
		r.log.Error("a node has not converged", "node", s.Node, "committed", s.Committed, "of", index, "leader", s.Leader, "term", s.Term)
	}
	return ctx.Err()
}
