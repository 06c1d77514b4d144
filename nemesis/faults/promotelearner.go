package faults

import (
	"context"

	"squall/nemesis"
)

// promoteLearner brings a node back as a learner, which does not vote, and has
// it promoted.
func promoteLearner() nemesis.Fault {
	return membering{
		name: "promote-learner", doc: "a node that was taken out comes back as a learner and is promoted to vote",
		variants: members("one", "follower"), servers: true,
		do: func(ctx context.Context, c changes, node string) error {
			if err := outside(ctx, c, node); err != nil {
				return err
			}
			if err := c.add(ctx, node, true); err != nil {
				return err
			}
			if err := c.start(ctx, node); err != nil {
				return err
			}
			return c.promote(ctx, node)
		},
		undo: backAsVoter,
	}.fault()
}
