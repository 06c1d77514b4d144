package linearizable

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"

	"squall/history"
	"squall/history/check"
)

// finder shows what is wrong: of the keys that are not linearizable it shows one.
type finder struct {
	judge  *judge
	in     *check.Input
	limits check.Limits
	end    time.Time
}

const (
	// minimiseMost is how many keys are minimised, the earliest violations first.
	minimiseMost = 16
	// readable is how many operations a person takes in at once. Among witnesses
	// that are readable the earliest is shown, else the smallest.
	readable = 6
)

// violation fills in the result of keys that are not linearizable.
func (f *finder) violation(bad []*keyCase, res *check.Result) {
	res.Verdict = check.Violation
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
		res.Verdict, res.FirstAt = check.Unknown, nil
		res.Summary = fmt.Sprintf("two methods disagree about key %s: this is a bug in the checker; please report it with the history", history.Show(res.Key))
		return
	}
	ex := f.judge.model.explain(f, shown, witness)
	if ex.none() {
		ex = f.explainLast(shown)
	}
	res.Kind, res.Explanation = ex.kind, ex.sentence
	res.Witness = check.WitnessOps(witness.ops, ex.beside, f.in)
	f.draw(witness, ex.beside, res)
}

// worth orders witnesses: the fewer operations the better, if they show it at all.
func worth(m minimal) int {
	if m.large {
		return 2*check.WitnessMost + m.needed - len(m.ops)
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
		small.hurried = m.over()
		return small
	}
	return last
}

// summarise tells in one line what is shown, and when the first violation was.
func (f *finder) summarise(shown, first *keyCase, witness minimal, res *check.Result) {
	switch n := len(witness.ops); {
	case n == 0:
		res.Summary = fmt.Sprintf("key %s is not linearizable", history.Show(shown.key))
	case witness.large:
		res.Summary = fmt.Sprintf("key %s is not linearizable; %s", history.Show(shown.key), witness.whyLarge())
	case n == 1:
		res.Summary = fmt.Sprintf("no order explains the answer of this operation on key %s", history.Show(shown.key))
	default:
		res.Summary = fmt.Sprintf("no order of these %d operations on key %s explains their answers", n, history.Show(shown.key))
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
		res.Summary += fmt.Sprintf("; the one shown is at %.1f s, since the first one, on key %s, takes more operations to show", f.seconds(shown.at), history.Show(first.key))
	}
}

// whyLarge says why a witness that is not small is shown, and what is shown of it.
func (m minimal) whyLarge() string {
	if m.needed == 0 {
		return "the limits left no time to find the few operations that show it, so its last " + check.Counted(len(m.ops), "operation", "operations") + " are shown"
	}
	told := fmt.Sprintf("no fewer than %d operations were found to show it, of which the last %d are shown", m.needed, len(m.ops))
	if m.hurried {
		told = "within the limits " + told
	}
	return told
}

func (f *finder) seconds(at int64) float64 { return f.in.Since(at) }

// draw makes the picture of a witness.
func (f *finder) draw(witness minimal, beside []*history.Op, res *check.Result) {
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

// confirmed has porcupine look at a witness, whatever method found it. Only
// its saying that the witness is linearizable counts against it.
func (f *finder) confirmed(witness minimal) bool {
	deadline := time.Now().Add(time.Until(f.end) / 2)
	model, ops := witness.part.porcupine()
	return f.judge.watch.run(model, ops, deadline, false).result != porcupine.Ok
}
