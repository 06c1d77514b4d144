package linearizable

import (
	"cmp"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"squall/history"
	"squall/history/check"
	"squall/history/check/checktest"
)

func TestMain(m *testing.M) { checktest.Main(m) }

// checkWitness checks what a violation must come with.
func checkWitness(t *testing.T, in *check.Input, res check.Result) {
	t.Helper()
	if len(res.Witness) == 0 || len(res.Witness) > len(in.Ops) {
		t.Errorf("%d operations in the witness of %d", len(res.Witness), len(in.Ops))
	}
	if !slices.IsSortedFunc(res.Witness, func(a, b check.WitnessOp) int { return cmp.Compare(a.Call, b.Call) }) {
		t.Error("the witness is not in the order of the calls")
	}
	page, err := os.ReadFile(filepath.Join(in.Dir, res.Picture))
	if err != nil || !strings.Contains(string(page), "render(data)") {
		t.Errorf("picture %q: %v (%s)", res.Picture, err, res.Summary)
	}
}

// anyOps draws a few operations with any answers, right or wrong.
func anyOps(t *rapid.T, unique bool) []history.Op {
	n := rapid.IntRange(1, 7).Draw(t, "n")
	small := rapid.SampledFrom([]history.Value{history.None, history.Some("1"), history.Some("2"), history.Some("3")})
	ops := make([]history.Op, n)
	for i := range ops {
		op := &ops[i]
		*op = history.Op{Process: int64(i), Key: "k"}
		op.Call = rapid.Int64Range(0, 12).Draw(t, "call")
		op.Return = op.Call + rapid.Int64Range(0, 6).Draw(t, "length")
		funcs := []history.Func{history.Read, history.Read, history.Write, history.Write, history.CAS}
		if !unique {
			funcs = append(funcs, history.Delete)
		}
		op.Func = rapid.SampledFrom(funcs).Draw(t, "func")
		op.Outcome = rapid.SampledFrom([]history.Outcome{history.OK, history.OK, history.OK, history.Info, history.Fail}).Draw(t, "outcome")
		var r history.Register
		if op.Func == history.Write || op.Func == history.CAS {
			r.Value = history.Some(rapid.SampledFrom([]string{"1", "2", "3"}).Draw(t, "value"))
			if unique {
				r.Value = history.Some(strconv.Itoa(i + 1))
			}
		}
		if op.Func == history.CAS {
			r.Expect = small.Draw(t, "expect")
			r.Swapped = op.Outcome == history.OK && rapid.Bool().Draw(t, "swapped")
		}
		if op.Outcome == history.OK && (op.Func == history.Read || (op.Func == history.CAS && !r.Swapped)) {
			r.Result = small.Draw(t, "result")
		}
		if op.Func == history.Write && op.Outcome == history.OK && rapid.Bool().Draw(t, "tells") {
			r.Replaced, r.Result = true, small.Draw(t, "replaced")
		}
		op.SetRegister(r)
	}
	return ops
}

// possible is the definition of linearizability, tried out order by order. It
// shares nothing with the checker.
func possible(ops []history.Op, done int, state history.Value) bool {
	first := int64(1 << 62) // the earliest return of what must still be placed
	left := false
	for i, op := range ops {
		if done&(1<<i) == 0 && op.Outcome == history.OK {
			first, left = min(first, op.Return), true
		}
	}
	if !left {
		return true // all others may be left out
	}
	for i, op := range ops {
		if done&(1<<i) != 0 || op.Outcome == history.Fail || op.Call > first {
			continue
		}
		next, ok, r := state, true, op.Register()
		switch known := op.Outcome == history.OK; op.Func {
		case history.Read:
			ok = !known || r.Result == state
		case history.CAS:
			hit := r.Expect == state
			if hit {
				next = r.Value
			}
			ok = !known || (hit == r.Swapped && (hit || r.Result == state))
		default:
			next = r.Value
			ok = !known || !r.Replaced || r.Result == state
		}
		if ok && possible(ops, done|1<<i, next) {
			return true
		}
	}
	return false
}

func pointers(ops []history.Op) []*history.Op {
	out := make([]*history.Op, len(ops))
	for i := range ops {
		out[i] = &ops[i]
	}
	return out
}

// random is a source that rapid can shrink the seed of.
func random(t *rapid.T) *rand.Rand {
	return rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
}
