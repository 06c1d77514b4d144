package etcdraft

import (
	"slices"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"

	"squall/trace/steps"
)

// batch is what one Ready shows of the steps since the one before: what came out, and the
// messages that came and left. Their order is found again from that.
type batch struct {
	*Steps
	rd      raft.Ready
	entries []*raftpb.Entry // of rd, which are not told yet
	final   uint64          // the term at the end
	used    map[*raftpb.Message]bool
}

// follow tells the steps.
func (b *batch) follow() {
	b.used = map[*raftpb.Message]bool{}
	b.appendOwn()
	for _, m := range b.inbox {
		b.receive(m)
	}
	clear(b.inbox)
	b.inbox = b.inbox[:0]
	b.campaigns(b.final + 1)
	b.end()
}

// receive tells of a message that came, and of what is known to follow from it.
func (b *batch) receive(m *raftpb.Message) {
	if m.GetTerm() <= b.final && b.raises(m) {
		// Its own term too: a node that campaigned in a term entered it so, and handled
		// all that came in that term afterwards.
		b.campaigns(m.GetTerm() + 1)
	}
	b.add(steps.Event{Kind: steps.Receive, Message: message(m, m.GetFrom())})
	if m.GetTerm() <= b.final && b.raises(m) {
		b.enter(m.GetTerm())
	}
	switch m.GetType() {
	case raftpb.MsgVote:
		b.asked[m.GetFrom()] = m
		if b.answered(m, raftpb.MsgVoteResp, 0) && m.GetTerm() == b.term {
			b.grant(m.GetFrom())
		}
	case raftpb.MsgVoteResp:
		if b.role == steps.Candidate && m.GetTerm() == b.term {
			b.add(steps.Event{Kind: steps.Tally, Peer: steps.Node(m.GetFrom()), Reject: m.GetReject()})
		}
	case raftpb.MsgApp:
		if m.GetTerm() == b.term && b.answered(m, raftpb.MsgAppResp, m.GetIndex()+uint64(len(m.GetEntries()))) {
			b.role = steps.Follower
			b.takeEntries(m.GetEntries())
		}
	}
}

// raises says whether a message has its receiver go to its term.
func (b *batch) raises(m *raftpb.Message) bool {
	if m.GetTerm() <= b.term {
		return false
	}
	return m.GetType() != raftpb.MsgPreVote && (m.GetType() != raftpb.MsgPreVoteResp || m.GetReject())
}

// enter goes to a term.
func (b *batch) enter(term uint64) {
	if term > b.term {
		b.term, b.vote, b.role, b.lead = term, 0, steps.Follower, 0
	}
}

// answered says whether m was answered so, with a yes, and takes the answer.
func (b *batch) answered(m *raftpb.Message, kind raftpb.MessageType, index uint64) bool {
	for _, a := range b.rd.Messages {
		if a.GetType() == kind && a.GetTo() == m.GetFrom() && a.GetTerm() == m.GetTerm() && !a.GetReject() && a.GetIndex() == index && !b.used[a] {
			b.used[a] = true
			return true
		}
	}
	return false
}

func (b *batch) grant(to uint64) {
	if b.vote == to {
		return // it asked again
	}
	b.vote = to
	at := b.log.end()
	if m := b.asked[to]; m != nil && to != uint64(b.id) {
		at = steps.Mark{Index: m.GetIndex(), Term: m.GetLogTerm()}
	}
	b.add(steps.Event{Kind: steps.Grant, Peer: steps.Node(to), Mark: at})
}

// campaigns tells of the node's own elections in terms before one: those for which it
// asks for votes, or has voted for itself.
func (b *batch) campaigns(before uint64) {
	var terms []uint64
	for _, m := range b.rd.Messages {
		if m.GetType() == raftpb.MsgVote {
			terms = append(terms, m.GetTerm())
		}
	}
	if hs := b.rd.HardState; hs.GetVote() == uint64(b.id) {
		terms = append(terms, hs.GetTerm())
	}
	slices.Sort(terms)
	b.leads()
	for _, term := range slices.Compact(terms) {
		if term <= b.term || term >= before {
			continue
		}
		b.enter(term)
		b.grant(uint64(b.id))
		b.becomes(steps.Candidate, 0)
		b.leads()
	}
}

// leads tells that the node won the election of its term, where it sends what a leader
// does or says that it leads.
func (b *batch) leads() {
	if b.role != steps.Candidate {
		return
	}
	sends := slices.ContainsFunc(b.rd.Messages, func(m *raftpb.Message) bool { return fromLeader(m) && m.GetTerm() == b.term })
	if !sends && !(b.final == b.term && b.rd.SoftState != nil && b.rd.RaftState == raft.StateLeader) {
		return
	}
	b.add(steps.Event{Kind: steps.Tally, Peer: b.id}) // its own vote has counted by now
	b.becomes(steps.Leader, uint64(b.id))
	b.appendOwn()
}

// becomes tells a role.
func (b *batch) becomes(role steps.Role, lead uint64) {
	b.role, b.lead = role, lead
	b.told = view2{role, lead, b.term}
	b.add(steps.Event{Kind: steps.RoleChange, Role: role, Peer: steps.Node(lead), Mark: b.log.end()})
}

// appendOwn tells of the entries that a leader has appended in its term.
func (b *batch) appendOwn() {
	n := 0
	for b.role == steps.Leader && n < len(b.entries) && b.entries[n].GetTerm() == b.term && b.entries[n].GetIndex() == b.log.last()+1+uint64(n) {
		n++
	}
	b.append(b.entries[:n])
	b.entries = b.entries[n:]
}

func (b *batch) append(entries []*raftpb.Entry) {
	if len(entries) == 0 {
		return
	}
	list := terms(entries)
	b.add(steps.Event{Kind: steps.Append, Runs: runsOf(b.log.last()+1, list)})
	b.log.terms = append(b.log.terms, list...)
}

func (b *batch) truncate(to uint64) {
	b.add(steps.Event{Kind: steps.Truncate, Mark: b.log.mark(to)})
	b.log.terms = b.log.terms[:to-b.log.base.Index]
}

// takeEntries tells that entries are in the log now.
func (b *batch) takeEntries(entries []*raftpb.Entry) {
	for i, e := range entries {
		index := e.GetIndex()
		term, ok := b.log.term(index)
		if index <= b.log.base.Index || ok && term == e.GetTerm() {
			continue
		}
		if ok {
			b.truncate(index - 1)
		}
		if index == b.log.last()+1 {
			b.append(entries[i:])
		}
		return
	}
}

// end tells what the Ready says of the end, whatever the messages were.
func (b *batch) end() {
	b.enter(b.final)
	if ss := b.rd.SoftState; ss != nil {
		b.lead = ss.Lead
		if ss.RaftState == raft.StateFollower || ss.RaftState == raft.StatePreCandidate {
			b.role = steps.Follower
		}
	}
	if hs := b.rd.HardState; hs.GetTerm() == b.term && hs.GetVote() != 0 && hs.GetVote() != b.vote {
		b.grant(hs.GetVote())
	}
	if now := (view2{b.role, b.lead, b.term}); now != b.told {
		b.becomes(b.role, b.lead)
	}
	if !raft.IsEmptySnap(b.rd.Snapshot) {
		b.waiting = true
		return
	}
	b.reconcile()
	b.commits()
}

// reconcile makes the log what the Ready says: its entries replace what was there.
func (b *batch) reconcile() {
	b.takeEntries(b.entries)
	if n := len(b.rd.Entries); n > 0 && b.rd.Entries[n-1].GetIndex() < b.log.last() {
		b.truncate(b.rd.Entries[n-1].GetIndex())
	}
}

func (b *batch) commits() {
	if hs := b.rd.HardState; hs.GetCommit() > b.commit {
		b.commit = hs.GetCommit()
		b.add(steps.Event{Kind: steps.Commit, Mark: b.log.mark(b.commit)})
	}
}
