package nemesis

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Membership is what a system under test offers whose members can change while
// it runs. A cluster of such a system returns one from Membership.
//
// An error that wraps ErrRefused says that the change certainly did not and
// will not happen; after any other error it may have happened, or happen later.
type Membership interface {
	// Members asks the system who belongs to it now.
	Members(ctx context.Context) (Members, error)
	// Add makes a node a member: one that votes, or a learner.
	Add(ctx context.Context, node string, learner bool) error
	// Remove ends a node's membership.
	Remove(ctx context.Context, node string) error
	// Promote makes a learner a member that votes.
	Promote(ctx context.Context, node string) error
	// Transfer hands the leadership to a member that votes. Roles show whether it does.
	Transfer(ctx context.Context, to string) error
	// Wipe takes the disk of a node that is no member, so that it can come back
	// as a new one. Its server does not run afterwards; started again, it joins those who
	// are members then.
	Wipe(ctx context.Context, node string) error
}

// ErrRefused is wrapped by the error of a change that certainly had no effect.
var ErrRefused = fmt.Errorf("the change of members was refused")

// Members is who belongs to a system, sorted.
type Members struct {
	Voters   []string
	Learners []string
}

func (m Members) String() string {
	text := "voters " + strings.Join(m.Voters, " ")
	if len(m.Learners) > 0 {
		text += ", learners " + strings.Join(m.Learners, " ")
	}
	return text
}

// Standing is what a node is to the cluster.
type Standing string

// The standings.
const (
	Outside Standing = "no member"
	Learner Standing = "learner"
	Voter   Standing = "voter"
)

// Noun is a standing as that of one node: "a learner".
func (s Standing) Noun() string {
	if s == Outside {
		return string(s)
	}
	return "a " + string(s)
}

// Standing is a node's in a set of members.
func (m Members) Standing(node string) Standing {
	switch {
	case slices.Contains(m.Voters, node):
		return Voter
	case slices.Contains(m.Learners, node):
		return Learner
	}
	return Outside
}

// Roster is what was asked of a cluster's membership and what may hold now. Of
// a change whose outcome is unknown both hold, what was and what was asked for,
// until the system is seen to have one of them: then the other can still come,
// because a request may land late. It is safe for concurrent use.
type Roster struct {
	mu    sync.Mutex
	nodes []string
	// may are the standings that a node may have, and pending those of them
	// that a request asked for which may still land.
	may     map[string]map[Standing]bool
	pending map[string]map[Standing]bool
	used    bool // something was asked for
}

// NewRoster is for a cluster that begins with these members; nodes are all that
// there are, members or not.
func NewRoster(nodes []string, begin Members) *Roster {
	r := &Roster{nodes: slices.Sorted(slices.Values(nodes)), may: map[string]map[Standing]bool{}, pending: map[string]map[Standing]bool{}}
	for _, node := range nodes {
		r.may[node] = map[Standing]bool{begin.Standing(node): true}
		r.pending[node] = map[Standing]bool{}
	}
	return r
}

// Asked takes the outcome of a request that node should have a standing.
func (r *Roster) Asked(node string, want Standing, refused bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.used = true
	switch {
	case refused:
	case err == nil:
		// What was asked before and may land late is not undone by this.
		r.may[node] = map[Standing]bool{want: true}
		for late := range r.pending[node] {
			r.may[node][late] = true
		}
	default:
		r.may[node][want] = true
		r.pending[node][want] = true
	}
}

// Used reports whether anybody asked for a change.
func (r *Roster) Used() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.used
}

// Seen holds what the system says against what may hold. An error names the
// nodes that are what nobody asked for.
func (r *Roster) Seen(m Members) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var wrong []string
	for _, node := range r.nodes {
		is := m.Standing(node)
		if !r.may[node][is] {
			wrong = append(wrong, fmt.Sprintf("%s is %s, and may be %s", node, is.Noun(), r.mayBe(node)))
			continue
		}
		r.may[node] = map[Standing]bool{is: true}
		for late := range r.pending[node] {
			r.may[node][late] = true
		}
	}
	for _, stranger := range append(slices.Clone(m.Voters), m.Learners...) {
		if r.may[stranger] == nil {
			wrong = append(wrong, fmt.Sprintf("%s is a member, but not a node of this test", stranger))
		}
	}
	if len(wrong) > 0 {
		return fmt.Errorf("the members are not what was asked for: %s", strings.Join(wrong, "; "))
	}
	return nil
}

func (r *Roster) mayBe(node string) string {
	var all []string
	for _, s := range []Standing{Voter, Learner, Outside} {
		if r.may[node][s] {
			all = append(all, s.Noun())
		}
	}
	return strings.Join(all, " or ")
}

// Settled are the nodes that certainly have a standing, sorted.
func (r *Roster) Settled(s Standing) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var nodes []string
	for _, node := range r.nodes {
		if len(r.may[node]) == 1 && r.may[node][s] {
			nodes = append(nodes, node)
		}
	}
	return nodes
}

// MayVote is how many nodes may be voters at most, by what was asked.
func (r *Roster) MayVote() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for _, may := range r.may {
		if may[Voter] {
			n++
		}
	}
	return n
}
