package driver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"squall/workloads/systems"
)

// What an Ask may ask for.
const (
	AskMembers  = "members"  // who the members are
	AskAdd      = "add"      // make a node a member
	AskPromote  = "promote"  // make a learner one that votes
	AskRemove   = "remove"   // end a membership
	AskTransfer = "transfer" // hand the leadership to a node
)

// Ask is what CommandAsk is followed by, as JSON: a question about the members of the
// cluster, or a change of them. It is answered while the load and all else go on.
type Ask struct {
	ID      uint64 `json:"id"` // which its Answer has, too
	Do      string `json:"do"`
	Node    string `json:"node,omitempty"` // whom it is about; "" of AskMembers
	Learner bool   `json:"learner,omitempty"`
	// Within is how long it is tried for, ns: a change that the cluster refuses for now
	// is asked for again.
	Within time.Duration `json:"within"`
}

// Answer is what came of an Ask.
type Answer struct {
	ID      uint64           `json:"id"`
	Through string           `json:"through,omitempty"` // the node that answered last
	Members *systems.Members `json:"members,omitempty"`
	// Error is why it was not done; "" when it was. Refused says that it certainly was
	// not, and never will be.
	Error   string `json:"error,omitempty"`
	Refused bool   `json:"refused,omitempty"`
}

// asker asks nodes about members.
type asker struct {
	links   [][]*link
	clock   clock
	timeout time.Duration // of one attempt
	leader  func() string // as last observed; "" is nobody
}

// parse reads an Ask and the node that it is about.
func (a *asker) parse(text []byte) (ask Ask, about systems.Node, err error) {
	if err := json.Unmarshal(text, &ask); err != nil {
		return ask, about, err
	}
	if ask.Do == AskMembers {
		return ask, about, nil
	}
	if !slices.Contains([]string{AskAdd, AskPromote, AskRemove, AskTransfer}, ask.Do) {
		return ask, about, fmt.Errorf("nobody can be asked to %q", ask.Do)
	}
	i := slices.IndexFunc(a.links, func(conns []*link) bool { return conns[0].node.Name == ask.Node })
	if i < 0 {
		return ask, about, fmt.Errorf("there is no node %q", ask.Node)
	}
	return ask, a.links[i][0].node, nil
}

// askRest is the longest rest before all nodes are asked once more.
const askRest = 500 * time.Millisecond

// ask asks one node after the other until one has done it. What may have been done is
// not asked for again: that would be another change.
func (a *asker) ask(ctx context.Context, ask Ask, about systems.Node) (answer Answer) {
	ctx, cancel := context.WithTimeout(ctx, ask.Within)
	defer cancel()
	answer = Answer{ID: ask.ID, Refused: true, Error: "there was no time to ask"}
	for rest := restFirst; ctx.Err() == nil; rest = min(2*rest, askRest) {
		heard := false // a node answered, in this round
		for _, l := range a.order(ask) {
			members, err := a.try(ctx, l, ask, about)
			if err == nil {
				return Answer{ID: ask.ID, Through: l.node.Name, Members: members}
			}
			certain := ask.Do == AskMembers || errors.Is(err, errConnect) || systems.Certain(err)
			if !certain {
				return Answer{ID: ask.ID, Through: l.node.Name, Error: err.Error()}
			}
			// Why the cluster refuses says more than that a node cannot be reached.
			reached := !systems.Lost(err) && !errors.Is(err, errConnect)
			if reached || !heard {
				answer.Through, answer.Error = l.node.Name, err.Error()
			}
			heard = heard || reached
			if ctx.Err() != nil {
				return answer
			}
		}
		select {
		case <-time.After(rest):
		case <-ctx.Done():
		}
	}
	return answer
}

// order is whom to ask: who leads first, and last the node itself that it is about,
// which may be no member.
func (a *asker) order(ask Ask) []*link {
	var list []*link
	for _, conns := range a.links {
		list = append(list, conns[0])
	}
	leader := a.leader()
	rank := func(l *link) int {
		switch l.node.Name {
		case ask.Node:
			return 2
		case leader:
			return 0
		}
		return 1
	}
	slices.SortStableFunc(list, func(x, y *link) int { return rank(x) - rank(y) })
	return list
}

// try asks one node once.
func (a *asker) try(ctx context.Context, l *link, ask Ask, about systems.Node) (members *systems.Members, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, a.timeout, fmt.Errorf("timeout: no answer in %v", a.timeout))
	defer cancel()
	conn, err := l.get(ctx)
	if err != nil {
		return nil, err
	}
	changer, ok := conn.client.(systems.MemberChanger)
	if !ok {
		return nil, &systems.Error{Certain: true, Err: errors.New("the members of this system cannot be changed")}
	}
	switch ask.Do {
	case AskMembers:
		var m systems.Members
		m, err = changer.Members(ctx)
		members = &m
	case AskAdd:
		err = changer.Add(ctx, about, ask.Learner)
	case AskPromote:
		err = changer.Promote(ctx, about)
	case AskRemove:
		err = changer.Remove(ctx, about)
	case AskTransfer:
		err = changer.Transfer(ctx, about)
	}
	l.heard(conn, err)
	return members, err
}

// heard notes what came of something that a node was asked beside the load.
func (l *link) heard(c *connection, err error) {
	if err != nil {
		l.failed(c, err, l.clock.now())
		return
	}
	c.answered(l.clock.now())
}
