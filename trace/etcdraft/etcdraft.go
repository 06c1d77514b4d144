// Package etcdraft writes the trace of a node that is built on go.etcd.io/raft/v3.
//
// The loop that handles each Ready calls [Tracer.Ready] where everything in it is durable
// and none of its messages has been sent:
//
//	rd := node.Ready()
//	save(rd.HardState, rd.Entries, rd.Snapshot) // and fsync
//	tracer.Ready(rd)
//	send(rd.Messages)
//	for _, e := range rd.CommittedEntries {
//		apply(e)
//		tracer.Applied(e.GetIndex(), state.Hash)
//	}
//	node.Advance()
//
// Nodes with AsyncStorageWrites have no such place: they write their events with package
// trace.
package etcdraft

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"sync"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"

	"squall/trace"
)

// Tracer writes the events of one node. A nil Tracer writes none. It is safe for
// concurrent use.
type Tracer struct {
	out     *trace.Tracer
	storage raft.Storage
	name    func(id uint64) string

	mu     sync.Mutex
	events []trace.Event // kept for its memory

	term              uint64
	voteTerm, vote    uint64 // the last vote, and its term
	state             raft.StateType
	lead              uint64
	told              view   // by the last role event
	endIndex, endTerm uint64 // of the log
	log               trace.Log
	committed         uint64 // the last entry that was reported
}

// view is what a role event tells.
type view struct {
	role   string
	leader uint64
	term   uint64
	asks   bool // for pre-votes
}

// New returns the tracer of a node that continues from what is in storage, before the
// node is started. name makes squall's name of a node out of its ID; nil: "n" and the ID.
// Without out, which is so where squall did not start the process, it is nil.
func New(out *trace.Tracer, storage raft.Storage, name func(id uint64) string) (*Tracer, error) {
	if out == nil {
		return nil, nil
	}
	if storage == nil {
		return nil, errors.New("etcdraft: no storage")
	}
	if name == nil {
		name = func(id uint64) string { return "n" + strconv.FormatUint(id, 10) }
	}
	t := &Tracer{out: out, storage: storage, name: name}
	hard, conf, err := storage.InitialState()
	if err != nil {
		return nil, fmt.Errorf("reading the state of the raft node: %w", err)
	}
	t.term, t.voteTerm, t.vote = hard.GetTerm(), hard.GetTerm(), hard.GetVote()
	if t.endIndex, err = storage.LastIndex(); err != nil {
		return nil, fmt.Errorf("reading the end of the raft log: %w", err)
	}
	if t.endTerm, err = storage.Term(t.endIndex); err != nil {
		return nil, fmt.Errorf("reading the term of entry %d: %w", t.endIndex, err)
	}
	t.addRole(t.endIndex, t.endTerm, "start")
	t.addMembers(conf)
	t.write()
	return t, nil
}

// Ready writes the events of a Ready: a change of role or leader, a vote, an installed
// snapshot, and what is committed. It is called when all of rd that must be saved is
// durable, and before a message of it is sent.
func (t *Tracer) Ready(rd raft.Ready) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.roleOf(rd)
	if hs := rd.HardState; hs.GetVote() != 0 && (hs.GetVote() != t.vote || hs.GetTerm() != t.voteTerm) {
		t.voteTerm, t.vote = hs.GetTerm(), hs.GetVote()
		t.add(trace.Event{Kind: trace.Vote, Vote: t.name(t.vote)})
	}
	if m := rd.Snapshot.GetMetadata(); !raft.IsEmptySnap(rd.Snapshot) {
		t.endIndex, t.endTerm = m.GetIndex(), m.GetTerm()
		t.add(trace.Event{Kind: trace.Snapshot, Index: t.endIndex, EntryTerm: t.endTerm, Reason: "installed"})
		t.addMembers(m.GetConfState())
	}
	if n := len(rd.Entries); n > 0 {
		t.endIndex, t.endTerm = rd.Entries[n-1].GetIndex(), rd.Entries[n-1].GetTerm()
	}
	t.commits(rd.CommittedEntries)
	t.write()
}

// Role writes the change of role in a Ready, if there is one. Only a loop that sends the
// messages of a leader before it saves its entries, as a leader may, calls it before that
// and Ready after.
func (t *Tracer) Role(rd raft.Ready) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.state == raft.StateLeader || rd.SoftState != nil && rd.RaftState == raft.StateLeader {
		t.roleOf(rd)
		t.write()
	}
}

// Applied tells that an entry was applied, and offers the hash of the state machine after
// it, which is the same on all nodes. It is asked for at the end of each batch, and at
// indexes that [trace.Every] divides, before Applied returns.
func (t *Tracer) Applied(index uint64, state func() uint64) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if index%trace.Every == 0 || index == t.committed {
		t.out.Write(trace.Event{Kind: trace.State, Term: t.term, Index: index, Hash: state()})
	}
}

// SnapshotTaken tells that a snapshot that the node has taken is on disk.
func (t *Tracer) SnapshotTaken(index, term uint64) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.out.Write(trace.Event{Kind: trace.Snapshot, Term: t.term, Index: index, EntryTerm: term, Reason: "taken"})
}

// Members tells who belongs to the cluster: what ApplyConfChange has returned.
func (t *Tracer) Members(conf *raftpb.ConfState) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.addMembers(conf)
	t.write()
}

// Stopped tells that the node takes part no more, though the process may run on.
func (t *Tracer) Stopped() {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.out.Write(trace.Event{Kind: trace.Role, Term: t.term, Role: trace.Stopped, Reason: "stopped", Index: t.endIndex, EntryTerm: t.endTerm})
}

// roleOf notes role, leader and term of a Ready, and tells of a change.
func (t *Tracer) roleOf(rd raft.Ready) {
	if hs := rd.HardState; hs != nil {
		t.term = hs.GetTerm()
	}
	if ss := rd.SoftState; ss != nil {
		t.state, t.lead = ss.RaftState, ss.Lead
	}
	index, term := t.endIndex, t.endTerm
	for _, e := range rd.Entries {
		if t.state == raft.StateLeader && e.GetTerm() >= t.term {
			break // its own: it was elected with what was before
		}
		index, term = e.GetIndex(), e.GetTerm()
	}
	reason := ""
	if t.state == raft.StateCandidate || t.state == raft.StatePreCandidate {
		reason = trace.TimedOut
	}
	t.addRole(index, term, reason)
}

// addRole adds a role event if there is something new to tell.
func (t *Tracer) addRole(index, term uint64, reason string) {
	now := view{role: trace.Follower, leader: t.lead, term: t.told.term}
	switch t.state {
	case raft.StatePreCandidate:
		now.asks = true
	case raft.StateCandidate:
		now.role, now.term = trace.Candidate, t.term
	case raft.StateLeader:
		now.role, now.term = trace.Leader, t.term
	}
	if t.lead != 0 {
		now.term = t.term
	}
	if now == t.told {
		return
	}
	t.told = now
	t.told.term = t.term
	e := trace.Event{Kind: trace.Role, Role: now.role, Reason: reason, Index: index, EntryTerm: term}
	if t.lead != 0 {
		e.Leader = t.name(t.lead)
	}
	t.add(e)
}

// commits tells of committed entries.
func (t *Tracer) commits(entries []*raftpb.Entry) {
	if len(entries) == 0 {
		return
	}
	first := entries[0].GetIndex()
	t.committed = entries[len(entries)-1].GetIndex()
	t.events = t.log.Committed(t.events, t.term, first, t.committed, func(i uint64) (trace.Entry, error) {
		if i >= first {
			return entry(entries[i-first]), nil
		}
		before, err := t.storage.Entries(i, i+1, math.MaxUint64)
		if err != nil || len(before) == 0 {
			return trace.Entry{}, raft.ErrCompacted
		}
		return entry(before[0]), nil
	})
}

func entry(e *raftpb.Entry) trace.Entry {
	return trace.Entry{Term: e.GetTerm(), Kind: uint64(e.GetType()), Content: e.GetData()}
}

func (t *Tracer) addMembers(conf *raftpb.ConfState) {
	var names []string
	for _, ids := range [][]uint64{conf.GetVoters(), conf.GetLearners(), conf.GetVotersOutgoing()} {
		for _, id := range ids {
			if name := t.name(id); !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	if len(names) > 0 {
		t.add(trace.Event{Kind: trace.Members, Members: names})
	}
}

func (t *Tracer) add(e trace.Event) {
	e.Term = t.term
	t.events = append(t.events, e)
}

func (t *Tracer) write() {
	t.out.Write(t.events...)
	clear(t.events)
	t.events = t.events[:0]
}
