package etcdraft

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"google.golang.org/protobuf/proto"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"

	"squall/trace"
	"squall/trace/steps"
)

// Steps writes version 2 of the trace: every step of a node that its messages and each
// Ready show. A nil Steps writes none. It is safe for concurrent use, but the order of the
// calls is what it tells, so one goroutine has to step messages and handle each Ready:
//
//	case m := <-incoming:
//		steps.Receive(m)
//		node.Step(ctx, m)
//	case rd := <-node.Ready():
//		steps.Ready(rd) // first
//		save(rd.HardState, rd.Entries, rd.Snapshot) // and fsync
//		steps.Saved(rd)
//		steps.Sending(rd.Messages)
//		send(rd.Messages)
//		for _, e := range rd.CommittedEntries {
//			apply(e)
//			steps.Applied(e.GetIndex(), state.Hash)
//		}
//		node.Advance()
//
// A Ready may hold the outcome of several messages. Steps then follows each of them as
// Raft has it, and holds what comes out against what the Ready says, which is what counts.
type Steps struct {
	out     *steps.Tracer
	storage raft.Storage
	id      steps.Node
	lacks   steps.Lacks

	mu      sync.Mutex
	events  []steps.Event
	start   *steps.Event // not written yet: the node may be a new cluster's
	began   uint64       // the last entry of which the start told as of a snapshot
	inbox   []*raftpb.Message
	asked   map[uint64]*raftpb.Message // the last request for a vote, by node
	term    uint64
	vote    uint64 // in term
	role    steps.Role
	lead    uint64
	told    view2
	log     termLog
	commit  uint64
	stored  steps.Event // the last Persist
	waiting bool        // a snapshot is to be saved before the log is told
}

// view2 is what the last RoleChange told.
type view2 struct {
	role steps.Role
	lead uint64
	term uint64
}

// Never is what go.etcd.io/raft does not show: numbers of messages, hashes of the log, what a
// leader knows of its followers, when election timers are set, how reads are confirmed, a transfer's begin, and a change
// of the configuration before it is applied. It is always lacking.
const Never = 1<<steps.Compact | 1<<steps.ReadCame | 1<<steps.RoundBegun | 1<<steps.RoundDone | 1<<steps.ReadServed |
	1<<steps.Transfer | 1<<steps.Failed | 1<<steps.Progress | 1<<steps.Timeout | steps.LacksNumbers | steps.LacksHash | steps.LacksRounds | steps.LacksBegunConfigs | steps.LacksMade

// NewSteps returns the writer of a node that continues from what is in storage, before
// the node is started. lacks is what the server does not call besides: steps.LacksKind of
// State (Applied without a hash), Snapshot (SnapshotTaken), Config (Configured; not
// needed where the members never change). Without out it is nil.
func NewSteps(out *steps.Tracer, storage raft.Storage, id uint64, lacks steps.Lacks) (*Steps, error) {
	if out == nil {
		return nil, nil
	}
	if storage == nil {
		return nil, errors.New("etcdraft: no storage")
	}
	s := &Steps{out: out, storage: storage, id: steps.Node(id), lacks: lacks | Never, asked: map[uint64]*raftpb.Message{}, role: steps.Follower}
	if err := s.load(); err != nil {
		return nil, err
	}
	if s.log.last() > 0 || s.term > 0 {
		s.begin()
		s.write()
	}
	return s, nil
}

// load reads what is stored.
func (s *Steps) load() error {
	hard, conf, err := s.storage.InitialState()
	if err != nil {
		return fmt.Errorf("reading the state of the raft node: %w", err)
	}
	first, errFirst := s.storage.FirstIndex()
	last, errLast := s.storage.LastIndex()
	snapshot, errSnapshot := s.storage.Snapshot()
	if err := errors.Join(errFirst, errLast, errSnapshot); err != nil {
		return fmt.Errorf("reading the raft log: %w", err)
	}
	for i := first - 1; i <= last; i++ {
		term, err := s.storage.Term(i)
		if err != nil {
			return fmt.Errorf("reading the term of entry %d: %w", i, err)
		}
		if i == first-1 {
			s.log.base = steps.Mark{Index: i, Term: term}
		} else {
			s.log.terms = append(s.log.terms, term)
		}
	}
	s.term, s.vote, s.commit = hard.GetTerm(), hard.GetVote(), hard.GetCommit()
	s.told = view2{role: steps.Follower, term: s.term}
	s.start = &steps.Event{Kind: steps.Start, Term: s.term, Node: s.id, Vote: steps.Node(s.vote), Base: s.log.base,
		Runs: runsOf(first, s.log.terms), Mark: markOf(snapshot), Members: ids(conf.GetVoters()), Lacks: s.lacks}
	if s.log.base.Index > 0 || s.start.Mark.Index > 0 || last == 0 {
		return nil
	}
	entries, err := s.storage.Entries(first, last+1, 1<<20)
	if err != nil {
		return fmt.Errorf("reading the raft log: %w", err)
	}
	members, n := membersIn(entries)
	if s.start.Mark = s.log.mark(n); len(s.start.Members) == 0 {
		s.start.Members = members
	}
	return nil
}

// membersIn are the first members of a cluster, where they are the first entries of its
// log (raft.Bootstrap). Those are committed without any leader, so the trace tells of them
// as of a snapshot; n is where they end, 0 where there are none.
func membersIn(entries []*raftpb.Entry) (members []steps.Node, n uint64) {
	for _, e := range entries {
		var cc raftpb.ConfChange
		if e.GetType() != raftpb.EntryConfChange || e.GetTerm() != 1 || e.GetIndex() != n+1 || proto.Unmarshal(e.GetData(), &cc) != nil {
			break
		}
		members, n = append(members, steps.Node(cc.GetNodeId())), n+1
	}
	return members, n
}

func markOf(snapshot *raftpb.Snapshot) steps.Mark {
	m := snapshot.GetMetadata()
	return steps.Mark{Index: m.GetIndex(), Term: m.GetTerm()}
}

func ids(list []uint64) (nodes []steps.Node) {
	for _, id := range list {
		nodes = append(nodes, steps.Node(id))
	}
	return nodes
}

// begin tells of the start.
func (s *Steps) begin() {
	if s.start == nil {
		return
	}
	s.events = append(s.events, *s.start)
	s.stored = steps.Event{Kind: steps.Persist, Term: s.term, Vote: steps.Node(s.vote), Mark: s.log.end()}
	if s.commit > 0 {
		s.add(steps.Event{Kind: steps.Commit, Mark: s.log.mark(s.commit)})
	}
	s.began, s.start = s.start.Mark.Index, nil
}

// bootstrapped takes what the first Ready of a new cluster says of its members for what
// the node has started with.
func (s *Steps) bootstrapped(rd raft.Ready) {
	members, n := membersIn(rd.Entries)
	if s.start == nil || n == 0 || rd.HardState.GetTerm() != 1 || rd.HardState.GetCommit() != n {
		return
	}
	s.start.Members, s.log.terms = members, terms(rd.Entries)
	s.term, s.commit, s.told.term = 1, n, 1
	s.start.Term, s.start.Mark, s.start.Runs = 1, s.log.end(), runsOf(1, s.log.terms)
}

// Receive tells that a message of another node is about to be stepped.
func (s *Steps) Receive(m *raftpb.Message) {
	if s == nil || m.GetTerm() == 0 || m.GetFrom() == uint64(s.id) {
		return // a proposal that was forwarded, or a message to itself
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inbox = append(s.inbox, m)
}

// Ready tells what a Ready shows, before any of it is saved.
func (s *Steps) Ready(rd raft.Ready) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bootstrapped(rd)
	s.begin()
	(&batch{Steps: s, rd: rd, entries: rd.Entries, final: max(s.term, rd.HardState.GetTerm())}).follow()
	s.write()
}

// Saved tells that all that a Ready must have saved is durable.
func (s *Steps) Saved(rd raft.Ready) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiting {
		s.waiting = false
		s.installed(rd)
	}
	p := steps.Event{Kind: steps.Persist, Term: s.term, Vote: steps.Node(s.vote), Mark: s.log.end()}
	if p.Term != s.stored.Term || p.Vote != s.stored.Vote || p.Mark != s.stored.Mark {
		s.stored = p
		s.events = append(s.events, p)
	}
	s.write()
}

// installed tells of a snapshot that has replaced log and state.
func (s *Steps) installed(rd raft.Ready) {
	m := markOf(rd.Snapshot)
	s.log = termLog{base: m}
	s.add(steps.Event{Kind: steps.Snapshot, Reason: "installed", Mark: m, Members: ids(rd.Snapshot.GetMetadata().GetConfState().GetVoters())})
	s.commit = max(s.commit, m.Index)
	b := &batch{Steps: s, rd: rd, entries: rd.Entries}
	b.reconcile()
	b.commits()
}

// Sending tells of the messages of a Ready, before any of them leaves.
func (s *Steps) Sending(messages []*raftpb.Message) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range messages {
		if m.GetTerm() == 0 || m.GetTo() == uint64(s.id) {
			continue
		}
		s.add(steps.Event{Kind: steps.Send, Message: message(m, m.GetTo())})
	}
	s.write()
}

// Applied tells that an entry was applied, and offers the hash of the state machine after
// it, as [Tracer.Applied] does; nil: there is none.
func (s *Steps) Applied(index uint64, state func() uint64) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.log.mark(index)
	s.add(steps.Event{Kind: steps.Apply, Mark: at})
	if state != nil && (index%trace.Every == 0 || index == s.commit) {
		s.add(steps.Event{Kind: steps.State, Mark: at, Hash: state()})
	}
	s.log.forget(index)
	s.write()
}

// SnapshotTaken tells that a snapshot that the node has taken is on disk.
func (s *Steps) SnapshotTaken(index, term uint64, conf *raftpb.ConfState) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.add(steps.Event{Kind: steps.Snapshot, Reason: "taken", Mark: steps.Mark{Index: index, Term: term}, Members: ids(conf.GetVoters())})
	s.write()
}

// Configured tells that the change of the configuration in an entry is applied: conf is
// what ApplyConfChange has returned.
func (s *Steps) Configured(e *raftpb.Entry, conf *raftpb.ConfState) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.GetIndex() <= s.began {
		return // the first members one by one: the start has told of all of them
	}
	s.add(steps.Event{Kind: steps.Config, Mark: steps.Mark{Index: e.GetIndex(), Term: e.GetTerm()},
		Members: ids(conf.GetVoters()), Old: ids(conf.GetVotersOutgoing())})
	s.write()
}

// add adds an event in the node's current term.
func (s *Steps) add(e steps.Event) {
	e.Term = s.term
	s.events = append(s.events, e)
}

func (s *Steps) write() {
	s.out.Write(s.events...)
	clear(s.events)
	s.events = s.events[:0]
}

// message is a message as the trace tells it.
func message(m *raftpb.Message, other uint64) *steps.Message {
	out := &steps.Message{Other: steps.Node(other), Term: m.GetTerm()}
	at := steps.Mark{Index: m.GetIndex(), Term: m.GetLogTerm()}
	switch m.GetType() {
	case raftpb.MsgPreVote:
		out.Type, out.Mark = steps.PreVote, at
	case raftpb.MsgPreVoteResp:
		out.Type, out.Reject = steps.PreVoteReply, m.GetReject()
	case raftpb.MsgVote:
		out.Type, out.Mark = steps.Vote, at
	case raftpb.MsgVoteResp:
		out.Type, out.Reject = steps.VoteReply, m.GetReject()
	case raftpb.MsgApp:
		out.Type, out.Mark, out.Commit, out.Runs = steps.AppendEntries, at, m.GetCommit(), runsOf(at.Index+1, terms(m.GetEntries()))
	case raftpb.MsgAppResp:
		out.Type, out.Mark.Index, out.Reject = steps.AppendReply, m.GetIndex(), m.GetReject()
		if m.GetReject() {
			out.Hint = steps.Mark{Index: m.GetRejectHint(), Term: m.GetLogTerm()}
		}
	case raftpb.MsgHeartbeat:
		out.Type, out.Commit = steps.Heartbeat, m.GetCommit()
	case raftpb.MsgHeartbeatResp:
		out.Type = steps.HeartbeatReply
	case raftpb.MsgSnap:
		out.Type, out.Mark, out.Done = steps.InstallSnapshot, markOf(m.GetSnapshot()), true
	case raftpb.MsgTimeoutNow:
		out.Type = steps.TimeoutNow
	default:
		out.Type = steps.Other
	}
	return out
}

func terms(entries []*raftpb.Entry) (list []uint64) {
	for _, e := range entries {
		list = append(list, e.GetTerm())
	}
	return list
}

// fromLeader says whether only a leader sends messages of that type.
func fromLeader(m *raftpb.Message) bool {
	return slices.Contains([]raftpb.MessageType{raftpb.MsgApp, raftpb.MsgHeartbeat, raftpb.MsgSnap, raftpb.MsgTimeoutNow}, m.GetType())
}
