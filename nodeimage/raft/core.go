package raft

import (
	"fmt"
	"slices"
	"sync/atomic"
	"time"
)

// core is the state of a node and everything that decides about it. It has no
// goroutine and no lock: whoever owns it hands it one task after another
// (handle) and, after each bunch of them, lets it act on the sum (flush). In a
// Node the owner is the event loop; in tests it is a simulation.
type core struct {
	cfg    Config
	id     NodeID
	quorum int
	out    outside
	steps  *stepper // nil: nobody wants them

	role   role
	term   uint64
	vote   NodeID
	leader NodeID        // 0: unknown
	heard  time.Duration // when the leader was last heard
	log    *raftLog

	election, heartbeat loopTimer
	post                func(task)

	// What the next write must hold beside the log's new entries.
	hardDirty bool
	resetTo   *LogMark
	compactTo uint64

	seq     uint64 // number of the last write handed to the log writer
	durable uint64 // number of the last write known to be durable
	hardSeq uint64 // number of the write that holds the current term and vote
	held    []held
	toSelf  []*Message

	durableTerm uint64 // the last term that no crash can undo

	proposals proposals
	reads     []servedRead // confirmed, waiting for the applier to get there
	submitted uint64       // entries up to here were handed to the applier
	applyJobs int          // jobs with entries that the applier has not answered
	applied   uint64

	snap    SnapshotMeta // the newest stored snapshot
	taking  bool         // a snapshot is being taken
	install *install     // a snapshot is being received

	reported view
	err      error

	pending          *atomic.Int64 // proposals and reads without an answer
	countProposals   uint64
	countReads       uint64
	countElections   uint64
	countLeaderTerms uint64
}

// outside is where the core hands work that takes long. Each part does its
// jobs in order, and answers with tasks on the queue.
type outside interface {
	write(w writeJob)   // log writer
	apply(j applyJob)   // state machine
	archive(j storeJob) // snapshot files
}

// writeJob is a write of the log writer's; persisted{seq} answers it.
type writeJob struct {
	seq   uint64
	batch Batch
}

// held is a message or a trace event that may only leave once the write
// number seq is durable.
type held struct {
	seq   uint64
	m     *Message
	event *Event
}

// role is what a node currently is: what handles a task. Which role comes next is
// decided while one is handled, by core.become.
type role interface {
	// handle carries out one task.
	handle(t task)
	// message carries out a message of the current term (or a question about a
	// later one).
	message(m *Message)
	kind() Role
	// leave is called when another role takes over.
	leave()
}

// newCore makes a follower out of what was stored; the state machine has
// been restored from st.Snapshot. post puts a timer's task on the queue.
func newCore(cfg Config, st *State, out outside, post func(task), pending *atomic.Int64) (*core, error) {
	if st.Hard.Vote != 0 && st.Hard.Term == 0 {
		return nil, fmt.Errorf("raft: stored vote for %d without a term", st.Hard.Vote)
	}
	log, reset, err := newLog(st)
	if err != nil {
		return nil, fmt.Errorf("raft: %w", err)
	}
	c := &core{
		cfg: cfg, id: cfg.ID, quorum: len(cfg.Members)/2 + 1, out: out, log: log,
		term: st.Hard.Term, vote: st.Hard.Vote,
		submitted: log.commit, applied: log.commit, pending: pending, post: post,
	}
	if last := log.lastMark(); last.Term > c.term {
		return nil, fmt.Errorf("raft: stored log ends in term %d, but the stored term is %d", last.Term, c.term)
	}
	if st.Snapshot != nil {
		c.snap = *st.Snapshot
		if !slices.Equal(c.snap.Members, cfg.Members) {
			return nil, fmt.Errorf("raft: the stored snapshot is of a cluster of members %v, not %v", c.snap.Members, cfg.Members)
		}
	}
	if reset {
		c.resetTo = &LogMark{c.snap.Index, c.snap.Term}
	}
	c.election = loopTimer{clock: cfg.Clock, post: func(gen uint64) { post(electionTimeout{gen}) }}
	c.heartbeat = loopTimer{clock: cfg.Clock, post: func(gen uint64) { post(heartbeatTimeout{gen}) }}

	c.role, c.durableTerm = &follower{c}, c.term
	newStepper(c, st)
	c.reported.role = Stopped // what a node is before it starts
	c.traceMembers()
	c.traceRole(reasonStart)
	if c.snap.Index > 0 {
		c.traceCommit(c.snap.Index, c.snap.Term, c.snap.Hash)
		c.steps.committed(LogMark{c.snap.Index, c.snap.Term}, c.snap.Hash)
	}
	c.steps.sync()
	return c, nil
}

// handle carries out one task.
func (c *core) handle(t task) {
	c.role.handle(t)
	c.drainSelf()
}

// flush acts on what the tasks since the last flush amount to: one append to
// each follower, one write, one job for the state machine.
func (c *core) flush() {
	if l, ok := c.role.(*leader); ok {
		l.flush()
	}
	c.save()
	c.drainSelf()
	c.feedApplier()
	c.steps.release()
}

// common handles the tasks that are the same in every role that is not stopped.
func (c *core) common(t task) {
	switch t := t.(type) {
	case persisted:
		c.release(t.seq)
	case applied:
		c.onApplied(t)
	case snapshotReady:
		c.steps.snapshot(&t.meta, SnapshotBegun, 0)
		c.out.archive(&saveSnapshot{meta: t.meta, write: t.write})
	case snapshotSaved:
		c.onSnapshotSaved(t)
	case *chunkStored:
		c.onChunkStored(t)
	case storageFailed:
		c.fail(t.err)
	case stop:
		c.become(&stopped{}, reasonStopped)
	}
	// What is left is late: a timer or an answer for a role that is over.
}

// become makes r the node's role. Nothing else changes the role; newCore gives the
// first one. A change that Raft does not know is an error in this package, and
// stops the node.
func (c *core) become(r role, reason string) {
	if from, to := c.role.kind(), r.kind(); !mayBecome(from, to) {
		c.fail(fmt.Errorf("raft: a %v cannot become a %v (%s)", from, to, reason))
		return
	}
	c.role.leave()
	c.role = r
	if r.kind() == Stopped {
		c.shutDown()
	}
	c.traceRole(reason)
}

// mayBecome says which changes of role there are (Figure 4 of the paper, and the
// end). A candidate that only asks for pre-votes counts as a follower.
func mayBecome(from, to Role) bool {
	switch to {
	case Follower, Stopped:
		return from != Stopped
	case Candidate:
		return from == Follower || from == Candidate
	case Leader:
		return from == Candidate
	}
	return false
}

// toFollower makes the node a follower in term, of leader if it is known.
func (c *core) toFollower(term uint64, leader NodeID, reason string) {
	if term > c.term {
		c.setHard(term, 0)
	}
	c.leader = leader
	c.become(&follower{c}, reason)
	// A timer that runs goes on: a mere request for a vote must not put off
	// this node's own election. Granting it, and hearing the leader, do.
	if !c.election.set {
		c.resetElectionTimer()
	}
}

// fail stops the node: it cannot continue without breaking a guarantee.
func (c *core) fail(err error) {
	c.cfg.Logger.Error("raft node fails", "err", err)
	if c.role.kind() == Stopped {
		return
	}
	c.err = err
	c.steps.failed(err)
	c.become(&stopped{}, reasonFailed)
}

// shutDown answers everybody who still waits.
func (c *core) shutDown() {
	c.leader = 0
	c.election.stop()
	c.heartbeat.stop()
	for _, p := range c.proposals.all() {
		p.finish(c.pending, nil, ErrUnknown)
	}
	for _, r := range c.reads {
		c.failReads(r.dones, ErrUnknown)
	}
	c.reads = nil
	c.held, c.toSelf = nil, nil
	c.hardSeq = c.durable // nothing is held any more: the last event must get out
}

// start sets the first election timeout. A node that has never seen a term
// is of a cluster that most likely never had a leader, so there is nothing to
// wait for: it draws from zero to the minimum. Should there be a leader after
// all, the pre-vote keeps this node from disturbing it.
func (c *core) start() {
	if c.term > 0 || c.log.last() > 0 {
		c.resetElectionTimer()
		return
	}
	c.setElectionTimer(time.Duration(c.cfg.Rand.Int64N(int64(c.cfg.ElectionMin))))
}

func (c *core) resetElectionTimer() {
	d := c.cfg.ElectionMin
	if spread := c.cfg.ElectionMax - c.cfg.ElectionMin; spread > 0 {
		d += time.Duration(c.cfg.Rand.Int64N(int64(spread)))
	}
	c.setElectionTimer(d)
}

func (c *core) setElectionTimer(d time.Duration) {
	c.election.reset(d)
	c.steps.timerSet()
}

// electionDue says whether the expiry that the task of that generation tells of means that
// the node is to stand for election.
func (c *core) electionDue(gen uint64) bool {
	if !c.election.expired(gen) {
		return false
	}
	c.steps.timedOut()
	return true
}

// setHard changes term and vote, in one record.
func (c *core) setHard(term uint64, vote NodeID) {
	c.term, c.vote = term, vote
	c.hardDirty = true
	c.hardSeq = c.seq + 1
}

func (c *core) dirty() bool {
	return c.hardDirty || c.resetTo != nil || c.compactTo > 0 || c.log.saved < c.log.last()
}

// nextSeq is the number of the write after which everything that the node
// knows now is durable.
func (c *core) nextSeq() uint64 {
	if c.dirty() {
		return c.seq + 1
	}
	return c.seq
}

// save hands everything that is not yet stored to the log writer, as one write.
func (c *core) save() {
	if !c.dirty() || c.role.kind() == Stopped {
		return
	}
	b := Batch{Reset: c.resetTo, Compact: c.compactTo}
	if c.hardDirty {
		b.Hard = &HardState{c.term, c.vote}
	}
	if last := c.log.last(); c.log.saved < last {
		b.Entries = c.log.slice(c.log.saved+1, last)
		c.log.saved = last
	}
	c.hardDirty, c.resetTo, c.compactTo = false, nil, 0
	c.seq++
	c.out.write(writeJob{seq: c.seq, batch: b})
}

// send stamps m and lets it leave as soon as the current term and vote are durable.
func (c *core) send(m *Message) { c.sendAfter(c.hardSeq, m) }

// sendAfter stamps m and lets it leave as soon as the write number seq is durable.
// A node that has stopped says nothing.
func (c *core) sendAfter(seq uint64, m *Message) {
	if c.role.kind() == Stopped {
		return
	}
	m.From = c.id
	if m.Term == 0 {
		m.Term = c.term
	}
	seq = max(seq, c.hardSeq)
	if seq <= c.durable {
		c.transmit(m)
		return
	}
	if n := len(c.held); n > 0 && c.held[n-1].seq == seq && supersedes(m, c.held[n-1].m) {
		c.held[n-1].m = m
		return
	}
	c.held = append(c.held, held{seq: seq, m: m})
}

// supersedes says whether m makes the held message before needless: an
// acknowledgement that goes further.
func supersedes(m, before *Message) bool {
	return before != nil && m.Type == MsgAppendReply && before.Type == MsgAppendReply &&
		!m.Reject && !before.Reject && m.To == before.To && m.Term == before.Term && m.Index >= before.Index
}

func (c *core) transmit(m *Message) {
	if m.To == c.id {
		c.toSelf = append(c.toSelf, m)
		return
	}
	c.cfg.Transport.Send(m.To, m)
}

// release lets go what waited for the writes up to seq. A message of a term
// that is over is dropped instead: what it says of the log may be undone.
func (c *core) release(seq uint64) {
	c.durable = max(c.durable, seq)
	if c.hardSeq <= c.durable {
		c.durableTerm = c.term
	}
	c.steps.persisted(seq)
	var still []held
	ready := c.held
	c.held = nil
	for _, h := range ready {
		switch {
		case h.seq > c.durable:
			still = append(still, h)
		case h.event != nil:
			c.cfg.Tracer.Trace(*h.event)
		case h.m.Term == c.term || h.m.Type == MsgPreVote || h.m.Type == MsgPreVoteReply:
			c.transmit(h.m)
		}
	}
	c.held = append(still, c.held...)
}

// drainSelf delivers what the node had to say to itself: its own vote, and
// the acknowledgement of its own disk. Both wait for durability like others'.
func (c *core) drainSelf() {
	for len(c.toSelf) > 0 {
		m := c.toSelf[0]
		c.toSelf = c.toSelf[1:]
		c.deliver(m)
	}
}
