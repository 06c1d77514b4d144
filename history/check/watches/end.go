package watches

import (
	"fmt"
	"time"

	"squall/history"
	"squall/history/check"
	"squall/history/check/validity"
	"squall/history/objects"
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
		if op.Func != objects.Watch {
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
	request, err := objects.ParseWatchRequest(v.first.In)
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
		why = "it was tried for " + check.Took(tried) + " alone"
	}
	if why != "" {
		if l.open == "" {
			l.open = fmt.Sprintf("after the storm %s did not tell a watch of %s, which was acknowledged, but that shows nothing, because %s", history.Show(node), l.name(w), why)
		}
		return
	}
	f := &watchFinding{kind: check.KindEventNever, at: max(v.first.Call+int64(arriveTries), w.known), write: w, suspect: w.op, ops: []*history.Op{v.last}, what: "does not arrive on " + history.Show(node)}
	f.wrong = func(l *eventLog) string {
		return fmt.Sprintf(", but after the storm %s, which acknowledged writes again, did not tell a watch of it, from %.3f s to %.3f s", history.Show(node), l.in.Since(v.first.Call), l.in.Since(v.last.Return))
	}
	f.more = func(*eventLog) string {
		return fmt.Sprintf(" The last try ended with: %s.", history.Show(v.last.Error))
	}
	l.note(nil, f)
}

// promised is an acknowledged write that a request must be told of; nil when there is none.
func (l *eventLog) promised(prefix string, r objects.WatchRequest) *logWrite {
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
	if wrong := validity.Infrastructure(in); len(wrong) > 0 {
		return "the infrastructure failed: " + wrong[0]
	}
	if text := validity.Overload(in, nil); len(text) > 0 {
		return text[0]
	}
	if t := validity.TellFaults(in); len(t.Unhealed) > 0 {
		return t.Unhealed[0]
	}
	switch _, healed := in.MarkOf(history.MarkHealed); {
	case !healed:
		return "the history does not say that the faults were healed"
	case in.Info.Truncated != "":
		return "the history is cut short"
	case validity.CrashedNodes(in)[node]:
		return "its server crashed"
	case validity.EndedByOthers(in)[node] != "":
		return "its server was ended: " + validity.EndedByOthers(in)[node]
	}
	return ""
}
