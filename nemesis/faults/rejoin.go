package faults

import (
	"context"
	"fmt"

	"squall/nemesis"
)

// Rejoin makes every node a member that votes and has its server run, after faults on
// members: a change whose answer was lost may have been made after its fault was healed.
// Where nobody asked for a change, it does nothing.
func Rejoin(ctx context.Context, c nemesis.Cluster) error {
	membership, roster := c.Membership()
	if membership == nil || !roster.Used() {
		return nil
	}
	all := changes{Membership: membership, roster: roster, h: &nemesis.Hit{Cluster: c}}
	for _, node := range c.Nodes() {
		if err := backAsVoter(ctx, all, node.Name()); err != nil {
			return fmt.Errorf("%s is not a member again: %w", node.Name(), err)
		}
	}
	_, err := all.see(ctx, func(m nemesis.Members) error {
		for _, node := range c.Nodes() {
			if is := m.Standing(node.Name()); is != nemesis.Voter {
				return fmt.Errorf("%s is %s (%v)", node.Name(), is.Noun(), m)
			}
		}
		return nil
	})
	return err
}
