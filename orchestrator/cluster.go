package orchestrator

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"

	"golang.org/x/sync/errgroup"

	"squall/history"
	"squall/nemesis"
	"squall/nodeimage/agent/protocol"
)

// nodes is the cluster under test as the nemesis sees it.
type nodes struct {
	all     []*node
	leaders *leaderView
}

var _ nemesis.Cluster = (*nodes)(nil)

// Nodes are all nodes, by name.
func (c *nodes) Nodes() []nemesis.Node {
	list := make([]nemesis.Node, len(c.all))
	for i, n := range c.all {
		list[i] = n
	}
	return list
}

// Leader is the leader of the moment, "" when there is none.
func (c *nodes) Leader() string { return c.leaders.leader() }

// Reach sends probes between all pairs of nodes, from inside the machines, and
// returns on which directed links they arrived. A machine that squall has
// switched off neither sends nor hears.
func (c *nodes) Reach(ctx context.Context) (map[history.Link]bool, error) {
	nonce := rand.Uint64()
	err := c.each(ctx, func(ctx context.Context, i int, n *node) error {
		var others []netip.Addr
		for _, other := range c.all {
			if other != n {
				others = append(others, other.machine.Addr())
			}
		}
		return unlessOff(n, n.agent().ProbeSend(ctx, nonce, others, protocol.ProbePort))
	})
	if err != nil {
		return nil, err
	}
	// On one host a packet takes well under a millisecond; this leaves room
	// for a busy one. A probe that comes later still is seen by the next call.
	const flight = 15 * time.Millisecond
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(flight):
	}
	heard := make([][]netip.Addr, len(c.all))
	err = c.each(ctx, func(ctx context.Context, i int, n *node) (err error) {
		heard[i], err = n.agent().ProbeHeard(ctx, nonce)
		return unlessOff(n, err)
	})
	if err != nil {
		return nil, err
	}
	return c.links(heard), nil
}

// unlessOff lets a machine be silent that is switched off.
func unlessOff(n *node, err error) error {
	if !n.Up() {
		return nil
	}
	return err
}

// links turns "node i heard these addresses" into directed links.
func (c *nodes) links(heard [][]netip.Addr) map[history.Link]bool {
	name := make(map[netip.Addr]string, len(c.all))
	for _, n := range c.all {
		name[n.machine.Addr()] = n.Name()
	}
	reach := map[history.Link]bool{}
	for i, to := range c.all {
		for _, from := range heard[i] {
			reach[history.Link{From: name[from], To: to.Name()}] = true
		}
	}
	return reach
}

// each does something with every node at once and names the node that failed.
func (c *nodes) each(ctx context.Context, do func(ctx context.Context, i int, n *node) error) error {
	group, ctx := errgroup.WithContext(ctx)
	for i, n := range c.all {
		group.Go(func() error {
			if err := do(ctx, i, n); err != nil {
				return fmt.Errorf("%s: %w", n.Name(), err)
			}
			return nil
		})
	}
	return group.Wait()
}
