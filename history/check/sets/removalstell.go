package sets

import (
	"fmt"

	"squall/history"
	"squall/history/check"
	"squall/history/objects"
)

// misfit is an operation whose answer does not fit what an element went through.
type misfit struct {
	element     *passing
	op, against *history.Op // against may be nil: nothing but that there is none
	kind        check.Kind
	later       *history.Op // a read that found the element after one that does not; nil: none
}

// at is when it was certain, ns.
func (m *misfit) at() int64 {
	at := m.op.Return
	for _, other := range []*history.Op{m.against, m.later} {
		if other != nil && other.Outcome != history.Info {
			at = max(at, other.Return)
		}
	}
	return at
}

// absent tells of an operation that did not find an element that was there: it came back
// later, was stale, or is lost.
func (s *removable) absent(e *passing, op *history.Op) *misfit {
	m := &misfit{element: e, op: op, against: e.add, kind: check.KindLostElement}
	if e.first != nil && (m.against.Outcome != history.OK || e.first.Return < m.against.Return) {
		m.against = e.first // which shows it first
	}
	if e.last != nil && e.last.Call > op.Return {
		m.later, m.kind = e.last, check.KindStaleRead
		if e.mayGo() && e.remove.Call < op.Return {
			m.kind = check.KindCameBack
		}
	}
	return m
}

// tell fills in the result of a violation, of one of that many elements.
func (m *misfit) tell(in *check.Input, res *check.Result, count int) {
	e := m.element
	name := e.data.Show()
	res.Verdict, res.Kind, res.Key, res.FirstAt = check.Violation, m.kind, m.op.Key, in.FirstAt(m.at())
	what := map[check.Kind]string{
		check.KindElementTwice: "is twice in one read", check.KindNowhere: "came from nowhere", check.KindFailedEffect: "came from an add that failed",
		check.KindCameBack: "was removed and came back", check.KindStaleRead: "is missing where it must be", check.KindLostElement: "is lost",
	}[m.kind]
	res.Summary = fmt.Sprintf("element %s of key %s %s", name, history.Show(m.op.Key), what)
	if count > 1 {
		res.Summary += fmt.Sprintf("; %d elements do not fit", count)
	}
	why := "nobody ever added it"
	if m.against != nil {
		why = told(in, m.against, e)
	}
	if m.later != nil {
		why += ", and " + told(in, m.later, e)
	}
	asked := *m.op
	asked.Out = ""
	text := "without " + name
	switch {
	case m.op.Func == objects.Remove:
		text = "that " + name + map[bool]string{true: " was there", false: " was not there"}[m.op.Out == history.True]
	case m.kind == check.KindElementTwice:
		text = "with " + name + " twice"
	case m.kind != check.KindLostElement && m.kind != check.KindStaleRead && !(m.kind == check.KindCameBack && m.later != nil):
		text = "with " + name
	}
	res.Explanation = fmt.Sprintf("At %.3f s %s%s answered %s %s, but %s.%s", in.Since(m.op.Return), history.Show(m.op.Node), check.Standing(in, m.op.Node, m.op.Return),
		in.Functions.Tell(&asked), text, why, check.Elsewhere(in, m.op.Node, m.op.Return))
	ops := []*history.Op{m.op}
	for _, other := range []*history.Op{m.against, m.later} {
		if other != nil {
			ops = append(ops, check.Distinct([]*history.Op{other}, ops)...)
		}
	}
	var beside []*history.Op
	for _, other := range []*history.Op{e.add, e.remove} {
		if other != nil {
			beside = append(beside, check.Distinct([]*history.Op{other}, append(ops, beside...))...)
		}
	}
	res.Witness = check.WitnessOps(ops, beside, in)
	res.Stats["witness"] = float64(len(ops))
}

// told tells what an operation says of an element.
func told(in *check.Input, op *history.Op, e *passing) string {
	if op.Func == history.Read {
		asked := *op
		asked.Out = ""
		return fmt.Sprintf("%s had answered %s, called at %.3f s, with it at %.3f s", history.Show(op.Node), in.Functions.Tell(&asked), in.Since(op.Call), in.Since(op.Return))
	}
	return fmt.Sprintf("%s, called on %s at %.3f s, was answered at %.3f s", check.Describe(in.Functions, op), history.Show(op.Node), in.Since(op.Call), in.Since(op.Return))
}
