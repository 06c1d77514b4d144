package linearizable

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"

	"squall/history"
	"squall/history/check"
	"squall/history/check/checktest"
)

// TestManyOfUnknownOutcome holds every sweep against the definition, on small histories in
// which most of what changes something is of unknown outcome: one that keeps few
// configurations is right where it finds a way through, and one that never uses up a step is
// right where it finds none.
func TestManyOfUnknownOutcome(t *testing.T) {
	found := map[string]int{}
	w := startWatch(t.Context(), 1<<40)
	defer w.close()
	g, release := w.guard(time.Now().Add(time.Hour))
	defer release()
	rapid.Check(t, func(t *rapid.T) {
		rng := random(t)
		for range 100 {
			ops := anyOps(t, false)
			for i := range ops {
				if op := &ops[i]; op.Func != history.Read && op.Outcome == history.OK && rng.IntN(3) > 0 {
					op.Outcome, op.Out = history.Info, ""
				}
			}
			want := answerOf(possible(ops, 0, history.None))
			r, err := newRegister(pointers(ops), nil)
			if err != nil {
				t.Fatal(err)
			}
			p := &problem{steps: r.steps, values: len(r.values)}
			if got := newSweep(p, g, 0).run().answer; got != want {
				t.Fatalf("a sweep: %v, want %v", got, want)
			}
			for _, limit := range []int{1, 2, 64} {
				if got := newSweep(p, g, limit).run().answer; got != undecided && got != want {
					t.Fatalf("a sweep that keeps %d: %v, want %v", limit, got, want)
				} else if got == legal && limit == 1 {
					found["legal by one"]++
				}
			}
			if (&judge{}).impossible(r, r.steps, g) {
				if found["impossible"]++; want != illegal {
					t.Fatal("there is an order, and a sweep without an end of steps finds none")
				}
			}
		}
	})
	if found["legal by one"] == 0 || found["impossible"] == 0 {
		t.Errorf("the generator draws one kind of history only: %v", found)
	}
}

// timedOut are so many writes of each of some values, of unknown outcome, and so many reads
// one after the other that find the values in turn.
func timedOut(values, each, reads int) (ops []history.Op) {
	for i := range values * each {
		ops = append(ops, checktest.Unknown(checktest.At(int64(i), "n1", history.Write, history.Text(fmt.Sprint(i%values)), "", 1, 2)))
	}
	for i := range int64(reads) {
		ops = append(ops, checktest.At(10_000, "n2", history.Read, "", history.Text(fmt.Sprint(i%int64(values))), 10+10*i, 15+10*i))
	}
	return ops
}

// hardCases are histories that many operations of unknown outcome, few values or many clients
// make hard, and what they are.
func hardCases() map[string]struct {
	ops  []history.Op
	want check.Verdict
} {
	simulated := func(n, clients, values, pending int) []history.Op {
		return checktest.Simulate(rand.New(rand.NewPCG(uint64(n), uint64(values))), "k", checktest.Shape{N: n, Clients: clients, Values: values, Pending: pending})
	}
	return map[string]struct {
		ops  []history.Op
		want check.Verdict
	}{
		"60 timed-out writes of 2 values":                  {timedOut(2, 30, 40), check.Pass},
		"60 timed-out writes of 2 values, all seen":        {timedOut(2, 30, 60), check.Pass},
		"60 timed-out writes of 2 values, one seen twice":  {timedOut(2, 30, 61), check.Violation},
		"201 timed-out writes of 3 values":                 {timedOut(3, 67, 150), check.Pass},
		"201 timed-out writes of 3 values, one seen twice": {timedOut(3, 67, 202), check.Violation},
		"5 values, 10 clients, 5 % unknown":                {simulated(3000, 10, 5, 5), check.Pass},
		"5 values, 20 clients, 20 % unknown":               {simulated(1000, 20, 5, 20), check.Pass},
		"2 values, 30 clients, 20 % unknown":               {simulated(1000, 30, 2, 20), check.Pass},
		"20 values, 20 clients, 20 % unknown":              {simulated(1000, 20, 20, 20), check.Pass},
	}
}

// TestHardHistories: these are decided, in a time that leaves room for a busy computer.
func TestHardHistories(t *testing.T) {
	for name, tt := range hardCases() {
		t.Run(name, func(t *testing.T) {
			in := &check.Input{History: &history.History{Header: checktest.Registers(), Ops: tt.ops}}
			begin := time.Now()
			res := Checker(RegisterModel()).Check(t.Context(), in)
			t.Logf("%v: %s", time.Since(begin), res.Told())
			if res.Verdict != tt.want {
				t.Errorf("%s, want %s: %s", res.Verdict, tt.want, res.Summary)
			}
		})
	}
}

// BenchmarkHardHistories reports how long they take.
func BenchmarkHardHistories(b *testing.B) {
	for name, tt := range hardCases() {
		b.Run(name, func(b *testing.B) {
			in := &check.Input{History: &history.History{Header: checktest.Registers(), Ops: tt.ops}}
			for b.Loop() {
				if res := Checker(RegisterModel()).Check(b.Context(), in); res.Verdict != tt.want {
					b.Fatal(res.Summary)
				}
			}
		})
	}
}
