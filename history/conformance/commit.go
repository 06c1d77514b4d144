package conformance

import (
	"slices"

	"squall/history/trace"
)

// leading is what a leader knows of the others, by slot.
type leading struct {
	match []uint64 // the highest index acknowledged in this term
	round []uint64 // the newest round of reads answered in this term
	told  []uint64 // the commit index in the last heartbeat
	snap  []uint64 // the end of the newest snapshot that was answered in this term
	knows []uint64 // the match index that the leader told last
	sent  []uint64 // the end of what it was sent: entries, or a snapshot
	idle  []uint64 // heartbeats in a row that it was sent while there were entries for it, and none on their way
	begun uint64   // the highest number of a round of reads
}

func raise(list *[]uint64, slot int, to uint64) {
	for len(*list) <= slot {
		*list = append(*list, 0)
	}
	(*list)[slot] = max((*list)[slot], to)
}

func at(list []uint64, slot int) uint64 {
	if slot < len(list) {
		return list[slot]
	}
	return 0
}

// acknowledged takes an AppendReply that n received.
func (l *leading) acknowledged(n *node, m *trace.Message) {
	if n.role != trace.Leader || m.Term != n.term || m.Reject || m.From == n.id {
		return
	}
	if m.Mark.Index > n.log.last && !n.off[logConsecutive] {
		return // of more than there is nothing is known
	}
	if from := n.c.node(m.From); from != nil {
		raise(&l.match, from.slot, m.Mark.Index)
	}
}

// answered takes a HeartbeatReply that n received.
func (l *leading) answered(n *node, m *trace.Message) {
	if n.role != trace.Leader || m.Term != n.term {
		return
	}
	if from := n.c.node(m.From); from != nil {
		raise(&l.round, from.slot, m.Round)
	}
}

// durableOf is how far the log of a voter is known to be durable, by its leader n.
func (n *node) durableOf(id trace.NodeID) uint64 {
	if id == n.id {
		return n.disk.end
	}
	return n.matchOf(id)
}

// matchOf is how far the log of a voter is known to be its leader n's.
func (n *node) matchOf(id trace.NodeID) uint64 {
	if id == n.id {
		return n.log.last
	}
	if other := n.c.node(id); other != nil {
		return at(n.lead.match, other.slot)
	}
	return 0
}

// commitTo takes a Commit.
func (n *node) commitTo(e *trace.Event) {
	index := e.Mark.Index
	n.hash(&n.c.logHashes, commitHash, e)
	if n.decide(commitMonotonic, index < n.commit) {
		n.violation(commitMonotonic, []*trace.Event{&n.last[trace.Commit], e}, "takes its commit index back from %d to %d", n.commit, index)
		return
	}
	if index <= n.commit {
		return
	}
	if !n.log.holds(e.Mark) && !n.off[logConsecutive] {
		if !slices.Contains(n.offered, e.Mark) {
			n.contradicts(e, "it commits entry %d of term %d, which its log, up to entry %d, does not hold", index, e.Mark.Term, n.log.last)
			return
		}
		n.install(e.Mark) // it is reported only after this
	}
	n.judgeCommit(e)
	from := n.commit
	n.commit, n.mayCommit = index, max(n.mayCommit, index)
	n.agree(e, from)
}

// fresh says whether the node, which leads nobody, has neither sent nor received anything
// since it started.
func (n *node) fresh() bool {
	return n.role != trace.Leader && n.last[trace.Send].Boot != n.boot && n.last[trace.Receive].Boot != n.boot
}

func (n *node) judgeCommit(e *trace.Event) {
	switch {
	case n.fresh():
		return // it had stored its commit index, maybe a later one than its trace came to tell
	case e.Mark.Index <= n.mayCommit:
		n.decide(commitLeaderTold, false)
		n.decide(commitMatched, false)
		return
	case n.role == trace.Leader:
		n.judgeLeaderCommit(e)
		return
	}
	index, told := e.Mark.Index, uint64(0)
	if n.in.term == n.term {
		told = n.in.told
	}
	if n.decide(commitLeaderTold, index > told) {
		n.violation(commitLeaderTold, []*trace.Event{n.toldEvent(), e}, "commits up to entry %d in term %d, in which its leader told it of %s",
			index, n.term, upTo(told))
		return
	}
	if n.decide(commitMatched, index > n.in.matched) {
		n.violation(commitMatched, []*trace.Event{n.entriesEvent(), n.toldEvent(), e},
			"commits up to entry %d in term %d, and only up to %d is its log known to equal the leader's", index, n.term, n.in.matched)
	}
}

func upTo(commit uint64) string {
	if commit == 0 {
		return "no commit"
	}
	return sprintf("the commit index %d", commit)
}

// toldEvent is what showed the leader's commit index: the last heartbeat or append.
func (n *node) toldEvent() *trace.Event {
	newest := n.entriesEvent()
	for slot := range n.received {
		e := lastOf(&n.received, slot, trace.Heartbeat)
		if e.Kind != 0 && (newest == nil || e.Time > newest.Time) {
			newest = e
		}
	}
	return newest
}

func (n *node) judgeLeaderCommit(e *trace.Event) {
	cfg := n.config()
	index := e.Mark.Index
	if len(cfg.members) > 0 {
		if q := cfg.quorum(n.matchOf); n.decide(commitQuorum, index > q) {
			n.violation(commitQuorum, []*trace.Event{n.shortOf(index), e},
				"commits up to entry %d as leader of term %d, and a quorum of %s holds only what is up to %d: %s",
				index, n.term, n.voters(cfg), q, n.matches(cfg, n.matchOf))
		} else if q := cfg.quorum(n.durableOf); n.decide(commitDurable, index > q) {
			n.violation(commitDurable, []*trace.Event{n.shortOf(index), &n.last[trace.Persist], e},
				"commits up to entry %d as leader of term %d, and a quorum of %s holds durably only what is up to %d: %s",
				index, n.term, n.voters(cfg), q, n.matches(cfg, n.durableOf))
		}
	}
	// Reports on the way to an entry of its own term may name older ones.
	if e.Mark.Term != n.term {
		n.halfCommit = e.Clone()
	} else if n.decide(commitOwnTerm, false) {
		return
	}
}

// shortOf is the last acknowledgement of a voter who lacks the entry at index.
func (n *node) shortOf(index uint64) *trace.Event {
	var newest *trace.Event
	for _, id := range n.config().members {
		if id == n.id || n.matchOf(id) >= index {
			continue
		}
		if e := n.lastReceived(id, trace.AppendReply); e.Kind != 0 && (newest == nil || e.Time > newest.Time) {
			newest = e
		}
	}
	return newest
}

// matches tells what each voter holds.
func (n *node) matches(cfg *config, of func(trace.NodeID) uint64) string {
	text := ""
	for i, id := range cfg.members {
		if i > 0 {
			text += ", "
		}
		text += sprintf("%s %d", n.c.name(id), of(id))
	}
	return text
}

// finishHalfCommit judges a leader's commit of an older term by what comes after it: only
// reports that lead up to an entry of its own term may name one.
func (n *node) finishHalfCommit(e *trace.Event) {
	half := n.halfCommit
	if half == nil {
		return
	}
	if e.Kind == trace.Commit && e.Term == half.Term && e.Mark.Index > half.Mark.Index {
		if e.Mark.Term == e.Term {
			n.halfCommit = nil
		}
		return
	}
	if e.Kind == trace.Apply || e.Kind == trace.State || e.Kind == trace.Persist || e.Kind == trace.ReadServed || e.Kind == trace.ReadCame {
		return // of another goroutine
	}
	n.halfCommit = nil
	if n.decide(commitOwnTerm, true) {
		n.violation(commitOwnTerm, []*trace.Event{&n.last[trace.RoleChange], half},
			"commits up to entry %d of term %d as leader of term %d: a leader of another term may still replace it",
			half.Mark.Index, half.Mark.Term, half.Term)
	}
}

// apply takes an Apply.
func (n *node) apply(e *trace.Event) {
	index := e.Mark.Index
	if n.decide(applyCommitted, index > n.commit && index > n.restorable) {
		n.violation(applyCommitted, []*trace.Event{&n.last[trace.Commit], e}, "applies up to entry %d, and has committed only up to %d", index, n.commit)
	}
	if n.decide(applyOrder, index < n.applied) {
		n.violation(applyOrder, []*trace.Event{&n.last[trace.Apply], e}, "applies entry %d after entry %d", index, n.applied)
	}
	n.applied = max(n.applied, index)
}

// holdsState says whether the state machine may be after the entry at index.
func (n *node) holdsState(index uint64) bool { return index <= n.applied || index <= n.restorable }
