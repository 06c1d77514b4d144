package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"time"

	"squall/history"
	"squall/nemesis"
	"squall/nodeimage/agent/protocol"
	"squall/orchestrator/machines"
)

// LimitCPU limits the processors of the node's machine, and leaves its memory's
// limit as it is.
func (n *node) LimitCPU(ctx context.Context, cpus float64) error {
	return n.limit(ctx, func(l *machines.Limits) { l.CPUs = cpus })
}

// LimitMemory limits the memory of the node's machine, and leaves its processors'
// limit as it is.
func (n *node) LimitMemory(ctx context.Context, bytes int64) error {
	return n.limit(ctx, func(l *machines.Limits) { l.Memory = bytes })
}

// limit changes one of the machine's limits: the runtime is told all of them.
func (n *node) limit(ctx context.Context, change func(*machines.Limits)) error {
	n.limiting.Lock()
	defer n.limiting.Unlock()
	want := n.limits
	change(&want)
	if want == n.limits {
		return nil
	}
	if want.Memory > 0 { // from before it holds until after it is lifted
		n.squeezed.Store(true)
	}
	if err := n.machine.Limit(ctx, want); err != nil {
		return err
	}
	n.limits = want
	n.squeezed.Store(want.Memory > 0)
	return nil
}

// Spin keeps threads in the machine busy and says what processor time they got.
func (n *node) Spin(ctx context.Context, d time.Duration, threads int) (time.Duration, error) {
	return n.agent().Spin(ctx, d, threads)
}

// Hog takes memory of the machine. A server that the kernel kills meanwhile
// ended by squall's doing.
func (n *node) Hog(ctx context.Context, bytes int64) error {
	if bytes == 0 {
		return n.unhog(ctx)
	}
	u, err := n.agent().Usage(ctx)
	if err != nil {
		return err
	}
	n.mu.Lock()
	if !n.hogged {
		n.hogged, n.oomKills = true, u.OOMKills
	}
	n.mu.Unlock()
	n.expectEnd(history.ReasonOOM)
	_, err = n.agent().Hog(ctx, protocol.HogSpec{Bytes: bytes, ServerFirst: true})
	if errors.Is(err, protocol.ErrNotRunning) { // nobody to kill first
		_, err = n.agent().Hog(ctx, protocol.HogSpec{Bytes: bytes})
	}
	return err
}

// unhog gives the memory back. The server that lives on is no longer expected to end, unless
// the kernel has killed somebody: then it may be about to end.
func (n *node) unhog(ctx context.Context) error {
	n.mu.Lock()
	hogged, before := n.hogged, n.oomKills
	n.mu.Unlock()
	if !hogged {
		return nil
	}
	if err := n.agent().Unhog(ctx); err != nil {
		return err
	}
	u, err := n.agent().Usage(ctx)
	if err != nil {
		return err
	}
	if u.OOMKills == before {
		n.forgetEnd(history.ReasonOOM)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.hogged = false
	return nil
}

// Usage is what the machine uses, by its control group.
func (n *node) Usage(ctx context.Context) (nemesis.Usage, error) {
	u, err := n.agent().Usage(ctx)
	if err == nil && u.MemoryWhy != "" {
		err = fmt.Errorf("what memory %s uses is not known: %s", n.Name(), u.MemoryWhy)
	}
	return nemesis.Usage{Memory: u.MemoryUsed, MemoryLimit: u.MemoryLimit, OOMKills: u.OOMKills}, err
}
