package check

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"

	"squall/history"
)

// finder shows what is wrong: of the keys that are not linearizable it shows one.
type finder struct {
	judge  *judge
	in     *Input
	limits Limits
	end    time.Time
}

const (
	// minimiseMost is how many keys are minimised, the earliest violations first.
	minimiseMost = 16
	// readable is how many operations a person takes in at once. Among witnesses
	// that are readable the earliest is shown, else the smallest.
	readable = 6
	// witnessMost is how many operations are kept: more show nobody anything.
	witnessMost = 100
)

// violation fills in the result of keys that are not linearizable.
func (f *finder) violation(bad []*keyCase, res *Result) {
	res.Verdict = Violation
	slices.SortStableFunc(bad, func(a, b *keyCase) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(len(a.ops), len(b.ops)))
	})
	first := bad[0]
	firstAt := f.seconds(first.at)
	res.FirstAt = &firstAt
	some := bad[:min(len(bad), minimiseMost)]
	found := make([]minimal, len(some))
	half := time.Now().Add(time.Until(f.end) / 2)
	eachOf(f.limits.Workers, len(some), func(i int) { found[i] = f.minimise(some[i], half) })
	best := 0
	for i := range found {
		if n := len(found[i].ops); n > 0 && n <= readable && !found[i].large {
			best = i
			break
		}
		if worth(found[i]) < worth(found[best]) {
			best = i
		}
	}
	shown, witness := some[best], found[best]
	res.Key = shown.key
	res.Stats["witness"] = float64(len(witness.ops))
	f.summarise(shown, first, witness, res)
	if len(witness.ops) == 0 {
		return
	}
	if !witness.large && !f.confirmed(witness) {
		res.Verdict, res.FirstAt = Unknown, nil
		res.Summary = fmt.Sprintf("two methods disagree about key %s: this is a bug in the checker; please report it with the history", show(res.Key))
		return
	}
	ex := f.judge.model.explain(f, shown, witness)
	res.Kind, res.Explanation = ex.kind, ex.sentence
	res.Witness = f.rows(witness.ops, ex.beside)
	f.draw(witness, ex.beside, res)
}

// worth orders witnesses: the fewer operations the better, if they show it at all.
func worth(m minimal) int {
	if m.large {
		return 2*witnessMost - len(m.ops)
	}
	return len(m.ops)
}

// minimise makes a key's violation small, as far as there is time.
func (f *finder) minimise(k *keyCase, end time.Time) minimal {
	g, release := f.judge.watch.guard(end)
	defer release()
	last := latest(f.judge.model.Functions, k.ops, k.at)
	o, err := f.judge.model.prepare(k.ops, g)
	if err != nil || o == nil {
		return last
	}
	m := minimiser{judge: f.judge, guard: g, end: end}
	if small := o.minimise(&m, k.at); len(small.ops) > 0 {
		return small
	}
	return last
}

// summarise tells in one line what is shown, and when the first violation was.
func (f *finder) summarise(shown, first *keyCase, witness minimal, res *Result) {
	switch n := len(witness.ops); {
	case n == 0:
		res.Summary = fmt.Sprintf("key %s is not linearizable", show(shown.key))
	case witness.large:
		res.Summary = fmt.Sprintf("key %s is not linearizable; the limits left no time to find the few operations that show it, so its last %s are shown", show(shown.key), counted(n, "operation", "operations"))
	case n == 1:
		res.Summary = fmt.Sprintf("no order explains the answer of this operation on key %s", show(shown.key))
	default:
		res.Summary = fmt.Sprintf("no order of these %d operations on key %s explains their answers", n, show(shown.key))
	}
	if witness.part != nil {
		if at, taken := witness.part.begins(); taken {
			res.Start = witness.part.startText(shown.ops, f.seconds(at), f.end)
			between := "; "
			if strings.HasPrefix(res.Start, "whatever") {
				between = ", "
			}
			res.Summary += between + res.Start
		}
	}
	if !first.exact {
		res.Summary += "; there was no time to see whether it was violated before"
	}
	if shown != first {
		res.Summary += fmt.Sprintf("; the one shown is at %.1f s, since the first one, on key %s, takes more operations to show", f.seconds(shown.at), show(first.key))
	}
}

func (f *finder) seconds(at int64) float64 { return float64(at-f.in.Mono) / 1e9 }

// rows are the operations for results.json, by call, those beside marked.
func (f *finder) rows(ops, beside []*history.Op) []WitnessOp {
	var out []WitnessOp
	for _, op := range ops {
		out = append(out, witnessOp(op, f.in))
	}
	for _, op := range beside {
		row := witnessOp(op, f.in)
		row.Beside = true
		out = append(out, row)
	}
	slices.SortStableFunc(out, func(a, b WitnessOp) int { return cmp.Compare(a.Call, b.Call) })
	return out
}

// draw makes the picture of a witness.
func (f *finder) draw(witness minimal, beside []*history.Op, res *Result) {
	if f.in.Dir == "" || witness.large {
		return
	}
	name, err := picture(f.judge.watch, f.in, res.Key, res.Start, witness, beside, f.end)
	if err != nil {
		res.Summary += fmt.Sprintf(" (not drawn: %v)", err)
		return
	}
	res.Picture = name
}

// witnessOp is an operation for results.json.
func witnessOp(op *history.Op, in *Input) WitnessOp {
	return WitnessOp{
		Process: op.Process,
		Node:    op.Node,
		Text:    describe(in.Functions, op),
		Outcome: string(op.Outcome),
		Call:    op.Call - in.Mono,
		Return:  op.Return - in.Mono,
		CallS:   float64(op.Call-in.Mono) / 1e9,
	}
}

// confirmed has porcupine look at a witness, whatever method found it. Only
// its saying that the witness is linearizable counts against it.
func (f *finder) confirmed(witness minimal) bool {
	deadline := time.Now().Add(time.Until(f.end) / 2)
	model, ops := witness.part.porcupine()
	return f.judge.watch.run(model, ops, deadline, false).result != porcupine.Ok
}
