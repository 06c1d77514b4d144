package raft

import "sync/atomic"

// stepper tells a node's steps. It stands between the core and the outside: what leaves
// (messages, and jobs for the workers) waits within until the flush ends, and goes when
// the steps before it are visible. A nil stepper, that of a node without Config.Steps,
// tells nothing, and the core reaches the outside itself.
//
// The entries that a log grew by, and the reads that came, are told in one step each, as
// late as the order of steps allows: before the next other one.
type stepper struct {
	sink      Steps
	core      *core
	transport Transport
	out       outside

	scratch Step // handed to sink
	term    atomic.Uint64
	told    uint64   // the log's entries up to here were told of
	reads   uint64   // reads that came
	came    uint64   // of them told of
	sent    uint64   // messages
	steps   uint64   // told
	set     uint64   // of them when the election timer was set last
	arrived *install // a snapshot that is complete, and was not told of
	saving  []saved
	leaving []leaving
}

// saved is what will be on disk after the write number seq.
type saved struct {
	seq  uint64
	hard HardState
	last LogMark
}

// leaving is one thing that waits to leave.
type leaving struct {
	to    NodeID // of message
	m     *Message
	write writeJob
	apply applyJob
	store storeJob
}

var (
	_ Transport = (*stepper)(nil)
	_ outside   = (*stepper)(nil)
)

// newStepper puts a stepper around a core that has loaded its state, if steps are wanted.
func newStepper(c *core, st *State) {
	if c.cfg.Steps == nil {
		return
	}
	s := &stepper{sink: c.cfg.Steps, core: c, transport: c.cfg.Transport, out: c.out, told: c.log.last()}
	c.steps, c.log.steps = s, s
	c.cfg.Transport, c.out = s, s
	step := Step{Kind: StepStart, Vote: c.vote, Base: c.log.base, Entries: c.log.entries, Members: c.cfg.Members}
	if st.Snapshot != nil {
		step.Mark = LogMark{st.Snapshot.Index, st.Snapshot.Term}
	}
	s.emit(step)
	s.emit(Step{Kind: StepConfig, Members: c.cfg.Members})
}

// emit tells a step of the event loop, after what was put off.
func (s *stepper) emit(step Step) {
	s.catchUp()
	s.tell(step)
}

// catchUp tells what was put off.
func (s *stepper) catchUp() {
	if last := s.core.log.last(); last > s.told {
		entries := s.core.log.slice(s.told+1, last)
		s.told = last
		s.tell(Step{Kind: StepAppend, Entries: entries})
	}
	if s.reads > s.came {
		first := s.came + 1
		s.came = s.reads
		s.tell(Step{Kind: StepReadCame, First: first, Last: s.reads})
	}
}

func (s *stepper) tell(step Step) {
	s.steps++
	s.scratch = step
	if step.Kind != StepPersist {
		s.scratch.Term = s.core.term
	}
	s.term.Store(s.core.term)
	s.sink.Step(&s.scratch)
	s.scratch = Step{}
}

// sync makes the steps so far visible.
func (s *stepper) sync() {
	if s != nil {
		s.sink.Sync()
	}
}

// release lets what waits leave.
func (s *stepper) release() {
	if s == nil || len(s.leaving) == 0 && s.core.role.kind() != Stopped {
		return
	}
	s.catchUp()
	s.sink.Sync()
	for i := range s.leaving {
		switch l := &s.leaving[i]; {
		case l.m != nil:
			s.transport.Send(l.to, l.m)
		case l.apply != nil:
			s.out.apply(l.apply)
		case l.store != nil:
			s.out.archive(l.store)
		default:
			s.out.write(l.write)
		}
	}
	clear(s.leaving)
	s.leaving = s.leaving[:0]
}

// Send numbers a message, and tells that it leaves.
func (s *stepper) Send(to NodeID, m *Message) {
	s.sent++
	m.Number = s.sent
	s.emit(Step{Kind: StepSend, Message: m})
	s.leaving = append(s.leaving, leaving{to: to, m: m})
}

func (s *stepper) write(w writeJob) {
	c := s.core
	s.saving = append(s.saving, saved{w.seq, HardState{c.term, c.vote}, c.log.lastMark()})
	s.leaving = append(s.leaving, leaving{write: w})
}

func (s *stepper) apply(j applyJob)   { s.leaving = append(s.leaving, leaving{apply: j}) }
func (s *stepper) archive(j storeJob) { s.leaving = append(s.leaving, leaving{store: j}) }

// persisted tells what is durable once the writes up to seq are.
func (s *stepper) persisted(seq uint64) {
	if s == nil {
		return
	}
	n := 0
	for n < len(s.saving) && s.saving[n].seq <= seq {
		n++
	}
	if n == 0 {
		return
	}
	w := s.saving[n-1]
	s.saving = append(s.saving[:0], s.saving[n:]...)
	s.emit(Step{Kind: StepPersist, Term: w.hard.Term, Vote: w.hard.Vote, Mark: w.last})
}

func (s *stepper) role(v view, reason string, last LogMark) {
	if s != nil {
		s.emit(Step{Kind: StepRole, Role: v.role, Peer: v.leader, Reason: reason, Mark: last})
	}
}

func (s *stepper) granted(to NodeID, last LogMark) {
	if s != nil {
		s.emit(Step{Kind: StepGrant, Peer: to, Mark: last})
	}
}

func (s *stepper) counts(from NodeID, pre, granted bool) {
	if s != nil {
		s.emit(Step{Kind: StepTally, Peer: from, Pre: pre, Reject: !granted})
	}
}

// truncates is called before the entries after last go.
func (s *stepper) truncates(last LogMark) {
	if s != nil {
		s.emit(Step{Kind: StepTruncate, Mark: last})
		s.told = min(s.told, last.Index)
	}
}

// compacts is called before the log begins after base. With reset it is empty then.
func (s *stepper) compacts(base LogMark, reset bool) {
	if s == nil {
		return
	}
	if reset {
		s.installed()
	}
	s.emit(Step{Kind: StepCompact, Mark: base})
	if reset {
		s.told = base.Index
	}
}

func (s *stepper) received(m *Message) {
	if s != nil && m.From != s.core.id {
		s.emit(Step{Kind: StepReceive, Message: m})
	}
}

func (s *stepper) committed(to LogMark, hash uint64) {
	if s != nil {
		s.emit(Step{Kind: StepCommit, Mark: to, Hash: hash})
	}
}

func (s *stepper) readCame(r *read) {
	if s != nil {
		s.reads++
		r.number = s.reads
	}
}

func (s *stepper) roundBegun(round readRound) {
	if s == nil {
		return
	}
	first, last := numbersOf(round.dones)
	term, _ := s.core.log.term(round.index)
	s.emit(Step{Kind: StepRoundBegun, First: first, Last: last, Round: round.context, Mark: LogMark{round.index, term}})
}

func (s *stepper) roundDone(round uint64) {
	if s != nil {
		s.emit(Step{Kind: StepRoundDone, Round: round})
	}
}

func (s *stepper) snapshot(meta *SnapshotMeta, reason string, peer NodeID) {
	if s != nil {
		s.emit(Step{Kind: StepSnapshot, Mark: LogMark{meta.Index, meta.Term}, Members: meta.Members, Reason: reason, Peer: peer})
	}
}

// arrives notes that a received snapshot is durable. It is told as installed when the log
// or the state is replaced by it, and otherwise as stored.
func (s *stepper) arrives(in *install) {
	if s != nil {
		s.arrived = in
	}
}

func (s *stepper) installed() { s.tellArrival(SnapshotInstalled) }
func (s *stepper) stored()    { s.tellArrival(SnapshotStored) }

func (s *stepper) tellArrival(reason string) {
	if s == nil || s.arrived == nil {
		return
	}
	in := s.arrived
	s.arrived = nil
	s.snapshot(&in.meta, reason, in.from)
}

// progressed tells what the leader knows of a follower, if its answer has changed that.
func (s *stepper) progressed(p *progress, match, next uint64) {
	if s != nil && (p.match != match || p.next != next) {
		s.emit(Step{Kind: StepProgress, Peer: p.id, Match: p.match, Next: p.next})
	}
}

// timerSet notes that the election timer is set: of what was told last.
func (s *stepper) timerSet() {
	if s != nil {
		s.catchUp()
		s.set = s.steps
	}
}

func (s *stepper) timedOut() {
	if s != nil {
		s.catchUp()
		s.tell(Step{Kind: StepTimeout, Since: s.steps - s.set})
	}
}

func (s *stepper) failed(err error) {
	if s != nil {
		s.emit(Step{Kind: StepFailed, Reason: err.Error()})
	}
}

// numbersOf is the range of reads that came one after the other.
func numbersOf(reads []*read) (first, last uint64) {
	if len(reads) == 0 {
		return 0, 0
	}
	return reads[0].number, reads[len(reads)-1].number
}

// appliedSteps tells the steps of the apply goroutine; nil tells nothing.
type appliedSteps struct {
	loop    *stepper
	scratch Step
}

func (s *stepper) applier() *appliedSteps {
	if s == nil {
		return nil
	}
	return &appliedSteps{loop: s}
}

func (a *appliedSteps) tell(step Step) {
	a.scratch = step
	a.scratch.Term = a.loop.term.Load()
	a.loop.sink.Step(&a.scratch)
	a.scratch = Step{}
}

// applied tells how far the state machine is.
func (a *appliedSteps) applied(to LogMark) {
	if a != nil {
		a.tell(Step{Kind: StepApply, Mark: to})
	}
}

// sync is called before somebody is answered from the state. Where nobody is, as on a
// follower, what was told of it waits for what leaves the node next.
func (a *appliedSteps) sync() {
	if a != nil {
		a.loop.sink.Sync()
	}
}

func (a *appliedSteps) state(at LogMark, hash uint64) {
	if a != nil {
		a.tell(Step{Kind: StepState, Mark: at, Hash: hash})
	}
}

func (a *appliedSteps) served(reads []*read, at LogMark) {
	if a == nil {
		return
	}
	first, last := numbersOf(reads)
	a.tell(Step{Kind: StepReadServed, First: first, Last: last, Mark: at})
}
