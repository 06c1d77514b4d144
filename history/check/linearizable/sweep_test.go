package linearizable

import (
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"pgregory.net/rapid"

	"squall/history"
)

// sweepRegister sweeps over a register, reduced or not.
func sweepRegister(r *register, steps []step) swept {
	return newSweep(&problem{steps: steps, values: len(r.values), start: r.start}, nil, 0).run()
}

// TestSweepIsRight holds the sweep against the definition of linearizability.
func TestSweepIsRight(t *testing.T) {
	count := map[answer]int{}
	rapid.Check(t, func(t *rapid.T) {
		unique := rapid.Bool().Draw(t, "unique")
		for range 300 { // a rapid iteration costs more than a history
			ops := anyOps(t, unique)
			want := answerOf(possible(ops, 0, history.None))
			count[want]++
			r, err := newRegister(pointers(ops), nil)
			if err != nil {
				t.Fatal(err)
			}
			if got := sweepRegister(r, r.steps).answer; got != want {
				t.Fatalf("the whole: %v, want %v", got, want)
			}
			if got := sweepRegister(r, reduce(r, nil)).answer; got != want {
				t.Fatalf("the reduced: %v, want %v", got, want)
			}
		}
	})
	t.Logf("%d linearizable, %d not", count[legal], count[illegal])
}

// TestCutLeftIsSound: a history that is possible is possible from any moment on,
// and of cuts of any history sweep and porcupine say the same.
func TestCutLeftIsSound(t *testing.T) {
	count := map[answer]int{}
	rapid.Check(t, func(t *rapid.T) {
		for range 200 {
			ops := anyOps(t, false)
			r, err := newRegister(pointers(ops), nil)
			if err != nil {
				t.Fatal(err)
			}
			cut := &register{steps: cutLeft(r.steps, rapid.Int64Range(0, 14).Draw(t, "cut")), values: r.values, start: start{anything: true}}
			want := answerOf(porcupine.CheckOperations(cut.model(), operations(cut.steps)))
			count[want]++
			if got := sweepRegister(cut, reduce(cut, nil)).answer; got != want {
				t.Fatalf("sweep %v, porcupine %v: %+v", got, want, cut.steps)
			}
			if want == illegal && possible(ops, 0, history.None) {
				t.Fatalf("a part of what is possible is not: %+v", cut.steps)
			}
		}
	})
	if count[legal] == 0 || count[illegal] == 0 {
		t.Error("the generator draws one kind of cut only")
	}
}

// TestFirstMomentIsRight: what returned up to the moment is impossible, and what
// returned before it is not.
func TestFirstMomentIsRight(t *testing.T) {
	w := startWatch(t.Context(), 1<<40)
	defer w.close()
	rapid.Check(t, func(t *rapid.T) {
		j := &judge{watch: w, way: rapid.SampledFrom([]method{sweepOnly, everyWay}).Draw(t, "way")}
		for range 100 {
			ops := anyOps(t, rapid.Bool().Draw(t, "unique"))
			r, err := newRegister(pointers(ops), nil)
			if err != nil {
				t.Fatal(err)
			}
			far := time.Now().Add(time.Hour)
			ru := j.decide(r, far)
			if ru.answer != illegal {
				continue
			}
			at, exact := ru.moment(far)
			upTo := func(at int64) answer {
				return answerOf(porcupine.CheckOperations(r.model(), operations(prefix(r.steps, at))))
			}
			if !exact || upTo(at) != illegal || upTo(at-1) != legal {
				t.Fatalf("at %d, exact %v: %+v", at, exact, ops)
			}
		}
	})
}
