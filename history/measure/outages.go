package measure

import "squall/history"

// Outage is a time in which something kept a node from taking part; ns since
// the start.
type Outage struct {
	Node  string
	Cause string // CauseKilled, CausePaused or CauseCutOff
	Window
}

// Outages lists when nodes were down, paused, or cut off from a majority, by
// node and then by time, up to the end of the test.
func Outages(in *history.History) []Outage {
	c := newCluster(in)
	end := in.Header.Mono + TestEnd(in)
	current := map[string]Outage{}
	byNode := map[string][]Outage{}
	note := func(node, cause string, at int64) {
		at -= in.Header.Mono
		if was, is := current[node]; is && was.Cause != cause {
			was.End = at
			if was.End > was.Begin {
				byNode[node] = append(byNode[node], was)
			}
			delete(current, node)
		}
		if _, is := current[node]; !is && cause != "" {
			current[node] = Outage{Node: node, Cause: cause, Window: Window{Begin: at}}
		}
	}
	for _, s := range steps(in) {
		if s.at > end {
			break
		}
		c.take(s)
		for _, n := range c.nodes {
			cause := c.hinders(n)
			if cause == CauseNoQuorum { // the others' trouble, not its own
				cause = ""
			}
			note(n, cause, s.at)
		}
	}
	var out []Outage
	for _, n := range c.nodes {
		note(n, "", end)
		out = append(out, byNode[n]...)
	}
	return out
}
