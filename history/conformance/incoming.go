package conformance

import "squall/history/trace"

// incoming is what the leader of a term has sent to a node.
type incoming struct {
	term    uint64
	told    uint64  // the commit index that it told
	matched uint64  // the node's log equals the leader's up to here, once it has taken what came
	view    termLog // of the leader's log, what came behind a match
	// The last message with entries: whether the log held the entry before them.
	prev, end trace.Mark
	held      bool
	snap      trace.Mark // the snapshot that it last sent to its end
}

// enter begins a term.
func (in *incoming) enter(term uint64) {
	if in.term != term {
		*in = incoming{term: term, view: termLog{runs: in.view.runs[:0]}}
	}
}

// assume is for a node of whose last boot not all is known: all that it has stored may be
// what the leader of its term sent, and knows to be here.
func (in *incoming) assume(term, stored uint64) {
	in.enter(0)
	in.enter(term)
	in.matched = stored
	in.view.reset(trace.Mark{Index: stored})
}

// take takes entries. held: the node's log holds the one before them.
func (in *incoming) take(m *trace.Message, held bool) {
	in.held, in.prev, in.end = held, m.Mark, endOf(m)
	if !held {
		return
	}
	in.matched = max(in.matched, in.end.Index)
	if m.Mark.Index > in.view.last || in.view.last == in.view.base.Index {
		in.view.reset(m.Mark)
	}
	for _, r := range m.Runs {
		if end := r.First + r.Count - 1; end > in.view.last {
			in.view.append(end-in.view.last, r.Term)
		}
	}
}

// endOf is the last entry that an append speaks of.
func endOf(m *trace.Message) trace.Mark {
	if n := len(m.Runs); n > 0 {
		r := m.Runs[n-1]
		return trace.Mark{Index: r.First + r.Count - 1, Term: r.Term}
	}
	return m.Mark
}

// receiveEntries takes an AppendEntries that the node has received.
func (n *node) receiveEntries(m *trace.Message) {
	n.in.enter(m.Term)
	n.in.told = max(n.in.told, m.Commit)
	n.in.take(m, m.Mark.Index < n.log.base.Index || n.log.holds(m.Mark))
	n.learnCommit()
}

// receiveSnapshot takes a piece of a snapshot that the node has received.
func (n *node) receiveSnapshot(m *trace.Message) {
	n.in.enter(m.Term)
	n.in.told = max(n.in.told, m.Mark.Index) // what it holds is committed
	if m.Done {
		n.in.snap = m.Mark
		n.offer(m.Mark)
	}
	if n.log.holds(m.Mark) {
		n.in.matched = max(n.in.matched, m.Mark.Index)
	}
	n.learnCommit()
}

// learnCommit notes how far the node may commit by what it was told in this term. What
// it was once right to commit stays committed in later terms.
func (n *node) learnCommit() { n.mayCommit = max(n.mayCommit, min(n.in.told, n.in.matched)) }

// entriesEvent is what shows the last entries that came: the message.
func (n *node) entriesEvent() *trace.Event {
	var newest *trace.Event
	for slot := range n.received {
		e := lastOf(&n.received, slot, trace.AppendEntries)
		if e.Kind != 0 && (newest == nil || e.Time > newest.Time) {
			newest = e
		}
	}
	return newest
}

// appendEntries takes an Append.
func (n *node) appendEntries(e *trace.Event) {
	for _, r := range e.Runs {
		if n.decide(logConsecutive, r.First != n.log.last+1) {
			n.violation(logConsecutive, []*trace.Event{n.logEvent(), e}, "appends entry %d to a log that ends with entry %d", r.First, n.log.last)
			n.doubt(e, false, "its log has a gap or an overlap: %d does not follow %d", r.First, n.log.last)
			return
		}
		end := n.log.end()
		if n.decide(logTermsOrdered, r.Term < end.Term || r.Term > n.term) {
			n.violation(logTermsOrdered, []*trace.Event{n.logEvent(), e}, "appends entry %d of term %d behind entry %d of term %d, in term %d",
				r.First, r.Term, end.Index, end.Term, n.term)
		}
		if n.role == trace.Leader {
			n.judgeOwn(e, r)
		} else {
			n.judgeTaken(e, r)
		}
		n.checkBegin(e, r)
		n.log.append(r.Count, r.Term)
	}
}

func (n *node) judgeOwn(e *trace.Event, r trace.Run) {
	if n.decide(leaderOwnEntries, r.Term != n.term) {
		n.violation(leaderOwnEntries, []*trace.Event{&n.last[trace.RoleChange], e}, "appends entry %d of term %d while it leads term %d",
			r.First, r.Term, n.term)
	}
}

// judgeTaken: entries that a node does not lead with came from a leader, behind a match.
func (n *node) judgeTaken(e *trace.Event, r trace.Run) {
	in := &n.in
	last := r.First + r.Count - 1
	if in.term == n.term && !in.held && in.prev.Index < r.First && last <= in.end.Index {
		if n.decide(appendMatched, true) {
			n.violation(appendMatched, []*trace.Event{n.logEvent(), n.entriesEvent(), e},
				"appends %s behind entry %d of term %d, which its log does not hold", entries(r.First, last), in.prev.Index, in.prev.Term)
		}
		return
	}
	if in.term == n.term {
		n.decide(appendMatched, false)
	}
	if n.decide(appendReceived, in.term != n.term || !in.view.covers(r)) {
		n.violation(appendReceived, []*trace.Event{n.entriesEvent(), e},
			"appends %s of term %d, which the leader of term %d did not send it like that", entries(r.First, last), r.Term, n.term)
	}
}

// covers says whether the log holds exactly these entries.
func (l *termLog) covers(r trace.Run) bool {
	if r.First <= l.base.Index || r.First+r.Count-1 > l.last {
		return false
	}
	i := l.runOf(r.First)
	return l.runs[i].term == r.Term && l.runOf(r.First+r.Count-1) == i
}

// truncate takes a Truncate.
func (n *node) truncate(e *trace.Event) {
	to := e.Mark.Index
	if !n.log.holds(e.Mark) {
		n.contradicts(e, "it removes the entries after entry %d of term %d, which its log does not hold", to, e.Mark.Term)
		return
	}
	if to == n.log.last {
		return
	}
	n.judgeCut(e, to)
	n.disk.cut(&n.log, to, n.term)
	n.log.truncate(to)
}

func (n *node) judgeCut(e *trace.Event, to uint64) {
	if n.role == trace.Leader {
		if n.decide(leaderAppendOnly, true) {
			n.violation(leaderAppendOnly, []*trace.Event{&n.last[trace.RoleChange], e}, "leads term %d, and removes %s from its own log",
				n.term, entries(to+1, n.log.last))
		}
		return
	}
	n.decide(leaderAppendOnly, false)
	if to < n.commit {
		if n.decide(truncateCommitted, true) {
			n.violation(truncateCommitted, []*trace.Event{&n.last[trace.Commit], n.entriesEvent(), e},
				"removes %s from its log although it has committed up to %d", entries(to+1, n.log.last), n.commit)
		}
		return
	}
	n.decide(truncateCommitted, false)
	if n.decide(truncateConflict, !n.conflicts(to+1)) {
		n.violation(truncateConflict, []*trace.Event{n.logEvent(), n.entriesEvent(), e},
			"removes %s from its log, and the leader of term %d sent nothing that conflicts with entry %d",
			entries(to+1, n.log.last), n.term, to+1)
	}
}

// conflicts says whether the leader of this term sent an entry that differs from the
// node's at index, or a snapshot that its log does not agree with.
func (n *node) conflicts(index uint64) bool {
	in := &n.in
	own, _ := n.log.term(index)
	if in.term != n.term {
		return false
	}
	if term, ok := in.view.term(index); ok && index > in.view.base.Index && term != own {
		return true
	}
	if !in.held && in.prev.Index == index && in.prev.Term != own {
		return true
	}
	return in.snap.Index > 0 && !n.log.holds(in.snap)
}
