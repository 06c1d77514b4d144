package linearizable

import (
	"cmp"
	"fmt"
	"slices"

	"squall/history"
	"squall/history/objects"
)

// CounterModel is a counter, 0 at first, to which whole numbers are added.
func CounterModel() Model { return counter().Model() }

func counter() Spec[int64, counted64] {
	return Spec[int64, counted64]{
		Name: "counter",
		Doc:  "add whole numbers to a sum, and read it",
		Functions: history.Functions{
			{Name: objects.Add, Text: "add({key}) {in}"},
			{Name: history.Read, Reads: true, Text: "read({key})", Answer: " → {out}"},
		},
		Parse:   parseCounter,
		Step:    stepCounter,
		fast:    decideCounter,
		explain: explainCounter,
	}
}

// counted64 is an operation of a counter: what it adds, or what it found.
type counted64 struct {
	adds bool
	n    int64
}

func parseCounter(op *history.Op) (o counted64, err error) {
	switch {
	case op.Func == objects.Add:
		if o.n, err = objects.WholeNumber(op.In); err != nil {
			return o, fmt.Errorf(`an add whose number "i" is none: %w`, err)
		}
		o.adds = true
		return o, objects.NoData(op, true, false)
	case op.Outcome == history.OK:
		if o.n, err = objects.WholeNumber(op.Out); err != nil {
			return o, fmt.Errorf(`a read whose result "o" is none: %w`, err)
		}
	}
	return o, objects.NoData(op, false, true)
}

func stepCounter(sum int64, o counted64) []int64 {
	switch {
	case o.adds:
		return []int64{sum + o.n}
	case o.n == sum:
		return []int64{sum}
	}
	return nil
}

// decideCounter finds a read whose number the adds cannot make, whatever their order: those
// that returned before it was called count, those called before it returned may. Else it
// says undecided.
func decideCounter(list []entry[counted64], g *guard) answer {
	var called, returned reaches
	for i := range list {
		if n := &list[i]; n.said.adds {
			called = append(called, reach{n.call, min(n.said.n, 0), max(n.said.n, 0)})
			if n.ret != forever {
				returned = append(returned, reach{n.ret, min(n.said.n, 0), max(n.said.n, 0)})
			}
		}
	}
	if !called.sum(g) || !returned.sum(g) {
		return undecided
	}
	for i := range list {
		n := &list[i]
		if n.said.adds {
			continue
		}
		sure, perhaps := returned.before(n.call), called.before(n.ret+1)
		if n.said.n < sure.up+perhaps.down || n.said.n > sure.down+perhaps.up {
			return illegal
		}
	}
	return decideAlike(list, g)
}

// reach is what adds make up to a moment, those of numbers below and above 0.
type reach struct{ at, down, up int64 }

type reaches []reach

// sum sorts reaches by time and makes each the sum of those up to it; false when g was
// stopped.
func (t reaches) sum(g *guard) bool {
	if !sortGuarded(t, func(a, b reach) int { return cmp.Compare(a.at, b.at) }, g) {
		return false
	}
	for i := 1; i < len(t); i++ {
		t[i].down += t[i-1].down
		t[i].up += t[i-1].up
	}
	return true
}

// before is the sum of those before a moment.
func (t reaches) before(at int64) reach {
	i, _ := slices.BinarySearchFunc(t, at, func(a reach, at int64) int { return cmp.Compare(a.at, at) })
	if i == 0 {
		return reach{}
	}
	return t[i-1]
}
