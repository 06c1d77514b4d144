package check

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"squall/history"
)

// A trace that ends while its server runs on hides what the server did: checks of
// the trace must not pass over it. The agent sees a server that closes its trace
// (history.EventSilent). One that just stops to write is seen by others: clients
// got answers from that server, or other nodes went on to commit, and its trace
// tells nothing of either.
const (
	// calmSilence is how much time without faults a server may be at work, by the
	// answers that it gave, before its trace must have said something: an idle node
	// writes nothing, but where writes succeed the commit index moves on.
	// anySilence is the same with faults, under which a node may lag behind.
	calmSilence = 5 * time.Second
	anySilence  = 20 * time.Second
	// endingTakes is how long before its end a server may close its trace that
	// squall does not end.
	endingTakes = 2 * time.Second
	// idleSilence is for a node that no client asked, by the commits of the others.
	idleSilence = 10 * time.Second
)

// Silence is a stretch in which a server ran and its trace told nothing.
type Silence struct {
	Node string
	from int64 // on the machines' clock
	Text string
}

// bootTrace is one start of a server, and what is known of its trace.
type bootTrace struct {
	node       string
	boot       int
	start, end int64
	traced     bool
	last       int64 // the last event of its trace, or its start
	answered   int64 // the last call that it answered
}

// silences finds the servers whose trace fell silent, in the order of time. There
// are none where no server wrote a trace at all. stop is the limit that was reached
// before the end.
func silences(in *Input, limit *Budget) (found []Silence, stop string) {
	traced := false
	known := map[string]bool{} // nodes whose silence the agent told of
	over := lastReturn(in)     // from then on squall takes the servers down
	exits := exitTimes(in)
	for i := range in.Nodes {
		if stop = limit.Spent(); stop != "" {
			return nil, stop
		}
		e := &in.Nodes[i]
		traced = traced || e.OfTrace()
		if e.Kind != history.EventSilent || known[e.Node] || e.Time > over {
			continue
		}
		// A server that is ending closes its files before it is gone: a moment, by
		// itself; however long it takes, once squall has begun to end it.
		end, ended := exits[startOf{e.Node, e.Boot}]
		if !ended || end.at-e.Time > int64(endingTakes) && !(history.OwnDoing(end.reason) && beganToEnd(in.Faults, e)) {
			known[e.Node] = true
			found = append(found, Silence{e.Node, e.Time, fmt.Sprintf("the trace of %s is silent from %s on (%s)", e.Node, in.Clock(e.Time), e.Reason)})
		}
	}
	if !traced {
		return found, ""
	}
	boots := bootTraces(in)
	wrote, stop := noteAnswers(in, boots, limit)
	if stop != "" {
		return nil, stop
	}
	faults := FaultTimes(in.Faults)
	for _, list := range boots {
		for i := range list {
			if stop = limit.Spent(); stop != "" {
				return nil, stop
			}
			if b := &list[i]; !known[b.node] {
				if text := b.silent(in, faults, wrote); text != "" {
					known[b.node] = true
					found = append(found, Silence{b.node, b.last, text})
				}
			}
		}
	}
	slices.SortFunc(found, func(a, b Silence) int { return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.Node, b.Node)) })
	return found, ""
}

// lastReturn is when the last operation of the history returned; the end of time
// where there is none.
func lastReturn(in *Input) int64 {
	last := int64(0)
	for i := range in.Ops {
		last = max(last, in.Ops[i].Return)
	}
	if len(in.Ops) == 0 {
		return 1 << 62
	}
	return last
}

// beganToEnd reports whether squall was giving a server of the event's node a
// fault that acts on processes or machines, at the time of the event.
func beganToEnd(faults []history.Fault, e *history.NodeEvent) bool {
	return slices.ContainsFunc(faults, func(f history.Fault) bool {
		return f.Phase == history.Inject && (f.Kind == history.KindProcess || f.Kind == history.KindMachine || f.Kind == history.KindDisk) &&
			slices.Contains(f.Targets, e.Node) && f.Begin <= e.Time && e.Time <= f.End
	})
}

// exit is how a start of a server ended.
type exit struct {
	at     int64
	reason string
}

// exitTimes are when the starts of servers ended, and why.
func exitTimes(in *Input) map[startOf]exit {
	exits := map[startOf]exit{}
	for i := range in.Nodes {
		if e := &in.Nodes[i]; e.Kind == history.EventExit {
			exits[startOf{e.Node, e.Boot}] = exit{e.Time, e.Reason}
		}
	}
	return exits
}

// bootTraces are the starts of each node's server, in order. A node of which the
// history tells no start counts as running from the first thing that it did.
func bootTraces(in *Input) map[string][]bootTrace {
	const never = int64(1) << 62
	boots := map[string][]bootTrace{}
	for i := range in.Nodes {
		e := &in.Nodes[i]
		list := boots[e.Node]
		if n := len(list); e.Kind == history.EventStart || n == 0 || list[n-1].boot < e.Boot {
			if n > 0 {
				list[n-1].end = min(list[n-1].end, e.Time)
			}
			list = append(list, bootTrace{node: e.Node, boot: e.Boot, start: e.Time, last: e.Time, end: never})
		}
		b := &list[len(list)-1]
		switch {
		case e.Boot != b.boot:
		case e.OfTrace():
			b.traced, b.last = true, e.Time
		case e.Kind == history.EventExit:
			b.end = min(b.end, e.Time)
		case e.Kind == history.EventResume: // it was paused: it had nothing to tell
			b.last = e.Time
		}
		boots[e.Node] = list
	}
	return boots
}

// noteAnswers notes when each start of a server last answered a client. wrote are
// moments at which a write had succeeded, in order, one in each second.
func noteAnswers(in *Input, boots map[string][]bootTrace, limit *Budget) (wrote []int64, stop string) {
	seconds := map[int64]int64{}
	for i := range in.Ops {
		if stop = limit.Spent(); stop != "" {
			return nil, stop
		}
		op := &in.Ops[i]
		if op.Outcome != history.OK {
			continue
		}
		if in.Functions.Changed(op) {
			s := op.Return / int64(time.Second)
			seconds[s] = max(seconds[s], op.Return)
		}
		list := boots[op.Node]
		if list == nil {
			list = []bootTrace{{node: op.Node, start: op.Call, last: op.Call, end: 1 << 62}}
			boots[op.Node] = list
		}
		k, _ := slices.BinarySearchFunc(list, op.Return, func(b bootTrace, t int64) int { return cmp.Compare(b.end, t) })
		if k < len(list) && op.Call >= list[k].start {
			list[k].answered = max(list[k].answered, op.Call)
		}
	}
	for _, t := range seconds {
		wrote = append(wrote, t)
	}
	slices.Sort(wrote)
	return wrote, ""
}

// silent says how a server's trace fell silent; "" when it did not.
func (b *bootTrace) silent(in *Input, faults []Span, wrote []int64) string {
	if s := (Span{b.last, b.answered}); calmTime(faults, s) >= int64(calmSilence) || s.Length() >= int64(anySilence) {
		// Some write after the last event, and a while before the last answer.
		k, _ := slices.BinarySearch(wrote, b.last+int64(time.Second))
		if k < len(wrote) && wrote[k] < b.answered-int64(time.Second) {
			return b.tell(in, "clients got answers from it until "+in.Clock(b.answered))
		}
	}
	if at := lastCommitOfOthers(in, b); calmTime(faults, Span{b.last, at}) >= int64(idleSilence) {
		return b.tell(in, "it ran on, and others committed until "+in.Clock(at))
	}
	return ""
}

func (b *bootTrace) tell(in *Input, how string) string {
	if !b.traced {
		return fmt.Sprintf("%s wrote no trace from %s on, though %s", b.node, in.Clock(b.start), how)
	}
	return fmt.Sprintf("the trace of %s is silent from %s on, though %s", b.node, in.Clock(b.last), how)
}

// lastCommitOfOthers is when another node last committed while this server ran.
func lastCommitOfOthers(in *Input, b *bootTrace) int64 {
	k, _ := slices.BinarySearchFunc(in.Nodes, b.end, func(e history.NodeEvent, t int64) int { return cmp.Compare(e.Time, t) })
	for k--; k >= 0 && in.Nodes[k].Time > b.last; k-- {
		if e := &in.Nodes[k]; e.Kind == history.EventCommit && e.Node != b.node {
			return e.Time
		}
	}
	return b.last
}

// SilentText tells of all silences in one line; "" for none.
func SilentText(list []Silence) string {
	const most = 3
	var texts []string
	for _, s := range list {
		texts = append(texts, s.Text)
	}
	if more := len(texts) - most; more > 0 {
		texts = append(texts[:most], fmt.Sprintf("and %d more", more))
	}
	return strings.Join(texts, "; ")
}

// startOf is one start of one node's server.
type startOf struct {
	node string
	boot int
}
