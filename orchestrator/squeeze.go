package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"time"

	"squall/history"
	"squall/nemesis"
	"squall/nodeimage/agent/protocol"
)

// Limit limits the node's machine.
func (n *node) Limit(ctx context.Context, l nemesis.Limits) error {
	n.mu.Lock()
	same := n.limits == l
	n.mu.Unlock()
	if same {
		return nil
	}
	if err := n.machine.Limit(ctx, Limits{CPUs: l.CPUs, Memory: l.Memory}); err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.limits = l
	return nil
}

// Spin keeps threads in the machine busy and says what processor time they got.
func (n *node) Spin(ctx context.Context, d time.Duration, threads int) (time.Duration, error) {
	return n.agent().Spin(ctx, d, threads)
}

// Hog takes memory of the machine. A server that the kernel kills meanwhile
// ended by squall's doing.
func (n *node) Hog(ctx context.Context, bytes int64) error {
	n.mu.Lock()
	idle := bytes == 0 && !n.hogged
	n.hogged = bytes > 0
	n.mu.Unlock()
	switch {
	case idle:
		return nil
	case bytes == 0:
		err := n.agent().Unhog(ctx)
		n.undoom(history.ReasonOOM)
		return err
	}
	n.doom(history.ReasonOOM)
	_, err := n.agent().Hog(ctx, protocol.HogSpec{Bytes: bytes, ServerFirst: true})
	if errors.Is(err, protocol.ErrNotRunning) { // nobody to kill first
		_, err = n.agent().Hog(ctx, protocol.HogSpec{Bytes: bytes})
	}
	return err
}

// Usage is what the machine uses, by its control group.
func (n *node) Usage(ctx context.Context) (nemesis.Usage, error) {
	u, err := n.agent().Usage(ctx)
	if err == nil && u.MemoryWhy != "" {
		err = fmt.Errorf("what memory %s uses is not known: %s", n.Name(), u.MemoryWhy)
	}
	return nemesis.Usage{Memory: u.MemoryUsed, MemoryLimit: u.MemoryLimit, OOMKills: u.OOMKills}, err
}
