package orchestrator

import (
	"context"
	"fmt"
	"slices"
	"time"

	"squall/history"
	"squall/nemesis"
	"squall/workloads/driver"
	"squall/workloads/systems"
)

// membership changes the members of the system under test: its clients ask for it, and the
// servers are told what they join.
type membership struct {
	nodes *nodes
	// ask has the driver ask.
	ask func(context.Context, driver.Ask) (driver.Answer, error)
	// server says how to start the server of a node that joins these members, itself
	// among them.
	server func(node string, members []string) (systems.Start, error)
}

var _ nemesis.Membership = (*membership)(nil)

// How long the driver tries to have something done, at most and when the deadline of the
// step leaves less.
const (
	askFor    = 10 * time.Second
	askMargin = 500 * time.Millisecond // for the answer to get back
)

// request has the driver ask, and says whether the system refused.
func (m *membership) request(ctx context.Context, a driver.Ask) (driver.Answer, error) {
	a.Within = askFor
	if deadline, ok := ctx.Deadline(); ok {
		a.Within = max(min(a.Within, time.Until(deadline)-askMargin), 0)
	}
	answer, err := m.ask(ctx, a)
	switch {
	case err != nil:
		return answer, err
	case answer.Error == "":
		return answer, nil
	}
	text := answer.Error
	if answer.Through != "" {
		text = "through " + answer.Through + ": " + text
	}
	if answer.Refused {
		return answer, fmt.Errorf("%w: %s", nemesis.ErrRefused, text)
	}
	return answer, fmt.Errorf("its outcome is unknown: %s", text)
}

// Members asks the system who belongs to it now.
func (m *membership) Members(ctx context.Context) (nemesis.Members, error) {
	a, err := m.request(ctx, driver.Ask{Do: driver.AskMembers})
	if err != nil {
		return nemesis.Members{}, err
	}
	if a.Members == nil {
		return nemesis.Members{}, fmt.Errorf("the driver told of no members")
	}
	return nemesis.Members{Voters: slices.Sorted(slices.Values(a.Members.Voters)), Learners: slices.Sorted(slices.Values(a.Members.Learners))}, nil
}

// Add makes a node a member.
func (m *membership) Add(ctx context.Context, node string, learner bool) error {
	_, err := m.request(ctx, driver.Ask{Do: driver.AskAdd, Node: node, Learner: learner})
	return err
}

// Remove ends a node's membership. Its server may end by itself then.
func (m *membership) Remove(ctx context.Context, node string) error {
	n, err := m.node(node)
	if err != nil {
		return err
	}
	n.expectEnd(history.ReasonRemoved)
	a, err := m.request(ctx, driver.Ask{Do: driver.AskRemove, Node: node})
	if a.Refused {
		n.forgetEnd(history.ReasonRemoved)
	}
	return err
}

// Promote makes a learner a member that votes.
func (m *membership) Promote(ctx context.Context, node string) error {
	_, err := m.request(ctx, driver.Ask{Do: driver.AskPromote, Node: node})
	return err
}

// Transfer hands the leadership to a member.
func (m *membership) Transfer(ctx context.Context, to string) error {
	_, err := m.request(ctx, driver.Ask{Do: driver.AskTransfer, Node: to})
	return err
}

// Wipe ends the server of a node and takes its disk. Started again, it joins the members
// of that moment.
func (m *membership) Wipe(ctx context.Context, node string) error {
	n, err := m.node(node)
	if err != nil {
		return err
	}
	return n.wipe(ctx, m.joins(node))
}

// joins is how the server of a node without a disk is started.
func (m *membership) joins(node string) func(context.Context) (systems.Start, error) {
	return func(ctx context.Context) (systems.Start, error) {
		members, err := m.Members(ctx)
		if err != nil {
			return systems.Start{}, fmt.Errorf("ask whom the server of %s joins: %w", node, err)
		}
		all := slices.Sorted(slices.Values(append(members.Voters, members.Learners...)))
		if !slices.Contains(all, node) {
			return systems.Start{}, fmt.Errorf("the server of %s cannot be started: it has lost its disk, and is no member (%v)", node, members)
		}
		return m.server(node, all)
	}
}

func (m *membership) node(name string) (*node, error) {
	i := slices.IndexFunc(m.nodes.all, func(n *node) bool { return n.Name() == name })
	if i < 0 {
		return nil, fmt.Errorf("there is no node %s", name)
	}
	return m.nodes.all[i], nil
}

// wipe ends the server and empties its data directory. joins says from then on how it is
// started, until it was.
func (n *node) wipe(ctx context.Context, joins func(context.Context) (systems.Start, error)) error {
	if err := n.Kill(ctx); err != nil {
		return fmt.Errorf("end the server of %s: %w", n.Name(), err)
	}
	if _, err := n.agent().Wipe(ctx); err != nil {
		return fmt.Errorf("take the disk of %s: %w", n.Name(), err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.joins = joins
	return nil
}

// howToStart is how the server is started now.
func (n *node) howToStart(ctx context.Context) (systems.Start, error) {
	n.mu.Lock()
	start, joins := n.start, n.joins
	n.mu.Unlock()
	if joins == nil {
		return start, nil
	}
	return joins(ctx)
}

// setMembership lets the members of the system be changed, where its clients can do that.
func (r *run) setMembership(system systems.System, cluster systems.Cluster) {
	if !systems.ChangesMembers(system) {
		return
	}
	r.nodes.roster = nemesis.NewRoster(r.plan.Nodes, nemesis.Members{Voters: slices.Sorted(slices.Values(r.plan.Nodes))})
	r.nodes.members = &membership{nodes: r.nodes, ask: r.loader.ask, server: func(name string, members []string) (systems.Start, error) {
		joined := cluster
		for _, n := range cluster.Nodes {
			if slices.Contains(members, n.Name) {
				joined.Joining = append(joined.Joining, n)
			}
		}
		if len(joined.Joining) != len(members) {
			return systems.Start{}, fmt.Errorf("prepare the server of %s: the members are %v, and not all of them are nodes of this test", name, members)
		}
		i := slices.IndexFunc(cluster.Nodes, func(n systems.Node) bool { return n.Name == name })
		return system.Server(cluster.Nodes[i], joined, r.plan.Test.SystemParams)
	}}
}
