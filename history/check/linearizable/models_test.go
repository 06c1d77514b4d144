package linearizable

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"pgregory.net/rapid"

	"squall/history"
	"squall/history/check"
	"squall/history/check/checktest"
	"squall/history/objects"
	"squall/internal/machinetest"
)

// checkModel checks a history of one model, and what it says of a violation.
func checkModel(t testing.TB, m Model, ops []history.Op) check.Result {
	t.Helper()
	res := Checker(m).Check(t.Context(), &check.Input{History: &history.History{Header: history.Header{Functions: m.Functions}, Ops: ops}, Dir: t.TempDir(), Limits: check.Limits{Time: time.Hour}})
	if res.Verdict == check.Violation && res.Picture == "" {
		t.Errorf("not drawn: %s", res.Told())
	}
	if res.Verdict == check.Violation && (len(res.Witness) == 0 || res.FirstAt == nil || res.Explanation == "" || res.Kind == "" || checktest.Malformed(res.Explanation)) {
		t.Errorf("a violation without all that it must come with: %+v", res)
	}
	return res
}

// TestModelsAccept: what each model must accept.
func TestModelsAccept(t *testing.T) {
	add := func(n int64, call, ret int64) history.Op {
		return checktest.At(1, "n1", objects.Add, checktest.Number(n), history.True, call, ret)
	}
	read := func(out history.Data, call, ret int64) history.Op {
		return checktest.At(2, "n2", history.Read, "", out, call, ret)
	}
	acquire := func(owner string, out history.Data, call, ret int64) history.Op {
		return checktest.At(1, "n1", objects.Acquire, history.Text(owner), out, call, ret)
	}
	release := func(owner string, token int64, out history.Data, call, ret int64) history.Op {
		return checktest.At(1, "n1", objects.Release, history.List(history.Text(owner), checktest.Number(token)), out, call, ret)
	}
	for name, tt := range map[string]struct {
		model Model
		ops   []history.Op
	}{
		"set: nothing yet":                       {SetModel(), []history.Op{read("[]", 1, 2), add(1, 3, 4), read("[1]", 5, 6)}},
		"set: any order":                         {SetModel(), []history.Op{add(1, 1, 2), add(2, 3, 4), read("[2,1]", 5, 6)}},
		"set: under way":                         {SetModel(), []history.Op{add(1, 1, 9), read("[]", 2, 3), read("[1]", 4, 5)}},
		"set: unknown, and seen":                 {SetModel(), []history.Op{checktest.Unknown(add(1, 1, 2)), read("[]", 3, 4), read("[1]", 5, 6)}},
		"set: unknown, and not seen":             {SetModel(), []history.Op{checktest.Unknown(add(1, 1, 2)), add(2, 3, 4), read("[2]", 5, 6)}},
		"set: failed":                            {SetModel(), []history.Op{checktest.Failed(add(1, 1, 2)), read("[]", 3, 4)}},
		"set: added twice":                       {SetModel(), []history.Op{add(1, 1, 2), read("[1]", 3, 4), add(1, 5, 6), read("[1]", 7, 8)}},
		"lock: in turn":                          {LockModel(), []history.Op{acquire("a", "1", 1, 2), acquire("b", `"a"`, 3, 4), release("a", 1, "true", 5, 6), acquire("b", "4", 7, 8)}},
		"lock: not held so":                      {LockModel(), []history.Op{acquire("a", "1", 1, 2), release("a", 2, "false", 3, 4), release("b", 1, "false", 5, 6), release("a", 1, "true", 7, 8), release("a", 1, "false", 9, 10)}},
		"lock: held by an acquire nobody heard":  {LockModel(), []history.Op{checktest.Unknown(acquire("a", "1", 1, 2)), acquire("b", `"a"`, 3, 4), acquire("c", `"a"`, 5, 6)}},
		"lock: an acquire that came to nothing":  {LockModel(), []history.Op{checktest.Unknown(acquire("a", "1", 1, 2)), acquire("b", "1", 3, 4)}},
		"lock: released after all":               {LockModel(), []history.Op{acquire("a", "1", 1, 2), checktest.Unknown(release("a", 1, "true", 3, 4)), acquire("b", `"a"`, 5, 6), acquire("b", "2", 7, 8)}},
		"counter: in between":                    {CounterModel(), []history.Op{add(1, 1, 9), add(2, 1, 9), read("2", 2, 3), read("3", 4, 5)}},
		"counter: down":                          {CounterModel(), []history.Op{add(5, 1, 2), add(-7, 3, 4), read("-2", 5, 6)}},
		"counter: unknown, and counted later":    {CounterModel(), []history.Op{checktest.Unknown(add(5, 1, 2)), read("0", 3, 4), read("5", 5, 6)}},
		"counter: unknown, and never heard of":   {CounterModel(), []history.Op{checktest.Unknown(add(5, 1, 2)), read("0", 3, 4), add(1, 5, 6), read("1", 7, 8)}},
		"counter: a read that was not answered":  {CounterModel(), []history.Op{add(5, 1, 2), checktest.Unknown(read("7", 3, 4))}},
		"counter: two keys know nothing of each": {CounterModel(), []history.Op{add(5, 1, 2), {Key: "other", Func: history.Read, Out: "0", Outcome: history.OK, Call: 3e6, Return: 4e6}}},
	} {
		t.Run(name, func(t *testing.T) {
			if res := checkModel(t, tt.model, tt.ops); res.Verdict != check.Pass {
				t.Errorf("%s: %s %s", res.Verdict, res.Told(), res.Explanation)
			}
		})
	}
}

// TestModelsRefuseData: data that an operation cannot have is named with its field.
func TestModelsRefuseData(t *testing.T) {
	op := func(f history.Func, in, out history.Data) history.Op { return checktest.At(1, "n1", f, in, out, 1, 2) }
	for _, tt := range []struct {
		model Model
		op    history.Op
		want  string
	}{
		{SetModel(), op("pop", "", "1"), "the operation pop, which a set does not have"},
		{SetModel(), op(objects.Add, "", "true"), `an add without its element "i", a string or a number: it is missing`},
		{SetModel(), op(objects.Add, "[1]", "true"), `an add without its element "i"`},
		{SetModel(), op(objects.Add, "1", "2"), `a add with data that it cannot have: its "o" is 2`},
		{SetModel(), op(history.Read, "", ""), `a read that was answered without its result "o", a list: it is missing`},
		{SetModel(), op(history.Read, "", "[[]]"), `neither a string nor a number: []`},
		{SetModel(), op(history.Read, "1", "[]"), `its "i" is 1`},
		{SetModel(), history.Op{Func: objects.Add, In: "1", Out: "true", Outcome: history.Info}, `with an answer "o", though its outcome is "info"`},
		{LockModel(), op(objects.Acquire, "7", "1"), `an acquire without its owner "i", a string: it is 7`},
		{LockModel(), op(objects.Acquire, `"a"`, ""), `an acquire whose result "o" is neither its token nor the owner who holds the lock: missing`},
		{LockModel(), op(objects.Acquire, `"a"`, "1.5"), "1.5, want a whole number"},
		{LockModel(), op(objects.Acquire, `"a"`, "9223372036854775807"), "want a whole number of at most 2^53"},
		{LockModel(), op(objects.Release, `"a"`, "true"), `a release without its "i", a list of owner and token`},
		{LockModel(), op(objects.Release, `["a"]`, "true"), `a release without its "i"`},
		{LockModel(), op(objects.Release, `["a","b"]`, "true"), `a release whose token in "i" is none`},
		{LockModel(), op(objects.Release, `["a",1]`, ""), `a release whose result "o" is neither true nor false: it is missing`},
		{CounterModel(), op(objects.Add, `"1"`, "true"), `an add whose number "i" is none`},
		{CounterModel(), op(history.Read, "", "null"), `a read whose result "o" is none: null`},
	} {
		res := checkModel(t, tt.model, []history.Op{tt.op})
		if res.Verdict != check.Unknown || !strings.Contains(res.Summary, tt.want) {
			t.Errorf("%s %s: %s, want %s", tt.model.Name, tt.op.Func, res.Told(), tt.want)
		}
	}
}

// simulateModel runs clients against a correct object of a model: each operation takes
// effect at a random moment between its call and its return. One of unknown outcome takes
// effect at a random moment after its call, or never.
func simulateModel(rng *rand.Rand, model string, key string, n, clients, pending int) []history.Op {
	ops := make([]history.Op, n)
	type effect struct {
		at int64
		op *history.Op
	}
	var effects []effect
	free, process := make([]int64, clients), make([]int64, clients)
	for i := range ops {
		c := rng.IntN(clients)
		op := &ops[i]
		*op = history.Op{Process: process[c]*int64(clients) + int64(c), Node: fmt.Sprint("n", 1+c%3), Key: key, Outcome: history.OK}
		op.Call = free[c] + 1 + rng.Int64N(20)
		op.Return = op.Call + 2 + rng.Int64N(100)
		free[c] = op.Return
		at := op.Call + rng.Int64N(op.Return-op.Call)
		if rng.IntN(100) < pending {
			op.Outcome = history.Info
			process[c]++
			at = op.Call + rng.Int64N(300)
			if rng.IntN(2) == 0 {
				at = -1 // never
			}
		}
		effects = append(effects, effect{at, op})
	}
	slices.SortStableFunc(effects, func(a, b effect) int { return cmp.Compare(a.at, b.at) })
	object := correct{owner: history.Null}
	for i, e := range effects {
		object.do(rng, model, e.op, i+1, e.at < 0)
	}
	return ops
}

// correct is an object that behaves.
type correct struct {
	elements    []history.Data
	sum         int64
	owner       history.Data
	token, last int64
}

// do gives an operation its function, data and answer, and carries it out unless it never
// takes effect.
func (c *correct) do(rng *rand.Rand, model string, op *history.Op, i int, never bool) {
	before := *c
	switch reads := rng.IntN(10) < 3; {
	case model == "lock":
		c.lock(rng, op)
	case reads && model == "set":
		op.Func, op.Out = history.Read, history.List(c.elements...)
	case reads:
		op.Func, op.Out = history.Read, checktest.Number(c.sum)
	default:
		op.Func, op.In, op.Out = objects.Add, checktest.Number(int64(i)), history.True
		if model == "counter" {
			op.In = checktest.Number(1 + rng.Int64N(3))
		}
		n, _ := objects.WholeNumber(op.In)
		c.sum += n
		if model == "set" {
			c.elements = slices.Insert(slices.Clone(c.elements), rng.IntN(len(c.elements)+1), op.In)
		}
	}
	if never {
		*c = before
	}
	if op.Outcome != history.OK {
		op.Out = ""
	}
}

func (c *correct) lock(rng *rand.Rand, op *history.Op) {
	owner := history.Text(fmt.Sprint("c", op.Process))
	if c.owner != history.Null && rng.IntN(2) == 0 {
		op.Func, op.In, op.Out = objects.Release, history.List(c.owner, checktest.Number(c.token)), history.True
		if rng.IntN(4) == 0 {
			op.In, op.Out = history.List(owner, checktest.Number(c.token-1)), history.False
			return
		}
		c.owner = history.Null
		return
	}
	op.Func, op.In, op.Out = objects.Acquire, owner, c.owner
	if c.owner == history.Null {
		c.last += 1 + rng.Int64N(2)
		c.owner, c.token = owner, c.last
		op.Out = checktest.Number(c.token)
	}
}

// plantIn spoils one answer of a correct history so that no order explains it.
func plantIn(rng *rand.Rand, model string, ops []history.Op) []history.Op {
	end := int64(0)
	for i := range ops {
		end = max(end, ops[i].Return)
	}
	op := func(f history.Func, in, out history.Data) history.Op {
		end += 10
		return history.Op{Process: 1 << 30, Node: "n2", Key: ops[0].Key, Func: f, In: in, Out: out, Outcome: history.OK, Call: end, Return: end + 5}
	}
	switch model {
	case "set":
		return append(ops, op(objects.Add, "1000000", history.True), op(history.Read, "", history.List()))
	case "counter":
		return append(ops, op(history.Read, "", checktest.Number(int64(-1-rng.IntN(3)))))
	}
	return append(ops, op(objects.Acquire, `"x"`, "1000000"), op(objects.Acquire, `"y"`, "1000001"))
}

// TestCorrectObjectsPass: no false alarm on what objects really did, and a violation
// planted in it is caught, shown with few operations and explained.
func TestCorrectObjectsPass(t *testing.T) {
	for _, m := range []Model{SetModel(), LockModel(), CounterModel()} {
		t.Run(m.Name, func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				rng := random(rt)
				n := rapid.IntRange(1, 200).Draw(rt, "n")
				ops := simulateModel(rng, m.Name, "k", n, rapid.IntRange(1, 6).Draw(rt, "clients"), rapid.SampledFrom([]int{0, 3}).Draw(rt, "pending"))
				if res := checkModel(t, m, ops); res.Verdict != check.Pass {
					rt.Fatalf("%s: %s", res.Verdict, res.Told())
				}
				res := checkModel(t, m, plantIn(rng, m.Name, ops))
				if res.Verdict != check.Violation || len(res.Witness) > 8 {
					rt.Fatalf("planted: %s, %d shown: %s %s", res.Verdict, len(res.Witness), res.Told(), res.Explanation)
				}
			})
		})
	}
}

// hostileData are values of any kind; some are not even that.
func hostileData() []history.Data {
	return []history.Data{"", "null", "true", "false", "1", "-1", "9007199254740993", "1e9", `"a"`, `"\udc80"`, "[]", "[1,1]", `["a",1]`, `["a","b"]`, `["a",1,2]`, "[[1],{}]", `[["w","a","b"]]`, `[["r","a",null]]`, `[["r","a","b"]]`, `{"found":"a"}`, "[", `"`, "{"}
}

// anything is an operation of each function of a model with any data, those first that the
// model takes.
func anything(m Model) (taken, refused []history.Op) {
	for _, f := range m.Functions {
		for _, in := range hostileData() {
			for _, out := range hostileData() {
				for _, outcome := range []history.Outcome{history.OK, history.Info, history.Fail} {
					op := checktest.At(1, "n1", f.Name, in, out, 1, 2)
					op.Outcome = outcome
					if _, err := m.prepare([]*history.Op{&op}, nil); err == nil {
						taken = append(taken, op)
					} else {
						refused = append(refused, op)
					}
				}
			}
		}
	}
	return taken, refused
}

// TestEveryModel: whatever operations say, a model refuses it or checks it. Of what it
// checks, the ways to decide say the same, a violation is there from its first moment on and
// not before, and what is shown of it has no order either.
func TestEveryModel(t *testing.T) {
	for _, m := range Models() {
		t.Run(m.Name, func(t *testing.T) {
			w := startWatch(t.Context(), 1<<40)
			defer w.close()
			in := &check.Input{History: &history.History{Header: history.Header{Functions: m.Functions}}}
			count := map[answer]int{}
			rng := rand.New(rand.NewPCG(1, 1))
			taken, refused := anything(m)
			for range 300 {
				in.Ops = []history.Op{refused[rng.IntN(len(refused))]}
				if res := Checker(m).Check(t.Context(), in); res.Verdict != check.Unknown || !strings.Contains(res.Summary, "the history holds") {
					t.Fatalf("refused, and yet %s: %s", res.Verdict, res.Told())
				}
			}
			for range machinetest.Rounds(1000, 3000) {
				ops := make([]history.Op, 1+rng.IntN(6))
				for i := range ops {
					ops[i] = taken[rng.IntN(len(taken))]
					ops[i].Process, ops[i].Call = int64(i), rng.Int64N(12)*1e6
					ops[i].Return = ops[i].Call + rng.Int64N(6)*1e6
				}
				count[decideEveryWay(t, w, m, ops)]++
				in.Ops = ops
				checktest.Told(t, Checker(m).Check(t.Context(), in))
			}
			if count[legal] < 100 || count[illegal] < 100 {
				t.Errorf("%d linearizable, %d not: too few of one", count[legal], count[illegal])
			}
		})
	}
}

// decideEveryWay is the answer to a few operations, on which all ways must agree.
func decideEveryWay(t *testing.T, w *watch, m Model, ops []history.Op) answer {
	t.Helper()
	far := time.Now().Add(time.Hour)
	e, err := m.prepare(pointers(ops), nil)
	checktest.Must(t, err)
	want := ruling{}
	for _, way := range []method{everyWay, sweepOnly, searchOnly} {
		j := &judge{watch: w, way: way, model: m}
		got := e.decide(j, far)
		if way == everyWay {
			want = got
		}
		if got.answer == undecided || got.answer != want.answer {
			t.Fatalf("%s, way %d: %d, and the first %d: %s", m.Name, way, got.answer, want.answer, showOps(m, ops))
		}
		if got.answer == legal {
			continue
		}
		first, exact := want.moment(far)
		at, too := got.moment(far)
		small := e.minimise(&minimiser{judge: j, end: far}, at)
		if at != first || !exact || !too || len(small.ops) == 0 || porcupine.CheckOperations(small.part.porcupine()) {
			t.Fatalf("%s, way %d: at %d, and the first %d; shown is %+v: %s", m.Name, way, at, first, small.part, showOps(m, ops))
		}
	}
	return want.answer
}

// TestAModelThatPanics: one with a bug costs its own verdict and nothing else.
func TestAModelThatPanics(t *testing.T) {
	sp := counter()
	sp.fast = nil
	sp.Step = func(sum int64, o counted64) []int64 { return []int64{sum / (o.n - 1)} }
	in := &check.Input{History: &history.History{Ops: []history.Op{checktest.At(1, "n1", objects.Add, "1", history.True, 1, 2)}}}
	res := check.RunOne(t.Context(), Checker(sp.Model()), in)
	if res.Verdict != check.Unknown || !strings.Contains(res.Summary, "the checker failed: runtime error: integer divide by zero") {
		t.Errorf("%s: %s", res.Verdict, res.Summary)
	}
}

// TestLongHistories: of many thousand operations on one key the limits allow a
// verdict, and few are shown of what is wrong.
func TestLongHistories(t *testing.T) {
	for _, m := range []Model{LockModel(), CounterModel()} {
		t.Run(m.Name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(1, 1))
			begin := time.Now()
			ops := simulateModel(rng, m.Name, "k", machinetest.Rounds(5_000, 20_000), 10, 0)
			res := checkModel(t, m, ops)
			t.Logf("%s, %v: %s", res.Verdict, time.Since(begin), res.Told())
			if res.Verdict != check.Pass {
				t.Errorf("%s: %s", res.Verdict, res.Told())
			}
			begin = time.Now()
			res = checkModel(t, m, plantIn(rng, m.Name, ops))
			t.Logf("%s, %v, %d shown: %s %s", res.Verdict, time.Since(begin), len(res.Witness), res.Told(), res.Explanation)
			if res.Verdict != check.Violation || len(res.Witness) > 8 {
				t.Errorf("%s, %d shown: %s", res.Verdict, len(res.Witness), res.Told())
			}
		})
	}
}

// BenchmarkModels reports what it takes to judge many operations on one key, without and
// with a violation at their end, and how many operations are shown of that.
func BenchmarkModels(b *testing.B) {
	for _, sh := range []struct {
		model      Model
		n, pending int
	}{
		{SetModel(), 3000, 1}, {LockModel(), 100_000, 0}, {LockModel(), 10_000, 1}, {CounterModel(), 100_000, 0}, {CounterModel(), 1000, 1},
	} {
		ops := simulateModel(rand.New(rand.NewPCG(1, 1)), sh.model.Name, "k", sh.n, 10, sh.pending)
		for _, bad := range []bool{false, true} {
			b.Run(fmt.Sprintf("%s,n=%d,unknown=%d,bad=%v", sh.model.Name, sh.n, sh.pending, bad), func(b *testing.B) {
				if bad {
					ops = plantIn(rand.New(rand.NewPCG(2, 2)), sh.model.Name, ops)
				}
				res := check.Result{}
				for b.Loop() {
					res = Checker(sh.model).Check(b.Context(), &check.Input{History: &history.History{Header: history.Header{Functions: sh.model.Functions}, Ops: ops}, Limits: check.Limits{Time: 15 * time.Second}})
				}
				if want := map[bool]check.Verdict{false: check.Pass, true: check.Violation}[bad]; res.Verdict != want {
					b.Errorf("%s, want %s: %s", res.Verdict, want, res.Told())
				}
				b.ReportMetric(float64(len(res.Witness)), "operations-shown")
			})
		}
	}
}
