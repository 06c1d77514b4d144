package faults

import (
	"context"
	"errors"
	"fmt"
	"time"

	"squall/nemesis"
)

// transferLeadership has the leader hand its office to another node.
func transferLeadership() nemesis.Fault {
	return membering{
		name: "transfer-leadership", doc: "the leader transfers leadership to another node",
		variants: members("follower", "old-leader"), needs: []nemesis.Need{nemesis.NeedLeader},
		do: func(ctx context.Context, c changes, node string) error {
			if c.h.Cluster.Roles().Leader == node {
				return fmt.Errorf("it leads already, so there is nothing to transfer")
			}
			err := c.Transfer(ctx, node)
			if errors.Is(err, nemesis.ErrRefused) {
				return err
			}
			if seen := c.leads(ctx, node); seen != nil {
				return errors.Join(seen, err)
			}
			c.h.Say("%s leads", node)
			return nil
		},
		// Who leads is nothing that has to be healed.
		undo: func(context.Context, changes, string) error { return nil },
	}.fault()
}

// leads returns when a node is seen to lead.
func (c changes) leads(ctx context.Context, node string) error {
	for deadline := time.Now().Add(seenWithin); ; {
		leader := c.h.Cluster.Roles().Leader
		if leader == node {
			return nil
		}
		if leader == "" {
			leader = "nobody"
		}
		err := fmt.Errorf("it was not seen to lead within %v: %s leads", seenWithin, leader)
		if time.Now().After(deadline) {
			return err
		}
		select {
		case <-time.After(lookEvery):
		case <-ctx.Done():
			return err
		}
	}
}
