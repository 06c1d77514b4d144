package reports

import (
	"slices"

	"squall/history"
	"squall/history/measure"
)

// staleOf are the times in which nodes took themselves for the leader although they had
// ceased to be it: cut off, paused, or with another one elected. Each ends when the node
// says that it is something else, ends or starts again; End is 0 where it never did.
func staleOf(in *history.History, leaderships []measure.Leadership) []measure.Leadership {
	turns := map[string][]int64{} // when each node last was what it had been, ns since the start
	for i := range in.Nodes {
		e := &in.Nodes[i]
		if e.Kind == history.EventRole || e.Kind == history.EventExit || e.Kind == history.EventStart {
			turns[e.Node] = append(turns[e.Node], e.Time-in.Header.Mono)
		}
	}
	for _, t := range turns {
		slices.Sort(t)
	}
	var stale []measure.Leadership
	for _, l := range leaderships {
		if l.End == 0 {
			continue
		}
		s := measure.Leadership{Node: l.Node, Term: l.Term, Begin: l.End, Cause: l.Cause}
		t := turns[l.Node]
		if i, _ := slices.BinarySearch(t, l.Begin+1); i < len(t) {
			s.End = t[i]
		}
		if s.End == 0 || s.End > s.Begin {
			stale = append(stale, s)
		}
	}
	return stale
}
