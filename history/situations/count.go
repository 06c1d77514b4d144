package situations

import (
	"strings"

	"squall/history/trace"
)

// Count is how often a situation occurred.
type Count struct {
	Situation
	N           int
	First, Last Moment // zero if N is 0
	// Hidden says why it cannot be seen in this trace; "" if it can.
	Hidden string
}

// Counts are those of all situations, in the order of All.
func (t *Tracker) Counts() []Count {
	list := make([]Count, howMany)
	for i, s := range t.all {
		c := &t.counts[i]
		list[i] = Count{Situation: s, N: c.n, First: c.first.clone(), Last: c.last.clone(), Hidden: hidden(&s, t.lacks)}
	}
	return list
}

// Events is how many events there were.
func (t *Tracker) Events() int64 { return t.events }

// Silent are the nodes of which it is not known all the time what they did: more may
// have occurred than was counted.
func (t *Tracker) Silent() (ids []trace.NodeID) {
	for _, n := range t.nodes {
		if t.silent.has(n.at) {
			ids = append(ids, n.id)
		}
	}
	return ids
}

// Crowded says that there were more nodes than are followed, which is 64.
func (t *Tracker) Crowded() bool { return t.crowded }

// lack takes in what a server never tells. What is hidden in the trace of one node is
// not counted at all: it would be counted wrong.
func (t *Tracker) lack(lacks trace.Lacks) {
	if t.lacks|lacks == t.lacks {
		return
	}
	t.lacks |= lacks
	for i := range t.all {
		if hidden(&t.all[i], t.lacks) != "" {
			t.blind[i], t.counts[i] = true, count{}
		}
	}
}

// hidden says which of a situation's needs are lacking.
func hidden(s *Situation, lacks trace.Lacks) string {
	var missing []string
	for _, k := range s.Needs {
		if lacks.Kind(k) {
			missing = append(missing, k.String())
		}
	}
	if lacks&s.Fields&trace.LacksNumbers != 0 {
		missing = append(missing, "numbers of messages")
	}
	if lacks&s.Fields&trace.LacksStored != 0 {
		missing = append(missing, "what was stored at a start")
	}
	if len(missing) == 0 {
		return ""
	}
	return "the trace lacks " + strings.Join(missing, ", ")
}
