// Package steptrace writes version 2 of a node's trace from the steps of package raft, which
// knows nothing of traces.
package steptrace

import (
	"io"
	"log/slog"
	"sync"
	"time"

	"squall/history/trace"
	"squall/nodeimage/raft"
)

// Tracer writes version 2 of a node's trace: every step, as a binary frame. Steps are
// collected, and written by one write before anything that depends on them leaves the
// node.
type Tracer struct {
	id  trace.NodeID
	w   io.Writer
	now func() time.Duration
	log *slog.Logger

	// writing is held while a write goes on, so that steps are taken down meanwhile. It is
	// taken before mu.
	writing sync.Mutex
	spare   []byte

	mu      sync.Mutex
	enc     trace.Encoder
	event   trace.Event
	message trace.Message
	buf     []byte
	broken  bool
}

var _ raft.Steps = (*Tracer)(nil)

// maxUnwritten is how many bytes of steps wait for a Sync at most.
const maxUnwritten = 48 << 10

// New returns a tracer of the node id that writes to w. now is CLOCK_MONOTONIC.
func New(id raft.NodeID, w io.Writer, now func() time.Duration, log *slog.Logger) *Tracer {
	return &Tracer{id: trace.NodeID(id), w: w, now: now, log: log, buf: []byte(trace.Magic)}
}

// Step takes a step down. When that or writing fails, which is logged, there is no trace
// from there on: the node goes on without.
func (t *Tracer) Step(s *raft.Step) {
	if t.takeDown(s) > maxUnwritten {
		t.Sync()
	}
}

// takeDown returns how many bytes wait to be written.
func (t *Tracer) takeDown(s *raft.Step) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.broken {
		return 0
	}
	Event(&t.event, &t.message, s)
	t.event.Node, t.event.Time = t.id, int64(t.now())
	buf, err := t.enc.Append(t.buf, &t.event)
	if t.buf = buf; err != nil {
		t.give(err)
	}
	return len(t.buf)
}

// Sync writes what was taken down. Those who come while another writes share the next
// write.
func (t *Tracer) Sync() {
	t.writing.Lock()
	defer t.writing.Unlock()
	t.mu.Lock()
	buf := t.buf
	t.buf = t.spare[:0]
	t.mu.Unlock()
	t.spare = buf
	if len(buf) == 0 {
		return
	}
	if _, err := t.w.Write(buf); err != nil {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.give(err)
	}
}

// give up, with mu held.
func (t *Tracer) give(err error) {
	if t.broken {
		return
	}
	t.log.Error("the full trace ends here: it cannot be written", "err", err)
	t.broken, t.buf = true, nil
}

// stepKinds are the kinds of events that steps become.
var stepKinds = [...]trace.Kind{
	raft.StepStart: trace.Start, raft.StepRole: trace.RoleChange, raft.StepGrant: trace.Grant, raft.StepTally: trace.Tally,
	raft.StepAppend: trace.Append, raft.StepTruncate: trace.Truncate, raft.StepCompact: trace.Compact, raft.StepPersist: trace.Persist,
	raft.StepSend: trace.Send, raft.StepReceive: trace.Receive, raft.StepCommit: trace.Commit, raft.StepApply: trace.Apply,
	raft.StepState: trace.State, raft.StepReadCame: trace.ReadCame, raft.StepRoundBegun: trace.RoundBegun,
	raft.StepRoundDone: trace.RoundDone, raft.StepReadServed: trace.ReadServed, raft.StepSnapshot: trace.Snapshot,
	raft.StepConfig: trace.Config, raft.StepFailed: trace.Failed, raft.StepProgress: trace.Progress,
	raft.StepTimeout: trace.Timeout,
}

var stepRoles = [...]trace.Role{
	raft.Follower: trace.Follower, raft.Candidate: trace.Candidate, raft.Leader: trace.Leader, raft.Stopped: trace.Stopped,
}

// Event makes e the event that s is; a message goes to m. Node, Boot and Time are left
// to the caller. The memory of both is used again: nothing else may hold their slices.
func Event(e *trace.Event, m *trace.Message, s *raft.Step) {
	*e = trace.Event{
		Kind: stepKinds[s.Kind], Term: s.Term, Peer: trace.NodeID(s.Peer), Vote: trace.NodeID(s.Vote),
		Mark: trace.Mark(s.Mark), Base: trace.Mark(s.Base), Hash: s.Hash, Pre: s.Pre, Reject: s.Reject,
		First: s.First, Last: s.Last, Round: s.Round, Match: s.Match, Next: s.Next, Steps: s.Since, Reason: s.Reason[:min(len(s.Reason), trace.MaxReason)],
		Runs: runsOf(e.Runs[:0], s.Entries), Members: e.Members[:0],
	}
	for _, id := range s.Members {
		e.Members = append(e.Members, trace.NodeID(id))
	}
	if s.Kind == raft.StepRole {
		e.Role = stepRoles[s.Role]
	}
	if s.Message != nil {
		stepMessage(m, s.Message)
		e.Message = m
	}
}

var messageTypes = [...]trace.MessageType{
	raft.MsgPreVote: trace.PreVote, raft.MsgPreVoteReply: trace.PreVoteReply, raft.MsgVote: trace.Vote, raft.MsgVoteReply: trace.VoteReply,
	raft.MsgAppend: trace.AppendEntries, raft.MsgAppendReply: trace.AppendReply, raft.MsgHeartbeat: trace.Heartbeat,
	raft.MsgHeartbeatReply: trace.HeartbeatReply, raft.MsgSnapshot: trace.InstallSnapshot, raft.MsgSnapshotReply: trace.SnapshotReply,
}

func stepMessage(to *trace.Message, m *raft.Message) {
	*to = trace.Message{
		Type: messageTypes[m.Type], Number: m.Number, From: trace.NodeID(m.From), To: trace.NodeID(m.To), Term: m.Term,
		Mark: trace.Mark{Index: m.Index, Term: m.LogTerm}, Commit: m.Commit, Round: m.Context, Reject: m.Reject,
		Offset: m.Offset, Size: uint64(len(m.Data)), Done: m.Last, Runs: runsOf(to.Runs[:0], m.Entries),
	}
	switch {
	case m.Type == raft.MsgAppendReply && m.Reject: // LogTerm is that of the hint
		to.Mark.Term = 0
		to.Hint = trace.Mark{Index: m.Hint, Term: m.LogTerm}
	case m.Snapshot != nil:
		to.Mark = trace.Mark{Index: m.Snapshot.Index, Term: m.Snapshot.Term}
	}
}

// runsOf appends entries as runs of one term.
func runsOf(runs []trace.Run, entries []raft.Entry) []trace.Run {
	for i := range entries {
		e := &entries[i]
		if n := len(runs); n > 0 && runs[n-1].Term == e.Term && runs[n-1].First+runs[n-1].Count == e.Index {
			runs[n-1].Count++
			continue
		}
		runs = append(runs, trace.Run{First: e.Index, Count: 1, Term: e.Term})
	}
	return runs
}
