package linearizable

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"pgregory.net/rapid"

	"squall/history"
	"squall/history/check"
	"squall/history/check/checktest"
	"squall/history/objects"
)

// oracle is a model by definition: what its operations do, written down once more and
// without any thought of speed. States are what %v prints of them.
type oracle struct {
	model Model
	init  any
	step  func(state any, op *history.Op) []any
	draw  func(t *rapid.T, op *history.Op) // gives an operation its function and data
}

func oracles() []oracle {
	return []oracle{
		{SetModel(), []string{}, setByDefinition, drawSet},
		{LockModel(), heldLock{last: math.MinInt64}, lockByDefinition, drawLock},
		{CounterModel(), 0, counterByDefinition, drawCounter},
		{CounterModel(), 0, counterByDefinition, drawAlike},
		{QueueModel(), "", func(s any, op *history.Op) []any { return queueByDefinition(s, op, false) }, drawQueue},
		{FIFOQueueModel(), "", func(s any, op *history.Op) []any { return queueByDefinition(s, op, true) }, drawQueue},
		{MutexModel(), false, mutexByDefinition, drawMutex},
		{KVModel(), "", kvByDefinition, drawKV},
		{MultiRegisterModel(), [2]string{"null", "null"}, registersByDefinition, drawRegisters},
	}
}

// item is an operation to be put in order, or not.
type item struct {
	op       *history.Op
	optional bool
}

// items are those known at a moment.
func items(ops []history.Op, reads history.Functions, at int64) (out []item) {
	for i := range ops {
		op := &ops[i]
		late := op.Outcome != history.OK || op.Return > at
		if op.Call > at || op.Outcome == history.Fail || late && reads.Reads(op.Func) {
			continue
		}
		out = append(out, item{op, late})
	}
	return out
}

// possible is the definition of linearizability, tried out order by order. It shares
// nothing with the checker.
func (o oracle) possible(list []item, done int, state any) bool {
	first, left := int64(math.MaxInt64), false // the earliest return of what must still be placed
	for i, it := range list {
		if done&(1<<i) == 0 && !it.optional {
			first, left = min(first, it.op.Return), true
		}
	}
	if !left {
		return true
	}
	for i, it := range list {
		if done&(1<<i) != 0 || it.op.Call > first {
			continue
		}
		for _, next := range o.step(state, it.op) {
			if o.possible(list, done|1<<i, next) {
				return true
			}
		}
	}
	return false
}

func (o oracle) answer(ops []history.Op, at int64) answer {
	return answerOf(o.possible(items(ops, o.model.Functions, at), 0, o.init))
}

func drawOps(t *rapid.T, o oracle) []history.Op {
	n := rapid.IntRange(1, 7).Draw(t, "n")
	ops := make([]history.Op, n)
	for i := range ops {
		op := &ops[i]
		*op = history.Op{Process: int64(i), Node: "n1", Key: "k"}
		op.Call = rapid.Int64Range(0, 12).Draw(t, "call")
		op.Return = op.Call + rapid.Int64Range(0, 6).Draw(t, "length")
		op.Outcome = rapid.SampledFrom([]history.Outcome{history.OK, history.OK, history.OK, history.OK, history.Info, history.Fail}).Draw(t, "outcome")
		o.draw(t, op)
		if op.Outcome != history.OK {
			op.Out = ""
		}
	}
	return ops
}

func drawSet(t *rapid.T, op *history.Op) {
	if op.Func = rapid.SampledFrom([]history.Func{objects.Add, history.Read}).Draw(t, "func"); op.Func == objects.Add {
		op.In, op.Out = checktest.Number(rapid.Int64Range(1, 5).Draw(t, "element")), history.True
		return
	}
	found := rapid.SliceOfN(rapid.Int64Range(1, 4), 0, 3).Draw(t, "found")
	var list []history.Data
	for _, n := range found {
		list = append(list, checktest.Number(n))
	}
	op.Out = history.List(list...)
}

func setByDefinition(state any, op *history.Op) []any {
	have := state.([]string)
	if op.Func == objects.Add {
		if slices.Contains(have, string(op.In)) {
			return []any{have}
		}
		return []any{append(slices.Clone(have), string(op.In))}
	}
	found := strings.FieldsFunc(string(op.Out), func(r rune) bool { return strings.ContainsRune("[,]", r) })
	if len(found) != len(have) || slices.ContainsFunc(have, func(e string) bool { return !slices.Contains(found, e) }) {
		return nil
	}
	return []any{have}
}

func drawCounter(t *rapid.T, op *history.Op) {
	if op.Func = rapid.SampledFrom([]history.Func{objects.Add, history.Read}).Draw(t, "func"); op.Func == objects.Add {
		op.In, op.Out = checktest.Number(rapid.Int64Range(-1, 2).Draw(t, "number")), history.True
		return
	}
	op.Out = checktest.Number(rapid.Int64Range(0, 4).Draw(t, "found"))
}

// drawAlike draws adds of one number.
func drawAlike(t *rapid.T, op *history.Op) {
	if drawCounter(t, op); op.Func == objects.Add {
		op.In = "-2"
		return
	}
	op.Out = checktest.Number(-2*rapid.Int64Range(0, 4).Draw(t, "counted") + rapid.SampledFrom([]int64{0, 0, 0, 0, 0, 0, 0, 0, 0, 1}).Draw(t, "odd"))
}

func counterByDefinition(state any, op *history.Op) []any {
	sum := state.(int)
	if op.Func == objects.Add {
		n, _ := strconv.Atoi(string(op.In))
		return []any{sum + n}
	}
	if strconv.Itoa(sum) != string(op.Out) {
		return nil
	}
	return []any{sum}
}

// heldLock is a lock whose tokens are all known: those that nobody was told are tried.
type heldLock struct {
	owner string // "" for nobody
	token int
	last  int
}

func drawLock(t *rapid.T, op *history.Op) {
	owner := rapid.SampledFrom([]string{"a", "b"})
	token := checktest.Number(rapid.Int64Range(1, 4).Draw(t, "token"))
	op.In = history.Text(owner.Draw(t, "owner"))
	if op.Func = rapid.SampledFrom([]history.Func{objects.Acquire, objects.Acquire, objects.Release}).Draw(t, "func"); op.Func == objects.Release {
		op.In = history.List(op.In, token)
		op.Out = rapid.SampledFrom([]history.Data{history.True, history.True, history.False}).Draw(t, "released")
		return
	}
	op.Out = token
	if rapid.IntRange(0, 3).Draw(t, "held") == 0 {
		op.Out = history.Text(owner.Draw(t, "holder"))
	}
}

func lockByDefinition(state any, op *history.Op) (out []any) {
	s, ok := state.(heldLock), op.Outcome == history.OK
	owner := strings.Trim(string(op.In), `"`)
	if op.Func == objects.Acquire {
		switch token, err := strconv.Atoi(string(op.Out)); {
		case ok && err != nil:
			if s.owner != "" && s.owner == strings.Trim(string(op.Out), `"`) {
				out = append(out, s)
			}
		case s.owner != "":
		case ok:
			if token > s.last {
				out = append(out, heldLock{owner, token, token})
			}
		default:
			for token := -8; token < 12; token++ { // more than enough below and above those drawn
				if token > s.last {
					out = append(out, heldLock{owner, token, token})
				}
			}
		}
		return out
	}
	var token int
	if _, err := fmt.Sscanf(string(op.In), `["`+"%1s"+`",%d]`, &owner, &token); err != nil {
		panic(err)
	}
	hit := s.owner == owner && s.token == token
	if hit && (!ok || op.Out == history.True) {
		return []any{heldLock{last: s.last}}
	}
	if !hit && (!ok || op.Out == history.False) {
		return []any{s}
	}
	return nil
}

// TestModelsAgreeWithTheirDefinitions holds every way to decide, the first moment and the
// witness of each model against its definition, on small histories that may be wrong in
// any way.
func TestModelsAgreeWithTheirDefinitions(t *testing.T) {
	for _, o := range oracles() {
		t.Run(o.model.Name, func(t *testing.T) {
			w := startWatch(t.Context(), 1<<40)
			defer w.close()
			count := map[answer]int{}
			rapid.Check(t, func(t *rapid.T) {
				for range 30 { // a rapid iteration costs more than a history
					ops := drawOps(t, o)
					want := o.answer(ops, math.MaxInt64)
					count[want]++
					for _, way := range []method{everyWay, sweepOnly, searchOnly} {
						decideAsDefined(t, o, &judge{watch: w, way: way, model: o.model}, ops, want)
					}
				}
			})
			t.Logf("%d linearizable, %d not", count[legal], count[illegal])
			if count[legal] == 0 || count[illegal] == 0 {
				t.Error("the generator draws one kind of history only")
			}
		})
	}
}

func decideAsDefined(t *rapid.T, o oracle, j *judge, ops []history.Op, want answer) {
	e, err := o.model.prepare(pointers(ops), nil)
	if err != nil {
		t.Fatal(err)
	}
	far := time.Now().Add(time.Hour)
	got := e.decide(j, far)
	if got.answer != want {
		t.Fatalf("way %v: %v, want %v: %s", j.way, got.answer, want, showOps(o.model, ops))
	}
	if want == legal {
		return
	}
	at, exact := got.moment(far)
	if !exact || o.answer(ops, at) != illegal || o.answer(ops, at-1) != legal {
		t.Fatalf("way %v: at %d, exact %v: %s", j.way, at, exact, showOps(o.model, ops))
	}
	small := e.minimise(&minimiser{judge: j, end: far}, at)
	if len(small.ops) == 0 || porcupine.CheckOperations(small.part.porcupine()) {
		t.Fatalf("way %v: the witness shows nothing: %+v of %s", j.way, small.part, showOps(o.model, ops))
	}
	if _, inTheMiddle := small.part.begins(); !inTheMiddle && o.answer(values(small.ops), math.MaxInt64) != illegal && o.model.Name != "set" {
		t.Fatalf("way %v: the witness is linearizable: %s", j.way, showOps(o.model, values(small.ops)))
	}
}

func values(ops []*history.Op) (out []history.Op) {
	for _, op := range ops {
		out = append(out, *op)
	}
	return out
}

func showOps(m Model, ops []history.Op) string {
	var b strings.Builder
	for i := range ops {
		fmt.Fprintf(&b, "\n%3d–%3d %s", ops[i].Call, ops[i].Return, check.Describe(m.Functions, &ops[i]))
	}
	return b.String()
}
