package faults

import (
	"context"

	"squall/nemesis"
)

// addMember takes a member out and adds it again while the test runs: the
// addition, to a cluster under load, is the fault. Until it is healed the cluster has a
// member that votes and that nobody has ever heard of.
func addMember() nemesis.Fault {
	return membering{
		name: "add-member", doc: "a node that was taken out is added as a new member that votes, and its server starts only when it is healed",
		variants: members("one", "follower"), servers: true,
		do: func(ctx context.Context, c changes, node string) error {
			if err := outside(ctx, c, node); err != nil {
				return err
			}
			return c.add(ctx, node, false)
		},
		undo: backAsVoter,
	}.fault()
}
