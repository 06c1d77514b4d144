package orchestrator

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
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
	watch   nemesis.Watch
	prompts prompts
	clients *loader // nil: none
	members nemesis.Membership
	roster  *nemesis.Roster // of what was asked of members; nil with it
}

var _ nemesis.Cluster = (*nodes)(nil)

func newNodes() *nodes {
	return &nodes{leaders: newLeaderView(), prompts: prompts{changed: make(chan struct{}, 1)}}
}

// Nodes are all nodes, by name.
func (c *nodes) Nodes() []nemesis.Node {
	list := make([]nemesis.Node, len(c.all))
	for i, n := range c.all {
		list[i] = n
	}
	return list
}

// Leader is the current leader, "" when there is none.
func (c *nodes) Leader() string { return c.leaders.leader() }

// Roles are who plays which role at this moment.
func (c *nodes) Roles() nemesis.Roles { return c.leaders.roles() }

// Watch sees moments in what the nodes tell.
func (c *nodes) Watch() *nemesis.Watch { return &c.watch }

// Membership is how members are changed; nil where the system's clients cannot.
func (c *nodes) Membership() (nemesis.Membership, *nemesis.Roster) { return c.members, c.roster }

// silent says whose traces are silent, and why, to be added to an error.
func (c *nodes) silent() string {
	text := ""
	for _, n := range c.all {
		n.mu.Lock()
		if n.tracer.silent != "" {
			text += fmt.Sprintf("; the trace of %s is silent: %s", n.Name(), n.tracer.silent)
		}
		n.mu.Unlock()
	}
	return text
}

// Reach sends probes between all pairs of machines that are up, and from the
// clients' to each, from inside the machines, and returns on which directed
// links they arrived. A machine that is switched off meanwhile has no part in
// it.
func (c *nodes) Reach(ctx context.Context, flight time.Duration) (map[history.Link]bool, error) {
	nonce := rand.Uint64()
	group, sending := errgroup.WithContext(ctx)
	if c.clients != nil {
		group.Go(func() error {
			if err := c.clients.agent.ProbeSend(sending, nonce, c.addrsBut(nil), protocol.ProbePort); err != nil {
				return fmt.Errorf("%s: %w", driverMachine, err)
			}
			return nil
		})
	}
	sent := make([]bool, len(c.all))
	group.Go(func() error {
		return c.eachUp(sending, func(ctx context.Context, i int, n *node) error {
			sent[i] = true
			return n.agent().ProbeSend(ctx, nonce, c.addrsBut(n), protocol.ProbePort)
		})
	})
	if err := group.Wait(); err != nil {
		return nil, err
	}
	// A probe that comes later still is seen by the next call.
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(flight):
	}
	heard := make([][]netip.Addr, len(c.all))
	err := c.eachUp(ctx, func(ctx context.Context, i int, n *node) (err error) {
		heard[i], err = n.agent().ProbeHeard(ctx, nonce)
		return err
	})
	if err != nil {
		return nil, err
	}
	return c.links(sent, heard), nil
}

// addrsBut are the addresses of all nodes but one.
func (c *nodes) addrsBut(but *node) []netip.Addr {
	var addrs []netip.Addr
	for _, n := range c.all {
		if n != but {
			addrs = append(addrs, n.machine.Addr())
		}
	}
	return addrs
}

// links turns "node i heard these addresses" into directed links between those
// that sent and those that are still up.
func (c *nodes) links(sent []bool, heard [][]netip.Addr) map[history.Link]bool {
	reach := map[history.Link]bool{}
	for i, to := range c.all {
		if !sent[i] || !to.Up() {
			continue
		}
		if c.clients != nil {
			reach[history.Link{From: nemesis.Clients, To: to.Name()}] = slices.Contains(heard[i], c.clients.machine.Addr())
		}
		for j, from := range c.all {
			if from != to && sent[j] && from.Up() {
				reach[history.Link{From: from.Name(), To: to.Name()}] = slices.Contains(heard[i], from.machine.Addr())
			}
		}
	}
	return reach
}

// eachUp is each, of the nodes whose machines are up; that one goes down
// meanwhile is no error.
func (c *nodes) eachUp(ctx context.Context, do func(ctx context.Context, i int, n *node) error) error {
	return c.each(ctx, func(ctx context.Context, i int, n *node) error {
		if !n.Up() {
			return nil
		}
		if err := do(ctx, i, n); err != nil && n.Up() {
			return err
		}
		return nil
	})
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
