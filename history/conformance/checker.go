package conformance

import (
	"fmt"

	"squall/history/trace"
)

// mostNodes bounds the nodes of a cluster that are followed. Events of further ones are
// not looked at, which the report says.
const mostNodes = 128

// Checker judges the steps of a cluster. It is fed event by event and used by one
// goroutine.
type Checker struct {
	// Name names a node in reports; nil: n1, n2, …
	Name func(trace.NodeID) string

	nodes  []*node // by slot
	slots  map[trace.NodeID]int
	events int64
	now    int64 // the latest time seen, ns

	// What concerns several nodes, in tables in which order is no matter.
	leaders    map[uint64]*leadership // by term
	newestTerm uint64                 // of a leader
	starts     map[uint64]*termStart  // by term
	agreed     agreed                 // what is committed
	logHashes  digests
	states     digests

	unmatched unmatched // messages whose sender's end was not seen yet

	looked [ruleCount]int64
	found  map[ruleID]*Violation
	unsure []Unsure
	lacks  [ruleCount][]trace.NodeID
	beyond bool // there are more nodes than mostNodes
}

// New returns a checker of a cluster whose events may be of these nodes, and of others
// that their configurations name. One of them that tells nothing is reported.
func New(nodes ...trace.NodeID) *Checker {
	c := &Checker{
		slots:   map[trace.NodeID]int{},
		leaders: map[uint64]*leadership{},
		starts:  map[uint64]*termStart{},
		found:   map[ruleID]*Violation{},
	}
	c.unmatched.waiting = map[sentKey][]receipt{}
	c.Expect(nodes...)
	return c
}

// Expect has a node reported that tells nothing.
func (c *Checker) Expect(nodes ...trace.NodeID) {
	for _, id := range nodes {
		if n := c.node(id); n != nil {
			n.expected = true
		}
	}
}

// node is the node of that number; nil where there are too many.
func (c *Checker) node(id trace.NodeID) *node {
	if slot, ok := c.slots[id]; ok {
		return c.nodes[slot]
	}
	if len(c.nodes) == mostNodes {
		c.beyond = true
		return nil
	}
	n := &node{c: c, id: id, slot: len(c.nodes)}
	c.nodes = append(c.nodes, n)
	c.slots[id] = n.slot
	return n
}

func (c *Checker) name(id trace.NodeID) string {
	if c.Name != nil {
		return c.Name(id)
	}
	return fmt.Sprintf("n%d", id)
}

// Event takes the next event. It keeps nothing of e.
func (c *Checker) Event(e *trace.Event) {
	c.events++
	c.now = max(c.now, e.Time)
	c.unmatched.expire(c)
	if n := c.node(e.Node); n != nil {
		n.take(e)
	}
}

// Unsure says that, from some moment on and until its next start, it is not known what
// a node holds. The rules about its own state are not decided meanwhile.
type Unsure struct {
	Node trace.NodeID
	Boot int
	Time int64 // ns, CLOCK_MONOTONIC; 0: from the beginning
	Why  string
	// Contradiction is true where its trace contradicts itself or another's.
	Contradiction bool
}

// Violation is a rule that was broken, and how often. The first time is told.
type Violation struct {
	Rule   Rule
	Text   string        // one sentence
	Events []trace.Event // that show it, by time
	Times  int
}

// At is when it was there to be seen: the time of the last of its events, ns.
func (v *Violation) At() int64 { return v.Events[len(v.Events)-1].Time }

// decide counts that rule r was looked at on this node, and says whether it is on and
// broken.
func (n *node) decide(r ruleID, broken bool) bool {
	if n.off[r] {
		return false
	}
	n.c.looked[r]++
	return broken
}

// violation notes a broken rule, with the events that show it; those that are nil are
// left out. The sentence begins with the node that e is of.
func (n *node) violation(r ruleID, shows []*trace.Event, format string, args ...any) {
	c := n.c
	if v := c.found[r]; v != nil {
		v.Times++
		return
	}
	v := &Violation{Rule: rules[r], Text: c.name(n.id) + " " + fmt.Sprintf(format, args...), Times: 1}
	for _, e := range shows {
		if e != nil && e.Kind != 0 {
			v.Events = append(v.Events, *e.Clone())
		}
	}
	sortEvents(v.Events)
	c.found[r] = v
}

// doubt notes that what n holds is not known any more.
func (n *node) doubt(e *trace.Event, contradiction bool, format string, args ...any) {
	if n.unsure {
		return
	}
	n.unsure = true
	n.c.unsure = append(n.c.unsure, Unsure{
		Node: n.id, Boot: n.boot, Time: e.Time, Why: fmt.Sprintf(format, args...), Contradiction: contradiction,
	})
}

// contradicts notes that n's trace does not agree with itself.
func (n *node) contradicts(e *trace.Event, format string, args ...any) {
	n.doubt(e, true, format, args...)
}
