package measure

import (
	"cmp"
	"slices"
	"strings"

	"squall/history"
	"squall/internal/plain"
)

// Causes of the end of a leadership. A leader that stepped down of itself has
// CauseSteppedDown with ": " and the node's reason behind it; one whose
// process ended and no fault asked for it has CauseCrashed.
const (
	CauseKilled      = "killed"
	CausePaused      = "paused"
	CauseCutOff      = "cut off"          // from a majority, by a partition
	CauseNoQuorum    = "without a quorum" // too many of the others are down
	CauseSteppedDown = "stepped down"
	CauseSuperseded  = "superseded" // by the leader of a higher term
	CauseStopped     = "stopped"    // the node stopped itself
	CauseCrashed     = "crashed"
)

// step is one thing that happened, in the order of time.
type step struct {
	at    int64 // ns of the machine's clock
	fault *history.Fault
	ended bool // of a heal: it is verified now, and not just commanded
	node  *history.NodeEvent
}

// steps puts faults and node events in the order of time. Of things at the
// same moment the fault comes first: it is the cause.
func steps(in *history.History) []step {
	var out []step
	for i := range in.Faults {
		f := &in.Faults[i]
		out = append(out, step{at: f.Begin, fault: f})
		if f.Phase == history.Heal && f.End > 0 {
			out = append(out, step{at: f.End, fault: f, ended: true})
		}
	}
	for i := range in.Nodes {
		switch e := &in.Nodes[i]; e.Kind {
		case history.EventRole, history.EventStart, history.EventExit, history.EventPause, history.EventResume:
			out = append(out, step{at: e.Time, node: e})
		}
	}
	slices.SortStableFunc(out, func(a, b step) int { return cmp.Compare(a.at, b.at) })
	return out
}

// cluster is what faults and node events say about who can work: which
// processes run, and who hears whom.
type cluster struct {
	nodes []string
	// down and paused name the fault that did it, or unknown; a node that is
	// neither runs.
	down, paused map[string]int
	// killed are the nodes that a kill in force names, down already or not.
	killed map[string]int
	cuts   map[int][]history.Link // by fault ID
	// dropped is how many cuts in force drop a link: asked for again and again,
	// while faults in force may be many.
	dropped map[history.Link]int
}

// unknown stands for a fault's ID where a node event came without a fault.
const unknown = -1

func newCluster(in *history.History) *cluster {
	c := &cluster{
		nodes: in.Header.Nodes,
		down:  map[string]int{}, paused: map[string]int{}, killed: map[string]int{},
		cuts: map[int][]history.Link{}, dropped: map[history.Link]int{},
	}
	if len(c.nodes) == 0 {
		seen := map[string]bool{}
		for i := range in.Nodes {
			if n := in.Nodes[i].Node; !seen[n] {
				seen[n] = true
				c.nodes = append(c.nodes, n)
			}
		}
	}
	return c
}

// take notes what a step changed.
//
// A fault counts from its command: the process is gone, or the packets are
// dropped, within a millisecond or two of it, while its verification takes
// longer. A partition counts as healed from the command likewise; a process
// runs again from its own event, or from the verified heal at the latest.
func (c *cluster) take(s step) {
	switch {
	case s.fault != nil && s.fault.Err != "": // it changed nothing
	case s.fault != nil && s.fault.Phase == history.Inject:
		c.inject(s.fault)
	case s.fault != nil:
		c.uncut(s.fault.ID)
		if s.ended {
			clearBy(c.down, s.fault.ID)
			clearBy(c.paused, s.fault.ID)
			clearBy(c.killed, s.fault.ID)
		}
	default:
		c.event(s.node)
	}
}

func (c *cluster) inject(f *history.Fault) {
	if len(f.Cut) > 0 {
		c.uncut(f.ID)
		c.cuts[f.ID] = f.Cut
		for _, l := range f.Cut {
			c.dropped[l]++
		}
	}
	for _, n := range f.Targets {
		switch f.Name {
		case "kill":
			c.down[n], c.killed[n] = f.ID, f.ID
		case "pause":
			c.paused[n] = f.ID
		}
	}
}

func (c *cluster) event(e *history.NodeEvent) {
	switch e.Kind {
	case history.EventExit:
		delete(c.paused, e.Node)
		if _, known := c.down[e.Node]; !known {
			c.down[e.Node] = unknown
		}
	case history.EventPause:
		if _, known := c.paused[e.Node]; !known {
			c.paused[e.Node] = unknown
		}
	case history.EventResume:
		delete(c.paused, e.Node)
	case history.EventStart:
		delete(c.down, e.Node)
		delete(c.paused, e.Node)
		delete(c.killed, e.Node)
	case history.EventRole:
		// It speaks, so it runs: the kill that was commanded has not come yet,
		// or its restart was not recorded.
		delete(c.down, e.Node)
	}
}

func clearBy(hurt map[string]int, fault int) {
	for n, id := range hurt {
		if id == fault {
			delete(hurt, n)
		}
	}
}

// hinders says what keeps a node from leading, as a cause; "" when nothing
// does. A leader needs a quorum with which it can speak in both directions.
func (c *cluster) hinders(node string) string {
	if _, is := c.down[node]; is {
		return CauseKilled
	}
	if _, is := c.paused[node]; is {
		return CausePaused
	}
	quorum := len(c.nodes)/2 + 1
	linked, working := 1, 1
	for _, other := range c.nodes {
		if other == node || c.cut(node, other) {
			continue
		}
		linked++
		_, down := c.down[other]
		_, paused := c.paused[other]
		if !down && !paused {
			working++
		}
	}
	switch {
	case linked < quorum:
		return CauseCutOff
	case working < quorum:
		return CauseNoQuorum
	}
	return ""
}

// uncut ends the cuts of a fault, if there are any.
func (c *cluster) uncut(fault int) {
	for _, l := range c.cuts[fault] {
		if c.dropped[l]--; c.dropped[l] == 0 {
			delete(c.dropped, l)
		}
	}
	delete(c.cuts, fault)
}

// cut reports whether either direction between two nodes is dropped.
func (c *cluster) cut(a, b string) bool {
	if len(c.dropped) == 0 {
		return false
	}
	return c.dropped[history.Link{From: a, To: b}] > 0 || c.dropped[history.Link{From: b, To: a}] > 0
}

// because is a cause with the reason that a node gave.
func because(cause, reason string) string {
	if reason = strings.TrimSpace(reason); reason == "" {
		return cause
	}
	const most = 200 // bytes: it is a server's word
	return cause + ": " + plain.Clip(reason, most)
}
