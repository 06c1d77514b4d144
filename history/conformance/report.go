package conformance

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"squall/history/trace"
)

// Report is what a checker found.
type Report struct {
	Events     int64
	Nodes      []trace.NodeID // that told anything
	Violations []Violation    // one a rule, the first first
	Unsure     []Unsure       // by time
	Off        []Off
	Decided    []Decided // for each rule
	Crowded    bool      // there are more nodes than are followed
}

// Off is a rule that some nodes do not tell enough for.
type Off struct {
	Rule  Rule
	Nodes []trace.NodeID
	Why   string
}

// Decided is how often a rule was decided.
type Decided struct {
	Rule  Rule
	Times int64
}

// Report ends the check. The checker must not be used any more.
func (c *Checker) Report() *Report {
	c.settle()
	r := &Report{Events: c.events, Unsure: c.unsure, Crowded: c.beyond}
	for _, n := range c.nodes {
		if n.told {
			r.Nodes = append(r.Nodes, n.id)
		}
	}
	for id := range ruleCount {
		if v := c.found[id]; v != nil {
			r.Violations = append(r.Violations, *v)
		}
		r.Decided = append(r.Decided, Decided{rules[id], c.looked[id]})
		if nodes := c.lacks[id]; len(nodes) > 0 {
			r.Off = append(r.Off, Off{Rule: rules[id], Nodes: nodes, Why: c.lacking(id)})
		}
	}
	slices.SortStableFunc(r.Violations, func(a, b Violation) int { return cmp.Compare(a.At(), b.At()) })
	slices.SortStableFunc(r.Unsure, func(a, b Unsure) int { return cmp.Compare(a.Time, b.Time) })
	return r
}

// settle decides what waited for later events.
func (c *Checker) settle() {
	for _, w := range c.unmatched.queue[c.unmatched.head:] {
		c.giveUp(w.key)
	}
	for _, n := range c.nodes {
		if n.expected && !n.told {
			c.unsure = append(c.unsure, Unsure{Node: n.id, Why: "there is no trace of it"})
		}
	}
}

// lack notes that a node does not tell enough for a rule.
func (c *Checker) lack(r ruleID, id trace.NodeID) {
	if !slices.Contains(c.lacks[r], id) {
		c.lacks[r] = append(c.lacks[r], id)
	}
}

// lacking says why a rule is off.
func (c *Checker) lacking(r ruleID) string {
	var why trace.Lacks
	for _, id := range c.lacks[r] {
		why |= c.node(id).lacks & rules[r].needs
	}
	other := ""
	for _, id := range c.lacks[r] {
		other = orElse(other, c.node(id).readsBy)
	}
	if why == 0 {
		return fmt.Sprintf("reads are served by %q", other)
	}
	return "the trace lacks " + lackNames(why)
}

// lackNames names what a trace lacks.
func lackNames(l trace.Lacks) string {
	var names []string
	for _, k := range trace.Kinds() {
		if l.Kind(k) {
			names = append(names, k.String())
		}
	}
	for _, f := range []struct {
		bit  trace.Lacks
		name string
	}{
		{trace.LacksNumbers, "message numbers"}, {trace.LacksHash, "hashes"},
		{trace.LacksRounds, "rounds of heartbeats"}, {trace.LacksStored, "what a start has loaded"},
		{trace.LacksTypes, "messages of some types"}, {trace.LacksBegunConfigs, "when a change of the configuration begins"},
		{trace.LacksMembers, "who votes"}, {trace.LacksMade, "when a message was made"},
	} {
		if l&f.bit != 0 {
			names = append(names, f.name)
		}
	}
	return strings.Join(names, ", ")
}

// readsOtherwise notes that a node serves reads in another way than by rounds.
func (c *Checker) readsOtherwise(n *node, how string) {
	n.readsBy = how
	c.lack(readConfirmed, n.id)
	c.lack(readIndex, n.id)
}

func sprintf(format string, args ...any) string { return fmt.Sprintf(format, args...) }

func sortEvents(events []trace.Event) {
	slices.SortStableFunc(events, func(a, b trace.Event) int { return cmp.Compare(a.Time, b.Time) })
}

func sortedKeys[V any](m map[uint64]V) []uint64 {
	keys := make([]uint64, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
