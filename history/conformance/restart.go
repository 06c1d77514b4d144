package conformance

import "squall/history/trace"

// restart takes a Start: what the node has loaded must be no less than what was durable.
func (n *node) restart(e *trace.Event) {
	n.lacks |= e.Lacks
	for r := range rules {
		n.off[r] = e.Lacks&rules[r].needs != 0
		if n.off[r] {
			n.c.lack(ruleID(r), n.id)
		}
	}
	if e.Boot < n.boot || e.Boot == n.boot && n.started {
		n.contradicts(e, "it starts boot %d twice, or after a later one", e.Boot)
		return
	}
	if n.boot > 0 {
		n.judgeRestart(e)
	}
	n.load(e)
	n.judgeLoaded(e)
	keep(&n.last[trace.Start], e)
}

// judgeRestart compares what was loaded with what was durable before. What was durable
// is known as a lower bound even where the trace was cut, but for the log, of which a
// later leader may have removed entries unseen.
func (n *node) judgeRestart(e *trace.Event) {
	d := &n.disk
	persisted := &n.last[trace.Persist]
	if n.decide(restartTerm, e.Term < d.term) {
		n.violation(restartTerm, []*trace.Event{persisted, e}, "starts in term %d although it had stored term %d", e.Term, d.term)
	}
	if n.decide(restartVote, e.Term == d.term && d.vote != 0 && e.Vote != d.vote) {
		n.violation(restartVote, []*trace.Event{persisted, e}, "starts in term %d with its vote %s, and had stored its vote for %s",
			e.Term, n.given(e.Vote), n.c.name(d.vote))
	}
	if n.decide(restartSnapshot, e.Mark.Index < d.snap.Index) {
		n.violation(restartSnapshot, []*trace.Event{&n.last[trace.Snapshot], e},
			"starts with %s, and had stored one that ends with entry %d", snapshotUpTo(e.Mark.Index), d.snap.Index)
	}
	if !n.cut && !n.unsure {
		n.judgeLog(e)
	}
}

func (n *node) given(vote trace.NodeID) string {
	if vote == 0 {
		return "not given"
	}
	return "given to " + n.c.name(vote)
}

// judgeLog: the durable beginning of the log is still there.
func (n *node) judgeLog(e *trace.Event) {
	at := n.disk.end
	want, ok := n.log.term(at)
	if !ok || at <= e.Base.Index || at <= e.Mark.Index {
		return // in a snapshot
	}
	got, have := termIn(e, at)
	if have && got > want || lastTerm(e) > n.log.end().Term {
		// A later leader's entries are there: the end of the trace is missing. Those that
		// its log is known to have had may have come to the disk before it could tell so.
		n.c.note(Unsure{Node: n.id, Boot: n.boot, Time: e.Time,
			Why: "the end of its trace is missing: its log was changed after the last event"})
		return
	}
	if !n.decide(restartLog, got != want) {
		return
	}
	how := "lacks it"
	if have {
		how = "has one of another term there"
	}
	n.violation(restartLog, []*trace.Event{&n.last[trace.Persist], e},
		"had entry %d of term %d durably in its log, and %s after its restart", at, want, how)
}

// lastTerm is the term of the last entry in the log of a Start; 0 for none.
func lastTerm(e *trace.Event) uint64 {
	if len(e.Runs) == 0 {
		return 0
	}
	return e.Runs[len(e.Runs)-1].Term
}

// termIn is the term of an entry in the log of a Start.
func termIn(e *trace.Event, index uint64) (term uint64, ok bool) {
	for _, r := range e.Runs {
		if r.First <= index && index < r.First+r.Count {
			return r.Term, true
		}
	}
	return 0, false
}

// load takes over what the node has loaded.
func (n *node) load(e *trace.Event) {
	n.boot, n.started, n.unsure, n.cut = e.Boot, true, false, false
	n.timer = timer{known: true}
	n.term, n.vote, n.role, n.led = e.Term, e.Vote, trace.Follower, 0
	n.log.reset(e.Base)
	for _, r := range e.Runs {
		if r.First != n.log.last+1 {
			n.contradicts(e, "its stored log goes from entry %d to entry %d", n.log.last, r.First)
			break
		}
		n.checkBegin(e, r)
		n.log.append(r.Count, r.Term)
	}
	n.disk = disk{term: e.Term, vote: e.Vote, end: n.log.last, snap: e.Mark}
	n.commit, n.applied, n.restorable, n.startSnap = 0, 0, e.Mark.Index, e.Mark.Index
	n.mayCommit = max(n.mayCommit, e.Mark.Index)
	n.halfCommit = nil
	n.heard, n.mustReach = e.Term, 0
	// A power cut takes the end of the trace along, and nobody can tell: what its leader
	// told the node of what it has now, it may have told it then.
	n.in.assume(e.Term, n.log.last)
	n.offered = n.offered[:0]
	n.campaign, n.asked, n.reads = campaign{}, n.asked[:0], reads{}
	n.preAsked = n.preAsked[:0]
	n.roundsHeard = rounds{}
	n.outbox.begin(e.Boot)
	n.configs = append(n.configs[:0], config{members: cloneIDs(e.Members)})
	for i := range n.received {
		n.received[i] = nil
	}
}

// judgeLoaded: log and snapshot join, and are what was committed.
func (n *node) judgeLoaded(e *trace.Event) {
	if n.unsure {
		return
	}
	if n.decide(restartGap, e.Base.Index > e.Mark.Index) {
		n.violation(restartGap, []*trace.Event{e}, "starts with a log that begins behind entry %d, and with %s",
			e.Base.Index, snapshotUpTo(e.Mark.Index))
	}
	if !n.log.holds(e.Mark) && e.Mark.Index > 0 {
		n.log.reset(e.Mark) // the log does not join the snapshot: it is dropped
		n.disk.end = e.Mark.Index
	}
	n.agrees(e, e.Mark)
}
