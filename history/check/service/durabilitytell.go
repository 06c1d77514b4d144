package service

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"squall/history"
	"squall/history/check"
	"squall/history/objects"
	numbers "squall/internal/number"
)

// missingNamed is how many missing writes are named; more tell nobody anything.
const missingNamed = 3

// show fills in the violation.
func (t *writtenTally) show(w *missingWrite, res *check.Result) {
	res.Verdict, res.Key = check.Violation, w.object.name
	res.FirstAt = t.in.FirstAt(w.look.op.Return)
	if res.Kind = t.of.kind; w.shown {
		res.Kind = check.KindStaleRead
	}
	verb := "are"
	if len(t.missing) == 1 {
		verb = "is"
	}
	res.Summary = fmt.Sprintf("%s of %s acknowledged %s %s missing after the storm: ", numbers.Count(len(t.missing)), numbers.Count(t.acked), t.of.things, verb)
	var named []string
	for i := range t.missing[:min(len(t.missing), missingNamed)] {
		named = append(named, t.name(&t.missing[i]))
	}
	if more := len(t.missing) - missingNamed; more > 0 {
		named = append(named, fmt.Sprintf("and %s more", numbers.Count(more)))
	}
	res.Summary += strings.Join(named, "; ")
	res.Explanation = t.explain(w)
	res.Witness = t.witness(w)
}

// name tells of a write that is missing, and through which nodes.
func (t *writtenTally) name(m *missingWrite) string {
	var nodes []string
	for _, n := range m.nodes {
		nodes = append(nodes, history.Show(n))
	}
	where := "through " + check.Listed(nodes)
	if !m.shown && len(nodes) > 1 {
		where = "through any of " + check.Listed(nodes)
	}
	return fmt.Sprintf("%s, acknowledged by %s at %s, is not found %s", check.Briefly(t.in.Functions, m.op), history.Show(m.op.Node), t.in.Clock(m.op.Return), where)
}

// explain tells in a sentence what the write and the look that misses it were like.
func (t *writtenTally) explain(m *missingWrite) string {
	w, l := m.op, m.look.op
	text := fmt.Sprintf("%s%s acknowledged %s at %.3f s, but %s answered %s at %.3f s, when every fault was healed.",
		history.Show(w.Node), check.Standing(t.in, w.Node, w.Return), check.Briefly(t.in.Functions, w), t.in.Since(w.Return),
		history.Show(l.Node), check.Briefly(t.in.Functions, l), t.in.Since(l.Return))
	return text + check.Elsewhere(t.in, w.Node, w.Return)
}

// witness are the write, the first look that misses it, and a look of another node that
// shows it, if one does.
func (t *writtenTally) witness(m *missingWrite) []check.WitnessOp {
	ops := []check.WitnessOp{check.AsWitness(m.op, t.in), check.AsWitness(m.look.op, t.in)}
	for _, node := range t.in.Header.Nodes {
		if l, ok := m.object.looks[node]; ok && !slices.Contains(m.nodes, node) {
			row := check.AsWitness(l.op, t.in)
			row.Beside = true
			ops = append(ops, row)
			break
		}
	}
	slices.SortStableFunc(ops, func(a, b check.WitnessOp) int { return cmp.Compare(a.Call, b.Call) })
	return ops
}

// RegisterWrites are writes of registers: a final read must find the last one that was
// acknowledged, or one that may have come after it.
func RegisterWrites() Written {
	return Written{thing: "write", things: "writes", kind: check.KindLostWrite,
		wrote: func(op *history.Op, tell func(string, history.Data)) {
			var said history.RegisterData
			if op.AsRegister(&said) != nil {
				return
			}
			switch {
			case op.Func == history.Write, op.Func == history.CAS && (op.Outcome != history.OK || said.Swapped):
				tell(op.Key, said.Value)
			case op.Func == history.Delete:
				tell(op.Key, history.Null)
			}
		},
		found:   foundBy(history.Read),
		missing: missingLast,
	}
}

// missingLast are the acknowledged writes that may have come last, where what was found
// cannot: some acknowledged write began after every write of that had returned. A write
// of unknown outcome never returned, and what one that was answered "failed" did is left
// to others.
func missingLast(o *writtenObject, l look) (missing []*writtenOp) {
	last := int64(-1) // of nothing, which was there before all
	for i := range o.writes {
		if w := &o.writes[i]; w.value == l.found {
			if !w.acknowledged() {
				return nil
			}
			last = max(last, w.op.Return)
		}
	}
	latest := int64(-1) // the call of an acknowledged write
	for i := range o.writes {
		if w := &o.writes[i]; w.acknowledged() && w.op.Return < l.op.Call {
			latest = max(latest, w.op.Call)
		}
	}
	if latest <= last {
		return nil
	}
	for i := range o.writes {
		if w := &o.writes[i]; w.acknowledged() && w.op.Return < l.op.Call && w.op.Return >= latest {
			missing = append(missing, w)
		}
	}
	return missing
}

// SetWrites are elements of sets: a final read must find every one that was acknowledged.
func SetWrites() Written {
	return Written{thing: "element", things: "elements", kind: check.KindLostElement,
		wrote: func(op *history.Op, tell func(string, history.Data)) {
			if op.Func == objects.Add {
				tell(op.Key, op.In)
			}
		},
		found:   foundBy(history.Read),
		missing: missingAll,
	}
}

// missingAll are the acknowledged elements that a list lacks.
func missingAll(o *writtenObject, l look) (missing []*writtenOp) {
	found := make(map[history.Data]bool, len(o.writes))
	for e := range l.found.Elements() {
		found[e] = true
	}
	for i := range o.writes {
		if w := &o.writes[i]; w.acknowledged() && !found[w.value] && w.op.Return < l.op.Call {
			missing = append(missing, w)
		}
	}
	return missing
}

// AppendWrites are elements of lists that transactions append to.
func AppendWrites() Written {
	return Written{thing: "element", things: "elements", kind: check.KindLostElement,
		wrote: func(op *history.Op, tell func(string, history.Data)) {
			ops, err := objects.ParseTxn(op, nil)
			if err != nil {
				return
			}
			for _, o := range ops {
				if o.Element != "" {
					tell(listName(o.Key), o.Element)
				}
			}
		},
		found: func(op *history.Op, tell func(string, history.Data)) {
			for e := range op.Out.Elements() {
				if o, found, err := objects.ParseTxnOp(e); err == nil && o.Element == "" {
					tell(listName(o.Key), found)
				}
			}
		},
		missing: missingAll,
	}
}

func listName(key history.Data) string {
	name, _ := key.Text()
	return name
}

// foundBy tells what the operations of a function were answered about their key.
func foundBy(f history.Func) func(op *history.Op, tell func(string, history.Data)) {
	return func(op *history.Op, tell func(string, history.Data)) {
		if op.Func == f {
			tell(op.Key, op.Out)
		}
	}
}

// LockWrites are grants and releases of locks: an acquire after the storm must find the
// lock as the last grant that was acknowledged left it.
func LockWrites() Written {
	return Written{thing: "grant or release", things: "grants and releases", kind: check.KindWrongHolder,
		wrote: func(op *history.Op, tell func(string, history.Data)) {
			o, err := objects.ParseLock(op)
			if err == nil && (!o.Answered || o.Granted || o.Released) {
				tell(op.Key, o.Owner)
			}
		},
		found:   foundBy(objects.Acquire),
		missing: missingGrant,
	}
}

// missingGrant is the last acknowledged grant, when it was not released and somebody else
// got or has the lock, or when a token is given again; or the release of it, when its
// owner still has the lock.
func missingGrant(o *writtenObject, l look) []*writtenOp {
	looked, err := objects.ParseLock(l.op)
	if err != nil {
		return nil
	}
	var last, release *writtenOp
	var granted objects.LockOp
	for i := range o.writes {
		w := &o.writes[i]
		said, err := objects.ParseLock(w.op)
		if err == nil && said.Granted && w.op.Return < l.op.Call && (last == nil || said.Token > granted.Token) {
			last, granted = w, said
		}
	}
	if last == nil {
		return nil
	}
	asked := false
	for i := range o.writes {
		w := &o.writes[i]
		said, err := objects.ParseLock(w.op)
		if err != nil || said.Acquires || said.Owner != granted.Owner || said.Token != granted.Token || w.op.Outcome == history.Fail {
			continue
		}
		asked = true
		if said.Released && w.op.Return < l.op.Call {
			release = w
		}
	}
	holds := !looked.Granted && looked.Holder == granted.Owner
	switch {
	case release != nil && holds:
		return []*writtenOp{release}
	case !asked && !holds, looked.Granted && looked.Token <= granted.Token:
		return []*writtenOp{last}
	}
	return nil
}
