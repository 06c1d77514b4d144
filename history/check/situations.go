package check

import (
	"squall/history/situations"
	"squall/history/trace"
)

// Situations are those named situations of Raft that a run came to, as its trace tells.
// docs/situations.md explains them.
type Situations struct {
	// Full says that they were counted in a trace of version 2. One of version 1 shows
	// a few of them only.
	Full    bool `json:"full"`
	Reached int  `json:"reached"` // how many occurred
	Visible int  `json:"visible"` // how many the trace can show
	// Estimate is how many more of the same would reach, those that occurred included,
	// by Chao1.
	Estimate float64 `json:"estimate"`
	Events   int64   `json:"events"` // of the trace
	// Silent are the nodes of which it is not always known what they did.
	Silent []string `json:"silent,omitempty"`
	// Trouble says why a full trace was not counted, or not to its end; "" if it was.
	Trouble string      `json:"trouble,omitempty"`
	List    []Situation `json:"list"` // all there are, in the order of their groups
}

// Situation is what a run showed of one of them.
type Situation struct {
	Name  string `json:"name"`
	Group string `json:"group"`
	Text  string `json:"text"` // one sentence: what it is
	Count int    `json:"count"`
	First *Place `json:"first,omitempty"`
	Last  *Place `json:"last,omitempty"`
	// Hidden says why the trace cannot show it; "" if it can.
	Hidden string `json:"hidden,omitempty"`
	// Under counts the occurrences by the faults that were in force.
	Under []Under `json:"under,omitempty"`
}

// Place is where a situation occurred.
type Place struct {
	At    int64    `json:"at"`    // ns since the start of the test
	Event int64    `json:"event"` // the number of the event that showed it, from 1 on
	Nodes []string `json:"nodes"` // whom it concerns
}

// Under is how often a situation occurred while a kind of fault was in force.
type Under struct {
	Fault string `json:"fault"`
	// Role is what those nodes were that the fault hit, when it began: one of the Hit
	// constants.
	Role  string `json:"role"`
	Count int    `json:"count"`
}

// Whom a fault hit.
const (
	HitLeader    = "leader"
	HitFollowers = "followers"
	HitBoth      = "leader and followers"
	HitAll       = "all nodes"
	HitNoLeader  = "nobody led"
)

// observer counts the situations of a run.
type observer struct {
	tracker *situations.Tracker
	names   func(trace.NodeID) string
	mono    int64
	forces  *forces
	under   []map[int32]int // by situation, then by class of fault
}

func newObserver(r *Results, mono int64, nodes int, names func(trace.NodeID) string) *observer {
	o := &observer{tracker: situations.New(), names: names, mono: mono,
		forces: newForces(r.Faults, r.Elections.Leaderships, nodes), under: make([]map[int32]int, len(situations.All()))}
	o.tracker.Found = o.found
	return o
}

func (o *observer) found(occurrence situations.Occurrence) {
	for _, class := range o.forces.at(occurrence.Time - o.mono) {
		m := &o.under[occurrence.Situation]
		if *m == nil {
			*m = map[int32]int{}
		}
		(*m)[class]++
	}
}

// situations are what was counted so far.
func (o *observer) situations(full bool) *Situations {
	counts := o.tracker.Counts()
	s := &Situations{Full: full, Events: o.tracker.Events()}
	for i := range counts {
		c := &counts[i]
		out := Situation{Name: c.Name, Group: string(c.Group), Text: c.Text, Count: c.N, Hidden: c.Hidden}
		if c.N > 0 {
			out.First, out.Last, out.Under = o.place(c.First), o.place(c.Last), o.forces.list(o.under[i])
		}
		s.List = append(s.List, out)
	}
	s.sumUp()
	for _, id := range o.tracker.Silent() {
		s.Silent = append(s.Silent, o.names(id))
	}
	return s
}

func (o *observer) place(m situations.Moment) *Place {
	p := &Place{At: m.Time - o.mono, Event: m.Event, Nodes: []string{}}
	for _, id := range m.Nodes {
		p.Nodes = append(p.Nodes, o.names(id))
	}
	return p
}
