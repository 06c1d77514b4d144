package faults

import (
	"context"

	"squall/nemesis"
)

// addMember takes a member out and adds it again while the test runs: the
// addition, to a cluster under load, is the fault.
func addMember() nemesis.Fault {
	return membering{
		name: "add-member", doc: "a node that was taken out before comes back as a new member that votes",
		variants: members("one", "follower"),
		do: func(ctx context.Context, c changes, node string) error {
			if err := outside(ctx, c, node); err != nil {
				return err
			}
			return c.add(ctx, node, false)
		},
		undo: backAsVoter,
	}.fault()
}

// outside makes sure that a node is no member, and remembers nothing of having
// been one.
func outside(ctx context.Context, c changes, node string) error {
	if err := c.remove(ctx, node); err != nil {
		return err
	}
	return c.Wipe(ctx, node)
}

// backAsVoter makes sure that a node is a member that votes and that its server
// runs.
func backAsVoter(ctx context.Context, c changes, node string) error {
	members, err := c.Members(ctx)
	if err != nil {
		return err
	}
	for _, voter := range members.Voters {
		if voter == node {
			return c.h.Node(node).Start(ctx)
		}
	}
	for _, learner := range members.Learners {
		if learner == node {
			if err := c.promote(ctx, node); err != nil {
				return err
			}
			return c.h.Node(node).Start(ctx)
		}
	}
	if err := c.add(ctx, node, false); err != nil {
		return err
	}
	return c.h.Node(node).Start(ctx)
}
