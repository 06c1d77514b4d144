package faults

import (
	"context"

	"squall/nemesis"
)

// removeMember takes members out of the cluster.
func removeMember() nemesis.Fault {
	return membering{
		name: "remove-member", doc: "a member is removed; when it is healed it comes back as a new one, its disk empty",
		variants: members("one", "leader", "follower"), servers: true,
		do:   func(ctx context.Context, c changes, node string) error { return c.remove(ctx, node) },
		undo: backAsVoter,
	}.fault()
}
