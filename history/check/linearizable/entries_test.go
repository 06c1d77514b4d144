package linearizable

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/anishathalye/porcupine"
	"pgregory.net/rapid"

	"squall/history"
	"squall/history/objects"
)

// TestCutsAndOptionalOperationsAreSound: of a history that is possible, what is left from
// any moment on is possible with what is known of the object then, and so is what is left
// when any operations are made optional. Of any history, walk and porcupine say the same of
// what is left.
func TestCutsAndOptionalOperationsAreSound(t *testing.T) {
	t.Run("set", func(t *testing.T) { checkParts(t, SetModel()) })
	t.Run("lock", func(t *testing.T) { checkParts(t, LockModel()) })
	t.Run("counter", func(t *testing.T) { checkParts(t, CounterModel()) })
}

func checkParts(t *testing.T, m Model) {
	count, cuts := map[answer]int{}, 0
	one := func(t rapid.TB, rng *rand.Rand) {
		ops := simulateModel(rng, m.Name, "k", 1+rng.IntN(30), 1+rng.IntN(5), 10)
		if rng.IntN(2) == 0 {
			spoil(rng, ops)
		}
		o, err := m.prepare(pointers(ops), nil)
		if err != nil {
			t.Fatal(err)
		}
		var got answer
		var n int
		switch e := o.(type) {
		case *entries[string, setOp]:
			got, n = partsOf(t, rng, e)
		case *entries[lockState, objects.LockOp]:
			got, n = partsOf(t, rng, e)
		case *entries[int64, counted64]:
			got, n = partsOf(t, rng, e)
		default:
			t.Fatalf("a model of another kind: %T", o)
		}
		count[got]++
		cuts += n
	}
	rng := rand.New(rand.NewPCG(1, 1)) // the same each time, so that there is enough of each
	for range 300 {
		one(t, rng)
	}
	t.Logf("%d linearizable, %d not, %d cuts", count[legal], count[illegal], cuts)
	if count[legal] < 10 || count[illegal] < 10 || cuts < 100 {
		t.Error("too few of one kind")
	}
	rapid.Check(t, func(t *rapid.T) { one(t, random(t)) })
}

// spoil gives an operation the answer of another one, or a later time.
func spoil(rng *rand.Rand, ops []history.Op) {
	op, other := &ops[rng.IntN(len(ops))], &ops[rng.IntN(len(ops))]
	if op.Func == other.Func && op.Outcome == other.Outcome && rng.IntN(3) > 0 {
		op.Out = other.Out
		return
	}
	op.Call, op.Return = op.Return+100, op.Return+100+rng.Int64N(300)
}

func partsOf[S comparable, O any](t rapid.TB, rng *rand.Rand, e *entries[S, O]) (whole answer, cuts int) {
	whole, _ = newWalk(e, nil, 0).run()
	all := e.cuts(nil)
	for i := range all {
		part := e.from(&all[i])
		got, _ := newWalk(part, nil, 0).run()
		if got != answerOf(porcupine.CheckOperations(part.porcupine())) {
			t.Fatalf("from %d on, walk says %d, and porcupine does not: %+v", all[i].at, got, part)
		}
		if whole == legal && got != legal {
			t.Fatalf("what is left of a possible history from %d on is not possible: %+v", all[i].at, part)
		}
		for _, b := range all[i].begin {
			if all[i].was != nil && !slices.Contains(all[i].was, b.state) {
				t.Fatalf("it may have been %v at %d, and %v does not say so", b.state, all[i].at, all[i].was)
			}
		}
		if weak := weaker(rng, part); got == legal && decided(weak) == illegal {
			t.Fatalf("optional operations make it impossible: %+v", weak)
		}
	}
	if weak := weaker(rng, e); whole == legal && decided(weak) == illegal {
		t.Fatalf("optional operations make it impossible: %+v", weak)
	}
	return whole, len(all)
}

// weaker makes some of the entries weaker.
func weaker[S comparable, O any](rng *rand.Rand, e *entries[S, O]) *entries[S, O] {
	weak := make(map[int]bool)
	for range rng.IntN(4) {
		weak[rng.IntN(len(e.list)+1)] = true
	}
	return e.with(e.variant(weak, nil))
}

func decided[S comparable, O any](e *entries[S, O]) answer {
	got, _ := newWalk(e, nil, 0).run()
	return got
}
