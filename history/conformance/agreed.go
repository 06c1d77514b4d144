package conformance

import (
	"slices"

	"squall/history/trace"
)

// agreed is what is committed, by all nodes together.
type agreed struct {
	log termLog
	// seen are the commits that carried it further, the newest last; those before the
	// oldest are not shown any more.
	seen []trace.Event
	// reach is, for each term in which something was committed, the furthest index in it
	// or in an earlier one; by term.
	reach []reach
	// islands are committed entries beyond the log: those at the ends of snapshots, whose
	// entries no node has been seen to commit yet.
	islands map[uint64]island
}

type reach struct{ term, index uint64 }

type island struct {
	mark trace.Mark
	said trace.Event
}

const (
	mostSeen    = 1 << 12
	mostReach   = 1 << 16
	mostIslands = 1 << 10
	mostRuns    = 1 << 17
)

// agree compares what n commits, from the index after from up to e's, with what others
// have committed, and adds it to that.
func (n *node) agree(e *trace.Event, from uint64) {
	n.agrees(e, e.Mark)
	a := &n.c.agreed
	if e.Mark.Index > a.log.last {
		n.carryOn(e)
	}
	if e.Mark.Index <= n.startSnap {
		return // it does not know in which term that was committed
	}
	n.c.agreed.reached(e.Term, e.Mark.Index)
	n.judgeLeaders(e)
}

// agrees judges one committed entry.
func (n *node) agrees(e *trace.Event, m trace.Mark) {
	a := &n.c.agreed
	if m.Index == 0 {
		return
	}
	rule := agreementOf(e)
	if rule == snapshotAgrees && m.Index > a.log.last {
		n.addIsland(e, m)
	}
	at := min(m.Index, a.log.last)
	term, known := a.log.term(at)
	own, has := n.log.term(at)
	if at == m.Index {
		own, has = m.Term, true
	}
	if !known || !has || at == 0 {
		return
	}
	if n.decide(rule, term != own) {
		n.disagrees(e, trace.Mark{Index: at, Term: own}, a.by(at), term)
	}
}

// agreementOf is the rule that holds e to what is committed.
func agreementOf(e *trace.Event) ruleID {
	if e.Kind == trace.Snapshot || e.Kind == trace.Start {
		return snapshotAgrees
	}
	return committedEntry
}

// disagrees tells of a committed entry of n's: by has one of another term there. nil: it
// is forgotten who.
func (n *node) disagrees(e *trace.Event, m trace.Mark, by *trace.Event, term uint64) {
	rule, what, who, how := agreementOf(e), "commits", "another node", "committed one"
	if rule == snapshotAgrees {
		what = "has a snapshot that ends with"
	}
	if by != nil {
		who = n.c.name(by.Node)
		if agreementOf(by) == snapshotAgrees {
			how = "has one"
		}
	}
	n.violation(rule, []*trace.Event{by, e}, "%s entry %d of term %d; %s %s of term %d there", what, m.Index, m.Term, who, how, term)
}

// by is the commit that first covered the entry at index; nil if it is forgotten.
func (a *agreed) by(index uint64) *trace.Event {
	i, _ := slices.BinarySearchFunc(a.seen, index, func(e trace.Event, index uint64) int {
		if e.Mark.Index < index {
			return -1
		}
		return 1
	})
	if i == len(a.seen) || i == 0 && len(a.seen) == mostSeen {
		return nil
	}
	return &a.seen[i]
}

// carryOn adds what n has committed beyond what is known.
func (n *node) carryOn(e *trace.Event) {
	a := &n.c.agreed
	if a.log.last < n.log.base.Index || n.log.last < e.Mark.Index {
		n.addIsland(e, e.Mark)
		return
	}
	a.log.extend(&n.log, e.Mark.Index)
	if len(a.seen) == mostSeen {
		a.seen = append(a.seen[:0], a.seen[mostSeen/2:]...)
	}
	a.seen = append(a.seen, bare(e))
	n.settleIslands(e)
	if len(a.log.runs) > mostRuns {
		half := a.log.runs[len(a.log.runs)/2]
		a.log.compact(trace.Mark{Index: half.first, Term: half.term})
	}
}

// bare is an event without its slices and message.
func bare(e *trace.Event) trace.Event {
	b := *e
	b.Runs, b.Members, b.Old, b.Message = nil, nil, nil, nil
	return b
}

// addIsland notes a committed entry without those before it.
func (n *node) addIsland(e *trace.Event, m trace.Mark) {
	a := &n.c.agreed
	if i, known := a.islands[m.Index]; known {
		if rule := agreementOf(e); n.decide(rule, m.Term != i.mark.Term) {
			n.disagrees(e, m, &i.said, i.mark.Term)
		}
		return
	}
	if a.islands == nil || len(a.islands) == mostIslands {
		a.islands = map[uint64]island{}
	}
	a.islands[m.Index] = island{m, bare(e)}
}

// settleIslands compares the committed entries that were alone with what joins them now.
func (n *node) settleIslands(e *trace.Event) {
	a := &n.c.agreed
	for _, index := range sortedKeys(a.islands) {
		term, ok := a.log.term(index)
		if !ok {
			continue
		}
		i := a.islands[index]
		delete(a.islands, index)
		by := n.c.node(i.said.Node)
		if rule := agreementOf(&i.said); by.decide(rule, term != i.mark.Term) {
			by.disagrees(&i.said, i.mark, e, term)
		}
	}
}

// reached notes that entries up to index were committed in term or before.
func (a *agreed) reached(term, index uint64) {
	i := len(a.reach)
	for i > 0 && a.reach[i-1].term > term {
		i--
	}
	switch {
	case i > 0 && a.reach[i-1].term == term:
		i--
		a.reach[i].index = max(a.reach[i].index, index)
	case i > 0 && a.reach[i-1].index >= index:
		return
	default:
		a.reach = slices.Insert(a.reach, i, reach{term, index})
	}
	for i++; i < len(a.reach) && a.reach[i].index < index; i++ {
		a.reach[i].index = index
	}
	if len(a.reach) > mostReach {
		a.reach = append(a.reach[:0], a.reach[mostReach/2:]...)
	}
}

// before is how far was committed in terms before term.
func (a *agreed) before(term uint64) uint64 {
	for i := len(a.reach) - 1; i >= 0; i-- {
		if a.reach[i].term < term {
			return a.reach[i].index
		}
	}
	return 0
}

// judgeCompleteness: the log of a new leader holds what was committed in terms before.
// What of it is told only later is compared by judgeLeaders.
func (n *node) judgeCompleteness(e *trace.Event) {
	l := n.c.leadership(n.term)
	if l.leader != n.id || n.off[leaderCompleteness] {
		return
	}
	before := n.c.agreed.before(n.term)
	l.log, l.judged = n.log.clone(), true
	n.complete(l, before)
	if term, ok := l.log.term(before); ok {
		l.log.compact(trace.Mark{Index: before, Term: term}) // what is told later is behind it
	}
}

// complete: the log with which a leader was elected holds the committed entry at index.
func (n *node) complete(l *leadership, index uint64) {
	a := &n.c.agreed
	want, known := a.log.term(index)
	if !known || index == 0 || index <= l.log.base.Index {
		return
	}
	got, has := l.log.term(index)
	leader := n.c.node(l.leader)
	if !leader.decide(leaderCompleteness, !has || got != want) {
		return
	}
	how := sprintf("its log ends with entry %d", l.log.last)
	if has {
		how = sprintf("it has one of term %d there", got)
	}
	leader.violation(leaderCompleteness, []*trace.Event{a.by(index), &l.since}, "becomes leader of term %d without the committed entry %d of term %d: %s",
		l.term, index, want, how)
}

// judgeLeaders compares what is committed in a term with the leaders of later ones that
// are elected already: a commit may be told late.
func (n *node) judgeLeaders(e *trace.Event) {
	c := n.c
	if e.Term >= c.newestTerm {
		return
	}
	for _, term := range sortedKeys(c.leaders) {
		if l := c.leaders[term]; term > e.Term && l.judged {
			n.complete(l, e.Mark.Index)
		}
	}
}
