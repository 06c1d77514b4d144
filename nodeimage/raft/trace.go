package raft

import "slices"

type noTrace struct{}

func (noTrace) Trace(Event) {}

func (r Role) String() string {
	switch r {
	case Follower:
		return "follower"
	case Candidate:
		return "candidate"
	case Leader:
		return "leader"
	case Stopped:
		return "stopped"
	}
	return "unknown"
}

// Reasons in role events.
const (
	reasonStart      = "start"
	reasonTimeout    = "election timeout"
	reasonPreVoteWon = "pre-vote won"
	reasonElected    = "elected"
	reasonHigherTerm = "higher term"
	reasonFollowing  = "leader found"
	reasonVoted      = "vote granted"
	reasonNoQuorum   = "no quorum"
	reasonStopped    = "stopped"
	reasonFailed     = "storage failed"
)

// view is what role events report; a change of it makes an event.
type view struct {
	role   Role
	term   uint64
	leader NodeID
}

// trace emits an event of the event loop. One that speaks of a term or vote
// that a crash could still undo is held back until it is durable, as a message
// would be; its Time is that of the event itself.
func (c *core) trace(ev Event) {
	ev.Time, ev.Term = c.cfg.TraceTime(), c.term
	if c.role.kind() == Stopped {
		ev.Term = c.durableTerm // a later one has not been, for nobody was told, and the next start knows nothing of it
	}
	if c.hardSeq > c.durable {
		c.held = append(c.held, held{seq: c.hardSeq, event: &ev})
		return
	}
	c.cfg.Tracer.Trace(ev)
}

// traceRole reports the node's role, if it is not what was reported last. An election
// timeout is reported each time: how long it was, and since when, is what a node that
// misses no leader that it knows would not tell otherwise.
func (c *core) traceRole(reason string) {
	now := view{c.role.kind(), c.term, c.leader}
	changed := now != c.reported
	if !changed && reason != reasonTimeout {
		return
	}
	c.reported = now
	last := c.log.lastMark()
	if changed {
		c.cfg.Logger.Info("raft role", "role", now.role, "term", now.term, "leader", now.leader, "reason", reason)
		c.steps.role(now, reason, last)
	}
	ev := Event{Kind: EventRole, Role: now.role, Leader: now.leader, Reason: reason, Index: last.Index, EntryTerm: last.Term}
	if reason == reasonTimeout {
		ev.Timeout, ev.Late = c.election.timeout, c.election.late
	}
	c.trace(ev)
}

func (c *core) traceCommit(index, entryTerm, hash uint64) {
	c.trace(Event{Kind: EventCommit, Index: index, EntryTerm: entryTerm, Hash: hash})
}

func (c *core) traceSnapshot(meta *SnapshotMeta, reason string) {
	c.trace(Event{Kind: EventSnapshot, Index: meta.Index, EntryTerm: meta.Term, Reason: reason})
}

func (c *core) traceMembers() {
	c.trace(Event{Kind: EventMembers, Index: c.log.commit, Members: slices.Clone(c.cfg.Members)})
}
