package service

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"squall/history"
	"squall/history/check"
	numbers "squall/internal/number"
)

// Durability returns the checker "durability": once the storm is over, every write that
// was acknowledged is found through every node, or something that may stand in its place.
// It goes by the final operations: of each object the last one that each node answered.
//
// That a write is missing is a violation. When the bound of the scan (history.MarkScan)
// was over before everything was read back through some node, it is Unknown. A history of
// before has no scan, and is judged by the final operations that it has.
func Durability(w Written) check.Checker { return durability{w} }

type durability struct{ of Written }

var _ check.Checker = durability{}

// Written says how to tell what the operations of a workload wrote, and whether a final
// operation shows it.
type Written struct {
	thing, things string     // a word for what is written: "write", "writes"
	kind          check.Kind // of what is found through no node
	// wrote tells what an operation writes, if it takes effect.
	wrote func(op *history.Op, tell func(object string, value history.Data))
	// found tells what an operation that was answered shows of objects.
	found func(op *history.Op, tell func(object string, value history.Data))
	// missing are the writes of an object that had been acknowledged and that a look
	// should show, and does not.
	missing func(o *writtenObject, l look) []*writtenOp
}

// writtenOp is something written by an operation.
type writtenOp struct {
	op    *history.Op
	value history.Data
}

func (w *writtenOp) acknowledged() bool { return w.op.Outcome == history.OK }

// look is what an operation after the storm showed of an object.
type look struct {
	op    *history.Op
	found history.Data
}

// writtenObject is what was written to an object, and what was found of it at last.
type writtenObject struct {
	name   string
	acked  int // of the load: those after it are held to what they were told, too, and not counted
	writes []writtenOp
	looks  map[string]look // by node
}

// Name is "durability".
func (durability) Name() string { return "durability" }

// Check implements Checker.
func (c durability) Check(ctx context.Context, in *check.Input) check.Result {
	b := check.NewBudget(ctx, in.Limits)
	defer b.Cancel()
	t, stop := c.gather(in, b)
	if stop == "" {
		stop = t.judge(b)
	}
	if stop != "" && t.worst() == nil {
		return check.Result{Verdict: check.Unknown, Summary: stop}
	}
	res := check.Result{Stats: map[string]float64{"acknowledged": float64(t.acked), "readBack": float64(t.somewhere),
		"throughEveryNode": float64(t.everywhere), "missing": float64(len(t.missing))}}
	t.tell(&res)
	return res
}

// tally of what became of the writes.
type writtenTally struct {
	of      Written
	in      *check.Input
	objects []*writtenObject
	// How many writes were acknowledged; of how many the object was looked at through
	// some node, and through every node.
	acked, somewhere, everywhere int
	looks                        int // operations after the storm that were answered
	missing                      []missingWrite
}

// missingWrite is an acknowledged write that some nodes do not have.
type missingWrite struct {
	*writtenOp
	object *writtenObject
	nodes  []string // that do not show it, by name
	shown  bool     // by some other node
	look   look     // the first that should have shown it
}

// gather sorts the operations by object.
func (c durability) gather(in *check.Input, b *check.Budget) (t *writtenTally, stop string) {
	t = &writtenTally{of: c.of, in: in}
	byName := map[string]*writtenObject{}
	object := func(name string) *writtenObject {
		o := byName[name]
		if o == nil {
			o = &writtenObject{name: name, looks: map[string]look{}}
			byName[name] = o
			t.objects = append(t.objects, o)
		}
		return o
	}
	after := afterStorm(in)
	for i := range in.Ops {
		if stop = b.Spent(); stop != "" {
			return t, stop
		}
		op := &in.Ops[i]
		t.of.wrote(op, func(name string, value history.Data) {
			o := object(name)
			o.writes = append(o.writes, writtenOp{op, value})
			if !op.Final && op.Outcome == history.OK {
				o.acked++
			}
		})
		if op.Final && op.Outcome == history.OK && op.Call >= after && slices.Contains(in.Header.Nodes, op.Node) {
			t.looks++
			t.of.found(op, func(name string, value history.Data) {
				o := object(name)
				if old, had := o.looks[op.Node]; !had || old.op.Call < op.Call {
					o.looks[op.Node] = look{op, value}
				}
			})
		}
	}
	return t, ""
}

// afterStorm is from when on operations show what is left: when everything was healed,
// or the load was over.
func afterStorm(in *check.Input) int64 {
	for _, name := range []string{history.MarkHealed, history.MarkLoadEnd, history.MarkLoadBegin} {
		if m, ok := in.MarkOf(name); ok {
			return m.Time
		}
	}
	return in.Mono
}

// judge finds what is missing.
func (t *writtenTally) judge(b *check.Budget) (stop string) {
	for _, o := range t.objects {
		if stop = b.Spent(); stop != "" {
			return stop
		}
		if o.acked == 0 {
			continue
		}
		t.acked += o.acked
		if len(o.looks) > 0 {
			t.somewhere += o.acked
		}
		if len(o.looks) == len(t.in.Header.Nodes) {
			t.everywhere += o.acked
		}
		t.find(o)
	}
	return ""
}

// find finds what is missing of one object.
func (t *writtenTally) find(o *writtenObject) {
	lacking := map[*writtenOp]*missingWrite{}
	for _, node := range t.in.Header.Nodes {
		l, looked := o.looks[node]
		if !looked {
			continue
		}
		for _, w := range t.of.missing(o, l) {
			m := lacking[w]
			if m == nil {
				m = &missingWrite{writtenOp: w, object: o, look: l}
				lacking[w] = m
			}
			m.nodes = append(m.nodes, node)
			if l.op.Return < m.look.op.Return {
				m.look = l
			}
		}
	}
	for _, m := range lacking {
		m.shown = len(m.nodes) < len(o.looks)
		t.missing = append(t.missing, *m)
	}
}

// worst is the missing write that is shown: one that no node has before one that some
// have, then the one that was certain first.
func (t *writtenTally) worst() *missingWrite {
	if len(t.missing) == 0 {
		return nil
	}
	slices.SortFunc(t.missing, func(a, b missingWrite) int {
		if a.shown != b.shown {
			if b.shown {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(a.look.op.Return, b.look.op.Return), cmp.Compare(a.op.Call, b.op.Call), cmp.Compare(a.value, b.value))
	})
	return &t.missing[0]
}

// tell gives the verdict.
func (t *writtenTally) tell(res *check.Result) {
	_, scanned := t.in.MarkOf(history.MarkScan)
	of := func(n int) string {
		return fmt.Sprintf("%s of %s acknowledged %s", numbers.Count(n), numbers.Count(t.acked), t.of.things)
	}
	switch w := t.worst(); {
	case w != nil:
		t.show(w, res)
	case t.acked == 0:
		res.Verdict, res.Summary = check.Unknown, fmt.Sprintf("no %s was acknowledged, so there was nothing to find again", t.of.thing)
	case t.looks == 0 && len(t.in.Faults) == 0 && !scanned:
		res.Verdict, res.Summary = check.Pass, "there was no fault, and nothing was read back after the load"
	case t.looks == 0:
		res.Verdict = check.Unknown
		res.Summary = "nothing could be read back after the storm, so nothing shows that what was acknowledged was kept"
	case scanned && t.somewhere < t.acked:
		res.Verdict = check.Unknown
		res.Summary = fmt.Sprintf("only %s were read back, and accounted for%s", of(t.somewhere), t.bound())
	default:
		res.Verdict = check.Pass
		res.Summary = t.fine(scanned)
	}
}

// bound says how long reading back was allowed to take.
func (t *writtenTally) bound() string {
	m, ok := t.in.MarkOf(history.MarkScan)
	if !ok || m.Bound <= 0 {
		return ""
	}
	return fmt.Sprintf("; the scan was given %s", check.Took(m.Bound))
}

// fine is the summary when nothing is missing.
func (t *writtenTally) fine(scanned bool) string {
	nodes := check.Counted(len(t.in.Header.Nodes), "node", "nodes")
	of := func(n int) string { return fmt.Sprintf("%s acknowledged %s", numbers.Count(n), t.of.things) }
	switch {
	case t.everywhere == t.acked:
		return fmt.Sprintf("%s accounted for through %s", of(t.acked), nodes)
	case !scanned:
		return fmt.Sprintf("%s accounted for through some node, of %s in all: this history holds no scan of them", of(t.somewhere), numbers.Count(t.acked))
	}
	return fmt.Sprintf("%s accounted for through some node, and %s of them through all %s%s", of(t.acked), numbers.Count(t.everywhere), nodes, t.bound())
}
