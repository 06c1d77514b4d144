package measure

import (
	"slices"

	"squall/history"
)

// leadership is a Leadership in the making; times are ns of the machine's clock.
type leadership struct {
	node       string
	boot       int
	term       uint64
	begin, end int64
	cause      string
	open       bool

	// A leader that is paused, cut off or without a quorum is suspended: that
	// may be the end of its leadership, and may not.
	suspended bool
	since     int64  // it is suspended, or was last
	why       string // it was
	restored  int64  // when nothing hindered it any more; 0: something does
}

// leadershipTracker follows the leaderships through a test.
//
// A leadership ends at the moment from which its leader could no longer act and
// did not act again. A kill, an exit and a step down end it at once. A pause
// or a partition only suspends it: when the leader is let go before another
// was elected, and an operation then succeeds, it went on leading and nothing
// was lost. When it steps down instead, or another is elected, or the test
// ends, the leadership is over since the suspension began.
//
// A leader that still believes in itself while another was elected in a higher
// term does not lead: it was superseded at the latest when that other one
// stood for election and won.
type leadershipTracker struct {
	cluster     *cluster
	leaderships []*leadership
	open        []*leadership       // those of them that are open: a few, however many there were
	stood       map[candidacy]int64 // when a node stood for election in a term
	log         *samples
}

type candidacy struct {
	node string
	term uint64
}

// span is a call and its return.
type span struct{ call, ret int64 }

// follow runs through a history up to the end of the test and returns the
// leaderships in the order in which they began.
func follow(in *history.History, s *samples) []*leadership {
	c := &leadershipTracker{cluster: newCluster(in), stood: map[candidacy]int64{}, log: s}
	end := s.mono + s.end
	for _, s := range steps(in) {
		if s.at > end {
			break
		}
		c.cluster.take(s)
		if s.node != nil {
			c.event(s.node)
		}
		c.review(s)
	}
	for _, r := range c.leaderships {
		if r.open && r.suspended && r.restored == 0 {
			r.finish(r.since, r.why)
		}
	}
	return c.leaderships
}

// event takes a node's own word.
func (c *leadershipTracker) event(e *history.NodeEvent) {
	mine := c.openOf(e.Node)
	if mine != nil {
		switch {
		case e.Kind == history.EventExit:
			c.close(mine, e.Time, c.whyExited(e))
		case e.Boot > mine.boot:
			c.close(mine, e.Time, CauseCrashed) // its exit was not recorded
		case e.Kind == history.EventRole && e.Role == history.RoleStopped:
			c.close(mine, e.Time, because(CauseStopped, e.Reason))
		case e.Kind == history.EventRole && (e.Role != history.RoleLeader || e.Term != mine.term):
			c.close(mine, e.Time, because(CauseSteppedDown, e.Reason))
		}
	}
	if e.Kind != history.EventRole {
		return
	}
	switch e.Role {
	case history.RoleCandidate:
		if _, known := c.stood[candidacy{e.Node, e.Term}]; !known {
			c.stood[candidacy{e.Node, e.Term}] = e.Time
		}
	case history.RoleLeader:
		if mine == nil || !mine.open {
			c.elect(e)
		}
	}
}

// whyExited tells what was asked for from what was not.
func (c *leadershipTracker) whyExited(e *history.NodeEvent) string {
	_, killed := c.cluster.killed[e.Node]
	switch {
	case killed || e.Reason == history.ReasonKilled || e.Reason == history.ReasonOOM:
		return CauseKilled
	case e.Reason == history.ReasonStopped:
		return CauseStopped
	}
	return because(CauseCrashed, e.Reason)
}

// elect opens a leadership and closes those of lower terms.
func (c *leadershipTracker) elect(e *history.NodeEvent) {
	for _, r := range slices.Clone(c.open) {
		if r.term >= e.Term {
			continue
		}
		at := e.Time
		if stood, known := c.stood[candidacy{e.Node, e.Term}]; known {
			at = stood
		}
		c.close(r, max(at, r.begin), CauseSuperseded)
	}
	r := &leadership{node: e.Node, boot: e.Boot, term: e.Term, begin: e.Time, open: true}
	c.leaderships, c.open = append(c.leaderships, r), append(c.open, r)
}

// review looks at every leadership after the cluster changed.
func (c *leadershipTracker) review(s step) {
	for _, r := range slices.Clone(c.open) {
		why := c.cluster.hinders(r.node)
		switch {
		case why == CauseKilled:
			c.close(r, s.at, why)
		case why == "" && r.suspended && r.restored == 0:
			r.restored = s.at
		case why != "" && !r.suspended,
			why != "" && r.restored != 0 && c.worked(r.restored, s.at):
			r.suspended, r.since, r.why, r.restored = true, s.at, why, 0
		case why != "":
			r.restored = 0
		}
	}
}

// close ends a leadership at a moment, or where it was suspended without having
// done anything since.
func (c *leadershipTracker) close(r *leadership, at int64, cause string) {
	if r.suspended && (r.restored == 0 || !c.worked(r.restored, at)) {
		at, cause = r.since, r.why
	}
	r.finish(at, cause)
	c.open = slices.DeleteFunc(c.open, func(o *leadership) bool { return o == r })
}

func (r *leadership) finish(at int64, cause string) {
	r.open, r.end, r.cause = false, max(at, r.begin), cause
}

// worked reports whether an operation called at from or later succeeded by to.
// Final reads count: they are work too.
func (c *leadershipTracker) worked(from, to int64) bool {
	mono := c.log.mono
	for _, op := range c.log.returned(Window{from - mono, to + 1 - mono}) {
		if op.outcome == isOK && op.call >= from {
			return true
		}
	}
	return false
}

func (c *leadershipTracker) openOf(node string) *leadership {
	for _, r := range c.open {
		if r.node == node {
			return r
		}
	}
	return nil
}
