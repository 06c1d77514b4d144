package situations

import "squall/history/trace"

// farBehind is by how many committed entries a node lags that has to catch up.
const farBehind = 1000

// append follows entries that a node puts into its log.
func (t *Tracker) append(n *node, e *trace.Event) {
	last := n.log.last().Index
	if n.behind == 0 && t.commit >= last+farBehind && !n.leads() && n.started {
		n.behind = t.commit
	}
	for _, r := range e.Runs {
		n.log.put(r)
	}
	if n.behind > 0 && n.log.last().Index >= n.behind {
		n.behind = 0
		t.found(caughtUpByLog, n)
	}
}

// truncate follows the removal of entries from the end of a log.
func (t *Tracker) truncate(n *node, e *trace.Event) {
	last := n.log.last()
	if e.Mark.Index >= last.Index {
		return
	}
	t.found(logTruncated, n)
	n.log.truncate(e.Mark.Index)
	if e.Mark.Index < n.atStart.last {
		n.atStart.last = 0
		t.found(restartThenTruncated, n)
	}
	t.gone(n, last)
}

// gone looks whether a copy that n had of an entry was the last one.
func (t *Tracker) gone(n *node, m trace.Mark) {
	if m.Index <= t.commit && (t.committed.holds(m) || !t.committed.knows(m.Index)) {
		return
	}
	for _, other := range t.nodes {
		if other.log.holds(m) {
			return
		}
	}
	t.found(entryLost, n)
}

// persist follows what is durable.
func (t *Tracker) persist(n *node, e *trace.Event) {
	if n.role == trace.Follower && before(n.durable, e.Mark) {
		n.unacked = true
	}
	n.durable, n.durableTerm, n.durableVote = e.Mark, e.Term, e.Vote
	if t.inherited {
		t.figure8()
	}
}

// figure8 looks whether the leader's first uncommitted entry is of an older term and
// durable on a quorum, none of which has an entry of the leader's own term yet.
func (t *Tracker) figure8() {
	l := t.leader
	next := t.commit + 1
	term, ok := l.log.term(next)
	if l.figure8 || !ok || term >= l.roleTerm {
		return
	}
	have := set(0)
	for _, n := range t.nodes {
		if n.durable.Index >= next && n.durable.Term >= term && n.durable.Term < l.roleTerm && n.log.holds(trace.Mark{Index: next, Term: term}) {
			have |= 1 << n.at
		}
	}
	if l.quorum(have) {
		l.figure8 = true
		t.found(oldTermOnQuorum, t.members(l, have&^(1<<l.at))...)
	}
}

// commits follows an advance of a node's commit index.
func (t *Tracker) commits(n *node, e *trace.Event) {
	n.commit = max(n.commit, e.Mark.Index)
	n.firstCommit = n.firstCommit || e.Mark.Term == n.roleTerm
	if e.Mark.Index <= t.commit {
		return
	}
	if term, ok := n.log.term(t.commit + 1); ok && n.leads() && term < n.roleTerm {
		t.found(inheritedCommit, n)
	}
	t.committed.extend(&n.log, e.Mark.Index)
	if t.committed.last().Index < e.Mark.Index { // the node's log is not known
		t.committed.reset(e.Mark)
	}
	t.commit = e.Mark.Index
	t.inherited = t.inherited && t.commit < t.leader.log.last().Index
}
