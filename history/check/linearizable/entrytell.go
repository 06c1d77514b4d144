package linearizable

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"squall/history"
	"squall/history/check"
)

// violation is what there is to be told of entries that have no order.
type violation[O any] struct {
	f       *finder
	ops     []*history.Op // all of the object
	list    []entry[O]    // all of it, up to the moment at which it became certain
	shown   []entry[O]
	suspect *entry[O] // the operation shown whose answer made it certain
	// fits says whether a list would be linearizable; limits may let it say no.
	fits func(list []entry[O]) bool
	// as is a failed operation as one of unknown outcome.
	as func(failed *history.Op) (entry[O], bool)
}

// tell tells what a witness shows: in the spec's own words, or in those that serve any
// model.
func (sp *Spec[S, O]) tell(f *finder, k *keyCase, witness minimal) explanation {
	part, is := witness.part.(*entries[S, O])
	if !is {
		return explanation{}
	}
	end := time.Now().Add(time.Until(f.end) / 3)
	g, release := f.judge.watch.guard(end)
	defer release()
	whole, err := sp.read(k.ops, g)
	if err != nil || whole == nil {
		return explanation{}
	}
	whole = whole.upTo(k.at)
	v := &violation[O]{f: f, ops: k.ops, list: whole.list, shown: part.list}
	v.suspect = lastOf(part.list, k.at)
	if v.suspect == nil {
		return explanation{}
	}
	v.fits = func(list []entry[O]) bool {
		deadline := time.Now().Add(min(minimiseCheckTime, time.Until(end)))
		return whole.with(list).decide(f.judge, deadline).answer == legal
	}
	v.as = func(failed *history.Op) (entry[O], bool) {
		changed := *failed
		changed.Outcome, changed.Out = history.Info, ""
		said, err := sp.Parse(&changed)
		return entry[O]{op: failed, said: said, call: failed.Call, ret: forever}, err == nil && !sp.Functions.Reads(failed.Func)
	}
	var ex explanation
	if sp.explain != nil {
		ex = sp.explain(v)
	}
	if ex.none() {
		ex = v.explainAny()
	}
	ex.beside = slices.DeleteFunc(ex.beside, func(op *history.Op) bool { return slices.Contains(witness.ops, op) })
	return ex
}

// byReturn sorts entries, the last to return first.
func byReturn[O any](list []*entry[O]) {
	slices.SortStableFunc(list, func(a, b *entry[O]) int { return cmp.Compare(b.ret, a.ret) })
}

// lastOf is the entry that returned at a moment, a read if there is one, or else the
// last to return.
func lastOf[O any](list []entry[O], at int64) *entry[O] {
	var best *entry[O]
	for i := range list {
		n := &list[i]
		if n.op.Outcome != history.OK || n.ret == forever {
			continue
		}
		if best == nil || n.ret == at && (best.ret != at || n.reads) || best.ret != at && n.ret >= best.ret {
			best = n
		}
	}
	return best
}

// hypothesesMost is how many operations are asked about for each way in which one can have
// gone wrong.
const hypothesesMost = 16

// explainAny looks for one operation that went wrong so that all the rest fits: one that
// was answered "failed" and took effect, one that was acknowledged and did not, one that
// did twice, or before it was called. Where there is none, it says what is shown.
func (v *violation[O]) explainAny() explanation {
	for _, find := range []func() explanation{v.failed, v.lost, v.twice, v.early} {
		if ex := find(); !ex.none() {
			return ex
		}
	}
	ex := explanation{kind: check.KindNoOrder}
	wrong := ", which no order of the operations shown explains"
	if against := v.before(); against != nil {
		wrong = ", which does not fit: " + v.answered(against)
	}
	ex.sentence = v.sentence(wrong, v.unknowns())
	return ex
}

// sentence tells of the suspect, what is wrong with its answer, and more.
func (v *violation[O]) sentence(wrong, more string) string {
	return v.f.tell(suspect{op: v.suspect.op}, wrong, more)
}

// before is the last operation shown that was answered before the suspect was called.
func (v *violation[O]) before() *history.Op {
	var best *history.Op
	for i := range v.shown {
		if n := &v.shown[i]; n != v.suspect && n.op.Outcome == history.OK && n.ret < v.suspect.call && (best == nil || n.op.Return > best.Return) {
			best = n.op
		}
	}
	return best
}

// answered tells of an operation when and where it was answered: "n1, leader of term 5,
// had already acknowledged add(k) 5 at 7.500 s".
func (v *violation[O]) answered(op *history.Op) string {
	had, did := "had already ", "answered"
	if op.Return > v.suspect.op.Call {
		had = ""
	}
	if !v.f.judge.model.Functions.Reads(op.Func) && !op.Tells() {
		did = "acknowledged"
	}
	return fmt.Sprintf("%s%s %s%s %s at %.3f s", history.Show(op.Node), check.Standing(v.f.in, op.Node, op.Return), had, did, v.told(op), v.f.seconds(op.Return))
}

func (v *violation[O]) told(op *history.Op) string { return check.Briefly(v.f.in.Functions, op) }

// called tells of an operation where and when it began: "add(k) 5, called on n1 at 7.500 s".
func (v *violation[O]) called(op *history.Op) string {
	return fmt.Sprintf("%s, called on %s at %.3f s", v.told(op), history.Show(op.Node), v.f.seconds(op.Call))
}

// unknowns tells of operations shown whose outcome is unknown.
func (v *violation[O]) unknowns() string {
	var ops []*history.Op
	for i := range v.shown {
		if op := v.shown[i].op; op.Outcome == history.Info {
			ops = append(ops, op)
		}
	}
	switch len(ops) {
	case 0:
		return ""
	case 1:
		return fmt.Sprintf(" The outcome of %s, is unknown, and no moment at which it may have taken effect fits the answers shown.", v.called(ops[0]))
	}
	return fmt.Sprintf(" The outcomes of %d operations shown are unknown, and no moments at which they may have taken effect fit the answers.", len(ops))
}

// failed looks for an operation that was answered "failed" and took effect.
func (v *violation[O]) failed() explanation {
	asked := 0
	for _, op := range slices.Backward(v.ops) {
		if op.Outcome != history.Fail || op.Call > v.suspect.ret {
			continue
		}
		n, may := v.as(op)
		if !may {
			continue
		}
		if asked++; asked > hypothesesMost {
			break
		}
		if v.fits(append(slices.Clone(v.list), n)) {
			return explanation{kind: check.KindFailedEffect, beside: []*history.Op{op}, sentence: v.sentence(fmt.Sprintf(
				`, which fits if %s, took effect: %s answered that "failed" at %.3f s`, v.called(op), history.Show(op.Node), v.f.seconds(op.Return)), "")}
		}
	}
	return explanation{}
}

// lost looks for an operation that was acknowledged and took no effect.
func (v *violation[O]) lost() explanation {
	n := v.guess(func(n *entry[O]) bool { return n.op.Outcome == history.OK && !n.reads }, func(list []entry[O], i int) []entry[O] {
		return slices.Delete(list, i, i+1)
	})
	if n == nil {
		return explanation{}
	}
	return explanation{kind: check.KindLost, beside: []*history.Op{n.op}, sentence: v.sentence(", but "+v.answered(n.op), " Without that operation the answers fit: its effect is lost.")}
}

// twice looks for an operation that took effect once more.
func (v *violation[O]) twice() explanation {
	n := v.guess(func(n *entry[O]) bool { return !n.reads }, func(list []entry[O], i int) []entry[O] {
		again := list[i]
		again.ret = forever
		return append(list, again)
	})
	if n == nil {
		return explanation{}
	}
	return explanation{kind: check.KindTwice, beside: []*history.Op{n.op}, sentence: v.sentence(", which fits if "+v.called(n.op)+", took effect twice", "")}
}

// early looks for an operation that took effect before it was called.
func (v *violation[O]) early() explanation {
	for _, op := range v.ops {
		if op.Outcome == history.Fail || op.Call <= v.suspect.ret {
			continue
		}
		n, may := v.as(op)
		if n.call = v.list[0].call; may && v.fits(append(slices.Clone(v.list), n)) {
			return explanation{kind: check.KindEarly, beside: []*history.Op{op}, sentence: v.sentence(", which fits if "+v.called(op)+", had taken effect before", "")}
		}
		break // the first one after it, if any
	}
	return explanation{}
}

// guess is an operation with which changed the whole would fit: one of those shown if there
// is one, or else of those before them, the latest first.
func (v *violation[O]) guess(may func(*entry[O]) bool, change func(list []entry[O], i int) []entry[O]) *entry[O] {
	places := make(map[*history.Op]int, len(v.list))
	for i := range v.list {
		places[v.list[i].op] = i
	}
	asked := make(map[int]bool)
	for _, list := range [][]entry[O]{v.shown, v.list} {
		for k := range slices.Backward(list) {
			n := &list[k]
			i, known := places[n.op]
			if n.op == v.suspect.op || !known || asked[i] || !may(n) {
				continue
			}
			if asked[i] = true; len(asked) > hypothesesMost {
				return nil
			}
			if v.fits(change(slices.Clone(v.list), i)) {
				return n
			}
		}
	}
	return nil
}
