package faults

import (
	"context"

	"squall/nemesis"
)

// transferLeadership has the leader hand its office to another node.
func transferLeadership() nemesis.Fault {
	return membering{
		name: "transfer-leadership", doc: "the leader transfers leadership to another node",
		variants: members("follower", "old-leader"),
		do: func(ctx context.Context, c changes, node string) error {
			return c.ask(ctx, node, nemesis.Voter, "transfer of leadership", func() error { return c.Transfer(ctx, node) })
		},
		// Who leads is nothing that has to be healed.
		undo: func(context.Context, changes, string) error { return nil },
	}.fault()
}
