package linearizable

import (
	"fmt"
	"slices"

	"squall/history"
	"squall/history/check"
	"squall/history/objects"
)

// explainSet tells of a read that has an element twice, or one that nobody added, or that
// lacks one that was added or read before.
func explainSet(v *violation[setOp]) explanation {
	if v.suspect.said.adds {
		return explanation{}
	}
	found := v.suspect.said.elements
	for i, e := range found {
		if i > 0 && e == found[i-1] {
			return explanation{kind: check.KindElementTwice, sentence: v.sentence(fmt.Sprintf(", which has %s twice", showElement(e)), "")}
		}
	}
	for _, e := range found {
		if ex := v.fromNowhere(e); !ex.none() {
			return ex
		}
	}
	var missing *entry[setOp] // what shows that an element should be there
	element := ""
	for i := range v.shown {
		n := &v.shown[i]
		if n.op.Outcome != history.OK || n.ret >= v.suspect.call {
			continue
		}
		for _, e := range n.said.elements {
			if _, has := slices.BinarySearch(found, e); !has && (missing == nil || n.ret > missing.ret) {
				missing, element = n, e
			}
		}
	}
	if missing == nil {
		return crossed(v)
	}
	return v.withoutElement(element, missing.op)
}

// crossed tells of two reads of which neither has all that the other has.
func crossed(v *violation[setOp]) explanation {
	lacks := func(has, found []string) bool {
		return slices.ContainsFunc(has, func(e string) bool { return !slices.Contains(found, e) })
	}
	for i := range v.shown {
		n, s := &v.shown[i], v.suspect
		if n != s && !n.said.adds && n.op.Outcome == history.OK && lacks(n.said.elements, s.said.elements) && lacks(s.said.elements, n.said.elements) {
			return explanation{kind: check.KindNoOrder, sentence: v.sentence(", but "+v.answered(n.op)+", and neither has all that the other has", "")}
		}
	}
	return explanation{}
}

func showElement(e string) string { return history.Data(e).Show() }

// addsOf are those who add an element, however they were answered.
func addsOf(ops []*history.Op, e string) (adds []*history.Op) {
	for _, op := range ops {
		if op.Func == objects.Add && string(op.In) == e {
			adds = append(adds, op)
		}
	}
	return adds
}

// fromNowhere tells of an element that was read and that nobody had begun to add, or only
// one who was answered "failed".
func (v *violation[O]) fromNowhere(e string) explanation {
	var failed, later *history.Op
	for _, op := range addsOf(v.ops, e) {
		switch {
		case op.Call > v.suspect.op.Return:
			if later == nil || op.Call < later.Call {
				later = op
			}
		case op.Outcome != history.Fail:
			return explanation{}
		default:
			failed = op
		}
	}
	element := showElement(e)
	switch {
	case failed != nil:
		return explanation{kind: check.KindFailedEffect, beside: []*history.Op{failed}, sentence: v.sentence(fmt.Sprintf(
			`, which has %s: the element of an add that %s had answered "failed" at %.3f s, so that add took effect after all`, element, history.Show(failed.Node), v.f.seconds(failed.Return)), "")}
	case later != nil:
		return explanation{kind: check.KindNowhere, beside: []*history.Op{later}, sentence: v.sentence(fmt.Sprintf(
			", which has %s, but nobody had added that yet: the first to do so was %s", element, v.called(later)), "")}
	}
	return explanation{kind: check.KindNowhere, sentence: v.sentence(fmt.Sprintf(", which has %s, but nobody ever added that", element), "")}
}

// withoutElement tells of an element that is missing though an operation shows it: lost if
// nobody read it later, and else only unknown to that node.
func (v *violation[O]) withoutElement(e string, shows *history.Op) explanation {
	element := showElement(e)
	ex := explanation{kind: check.KindStaleRead}
	wrong := fmt.Sprintf(", which lacks %s, but %s", element, v.answered(shows))
	more := ""
	var again, lacks *history.Op
	for _, op := range v.ops {
		if op.Func != history.Read || op.Outcome != history.OK || op.Call <= v.suspect.op.Return {
			continue
		}
		if slices.Contains(slices.Collect(op.Out.Elements()), history.Data(e)) {
			if again == nil || op.Return < again.Return {
				again = op
			}
		} else {
			lacks = op
		}
	}
	switch {
	case again != nil:
		more = fmt.Sprintf(" A later read, on %s at %.3f s, has it.", history.Show(again.Node), v.f.seconds(again.Return))
	case lacks != nil || v.suspect.op.Final:
		ex.kind, more = check.KindLostElement, " No later read has it."
	}
	if shows.Func != objects.Add {
		for _, op := range addsOf(v.ops, e) {
			if op.Outcome == history.Info {
				more += fmt.Sprintf(" The outcome of %s, is unknown, but that read shows that it took effect.", v.called(op))
			}
			if op.Outcome != history.Fail {
				ex.beside = append(ex.beside, op)
				break
			}
		}
	}
	ex.sentence = v.sentence(wrong, more)
	return ex
}
