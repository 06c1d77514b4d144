package traces

import (
	"fmt"
	"slices"

	"squall/history"
	"squall/history/check"
	"squall/history/trace"
)

// answerable is when the traces tell of steps that an answer to a client has to follow:
// a bit for each millisecond from the first step on. It holds a day.
type answerable struct {
	from, to int64 // ns
	commits  []uint64
	served   []uint64
	lacks    trace.Lacks
	alive    map[trace.NodeID]map[int64]bool // the seconds in which a node took a step
	starts   map[trace.NodeID][]int64        // ns, in their order
	last     map[trace.NodeID]int64          // a node's last step, ns
	ends     []traceEnd
}

// traceEnd is where the trace of a server ends that was started again: from its last step
// on, a power cut may have taken a part along that the agent had not sent yet.
type traceEnd struct {
	node          trace.NodeID
	last, started int64 // ns
}

const (
	answerGrain = 1e6                // ns
	answerMost  = 24 * 60 * 60 * 1e3 // grains
	// answerSlack is how far the times of clients and nodes may differ, ns. They are of
	// one clock, or of two that are compared to some milliseconds.
	answerSlack = 25e6
	// aliveWithin is how long a node that answers clients may take no step, s: it is sent
	// heartbeats, sends them, or asks for votes, many times a second.
	aliveWithin = 5
	// goneWith is how much of a trace may go down with its machine and be no reason to doubt
	// the rest, ns: an agent sends what it has many times a second.
	goneWith = 1e9
)

// step takes a step of a node.
func (a *answerable) step(e *trace.Event) {
	if a.from == 0 {
		a.from = e.Time
	}
	a.to = max(a.to, e.Time)
	if last, known := a.last[e.Node]; known && e.Kind == trace.Start {
		a.ends = append(a.ends, traceEnd{e.Node, last, e.Time})
	}
	a.took(e)
	switch e.Kind {
	case trace.Start:
		a.lacks |= e.Lacks
		if a.starts == nil {
			a.starts = map[trace.NodeID][]int64{}
		}
		a.starts[e.Node] = append(a.starts[e.Node], e.Time)
	case trace.Commit:
		a.mark(&a.commits, e.Time)
	case trace.ReadServed:
		a.mark(&a.served, e.Time)
	}
}

// took notes that a node took a step.
func (a *answerable) took(e *trace.Event) {
	if e.Kind == trace.Silent {
		return
	}
	if a.last == nil {
		a.last = map[trace.NodeID]int64{}
	}
	a.last[e.Node] = e.Time
	seconds := a.alive[e.Node]
	if seconds == nil {
		seconds = map[int64]bool{}
		if a.alive == nil {
			a.alive = map[trace.NodeID]map[int64]bool{}
		}
		a.alive[e.Node] = seconds
	}
	if s := (e.Time - a.from) / 1e9; s < answerMost/1e3 {
		seconds[s] = true
	}
}

// dead says whether a node took no step in the seconds before to, or since from.
func (a *answerable) dead(id trace.NodeID, from, to int64) bool {
	first, last := min(from, to-aliveWithin*1e9)-answerSlack-a.from, to+answerSlack-a.from
	if first < 0 {
		return false
	}
	for s := first / 1e9; s <= last/1e9; s++ {
		if a.alive[id][s] {
			return false
		}
	}
	return true
}

func (a *answerable) mark(bits *[]uint64, t int64) {
	i := (t - a.from) / answerGrain
	if i < 0 || i >= answerMost {
		return
	}
	for int64(len(*bits)) <= i/64 {
		*bits = append(*bits, 0)
	}
	(*bits)[i/64] |= 1 << (i % 64)
}

// between says whether there was such a step in a time, give or take the slack.
func (a *answerable) between(bits []uint64, from, to int64) bool {
	first := max(0, (from-answerSlack-a.from)/answerGrain)
	last := (to + answerSlack - a.from) / answerGrain
	for i := first; i <= last && i/64 < int64(len(bits)); i++ {
		if bits[i/64] == 0 {
			i |= 63 // on to the next word
			continue
		}
		if bits[i/64]&(1<<(i%64)) != 0 {
			return true
		}
	}
	return false
}

// covers says whether the traces tell of that time.
func (a *answerable) covers(from, to int64) bool {
	return a.from > 0 && from >= a.from && to <= a.to && (to-a.from)/answerGrain < answerMost
}

// unexplained finds the first answer to a client that no step of any node explains: a
// change although nothing was committed between its call and its return, or a read
// although no reads were served and nothing was committed; or one of a node that by its
// own trace took no step at all for seconds. The traces are not true then.
func unexplained(in *check.Input, a *answerable) (list []string) {
	for i := range in.Ops {
		op := &in.Ops[i]
		if op.Outcome != history.OK || !a.covers(op.Call, op.Return) {
			continue
		}
		if a.silentBeside(in, op) {
			return []string{silentText(in, op, a.endLost(nodeID(0, op.Node), op.Return))}
		}
		switch {
		case a.lacks.Kind(trace.Commit):
		case in.Functions.Changed(op):
			if !a.between(a.commits, op.Call, op.Return) {
				list = a.unexplainedBy(in, op, "commits anything")
			}
		case in.Functions.Reads(op.Func) && !a.lacks.Kind(trace.ReadServed):
			if !a.between(a.served, op.Call, op.Return) && !a.between(a.commits, op.Call, op.Return) {
				list = a.unexplainedBy(in, op, "serves reads or commits anything")
			}
		}
		if list != nil {
			return list
		}
	}
	return nil
}

// silentBeside says whether the node that answered was dead by its own trace. A node
// alone, and one that does not tell of messages, may take no step for long.
func (a *answerable) silentBeside(in *check.Input, op *history.Op) bool {
	id := nodeID(0, op.Node)
	if len(in.Header.Nodes) < 2 || a.lacks.Kind(trace.Send) || a.lacks.Kind(trace.Receive) || a.alive[id] == nil {
		return false
	}
	return a.dead(id, op.Call, op.Return)
}

// endLost is when a node was started again that took no step from a moment until then: the
// end of its trace went down with its machine. 0: it took one, or was not started again.
func (a *answerable) endLost(id trace.NodeID, from int64) (started int64) {
	i := slices.IndexFunc(a.starts[id], func(start int64) bool { return start > from })
	if i < 0 {
		return 0
	}
	started = a.starts[id][i]
	for s := (from - a.from) / 1e9; s < (started-a.from)/1e9; s++ {
		if a.alive[id][s] {
			return 0
		}
	}
	return started
}

func silentText(in *check.Input, op *history.Op, started int64) string {
	text := fmt.Sprintf("%s answered %s at %s, and its own trace tells of no step in the %d s before: ", op.Node, in.Functions.Tell(op), in.Clock(op.Return), aliveWithin)
	if started > 0 {
		return text + "the end of it, up to its next start at " + in.Clock(started) + ", is lost"
	}
	return text + "it is not true"
}

// unexplainedBy tells of an answer that no step explains. None is missed where it may
// have gone down with a machine a moment after the last step that is known of it.
func (a *answerable) unexplainedBy(in *check.Input, op *history.Op, what string) []string {
	text := fmt.Sprintf("%s answered %s at %s, and by the traces no node %s between its call and its answer: ",
		op.Node, in.Functions.Tell(op), in.Clock(op.Return), what)
	lost := -1
	for i, end := range a.ends {
		if end.last > op.Return || end.started < op.Return {
			continue
		}
		if op.Return-end.last <= goneWith {
			return nil
		}
		lost = i
	}
	if lost < 0 {
		return []string{text + "they are not true"}
	}
	end := a.ends[lost]
	return []string{text + fmt.Sprintf("that of %s, from %s up to its next start at %s, is lost",
		nodeName(in.Header.Nodes, end.node), in.Clock(end.last), in.Clock(end.started))}
}
