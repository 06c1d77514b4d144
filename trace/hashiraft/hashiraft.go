// Package hashiraft writes the trace of a node that is built on
// github.com/hashicorp/raft.
//
// The node is made with the stores and the state machine that the tracer returns, which
// do what those they were given do and tell the trace of it, and is then observed:
//
//	t, err := hashiraft.New(out, "n1", logs, stable, nameOf)
//	...
//	r, err := raft.NewRaft(conf, t.FSM(fsm, hash), logs, t.StableStore(stable), t.SnapshotStore(snaps), transport)
//	...
//	t.Observe(r)
//
// What each gives: Observe the roles and leaders, StableStore the votes and the terms
// that nodes stand for, FSM what is committed and the hashes of states, SnapshotStore the
// snapshots.
package hashiraft

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"

	"github.com/hashicorp/raft"

	"squall/trace"
)

// Tracer writes the events of one node. A nil Tracer writes none, and returns what its
// methods are given as it is.
type Tracer struct {
	out    *trace.Tracer
	self   string
	logs   raft.LogStore
	nameOf func(raft.ServerAddress) string

	// mu also holds the order of events: raft calls from its main goroutine, and for
	// heartbeats from those of its transport.
	mu       sync.Mutex
	raft     *raft.Raft // nil until it is observed
	term     uint64
	voteTerm uint64 // that a vote is being given in
	role     string
	leader   string
	members  []string
}

// New returns the tracer of the node that squall calls self, before the node is made.
// nameOf makes squall's name of a node out of its address in the cluster's configuration,
// and "" of one that it does not know. Without out, which is so where squall did not
// start the process, it is nil.
func New(out *trace.Tracer, self string, logs raft.LogStore, stable raft.StableStore, nameOf func(raft.ServerAddress) string) (*Tracer, error) {
	if out == nil {
		return nil, nil
	}
	if self == "" || logs == nil || stable == nil || nameOf == nil {
		return nil, errors.New("hashiraft: it takes the node's name, its stores, and the names of nodes")
	}
	t := &Tracer{out: out, self: self, logs: logs, nameOf: nameOf, role: trace.Follower}
	term, err := stable.GetUint64([]byte(keyTerm))
	if err != nil && err.Error() != notFound {
		return nil, fmt.Errorf("reading the current term: %w", err)
	}
	t.term = term
	return t, nil
}

// Observe tells of the node's role and of every change of it and of the known leader.
// It is called right after raft.NewRaft.
func (t *Tracer) Observe(r *raft.Raft) {
	if t == nil {
		return
	}
	// The filter is called where the change is made, before anything else is done
	// there: an observer with a channel would come to know of it later.
	r.RegisterObserver(raft.NewObserver(nil, false, func(o *raft.Observation) bool {
		t.observe(o)
		return false
	}))
	t.mu.Lock()
	defer t.mu.Unlock()
	t.raft = r
	t.term = max(t.term, r.CurrentTerm())
	t.role = roleOf(r.State())
	if addr, _ := r.LeaderWithID(); addr != "" {
		t.leader = t.nameOf(addr)
	}
	t.tell("start")
	t.tellMembers()
}

func (t *Tracer) observe(o *raft.Observation) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.raft = o.Raft
	switch data := o.Data.(type) {
	case raft.RaftState:
		role := roleOf(data)
		if role == t.role {
			return
		}
		reason := ""
		if role == trace.Candidate {
			reason = trace.TimedOut
		}
		t.role = role
		t.tell(reason)
		t.tellMembers()
	case raft.LeaderObservation:
		leader := ""
		if data.LeaderAddr != "" {
			leader = t.nameOf(data.LeaderAddr)
		}
		if leader == t.leader {
			return
		}
		t.leader = leader
		if t.role == trace.Follower { // others are told by their role
			t.tell("")
		}
	case raft.PeerObservation:
		t.tellMembers()
	}
}

func roleOf(s raft.RaftState) string {
	switch s {
	case raft.Candidate:
		return trace.Candidate
	case raft.Leader:
		return trace.Leader
	case raft.Shutdown:
		return trace.Stopped
	}
	return trace.Follower
}

// tell writes a role event.
func (t *Tracer) tell(reason string) {
	e := trace.Event{Kind: trace.Role, Term: t.term, Role: t.role, Reason: reason}
	switch t.role {
	case trace.Leader:
		e.Leader = t.self
		e.Index, e.EntryTerm = t.end()
	case trace.Follower:
		e.Leader = t.leader
	}
	t.out.Write(e)
}

// write writes events that come from other goroutines, in the node's current term.
func (t *Tracer) write(events ...trace.Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range events {
		events[i].Term = t.term
	}
	t.out.Write(events...)
}

// end is where the log ends. A leader tells of its role before it appends to it.
func (t *Tracer) end() (index, term uint64) {
	var last raft.Log
	index = t.raft.LastIndex() // counts the snapshot too
	if err := t.logs.GetLog(index, &last); err == nil {
		return index, last.Term
	}
	// Behind a snapshot the log may be empty: raft says which term it was of.
	stats := t.raft.Stats()
	text := stats["last_log_term"]
	if stats["last_snapshot_index"] == strconv.FormatUint(index, 10) {
		text = stats["last_snapshot_term"]
	}
	term, err := strconv.ParseUint(text, 10, 64)
	if err != nil { // cannot be: raft writes them so
		return 0, 0
	}
	return index, term
}

// tellMembers tells who belongs to the cluster, if that has changed.
func (t *Tracer) tellMembers() {
	future := t.raft.GetConfiguration() // is there at once
	if future.Error() != nil {
		return
	}
	var names []string
	for _, s := range future.Configuration().Servers {
		if name := t.nameOf(s.Address); name != "" {
			names = append(names, name)
		}
	}
	if len(names) > 0 && !slices.Equal(names, t.members) {
		t.members = names
		t.out.Write(trace.Event{Kind: trace.Members, Term: t.term, Members: names})
	}
}
