package history

// Leads reports whether its node says with this event that it leads, in Term.
func (e *NodeEvent) Leads() bool { return e.Kind == EventRole && e.Role == RoleLeader }

// Leading follows the nodes' events, in the order in which they come, and knows who
// leads now: the node that was elected in the highest term, as long as it has not said
// otherwise or ended. The zero value has seen nobody lead.
//
// What the faults in force let a leader do is another matter: package measure asks it
// when all is over.
type Leading struct {
	Node   string // who leads; "": nobody
	Term   uint64 // the highest that somebody led
	Last   string // who led last, be it gone or not
	Before string // who led before Last
}

// Take takes an event, and reports whether it is the election of a new leader, and
// whether anything has changed.
func (l *Leading) Take(e *NodeEvent) (elected, changed bool) {
	switch {
	case e.Leads() && e.Term >= l.Term:
		elected = l.Node != e.Node || l.Term != e.Term
		l.Observe(e.Node)
		l.Term = e.Term
		return elected, elected
	case e.Node == l.Node && (e.Kind == EventRole && !e.Leads() || e.Kind == EventExit):
		changed = l.Node != ""
		l.Node = ""
	}
	return false, changed
}

// Observe takes who leads from somebody other than the nodes; "" for nobody. The term
// is not known then, and stays as it is.
func (l *Leading) Observe(node string) {
	if node != "" && l.Last != node {
		l.Before, l.Last = l.Last, node
	}
	l.Node = node
}
