package raft

import (
	"fmt"
	"slices"
	"time"
)

// leader is the role of the node that decides what the log holds.
type leader struct {
	c         *core
	followers []*progress
	match     uint64 // this node's own log is durable up to here
	asked     uint64 // an acknowledgement by this node's own disk is due up to here
	reads     readRounds
}

func (*leader) kind() Role { return Leader }

// toLeader begins a leadership, with an entry of the new term: only once that
// is committed does the leader know what else is.
func (c *core) toLeader() {
	now := c.cfg.Clock.Now()
	l := &leader{c: c}
	for _, id := range c.cfg.Members {
		if id != c.id {
			l.followers = append(l.followers, &progress{id: id, next: c.log.last() + 1, heard: now})
		}
	}
	c.leader = c.id
	c.countLeaderTerms++
	c.election.stop()
	c.heartbeat.reset(c.cfg.Heartbeat)
	c.become(l, reasonElected)
	c.log.append(Entry{Term: c.term, Kind: EntryNoop})
}

func (l *leader) leave() {
	l.c.heartbeat.stop()
	l.c.proposals.orphan(l.c)
	l.c.failReads(l.reads.waiting, ErrNotLeader)
	for _, round := range l.reads.rounds {
		l.c.failReads(round.dones, ErrUnknown)
	}
	l.reads = readRounds{}
}

func (l *leader) handle(t task) {
	c := l.c
	switch t := t.(type) {
	case *propose:
		l.propose(t)
	case *read:
		c.countReads++
		c.steps.readCame(t)
		l.reads.waiting = append(l.reads.waiting, t)
	case receive:
		c.deliver(t.m)
	case heartbeatTimeout:
		if c.heartbeat.expired(t.gen) {
			l.beat()
		}
	case *chunkRead:
		l.sendChunk(t)
	default:
		c.common(t)
	}
}

func (l *leader) message(m *Message) {
	c := l.c
	switch {
	case m.Type == MsgPreVote:
		c.answerPreVote(m)
		return
	case m.Type == MsgVote:
		c.answerVote(m)
		return
	case m.Type.fromLeader():
		c.fail(fmt.Errorf("raft: safety broken: nodes %d and %d both lead term %d", c.id, m.From, c.term))
		return
	case m.From == c.id:
		if m.Type == MsgAppendReply {
			l.match = max(l.match, m.Index)
			l.maybeCommit()
		}
		return
	}
	p := l.follower(m.From)
	p.heard = c.cfg.Clock.Now()
	switch m.Type {
	case MsgAppendReply:
		l.learn(p, m)
	case MsgHeartbeatReply:
		l.heartbeatReply(p, m)
	case MsgSnapshotReply:
		l.snapshotReply(p, m)
	}
}

func (l *leader) follower(id NodeID) *progress {
	for _, p := range l.followers {
		if p.id == id {
			return p
		}
	}
	return nil // not reached: deliver lets only members in
}

// flush sends what the tasks since the last flush have brought: to the
// followers and, at the same time, to this node's own disk.
func (l *leader) flush() {
	for _, p := range l.followers {
		l.replicate(p)
	}
	if last := l.c.log.last(); last > l.asked {
		l.asked = last
		l.c.sendAfter(l.c.nextSeq(), &Message{Type: MsgAppendReply, To: l.c.id, Index: last})
	}
	l.startRound()
}

// beat is the regular round of heartbeats.
func (l *leader) beat() {
	c := l.c
	if !l.hearsQuorum() {
		c.toFollower(c.term, 0, reasonNoQuorum)
		return
	}
	c.heartbeat.reset(c.cfg.Heartbeat)
	l.broadcastHeartbeat()
}

// hearsQuorum says whether a quorum, this node included, has been heard from
// within an election timeout. A message of another term is no sign of life:
// those never get as far as updating heard.
func (l *leader) hearsQuorum() bool {
	n := 1
	for _, p := range l.followers {
		if l.c.since(&p.heard) < max(l.c.cfg.ElectionMax, 2*l.c.cfg.Heartbeat) {
			n++
		}
	}
	return n >= l.c.quorum
}

func (l *leader) broadcastHeartbeat() {
	for _, p := range l.followers {
		l.c.send(&Message{Type: MsgHeartbeat, To: p.id,
			Commit: min(p.match, l.c.log.commit), Context: l.reads.context})
	}
}

// quorumMatch is the highest index that is durable on a quorum.
func (l *leader) quorumMatch() uint64 {
	matches := make([]uint64, 0, 8)
	matches = append(matches, l.match)
	for _, p := range l.followers {
		matches = append(matches, p.match)
	}
	slices.Sort(matches)
	return matches[len(matches)-l.c.quorum]
}

// maybeCommit commits what is durable on a quorum, if it is of the current
// term. Older entries are never committed by counting, only along with one of
// this term: they could still be replaced otherwise.
func (l *leader) maybeCommit() {
	index := l.quorumMatch()
	if term, ok := l.c.log.term(index); ok && term == l.c.term {
		l.c.advanceCommit(index)
	}
}

// committedInTerm says whether an entry of this leader's term is committed.
func (l *leader) committedInTerm() bool {
	term, ok := l.c.log.term(l.c.log.commit)
	return ok && term == l.c.term
}

func (l *leader) appendReply(p *progress, m *Message) {
	if m.Reject {
		l.appendRejected(p, m)
		return
	}
	if m.Index > l.c.log.last() {
		return // nonsense
	}
	p.acknowledged(m.Index)
	switch {
	case p.state == probing,
		p.state == installing && p.match >= l.c.log.base.Index:
		p.stream()
	}
	l.maybeCommit()
}

// appendRejected goes back to where the logs may still agree. A rejection says
// nothing about what is committed.
func (l *leader) appendRejected(p *progress, m *Message) {
	stale := m.Index <= p.match ||
		p.state == installing ||
		p.state == probing && m.Index != p.next-1
	if stale {
		return
	}
	hint := l.c.log.conflictHint(min(m.Hint, m.Index-1), m.LogTerm)
	p.probe(hint.Index + 1)
}

// heartbeatReply counts for reads, and finds out what was lost on the way.
func (l *leader) heartbeatReply(p *progress, m *Message) {
	p.context = max(p.context, min(m.Context, l.reads.context))
	l.confirmReads()
	if l.c.since(&p.sent) < l.resendAfter(p) {
		return
	}
	switch p.state {
	case probing:
		p.paused = false
	case streaming:
		// The follower lives, but something sent is not answered. An append
		// without entries makes it say what it has.
		if p.match < p.next-1 {
			l.sendAppend(p, nil)
		}
	case installing:
		l.readChunk(p)
	}
}

func (l *leader) resendAfter(p *progress) time.Duration {
	if p.state == installing {
		return 4 * l.c.cfg.Heartbeat // a chunk takes a while to be stored
	}
	return l.c.cfg.Heartbeat
}

// learn takes the answer to an append, and tells what it has changed.
func (l *leader) learn(p *progress, m *Message) {
	match, next := p.match, p.next
	l.appendReply(p, m)
	l.c.steps.progressed(p, match, next)
}
