package etcdtla

import (
	"fmt"
	"strings"

	"squall/history/trace"
)

// message tells of a message that was sent or received.
func (m *member) message(l *line) {
	sends := strings.HasPrefix(l.name, "Send")
	if !sends && !strings.HasPrefix(l.name, "Receive") {
		return
	}
	if l.from == l.to { // its own vote, or that its own entries are durable
		if l.msg.Type == "MsgVoteResp" && !sends {
			m.tally(l)
		}
		return
	}
	if sends {
		m.send(l)
	} else {
		m.receive(l)
	}
}

func (m *member) send(l *line) {
	said := &sent{known: true}
	if l.msg.Type == "MsgApp" || l.msg.Type == "MsgSnap" {
		said = m.says(l)
	}
	m.remember(l.msg, said)
	if l.msg.Type == "MsgVoteResp" && !l.msg.Reject && l.msg.Term == l.term && m.vote != l.to {
		m.grant(l, l.to) // it is told before the vote is in the state
	}
	if in := m.from; in != nil && l.name == "SendAppendEntriesResponse" && l.to == in.from {
		m.from = nil
		if in.msg.Term == l.term && l.role == trace.Follower && (m.follows != in.from || m.inTerm != l.term) {
			m.follows, m.inTerm = in.from, l.term
			m.emit(l, trace.Event{Kind: trace.RoleChange, Role: trace.Follower, Peer: in.from, Mark: m.end()})
		}
	}
	m.tell(l, trace.Send, said)
}

// says is what entries, or which snapshot, a message holds: those of the sender's log.
func (m *member) says(l *line) *sent {
	if !m.knows() {
		return &sent{}
	}
	if l.msg.Type == "MsgSnap" {
		term, ok := m.log.term(l.msg.Entries)
		return &sent{known: ok, mark: trace.Mark{Index: l.msg.Entries, Term: term}}
	}
	if l.msg.Entries > trace.MaxRuns { // more than a message may hold here
		return &sent{}
	}
	runs, ok := m.log.runs(l.msg.Index+1, l.msg.Index+l.msg.Entries)
	return &sent{runs: runs, known: ok}
}

func (m *member) remember(msg *wireMessage, said *sent) {
	if len(m.sent) >= mostSent || m.sent == nil {
		m.sentBefore, m.sent = m.sent, map[wireMessage]*sent{}
	}
	m.sent[*msg] = said
}

// find is what its sender said in a message, which was received; nil: it has not told.
func (r *Reader) find(l *line) *sent {
	from := r.members[l.from]
	if from == nil {
		return nil
	}
	if s := from.sent[*l.msg]; s != nil {
		return s
	}
	return from.sentBefore[*l.msg]
}

func (m *member) receive(l *line) {
	said := m.r.find(l)
	if from := m.r.members[l.from]; said == nil && from != nil && from.sentBefore == nil && !from.silent {
		m.silence(l, fmt.Sprintf("it received %s of %s in term %d, which the trace of that does not tell of", l.msg.Type, nodeName(l.from), l.msg.Term))
	}
	m.tell(l, trace.Receive, said)
	switch l.msg.Type {
	case "MsgVote":
		m.asked[l.from] = request{l.msg.Term, trace.Mark{Index: l.msg.Index, Term: l.msg.LogTerm}}
	case "MsgVoteResp":
		m.tally(l)
	case "MsgApp", "MsgHeartbeat", "MsgSnap":
		m.from = l
	}
}

// tally tells that a candidate counts an answer.
func (m *member) tally(l *line) {
	if m.role == trace.Candidate && l.msg.Term == l.term {
		m.emit(l, trace.Event{Kind: trace.Tally, Peer: l.from, Reject: l.msg.Reject})
	}
}

// tell hands out a message.
func (m *member) tell(l *line, kind trace.Kind, said *sent) {
	w := l.msg
	out := trace.Message{From: l.from, To: l.to, Term: w.Term}
	at := trace.Mark{Index: w.Index, Term: w.LogTerm}
	switch w.Type {
	case "MsgVote":
		out.Type, out.Mark = trace.Vote, at
	case "MsgVoteResp":
		out.Type, out.Reject = trace.VoteReply, w.Reject
	case "MsgApp":
		out.Type, out.Mark, out.Commit = trace.AppendEntries, at, w.Commit
		if said != nil {
			out.Runs = said.runs
		}
	case "MsgAppResp":
		out.Type, out.Mark.Index, out.Reject = trace.AppendReply, w.Index, w.Reject
		if w.Reject {
			out.Hint = trace.Mark{Index: w.Hint, Term: w.LogTerm}
		}
	case "MsgHeartbeat":
		out.Type, out.Commit = trace.Heartbeat, w.Commit
	case "MsgHeartbeatResp":
		out.Type = trace.HeartbeatReply
	case "MsgSnap":
		out.Type, out.Done, out.Mark.Index = trace.InstallSnapshot, true, w.Entries
		if said != nil {
			out.Mark = said.mark
		}
	default:
		out.Type = trace.Other
	}
	m.emit(l, trace.Event{Kind: kind, Message: &out})
}
