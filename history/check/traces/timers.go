package traces

import (
	"math"

	"squall/history"
)

const electionTimersName = "election-timers"

// electionTimers: a node waits for a random time, drawn anew for each election, from when
// it last heard the leader or granted its vote (Fig. 2; §5.2). It goes by the timeouts
// that nodes tell when one has expired:
//   - two that one node used in a row, or that two nodes used, are not the same: that
//     would be by chance alone, which is weighed by how finely they are drawn;
//   - none began before the node granted its vote to somebody else. This is not looked at
//     on nodes whose clocks are bent at some time, for timers go by them.
func electionTimers(a *audit, events []history.NodeEvent) {
	var expired []*history.NodeEvent
	granted := map[string]*history.NodeEvent{} // by node: its last vote for another
	last := map[string]*history.NodeEvent{}    // by node: its last expiry
	var again coincidences
	for i := range events {
		if a.over() {
			return
		}
		e := &events[i]
		switch {
		case e.Kind == history.EventStart:
			delete(granted, e.Node)
			delete(last, e.Node)
		case e.Kind == history.EventVote && e.Vote != e.Node:
			granted[e.Node] = e
		case e.Kind == history.EventRole && e.Timeout > 0:
			a.events++
			if g := granted[e.Node]; g != nil && !a.bent[e.Node] && g.Time > began(e)+timerGrain {
				a.conflict(g, e, "%s granted its vote to %s, and %d ms later its election timeout of %d ms was over: it had begun before the vote",
					e.Node, g.Vote, (e.Time-g.Time)/1e6, e.Timeout/1e6)
			}
			if before := last[e.Node]; before != nil {
				again.pairs++
				again.note(before, e)
			}
			last[e.Node] = e
			expired = append(expired, e)
		}
	}
	a.looked = len(expired)
	alike := shared(expired)
	fine := fineness(expired)
	if again.odd(fine) {
		a.conflict(again.first[0], again.first[1], "%s waited twice in a row for the same election timeout, %d ns: it is not drawn anew (%d times of %d)",
			again.first[0].Node, again.first[0].Timeout, again.same, again.pairs)
	}
	if alike.odd(fine) {
		a.conflict(alike.first[0], alike.first[1], "%s and %s waited for the same election timeout, %d ns: nodes draw the same ones (%d times)",
			alike.first[0].Node, alike.first[1].Node, alike.first[0].Timeout, alike.same)
	}
}

// timerGrain is how far the time of an event and that of a timer may be apart.
const timerGrain = int64(1e6)

// began is when the timer was set that had expired at an event.
func began(e *history.NodeEvent) int64 { return e.Time - e.Late - e.Timeout }

// coincidences are timeouts that are the same, of so many pairs of them.
type coincidences struct {
	pairs, same int
	first       [2]*history.NodeEvent
}

func (c *coincidences) note(x, y *history.NodeEvent) {
	if x.Timeout != y.Timeout {
		return
	}
	if c.same == 0 {
		c.first = [2]*history.NodeEvent{x, y}
	}
	c.same++
}

// byChance is the greatest chance at which coincidences are held against a node.
const byChance = 1e-6

// odd reports whether there are more of them than chance explains: of each pair the two
// are the same once in fine, so k of them or more come with a chance of less than
// (pairs/fine)^k / k!.
func (c *coincidences) odd(fine float64) bool {
	if c.same == 0 {
		return false
	}
	expected := float64(c.pairs) / fine
	factorial, _ := math.Lgamma(float64(c.same) + 1)
	return float64(c.same)*math.Log(expected)-factorial < math.Log(byChance)
}

// shared are the coincidences between different nodes.
func shared(expired []*history.NodeEvent) (c coincidences) {
	of := map[string]int{}
	by := map[int64]*history.NodeEvent{} // the first node with a timeout
	for _, e := range expired {
		of[e.Node]++
		if by[e.Timeout] == nil {
			by[e.Timeout] = e
		}
	}
	n := len(expired)
	c.pairs = n * (n - 1) / 2
	for _, k := range of {
		c.pairs -= k * (k - 1) / 2
	}
	for _, e := range expired {
		if first := by[e.Timeout]; first.Node != e.Node {
			c.note(first, e)
		}
	}
	return c
}

// fineness is how many timeouts there are to draw from, as far as those that were drawn
// show: between the least and the greatest, in steps of what divides them all.
func fineness(expired []*history.NodeEvent) float64 {
	if len(expired) == 0 {
		return 1
	}
	step, least, greatest := int64(0), expired[0].Timeout, expired[0].Timeout
	for _, e := range expired {
		step = divisor(step, e.Timeout)
		least, greatest = min(least, e.Timeout), max(greatest, e.Timeout)
	}
	return float64((greatest-least)/step + 1)
}

// divisor is the greatest common divisor.
func divisor(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
