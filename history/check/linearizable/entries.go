package linearizable

import (
	"fmt"
	"hash/maphash"
	"slices"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"

	"squall/history"
)

// decide says by the deadline whether entries are linearizable: in one go where the spec
// knows how, else by a walk, and if that takes half the time, by porcupine, which goes
// deep where a walk goes wide.
func (e *entries[S, O]) decide(j *judge, deadline time.Time) ruling {
	all, releaseAll := j.watch.guard(deadline)
	defer releaseAll()
	if e.spec.fast != nil && e.begin == nil && j.way == everyWay {
		switch e.spec.fast(e.list, all) {
		case legal:
			return ruling{answer: legal}
		case illegal:
			return ruling{answer: illegal, moment: e.firstByHalving(j)}
		}
	}
	deep := j.way != sweepOnly && len(e.list) <= porcupineMost && !e.anyOptional()
	if j.way != searchOnly {
		half := deadline
		if deep {
			half = time.Now().Add(time.Until(deadline) / 2)
		}
		g, release := j.watch.guard(half)
		defer release()
		switch got, at := e.walks(g); {
		case got == legal:
			return ruling{answer: legal, searched: true}
		case got == illegal:
			return ruling{answer: illegal, searched: true, moment: func(time.Time) (int64, bool) { return at, true }}
		case !deep:
			return ruling{why: max(all.why(), g.why()), searched: true}
		}
	}
	if all.stopped() || !deep {
		return ruling{why: all.why(), searched: true}
	}
	model, ops := e.porcupine()
	f := j.watch.run(model, ops, deadline, false)
	switch f.result {
	case porcupine.Ok:
		return ruling{answer: legal, searched: true}
	case porcupine.Illegal:
		return ruling{answer: illegal, searched: true, moment: e.firstByHalving(j)}
	}
	return ruling{why: f.why, searched: true}
}

// walks decides by walks, the narrowest first. With optional entries, which are in the minimiser's
// questions alone, it is not tried at any price.
func (e *entries[S, O]) walks(g *guard) (got answer, at int64) {
	for _, limit := range sweepWidths() {
		if limit == 0 && e.anyOptional() {
			break
		}
		w := newWalk(e, g, limit)
		if got, at = w.run(); got != undecided || !w.lossy {
			return got, at
		}
	}
	return undecided, 0
}

func (e *entries[S, O]) anyOptional() bool {
	return slices.ContainsFunc(e.list, func(n entry[O]) bool { return n.optional })
}

// firstByHalving finds the moment at which illegal entries became so, from whether they
// were so up to this moment and that.
func (e *entries[S, O]) firstByHalving(j *judge) moment {
	return func(deadline time.Time) (int64, bool) {
		var returns []int64
		for i := range e.list {
			if e.list[i].ret != forever {
				returns = append(returns, e.list[i].ret)
			}
		}
		return halve(returns, deadline, func(at int64, until time.Time) answer { return e.upTo(at).decide(j, until).answer })
	}
}

// porcupine implements part. Optional entries are not in it.
func (e *entries[S, O]) porcupine() (porcupine.Model, []porcupine.Operation) {
	seed := maphash.MakeSeed()
	m := porcupine.NondeterministicModel{
		Init: func() (out []any) {
			for _, b := range e.start() {
				out = append(out, b)
			}
			return out
		},
		Step: func(state, input, _ any) (out []any) {
			b, n := state.(beginning[S]), input.(*entry[O])
			if b.done.has(n.bit) {
				return []any{state}
			}
			for _, s := range e.spec.Step(b.state, n.said) {
				out = append(out, beginning[S]{s, b.done})
			}
			if n.ret == forever { // it may also never take effect
				out = append(out, state)
			}
			return out
		},
		Equal: func(a, b any) bool { return a.(beginning[S]) == b.(beginning[S]) },
		Hash:  func(state any) uint64 { return maphash.Comparable(seed, state.(beginning[S])) },
	}
	var ops []porcupine.Operation
	for i := range e.list {
		if n := &e.list[i]; !n.optional {
			ops = append(ops, porcupine.Operation{Input: n, Call: n.call, Return: n.ret})
		}
	}
	return m.ToModel(), ops
}

// operation implements shown.
func (n *entry[O]) operation() *history.Op { return n.op }

// showState implements part.
func (e *entries[S, O]) showState(state any) string {
	set, is := state.([]any)
	if !is {
		return e.spec.text(state.(beginning[S]).state)
	}
	var names []string
	for _, one := range set {
		if name := e.showState(one); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return strings.Join(names, " or ")
}

// begins implements part.
func (e *entries[S, O]) begins() (at int64, inTheMiddle bool) { return e.at, e.begin != nil }

// startText implements part.
func (e *entries[S, O]) startText(_ []*history.Op, seconds float64, _ time.Time) string {
	if len(e.was) == 0 || len(e.was) > heldMost {
		return fmt.Sprintf("whatever it was at %.3f s", seconds)
	}
	var names []string
	for _, s := range e.was {
		names = append(names, e.spec.text(s))
	}
	slices.Sort(names)
	return fmt.Sprintf("it was %s at %.3f s", either(slices.Compact(names)), seconds)
}
