package conformance

import (
	"squall/history/trace"
)

// node is what a node must hold, by what it told.
type node struct {
	c        *Checker
	id       trace.NodeID
	slot     int
	expected bool
	told     bool // it has told anything at all

	boot    int
	started bool // its Start was seen in this boot
	unsure  bool // what it holds is not known until its next start
	cut     bool // there is a hole in its trace since its last start
	off     [ruleCount]bool
	lacks   trace.Lacks
	readsBy string // the way in which it serves reads, if that is not by rounds

	term uint64
	vote trace.NodeID
	role trace.Role
	led  uint64 // the last term that it led in this boot
	log  termLog
	disk disk

	commit      uint64
	mayCommit   uint64 // the furthest that it was ever right to commit
	applied     uint64
	restorable  uint64       // the state machine may be replaced by that of a snapshot up to here
	startSnap   uint64       // the end of the snapshot that it started with
	halfCommit  *trace.Event // a leader's commit of an older term, waiting for one of its own
	configs     []config
	heard       uint64 // the highest term of a message that it received
	mustReach   uint64 // the term that it has to obey
	in          incoming
	offered     []trace.Mark // snapshots that were sent it to their end since it started, and that it may install
	campaign    campaign
	asked       []request     // by slot: the last request for a vote
	preAsked    []preRequests // by slot: the last questions for a pre-vote
	lead        leading
	reads       reads
	roundsHeard rounds
	timer       timer

	last     [trace.Timeout + 1]trace.Event // the last event of each kind
	sent     [][]*trace.Event               // by slot of the other and type of message: the last one
	received [][]*trace.Event
	outbox   outbox
}

// take takes the next event of this node.
func (n *node) take(e *trace.Event) {
	n.told = true
	switch {
	case e.Kind == trace.Start:
		n.restart(e)
		return
	case e.Kind == trace.Silent:
		n.cut = true
		n.doubt(e, false, "%s", orElse(e.Reason, "its trace is silent"))
		return
	case e.Boot != n.boot || !n.started:
		if !n.beforeStart(e) {
			return
		}
	}
	if n.unsure {
		n.takeUnsure(e)
		return
	}
	n.finishHalfCommit(e)
	if inLoop(e.Kind) {
		n.enterTerm(e)
	}
	n.step(e)
	n.remember(e)
	n.followTimer(e)
}

// beforeStart handles an event for which no Start came in its boot. The state machine
// may be told of before that, as it is restored first.
func (n *node) beforeStart(e *trace.Event) (take bool) {
	if e.Boot < n.boot {
		n.contradicts(e, "an event of boot %d comes after boot %d began", e.Boot, n.boot)
		return false
	}
	if e.Kind == trace.State || e.Kind == trace.Apply {
		if e.Kind == trace.State && !n.off[stateEqual] {
			n.state(e)
		}
		return false
	}
	if e.Boot > n.boot {
		n.boot, n.started, n.unsure = e.Boot, false, false
	}
	n.doubt(e, false, "its trace of boot %d does not begin with its start", e.Boot)
	return true
}

// takeUnsure keeps what others' events are compared with, and judges what needs no
// knowledge of this node.
func (n *node) takeUnsure(e *trace.Event) {
	switch e.Kind {
	case trace.Send:
		n.outbox.put(n.c, n, e)
	case trace.RoleChange:
		n.leads(e)
	case trace.State:
		n.state(e)
	}
}

// inLoop says whether the node's loop tells this kind, so that its Term is the current
// one. The others come from the goroutines of disk and state machine.
func inLoop(k trace.Kind) bool {
	switch k {
	case trace.RoleChange, trace.Grant, trace.Tally, trace.Append, trace.Truncate, trace.Send, trace.Receive,
		trace.Commit, trace.RoundBegun, trace.RoundDone, trace.Config, trace.Transfer, trace.Progress, trace.Timeout:
		return true
	}
	return false
}

// step judges an event and takes it over.
func (n *node) step(e *trace.Event) {
	switch e.Kind {
	case trace.RoleChange:
		n.changeRole(e)
	case trace.Grant:
		n.grant(e)
	case trace.Tally:
		n.tally(e)
	case trace.Append:
		n.appendEntries(e)
	case trace.Truncate:
		n.truncate(e)
	case trace.Compact:
		n.compact(e)
	case trace.Persist:
		n.persist(e)
	case trace.Send:
		n.send(e)
	case trace.Receive:
		n.receive(e)
	case trace.Commit:
		n.commitTo(e)
	case trace.Apply:
		n.apply(e)
	case trace.State:
		n.state(e)
	case trace.ReadCame:
		n.reads.came = max(n.reads.came, e.Last)
	case trace.RoundBegun:
		n.beginRound(e)
	case trace.RoundDone:
		n.endRound(e)
	case trace.ReadServed:
		n.serveReads(e)
	case trace.Snapshot:
		n.snapshot(e)
	case trace.Config:
		n.configure(e)
	case trace.Progress:
		n.progress(e)
	case trace.Timeout:
		n.timeout(e)
	}
}

// remember keeps e as the last one of its kind.
func (n *node) remember(e *trace.Event) {
	switch e.Kind {
	case trace.Send:
		if to := n.c.node(e.Message.To); to != nil {
			keep(lastOf(&n.sent, to.slot, e.Message.Type), e)
		}
	case trace.Receive:
		if from := n.c.node(e.Message.From); from != nil {
			keep(lastOf(&n.received, from.slot, e.Message.Type), e)
		}
	}
	keep(&n.last[e.Kind], e)
}

// lastOf is where the last message of a type with a node is kept.
func lastOf(table *[][]*trace.Event, slot int, t trace.MessageType) *trace.Event {
	for len(*table) <= slot {
		*table = append(*table, nil)
	}
	row := &(*table)[slot]
	for len(*row) <= int(t) {
		*row = append(*row, &trace.Event{})
	}
	return (*row)[t]
}

// lastReceived is the last message of a type from a node; its Kind is 0 if there is none.
func (n *node) lastReceived(from trace.NodeID, t trace.MessageType) *trace.Event {
	other := n.c.node(from)
	if other == nil {
		return &trace.Event{}
	}
	return lastOf(&n.received, other.slot, t)
}

// keep copies e over into, whose memory it uses again.
func keep(into, e *trace.Event) {
	runs, members, old, m := into.Runs[:0], into.Members[:0], into.Old[:0], into.Message
	*into = *e
	into.Runs = append(runs, e.Runs...)
	into.Members = append(members, e.Members...)
	into.Old = append(old, e.Old...)
	into.Message = m
	if e.Message == nil {
		return
	}
	if m == nil {
		m = &trace.Message{}
		into.Message = m
	}
	runs = m.Runs[:0]
	*m = *e.Message
	m.Runs = append(runs, e.Message.Runs...)
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
