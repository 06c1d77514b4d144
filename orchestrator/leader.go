package orchestrator

import (
	"context"
	"sync"

	"squall/history"
	"squall/nemesis"
)

// leaderView is who leads, by the nodes' events, for those who ask at any time or wait.
type leaderView struct {
	mu      sync.Mutex
	now     history.Leading
	stood   string        // the node that stood for election last
	logged  uint64        // the highest term that somebody led by its log
	changed chan struct{} // closed and replaced at every change
}

func newLeaderView() *leaderView { return &leaderView{changed: make(chan struct{})} }

// see takes an event and reports whether it is the election of a new leader.
func (v *leaderView) see(e history.NodeEvent) (elected bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if e.Kind == history.EventRole && e.Role == history.RoleCandidate && e.Node != v.now.Node {
		v.stood = e.Node
	}
	elected, changed := v.now.Take(&e)
	if changed {
		v.wake()
	}
	return elected
}

// hear takes what a node's log tells, of a system without a trace. It counts as what
// clients are told does: what is told last is believed. changed is true when it says
// something new of who leads.
func (v *leaderView) hear(e history.NodeEvent) (changed bool) {
	if e.Kind != history.EventLogged {
		return false
	}
	before := v.leader()
	v.mu.Lock()
	defer v.mu.Unlock()
	leader := e.Leader
	if e.Role == history.RoleLeader {
		leader = e.Node
	}
	switch {
	case leader != "" && e.Term != 0 && e.Term < v.logged:
		return false // it is late
	case leader != "":
		v.logged = max(v.logged, e.Term)
		v.now.Observe(leader)
	case e.Role == history.RoleCandidate && e.Node != v.now.Node:
		v.stood = e.Node
		return false
	case e.Node == v.now.Node:
		v.now.Observe("")
	default:
		return false
	}
	v.wake()
	return v.now.Node != before
}

// observe takes whom the clients were told to lead, "" for nobody, of a system whose
// trace does not tell.
func (v *leaderView) observe(node string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.now.Observe(node)
	v.wake()
}

func (v *leaderView) wake() {
	close(v.changed)
	v.changed = make(chan struct{})
}

func (v *leaderView) leader() string {
	node, _ := v.leading()
	return node
}

// leading is the current leader and its term; "" when there is none.
func (v *leaderView) leading() (node string, term uint64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.now.Node, v.now.Term
}

// roles are who plays which role now.
func (v *leaderView) roles() nemesis.Roles {
	v.mu.Lock()
	defer v.mu.Unlock()
	roles := nemesis.Roles{Leader: v.now.Node, OldLeader: v.now.Before, Candidate: v.stood}
	if v.now.Node == "" { // who led last is the old one, until there is a new one
		roles.OldLeader = v.now.Last
	}
	return roles
}

// wait returns when there is a leader, or with ctx's error.
func (v *leaderView) wait(ctx context.Context) error {
	for {
		v.mu.Lock()
		node, changed := v.now.Node, v.changed
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
