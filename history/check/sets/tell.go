package sets

import (
	"fmt"
	"slices"

	"squall/history"
	"squall/history/check"
)

// setTale tells people of what is wrong with an element.
type setTale struct {
	in *check.Input
	finding
}

// tell fills in the result of a violation.
func (t *setTale) tell(res *check.Result) {
	e := &t.set.elements[t.element]
	res.Verdict, res.Key, res.Kind = check.Violation, t.set.key, t.kind
	res.FirstAt = t.in.FirstAt(t.at)
	name := e.data.Show()
	ops, beside := []*history.Op{t.read}, []*history.Op(nil)
	what, wrong, more := "", "", ""
	switch t.kind {
	case check.KindLostElement, check.KindStaleRead:
		ops = append(ops, e.by)
		if e.add != e.by {
			beside = append(beside, e.add)
		}
		wrong = fmt.Sprintf(" without %s, but %s", name, t.had(e))
		what, more = "is lost", " No later read found it: it is lost."
		if t.kind == check.KindStaleRead {
			again := t.again()
			beside = append(beside, again)
			ns, _ := t.set.lacking(e)
			what = "is missing from a read that must have it"
			more = fmt.Sprintf(" %s, called on %s at %.3f s, found it; the last read without it was called %s after it was known.",
				t.asked(again), history.Show(again.Node), t.in.Since(again.Call), check.Took(ns))
		}
	case check.KindElementTwice:
		what, wrong = "is twice in one read", fmt.Sprintf(" with %s twice", name)
		if e.add != nil {
			beside = append(beside, e.add)
			wrong += fmt.Sprintf(", but %s, called on %s at %.3f s, is the only add of it", t.asked(e.add), history.Show(e.add.Node), t.in.Since(e.add.Call))
		}
	default:
		what, wrong = "came from nowhere", fmt.Sprintf(" with %s", name)
		switch {
		case e.add == nil:
			wrong += ", but nobody ever added it"
		case t.kind == check.KindFailedEffect:
			beside = append(beside, e.add)
			wrong += fmt.Sprintf(", the element of an add that %s answered \"failed\" at %.3f s, so that add took effect after all", history.Show(e.add.Node), t.in.Since(e.add.Return))
		default:
			beside = append(beside, e.add)
			wrong += fmt.Sprintf(", but nobody had added it yet: %s was called on %s at %.3f s", t.asked(e.add), history.Show(e.add.Node), t.in.Since(e.add.Call))
		}
	}
	res.Summary = fmt.Sprintf("element %s of key %s %s", name, history.Show(t.set.key), what)
	res.Explanation = fmt.Sprintf("At %.3f s %s%s answered %s%s.%s%s", t.in.Since(t.read.Return), history.Show(t.read.Node), check.Standing(t.in, t.read.Node, t.read.Return),
		t.asked(t.read), wrong, more, check.Elsewhere(t.in, t.read.Node, t.read.Return))
	res.Witness = check.WitnessOps(ops, beside, t.in)
	t.shorten(res.Witness)
	res.Stats["witness"] = float64(len(ops))
}

// shorten tells of the reads shown how many elements they found, and of the element in
// question: all that they found would hide it.
func (t *setTale) shorten(rows []check.WitnessOp) {
	for i := range rows {
		for _, r := range t.set.reads {
			if w := &rows[i]; r.op.Process == w.Process && r.op.Call-t.in.Mono == w.Call {
				w.Text = fmt.Sprintf("%s → %s, %s %s", t.asked(r.op), check.Counted(len(r.found), "element", "elements"), t.with(r), t.set.elements[t.element].data.Show())
			}
		}
	}
}

// with says whether a read found the element.
func (t *setTale) with(r setRead) string {
	switch {
	case !slices.Contains(r.found, t.element):
		return "without"
	case t.kind == check.KindElementTwice && r.op == t.read:
		return "with two of"
	}
	return "with"
}

// had tells how the element became known: "n1, leader of term 5, had already acknowledged
// add(k) ← 5 at 7.500 s".
func (t *setTale) had(e *element) string {
	by := e.by
	who := fmt.Sprintf("%s%s had already", history.Show(by.Node), check.Standing(t.in, by.Node, by.Return))
	if by == e.add {
		return fmt.Sprintf("%s acknowledged %s at %.3f s", who, t.asked(by), t.in.Since(by.Return))
	}
	return fmt.Sprintf("%s answered %s with it at %.3f s", who, t.asked(by), t.in.Since(by.Return))
}

// again is the first read that has the element and may have come after the one that
// lacks it.
func (t *setTale) again() *history.Op {
	var best *history.Op
	for _, r := range t.set.reads {
		if r.op.Return < t.read.Call || best != nil && best.Return <= r.op.Return {
			continue
		}
		if slices.Contains(r.found, t.element) {
			best = r.op
		}
	}
	return best
}

// asked tells what an operation was to do, without its answer: a set is long.
func (t *setTale) asked(op *history.Op) string {
	question := *op
	question.Out = ""
	return t.in.Functions.Tell(&question)
}
