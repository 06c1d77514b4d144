package faults

import (
	"context"

	"squall/nemesis"
)

// replaceMember has a member lose its disk and come back as a new one.
func replaceMember() nemesis.Fault {
	return membering{
		name: "replace-member", doc: "a member is removed, loses its disk and is added again as a new one",
		variants: members("one", "leader", "follower"), servers: true,
		do: func(ctx context.Context, c changes, node string) error {
			if err := outside(ctx, c, node); err != nil {
				return err
			}
			if err := c.add(ctx, node, false); err != nil {
				return err
			}
			return c.start(ctx, node)
		},
		undo: backAsVoter,
	}.fault()
}
