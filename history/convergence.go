package history

// Convergence follows the events of nodes, in their order, to tell whether all of them
// follow one leader in one term, and have committed as far as some moment asks for.
type Convergence struct {
	order     []string
	nodes     map[string]*Standing
	committed uint64
}

// Standing is what a node's trace told of it last.
type Standing struct {
	Node      string
	Traced    bool   // its server, as it runs now, has told of anything
	Running   bool   // its server was not seen to end
	Silent    bool   // its trace was seen to end, though its server runs
	Term      uint64 // of its last role
	Leader    string // whom it follows, itself if it leads; "": nobody
	Committed uint64 // how far it has committed, or has a snapshot
}

// NewConvergence is that of these nodes, of which nothing is known.
func NewConvergence(nodes []string) *Convergence {
	c := &Convergence{order: nodes, nodes: map[string]*Standing{}}
	for _, n := range nodes {
		c.nodes[n] = &Standing{Node: n, Running: true}
	}
	return c
}

// Take takes the next event, and reports whether it changed anything.
func (c *Convergence) Take(e *NodeEvent) bool {
	s := c.nodes[e.Node]
	if s == nil {
		return false
	}
	switch e.Kind {
	case EventStart:
		*s = Standing{Node: s.Node, Running: true}
	case EventExit:
		*s = Standing{Node: s.Node}
	case EventSilent:
		s.Silent = true
	case EventRole:
		s.Term, s.Leader = e.Term, e.Leader
		if e.Role == RoleLeader {
			s.Leader = e.Node
		}
	case EventCommit, EventSnapshot, EventState:
		if e.Index <= s.Committed {
			return false
		}
		s.Committed = e.Index
		c.committed = max(c.committed, e.Index)
	default:
		return false
	}
	s.Traced = s.Traced || e.OfTrace()
	return true
}

// Committed is the highest index that any node told to be committed.
func (c *Convergence) Committed() uint64 { return c.committed }

// Leading is who leads in the highest term, by its own word; "" and that of no leader
// when nobody does.
func (c *Convergence) Leading() (node string, term uint64) {
	for _, n := range c.order {
		if s := c.nodes[n]; s.Leader == n && s.Term > term {
			node, term = n, s.Term
		}
	}
	return node, term
}

// Behind are the nodes that do not follow the leader in its term, or have not committed
// as far as that index, in their order; none when all have converged.
func (c *Convergence) Behind(index uint64) (behind []Standing) {
	leader, term := c.Leading()
	for _, n := range c.order {
		if s := c.nodes[n]; leader == "" || s.Leader != leader || s.Term != term || s.Committed < index {
			behind = append(behind, *s)
		}
	}
	return behind
}
