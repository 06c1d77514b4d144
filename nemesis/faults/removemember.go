package faults

import (
	"context"

	"squall/nemesis"
)

// removeMember takes members out of the cluster.
func removeMember() nemesis.Fault {
	return membering{
		name: "remove-member", doc: "a member is removed, and added again when it is healed",
		variants: members("one", "leader", "follower"),
		do:       func(ctx context.Context, c changes, node string) error { return c.remove(ctx, node) },
		undo:     backAsVoter,
	}.fault()
}
