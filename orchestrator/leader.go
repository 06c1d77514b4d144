package orchestrator

import (
	"context"
	"sync"

	"squall/history"
	"squall/nemesis"
)

// leaderView follows the nodes' events and knows who leads: the node that was
// elected in the highest term, as long as it has not said otherwise or ended.
type leaderView struct {
	mu      sync.Mutex
	node    string
	term    uint64
	last    string        // the node that led last, be it gone or not
	old     string        // the one that led before it
	stood   string        // the node that stood for election last
	changed chan struct{} // closed and replaced at every change
}

func newLeaderView() *leaderView { return &leaderView{changed: make(chan struct{})} }

// see takes an event and reports whether it is the election of a new leader.
func (v *leaderView) see(e history.NodeEvent) (elected bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case e.Kind == history.EventRole && e.Role == history.RoleLeader && e.Term >= v.term:
		elected = v.node != e.Node || v.term != e.Term
		if v.last != e.Node {
			v.old, v.last = v.last, e.Node
		}
		v.set(e.Node, e.Term)
	case e.Kind == history.EventRole && e.Role == history.RoleCandidate && e.Node != v.node:
		v.stood = e.Node
	case e.Node == v.node && (e.Kind == history.EventRole && e.Role != history.RoleLeader || e.Kind == history.EventExit):
		v.set("", v.term)
	}
	return elected
}

// observe takes whom the clients were told to lead, "" for nobody, of a system whose
// trace does not tell.
func (v *leaderView) observe(node string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if node != "" && v.last != node {
		v.old, v.last = v.last, node
	}
	v.set(node, 0)
}

func (v *leaderView) set(node string, term uint64) {
	v.node, v.term = node, term
	close(v.changed)
	v.changed = make(chan struct{})
}

func (v *leaderView) leader() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.node
}

// leading is the current leader and its term; "" when there is none.
func (v *leaderView) leading() (node string, term uint64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.node, v.term
}

// roles are who plays which role now.
func (v *leaderView) roles() nemesis.Roles {
	v.mu.Lock()
	defer v.mu.Unlock()
	roles := nemesis.Roles{Leader: v.node, OldLeader: v.old, Candidate: v.stood}
	if v.node == "" { // who led last is the old one, until there is a new one
		roles.OldLeader = v.last
	}
	return roles
}

// wait returns when there is a leader, or with ctx's error.
func (v *leaderView) wait(ctx context.Context) error {
	for {
		v.mu.Lock()
		node, changed := v.node, v.changed
		v.mu.Unlock()
		if node != "" {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		}
	}
}
