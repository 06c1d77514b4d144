package check

import (
	"cmp"
	"flag"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"squall/history"
	"squall/internal/machinetest"
)

func TestMain(m *testing.M) {
	// As many as rapid makes by itself when everything is to be tried.
	if err := flag.Set("rapid.checks", strconv.Itoa(machinetest.Rounds(25, 100))); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(machinetest.Main(m))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// checkWitness checks what a violation must come with.
func checkWitness(t *testing.T, in *Input, res Result) {
	t.Helper()
	if len(res.Witness) == 0 || len(res.Witness) > len(in.Ops) {
		t.Errorf("%d operations in the witness of %d", len(res.Witness), len(in.Ops))
	}
	if !slices.IsSortedFunc(res.Witness, func(a, b WitnessOp) int { return cmp.Compare(a.Call, b.Call) }) {
		t.Error("the witness is not in the order of the calls")
	}
	page, err := os.ReadFile(filepath.Join(in.Dir, res.Picture))
	if err != nil || !strings.Contains(string(page), "render(data)") {
		t.Errorf("picture %q: %v (%s)", res.Picture, err, res.Summary)
	}
}

// registers is the header of a history of registers.
func registers(nodes ...string) history.Header {
	return history.Header{Nodes: nodes, Functions: history.RegisterFunctions()}
}

// says changes what an operation on a register says.
func says(op *history.Op, change func(r *history.Register)) {
	r := op.Register()
	change(&r)
	op.SetRegister(r)
}

// shape says what random operations look like.
type shape struct {
	n, clients int
	values     int // how many different values are written; 0: each one once
	pending    int // percent of unknown outcome
	deletes    bool
	tells      bool // writes tell what they replaced
}

// simulate runs clients against a correct register: each operation takes effect
// at a random moment between its call and its return. One of unknown outcome
// takes effect at a random moment after its call, or never.
func simulate(rng *rand.Rand, key string, sh shape) []history.Op {
	type effect struct {
		at int64
		op *history.Op
	}
	ops := make([]history.Op, sh.n)
	var effects []effect
	free := make([]int64, sh.clients) // when a client is free again
	process := make([]int64, sh.clients)
	for c := range process {
		process[c] = int64(c)
	}
	written := []history.Value{history.None}
	for i := range ops {
		c := rng.IntN(sh.clients)
		op := &ops[i]
		*op = history.Op{Process: process[c], Node: "n1", Key: key, Outcome: history.OK}
		op.Call = free[c] + 1 + rng.Int64N(20)
		op.Return = op.Call + 2 + rng.Int64N(100)
		free[c] = op.Return
		value := history.Some(strconv.Itoa(i + 1))
		if sh.values > 0 {
			value = history.Some(strconv.Itoa(rng.IntN(sh.values)))
		}
		switch p := rng.IntN(10); {
		case p < 5:
			op.Func = history.Read
		case p == 5 && sh.deletes:
			op.Func = history.Delete
		case p < 8:
			op.Func, op.In = history.Write, value.AsData()
		default:
			op.Func = history.CAS
			op.In = history.List(written[max(0, len(written)-1-rng.IntN(3))].AsData(), value.AsData())
		}
		if op.In != "" {
			written = append(written, value)
		}
		at := op.Call + rng.Int64N(op.Return-op.Call)
		if rng.IntN(100) < sh.pending {
			op.Outcome = history.Info
			process[c] += int64(sh.clients)
			at = op.Call + rng.Int64N(300)
			if rng.IntN(2) == 0 {
				continue // it never takes effect
			}
		}
		effects = append(effects, effect{at, op})
	}
	slices.SortFunc(effects, func(a, b effect) int { return cmp.Compare(a.at, b.at) })
	state := history.None
	for _, e := range effects {
		before := state
		state = takeEffect(e.op, state)
		if sh.tells && e.op.Func == history.Write {
			says(e.op, func(r *history.Register) { r.Replaced, r.Result = true, before })
		}
	}
	return ops
}

// takeEffect gives an operation its answer, and returns the new state.
func takeEffect(op *history.Op, state history.Value) history.Value {
	r := op.Register()
	next := r.Value
	r.Swapped = op.Func == history.CAS && r.Expect == state
	if op.Func == history.Read || op.Func == history.CAS && !r.Swapped {
		r.Result, next = state, state
	}
	op.SetRegister(r)
	return next
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
