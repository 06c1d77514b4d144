package linearizable

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"pgregory.net/rapid"

	"squall/history"
	"squall/history/check"
	"squall/history/check/checktest"
)

func answerOf(legalIf bool) answer {
	if legalIf {
		return legal
	}
	return illegal
}

// TestMethodsAgree holds every method against the definition, on small
// histories that may be wrong in any way.
func TestMethodsAgree(t *testing.T) {
	for _, unique := range []bool{true, false} {
		t.Run(fmt.Sprintf("unique=%v", unique), func(t *testing.T) {
			w := startWatch(t.Context(), 1<<40)
			defer w.close()
			count := map[answer]int{}
			decided := 0
			rapid.Check(t, func(t *rapid.T) {
				for range 30 { // a rapid iteration costs more than a history
					ops := anyOps(t, unique)
					want := answerOf(possible(ops, 0, history.None))
					count[want]++
					r, err := newRegister(pointers(ops), nil)
					if err != nil {
						t.Fatal(err)
					}
					reduced := reduce(r, nil)
					if got := answerOf(porcupine.CheckOperations(r.model(), operations(r.steps))); got != want {
						t.Fatalf("porcupine on the whole: %v, want %v", got, want)
					}
					if got := answerOf(porcupine.CheckOperations(r.model(), operations(reduced))); got != want {
						t.Fatalf("porcupine on the reduced: %v, want %v", got, want)
					}
					if got := zones(reduced, len(r.values), nil); got != undecided {
						decided++
						if got != want {
							t.Fatalf("zones: %v, want %v", got, want)
						}
					}
					if want == illegal {
						m := minimiser{judge: &judge{watch: w}, end: time.Now().Add(time.Hour)}
						small := m.minimise(r, 1<<40)
						if len(small.ops) == 0 || porcupine.CheckOperations(small.part.porcupine()) {
							t.Fatalf("the witness shows nothing: %+v", small.part)
						}
					}
				}
			})
			t.Logf("%d linearizable, %d not; zones decided %d", count[legal], count[illegal], decided)
			if count[legal] == 0 || count[illegal] == 0 || decided == 0 {
				t.Error("the generator draws one kind of history only")
			}
		})
	}
}

// TestCorrectRegisterPasses: no false alarm on what a register really did.
func TestCorrectRegisterPasses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sh := checktest.Shape{
			N: rapid.IntRange(1, 150).Draw(t, "n"), Clients: rapid.IntRange(1, 4).Draw(t, "clients"),
			Values: rapid.SampledFrom([]int{0, 0, 3, 8}).Draw(t, "values"), Pending: 10,
			Deletes: rapid.Bool().Draw(t, "deletes"),
		}
		ops := checktest.Simulate(random(t), "k", sh)
		for _, c := range []linearizable{{model: RegisterModel()}, {model: RegisterModel(), way: searchOnly}} {
			if res := c.Check(t.Context(), &check.Input{History: &history.History{Header: checktest.Registers(), Ops: ops}}); res.Verdict != check.Pass {
				t.Fatalf("%+v: %s: %s %+v", c, res.Verdict, res.Summary, res.Witness)
			}
		}
	})
}

// violations are what can be planted.
func violations() []string {
	return []string{"stale read", "lost update", "double cas", "value from nowhere", "read from the future"}
}

// plant adds a violation to a correct history of unique values: one that no
// order whatever can explain.
func plant(rng *rand.Rand, what string, ops []history.Op) []history.Op {
	at := ops[rng.IntN(len(ops))].Return // from here on, in the middle of the others
	op := func(f history.Func, length int64, r history.Register) history.Op {
		o := history.Op{Process: 1000, Node: "n2", Func: f, Key: ops[0].Key, Outcome: history.OK, Call: at + 1, Return: at + 1 + length}
		at = o.Return
		o.SetRegister(r)
		return o
	}
	a, b := history.Some("a"), history.Some("b")
	stores := func(v history.Value) history.Register { return history.Register{Value: v} }
	finds := func(v history.Value) history.Register { return history.Register{Result: v} }
	swaps := func(from, to history.Value) history.Register {
		return history.Register{Expect: from, Value: to, Swapped: true}
	}
	write := op(history.Write, 3, stores(a))
	switch what {
	case "stale read":
		over, read := op(history.Write, 3, stores(b)), op(history.Read, 40, finds(a))
		return append(ops, write, over, read)
	case "lost update":
		cas, read := op(history.CAS, 3, swaps(a, b)), op(history.Read, 40, finds(a))
		return append(ops, write, cas, read)
	case "double cas":
		one, two := op(history.CAS, 30, swaps(a, b)), op(history.CAS, 30, swaps(a, history.Some("c")))
		two.Call, two.Process = one.Call, 1001
		return append(ops, write, one, two)
	case "value from nowhere":
		read := op(history.Read, 40, finds(history.Some("never written")))
		return append(ops, read)
	default:
		read := op(history.Read, 3, finds(b))
		late := op(history.Write, 3, stores(b))
		if rng.IntN(2) == 0 {
			late.Outcome = history.Info
		}
		return append(ops, read, late)
	}
}

func TestPlantedViolationsAreCaught(t *testing.T) {
	for _, what := range violations() {
		t.Run(what, func(t *testing.T) {
			dir := t.TempDir()
			rapid.Check(t, func(t *rapid.T) {
				rng := random(t)
				sh := checktest.Shape{N: rapid.IntRange(5, 300).Draw(t, "n"), Clients: rapid.IntRange(1, 8).Draw(t, "clients"), Pending: 10}
				bad := plant(rng, what, checktest.Simulate(rng, "bad", sh))
				ops := append(checktest.Simulate(rng, "good", sh), bad...)
				in := &check.Input{History: &history.History{Header: checktest.Registers(), Ops: ops}, Dir: dir}
				res := Checker(RegisterModel()).Check(t.Context(), in)
				if res.Verdict != check.Violation || res.Key != "bad" {
					t.Fatalf("%s: %s", res.Verdict, res.Summary)
				}
				if len(res.Witness) == 0 || len(res.Witness) > 6 {
					t.Fatalf("a witness of %d operations: %+v", len(res.Witness), res.Witness)
				}
				if res.Picture == "" {
					t.Fatalf("no picture: %s", res.Summary)
				}
			})
		})
	}
}

func TestPlantedViolationsAreCaughtBySearch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rng := random(t)
		sh := checktest.Shape{N: rapid.IntRange(5, 60).Draw(t, "n"), Clients: 3, Pending: 10}
		what := rapid.SampledFrom(violations()).Draw(t, "violation")
		bad := plant(rng, what, checktest.Simulate(rng, "bad", sh))
		res := linearizable{model: RegisterModel(), way: searchOnly}.Check(t.Context(), &check.Input{History: &history.History{Header: checktest.Registers(), Ops: bad}})
		if res.Verdict != check.Violation || len(res.Witness) > 6 {
			t.Fatalf("%s: %s: %s", what, res.Verdict, res.Summary)
		}
	})
}

// littleMemory is a limit that a search reaches soon.
func littleMemory() uint64 {
	runtime.GC()
	return check.HeapBytes() + 16<<20
}

func TestTimeLimitBites(t *testing.T) {
	in := &check.Input{History: &history.History{Header: checktest.Registers(), Ops: append(checktest.HardKey("hard"), checktest.HardKey("harder")...)}, Limits: check.Limits{Time: 150 * time.Millisecond, Memory: 1 << 40}}
	res := Checker(RegisterModel()).Check(t.Context(), in)
	if res.Verdict != check.Unknown || !strings.Contains(res.Summary, "time limit of 150ms") || !strings.Contains(res.Summary, "hard, harder") {
		t.Errorf("%s: %s", res.Verdict, res.Summary)
	}
}

func TestMemoryLimitBites(t *testing.T) {
	in := &check.Input{History: &history.History{Header: checktest.Registers(), Ops: checktest.HardKey("hard")}, Limits: check.Limits{Time: time.Hour, Memory: littleMemory()}}
	res := Checker(RegisterModel()).Check(t.Context(), in)
	if res.Verdict != check.Unknown || !strings.Contains(res.Summary, "memory limit of") || !strings.Contains(res.Summary, "(hard)") {
		t.Errorf("%s: %s", res.Verdict, res.Summary)
	}
}

// TestLimitDoesNotHideViolation: a key that cannot be decided does not keep the
// others from being looked at.
func TestLimitDoesNotHideViolation(t *testing.T) {
	ops := append(checktest.HardKey("hard"), checktest.HardKey("harder")...)
	ops = append(ops, checktest.BadKey("bad")...)
	for _, limits := range []check.Limits{
		{Time: 2 * time.Second, Memory: 1 << 40, Workers: 1},
		{Time: time.Hour, Memory: littleMemory(), Workers: 1},
	} {
		in := &check.Input{History: &history.History{Header: checktest.Registers(), Ops: ops}, Limits: limits, Dir: t.TempDir()}
		res := Checker(RegisterModel()).Check(t.Context(), in)
		if res.Verdict != check.Violation || res.Key != "bad" {
			t.Errorf("%+v: %s: %s", limits, res.Verdict, res.Summary)
			continue
		}
		checkWitness(t, in, res)
	}
}

func TestNotARegister(t *testing.T) {
	ops := checktest.BadKey("k")
	ops[1].Func = "append"
	res := Checker(RegisterModel()).Check(t.Context(), &check.Input{History: &history.History{Header: checktest.Registers(), Ops: ops}})
	if res.Verdict != check.Unknown || !strings.Contains(res.Summary, `"append"`) {
		t.Errorf("%s: %s", res.Verdict, res.Summary)
	}
	res = Checker(RegisterModel()).Check(t.Context(), &check.Input{History: &history.History{}})
	if res.Verdict != check.Unknown {
		t.Errorf("of nothing: %s: %s", res.Verdict, res.Summary)
	}
}

// TestHostileKey: what clients may store must harm neither the file system nor
// whoever opens the picture.
func TestHostileKey(t *testing.T) {
	const evil = "../../<script>alert(1)</script>\x00\xff"
	ops := checktest.BadKey(evil)
	ops[0].In = history.Text("<img src=x onerror=alert(2)>")
	in := &check.Input{History: &history.History{Header: checktest.Registers(), Ops: ops,
		Faults: []history.Fault{{ID: 1, Name: "partition", Variant: "</script>", Phase: history.Inject, Begin: 1, End: 2, Targets: []string{"n1"}}},
	}, Dir: t.TempDir()}
	res := Checker(RegisterModel()).Check(t.Context(), in)
	checkWitness(t, in, res)
	if strings.ContainsAny(res.Picture, "/<>\x00") || filepath.Base(res.Picture) != res.Picture {
		t.Errorf("picture in %q", res.Picture)
	}
	page, err := os.ReadFile(filepath.Join(in.Dir, res.Picture))
	checktest.Must(t, err)
	_, data, _ := strings.Cut(string(page), "const data =")
	for _, bad := range []string{"<script>alert", "<img"} {
		if strings.Contains(data, bad) {
			t.Errorf("the page holds %s", bad)
		}
	}
	// The states are put into the page as HTML: there, escaping JSON is not enough.
	if !strings.Contains(data, `"StateDescription":"\u0026#34;\u0026lt;img`) {
		t.Errorf("state descriptions are not escaped as HTML: %s", data)
	}
	if !strings.Contains(data, "fault: partition") {
		t.Error("the fault is not drawn")
	}
	if other := fileName("../../<script>alert(2)"); "violation-"+other+".html" == res.Picture {
		t.Error("two keys share a picture")
	}
}

func BenchmarkLinearizable(b *testing.B) {
	const total, perKey = 100_000, 300
	for _, tt := range []struct {
		name    string
		clients int
		c       linearizable
	}{
		{"zones/c=10", 10, linearizable{model: RegisterModel()}},
		{"search/c=3", 3, linearizable{model: RegisterModel(), way: searchOnly}},
	} {
		b.Run(tt.name, func(b *testing.B) {
			rng := rand.New(rand.NewPCG(1, 1))
			var ops []history.Op
			for k := range total / perKey {
				ops = append(ops, checktest.Simulate(rng, fmt.Sprint("r", k), checktest.Shape{N: perKey, Clients: tt.clients, Pending: 1})...)
			}
			in := &check.Input{History: &history.History{Header: checktest.Registers(), Ops: ops}}
			b.ReportAllocs()
			for b.Loop() {
				if res := tt.c.Check(b.Context(), in); res.Verdict != check.Pass {
					b.Fatal(res.Summary)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/total, "ns/op")
		})
	}
}
