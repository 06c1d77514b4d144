package systems

import (
	"context"
	"slices"
)

// MemberChanger is a Client through whose node the members of the cluster can be
// changed while it runs. An error of a change that is Certain says that the cluster
// refused it; after any other the change may have been made, or may be made yet.
type MemberChanger interface {
	Client
	// Members asks who belongs to the cluster now. Where the system has two ways of
	// asking, it is the one that cannot be out of date.
	Members(ctx context.Context) (Members, error)
	// Add makes a node a member: one that votes, or a learner. Its server is started
	// afterwards, see Cluster.Joining.
	Add(ctx context.Context, node Node, learner bool) error
	// Promote makes a learner a member that votes.
	Promote(ctx context.Context, node Node) error
	// Remove ends a node's membership.
	Remove(ctx context.Context, node Node) error
	// Transfer has the leader hand the leadership to a member that votes. It is asked
	// of the node that leads.
	Transfer(ctx context.Context, to Node) error
}

// Members is who belongs to a cluster, by the names of nodes.
type Members struct {
	Voters   []string `json:"voters"`
	Learners []string `json:"learners,omitempty"`
}

// Has reports whether a node is a member, of either sort.
func (m Members) Has(node string) bool {
	return slices.Contains(m.Voters, node) || slices.Contains(m.Learners, node)
}

// ReplicaTeller is a Client that can ask its node for that node's own copy of the
// replicated state, so that the copies can be compared.
type ReplicaTeller interface {
	Client
	// Position is how far the node's own copy has come: a number that grows with
	// every change, and means the same change on every node.
	Position(ctx context.Context) (uint64, error)
	// Digest sums the node's own copy up as it was at a position. It is an error where
	// the node is not there yet, or cannot look back that far.
	Digest(ctx context.Context, at uint64) (Digest, error)
}

// Digest is a copy of the replicated state, summed up.
type Digest struct {
	Sum string `json:"digest"` // equal for equal copies
	// Basis is what the sum covers, where that differs from node to node: sums of
	// different bases do not compare. "" is all of the state.
	Basis string `json:"basis,omitempty"`
}

// ChangesMembers reports whether the members of a system can be changed through its
// clients.
func ChangesMembers(s System) bool {
	_, ok := Prototype(s).(MemberChanger)
	return ok
}

// TellsReplicas reports whether a system's clients can be told of the copies that its
// nodes have.
func TellsReplicas(s System) bool {
	_, ok := Prototype(s).(ReplicaTeller)
	return ok
}
