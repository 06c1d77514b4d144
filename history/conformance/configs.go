package conformance

import (
	"slices"

	"squall/history/trace"
)

// config is who votes.
type config struct {
	mark    trace.Mark     // its entry; zero for the first
	members []trace.NodeID // nil: not known
	old     []trace.NodeID // while a joint one is in force: those who vote as well
}

// quorum is the highest value that a quorum reaches, by the members' values. Of a joint
// configuration both quorums have to.
func (c *config) quorum(value func(trace.NodeID) uint64) uint64 {
	q := quorumOf(c.members, value)
	if len(c.old) > 0 {
		q = min(q, quorumOf(c.old, value))
	}
	return q
}

// votes says whether a node is a voter, as far as that is known.
func (c *config) votes(id trace.NodeID) bool {
	return len(c.members) == 0 || slices.Contains(c.members, id) || slices.Contains(c.old, id)
}

func quorumOf(ids []trace.NodeID, value func(trace.NodeID) uint64) uint64 {
	if len(ids) == 0 {
		return 0
	}
	var few [16]uint64
	values := few[:0]
	for _, id := range ids {
		values = append(values, value(id))
	}
	slices.Sort(values)
	return values[len(values)-(len(values)/2+1)]
}

// config is the node's configuration.
func (n *node) config() *config {
	if len(n.configs) == 0 {
		n.configs = append(n.configs, config{})
	}
	return &n.configs[len(n.configs)-1]
}

// configure takes a Config.
func (n *node) configure(e *trace.Event) {
	n.dropConfigs()
	was := n.config()
	if sameIDs(was.members, e.Members) && sameIDs(was.old, e.Old) {
		return
	}
	next := config{mark: e.Mark, members: cloneIDs(e.Members), old: cloneIDs(e.Old)}
	if was.members != nil && e.Mark.Index > 0 {
		n.judgeConfig(e, was, &next)
	}
	if len(n.configs) == mostConfigs {
		n.configs = append(n.configs[:0], n.configs[1:]...)
	}
	n.configs = append(n.configs, next)
}

// mostConfigs bounds the configurations that a truncation may bring back.
const mostConfigs = 64

func (n *node) judgeConfig(e *trace.Event, was, next *config) {
	before := &n.last[trace.Config]
	if n.decide(configOneStep, !oneStep(was, next)) {
		n.violation(configOneStep, []*trace.Event{before, e}, "goes from the voters %s to %s in one step", n.voters(was), n.voters(next))
	}
	if n.role != trace.Leader || e.Mark.Term != n.term {
		return
	}
	if n.decide(configOneAtATime, was.mark.Index > n.commit) {
		n.violation(configOneAtATime, []*trace.Event{before, e},
			"changes the configuration with entry %d while the change of entry %d is not committed: its commit index is %d",
			e.Mark.Index, was.mark.Index, n.commit)
	}
	if n.decide(configTermCommitted, !n.committedInTerm()) {
		n.violation(configTermCommitted, []*trace.Event{&n.last[trace.RoleChange], &n.last[trace.Commit], e},
			"changes the configuration with entry %d before any entry of its term %d is committed", e.Mark.Index, n.term)
	}
}

// committedInTerm says whether the node has committed an entry of its term.
func (n *node) committedInTerm() bool {
	term, ok := n.log.term(n.commit)
	return ok && term == n.term
}

// dropConfigs forgets configurations whose entry was removed from the log.
func (n *node) dropConfigs() {
	for len(n.configs) > 1 {
		m := n.config().mark
		if m.Index <= n.log.base.Index || n.log.holds(m) {
			return
		}
		n.configs = n.configs[:len(n.configs)-1]
	}
}

// oneStep says whether quorums of two consecutive configurations overlap for certain.
func oneStep(was, next *config) bool {
	switch {
	case len(was.old) == 0 && len(next.old) == 0:
		return len(lacking(was.members, next.members))+len(lacking(next.members, was.members)) <= 1
	case len(was.old) == 0: // a joint one begins
		return sameIDs(next.old, was.members)
	case len(next.old) == 0: // it ends, or is given up
		return sameIDs(next.members, was.members) || sameIDs(next.members, was.old)
	}
	return sameIDs(next.old, was.old) && sameIDs(next.members, was.members)
}

// lacking is which of a are not in b.
func lacking(a, b []trace.NodeID) (ids []trace.NodeID) {
	for _, id := range a {
		if !slices.Contains(b, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

func sameIDs(a, b []trace.NodeID) bool {
	return len(lacking(a, b)) == 0 && len(lacking(b, a)) == 0
}

func cloneIDs(ids []trace.NodeID) []trace.NodeID { return slices.Clone(ids) }

func (n *node) voters(c *config) string {
	if len(c.old) > 0 {
		return n.names(c.members) + " jointly with " + n.names(c.old)
	}
	return n.names(c.members)
}
