package check

import (
	"fmt"
	"time"

	"squall/history"
)

// arriveTries is for how long a watch must have been tried in vain, after the storm and
// through a node that takes writes, before what it lacks counts as never told.
const arriveTries = 5 * time.Second

// vain are tries of one final watch through one node.
type vain struct {
	first, last *history.Op
	answered    bool
}

// arrive sees to it that each node tells of all that was acknowledged, once the storm is
// over: the final watches ask for it, and one that was tried for long through a node that
// serves must have been answered. What is not the cluster's doing leaves it open.
func (l *eventLog) arrive() error {
	type ask struct {
		node string
		in   history.Data
	}
	tries := map[ask]*vain{}
	var order []ask
	serves := map[string]bool{}
	for i := range l.in.Ops {
		if err := l.over(); err != nil {
			return err
		}
		op := &l.in.Ops[i]
		if !op.Final {
			continue
		}
		if op.Func != Watch {
			serves[op.Node] = serves[op.Node] || op.Outcome == history.OK
			continue
		}
		k := ask{op.Node, op.In}
		v := tries[k]
		if v == nil {
			v = &vain{first: op, last: op}
			tries[k] = v
			order = append(order, k)
		}
		if op.Call < v.first.Call {
			v.first = op
		}
		if op.Return > v.last.Return {
			v.last = op
		}
		v.answered = v.answered || op.Outcome == history.OK
	}
	for _, k := range order {
		if v := tries[k]; !v.answered && serves[k.node] {
			l.never(v)
		}
	}
	return nil
}

// never notes a final watch that was not answered.
func (l *eventLog) never(v *vain) {
	request, err := ParseWatchRequest(v.first.In)
	if err != nil || request.Until == 0 {
		return // the check "recovery" tells of it
	}
	w := l.promised(v.first.Key, request)
	if w == nil {
		return
	}
	node := v.first.Node
	why := l.excuse(node)
	if tried := v.last.Return - v.first.Call; why == "" && tried < int64(arriveTries) {
		why = "it was tried for " + took(tried) + " alone"
	}
	if why != "" {
		if l.open == "" {
			l.open = fmt.Sprintf("after the storm %s did not tell a watch of %s, which was acknowledged, but that shows nothing, because %s", show(node), l.name(w), why)
		}
		return
	}
	f := &watchFinding{kind: KindEventNever, at: max(v.first.Call+int64(arriveTries), w.known), write: w, suspect: w.op, ops: []*history.Op{v.last}, what: "does not arrive on " + show(node)}
	f.wrong = func(l *eventLog) string {
		return fmt.Sprintf(", but after the storm %s, which acknowledged writes again, did not tell a watch of it, from %.3f s to %.3f s", show(node), l.in.since(v.first.Call), l.in.since(v.last.Return))
	}
	f.more = func(*eventLog) string { return fmt.Sprintf(" The last try ended with: %s.", show(v.last.Error)) }
	l.note(nil, f)
}

// promised is an acknowledged write that a request must be told of; nil when there is none.
func (l *eventLog) promised(prefix string, r WatchRequest) *logWrite {
	list, err := l.writesBelow(prefix)
	if err != nil {
		return nil
	}
	for _, g := range list {
		if w := &l.writes[g.write]; w.op.Outcome == history.OK && w.revision >= r.From && w.revision <= r.Until {
			return w
		}
	}
	return nil
}

// excuse says what else than the cluster may be to blame for what a node did not do after
// the storm; "" for nothing.
func (l *eventLog) excuse(node string) string {
	in := l.in
	if wrong := infrastructure(in); len(wrong) > 0 {
		return "the infrastructure failed: " + wrong[0]
	}
	if text := overload(in, nil); len(text) > 0 {
		return text[0]
	}
	if t := tellFaults(in); len(t.unhealed) > 0 {
		return t.unhealed[0]
	}
	switch _, healed := in.markOf(history.MarkHealed); {
	case !healed:
		return "the history does not say that the faults were healed"
	case in.Info.Truncated != "":
		return "the history is cut short"
	case crashedNodes(in)[node]:
		return "its server crashed"
	case endedByOthers(in)[node] != "":
		return "its server was ended: " + endedByOthers(in)[node]
	}
	return ""
}
