package elsewhere

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/anishathalye/porcupine"
	"pgregory.net/rapid"

	"squall/history"
	"squall/history/check"
	"squall/history/objects"
)

// random makes a small history of squall's own: any answers, of which some fit.
func random(rng *rand.Rand, object string) *history.History {
	functions := find(object).functions()
	h := &history.History{Header: history.Header{Mono: 1000, Functions: functions}}
	keys := []string{"r1", "7"}[:1+rng.IntN(2)]
	now := int64(1000)
	free := map[int64]int64{} // when a process is free; -1: never again
	for i := range 1 + rng.IntN(12) {
		p := rng.Int64N(4)
		for free[p] < 0 {
			p += 4
		}
		now += rng.Int64N(50)
		op := history.Op{Process: p, Node: "n1", Key: keys[rng.IntN(len(keys))], Call: max(now, free[p]+1), Outcome: history.OK}
		op.Return = op.Call + rng.Int64N(100)
		op.Func = functions[rng.IntN(len(functions))].Name
		fill(rng, object, &op, i)
		if free[p] = op.Return; rng.IntN(8) == 0 {
			op.Outcome, op.Error, free[p] = history.Info, pick(rng, "timeout", history.ErrorUnderWay), -1
		} else if rng.IntN(10) == 0 {
			op.Outcome, op.Error = history.Fail, "refused"
		}
		if op.Outcome != history.OK {
			op.Out = ""
		}
		h.Ops = append(h.Ops, op)
	}
	h.Faults = []history.Fault{{Name: "partition", ID: 1, Phase: history.Inject, Begin: 1010, Detail: "n1 | n2"}, {Name: "partition", ID: 1, Phase: history.Heal, Begin: 1090}}
	h.Ops = sorted(h.Ops)
	return h
}

// fill gives an operation its data and an answer.
func fill(rng *rand.Rand, object string, op *history.Op, i int) {
	word := func(of ...string) history.Data { return history.Text(pick(rng, of...)) }
	values := []string{"1", "2", "01", "a", ":a", "nil", "", `"`, "\xb5", "\u202e", "\U0001F480"}
	value := func() history.Data { return word(values[:2+rng.IntN(len(values)-2)]...) }
	orNull := func() history.Data {
		if rng.IntN(4) == 0 {
			return history.Null
		}
		return value()
	}
	switch object {
	case Register:
		op.SetRegister(history.Register{})
		switch op.Func {
		case history.Read:
			op.Out = orNull()
		case history.Write:
			op.In, op.Out = value(), ""
		case history.CAS:
			op.In, op.Out = history.List(orNull(), value()), pickData(rng, history.True, `{"found":`+orNull()+"}")
		}
	case Set:
		if op.Func == objects.Add {
			op.In = pickData(rng, history.Data(fmt.Sprint(i)), history.Text(fmt.Sprint(i)))
			return
		}
		op.Out = pickData(rng, "[]", "[0]", "[0,1]", `["0",1]`, `["1","0"]`)
	case Counter:
		if op.Func == objects.Add {
			op.In = pickData(rng, "1", "2", "-1")
			return
		}
		op.Out = pickData(rng, "0", "1", "2")
	case Lock:
		owner := word("a", "b")
		if op.Func == objects.Acquire {
			op.In, op.Out = owner, pickData(rng, history.Data(fmt.Sprint(i)), `"a"`, `"b"`)
			return
		}
		op.In, op.Out = history.List(owner, history.Data(fmt.Sprint(rng.IntN(5)))), pickData(rng, history.True, history.False)
	case Queue, FIFOQueue:
		if op.Func == objects.Enqueue {
			op.In = pickData(rng, history.Data(fmt.Sprint(i)), history.Text(fmt.Sprint(i)))
			return
		}
		op.Out = pickData(rng, history.Null, history.Data(fmt.Sprint(rng.IntN(3))), history.Text(fmt.Sprint(rng.IntN(3))))
	case KV:
		op.In = history.Text(pick(rng, "x", "y") + fmt.Sprint(i))
		if op.Func == objects.Get {
			op.In, op.Out = "", word("", "x0", "x0x1", "y1")
		}
	case MultiRegister, ListAppend:
		op.Key = ""
		var in, out []history.Data
		for range 1 + rng.IntN(2) {
			key := word("k", "3")
			what, new, found := `"w"`, value(), orNull()
			if object == ListAppend {
				what, new, found = `"append"`, history.Text(fmt.Sprint(i, len(in))), pickData(rng, history.Null, "[]", `["0 0"]`, `["0 0","1 0"]`)
			}
			if op.Func == objects.Txn && rng.IntN(2) == 0 {
				w := history.List(history.Data(what), key, new)
				in, out = append(in, w), append(out, w)
				continue
			}
			in, out = append(in, history.List(`"r"`, key, history.Null)), append(out, history.List(`"r"`, key, found))
		}
		op.In, op.Out = history.List(in...), history.List(out...)
	}
}

func pickData(rng *rand.Rand, of ...history.Data) history.Data { return of[rng.IntN(len(of))] }

// TestRoundTrips: what is written for other tools and read again is judged alike.
func TestRoundTrips(t *testing.T) {
	for _, object := range []string{Register, Set, Counter, Lock, Mutex, KV, Queue, FIFOQueue, MultiRegister, ListAppend} {
		for _, format := range []string{"edn", "porcupine"} {
			t.Run(object+"/"+format, func(t *testing.T) {
				count := map[check.Verdict]int{}
				rapid.Check(t, func(rt *rapid.T) {
					h := random(rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 2)), object)
					var text bytes.Buffer
					x := Export{}
					write := x.EDN
					if format == "porcupine" {
						write = x.Porcupine
					}
					err := write(&text, h)
					if err != nil && strings.Contains(err.Error(), "all failed") {
						return
					}
					if err != nil || strings.ContainsFunc(text.String(), func(r rune) bool { return r != '\n' && hides(r) }) {
						rt.Fatalf("%v: %q", err, text.String())
					}
					m, err := Read(file(t, text.String()), Options{Object: object})
					if err != nil {
						rt.Fatalf("%v:\n%s", err, text.String())
					}
					want, got := judge(t, object, h), judge(t, m.Object, m.History)
					if want.Verdict != got.Verdict {
						rt.Fatalf("%s, and before %s: %s\n%s", got.Verdict, want.Verdict, want.Told(), text.String())
					}
					count[want.Verdict]++
				})
				t.Log(count)
			})
		}
	}
}

// TestPorcupineReads: porcupine's own type reads the JSON.
func TestPorcupineReads(t *testing.T) {
	h := &history.History{Header: history.Header{Mono: 5, Functions: history.RegisterFunctions()}, Ops: []history.Op{
		{Process: 3, Func: history.Write, Key: "a", In: `"1"`, Outcome: history.Info, Call: 10, Return: 20},
		{Process: 4, Func: history.Write, Key: "a", In: `"2"`, Outcome: history.Fail, Call: 11, Return: 20},
		{Process: 5, Func: history.Read, Key: "a", Out: `"1"`, Outcome: history.OK, Call: 12, Return: 21},
	}}
	var text bytes.Buffer
	x := Export{}
	if err := x.Porcupine(&text, h); err != nil || x.Left != 1 {
		t.Fatal(err, x.Left)
	}
	var ops []porcupine.Operation
	if err := json.Unmarshal(text.Bytes(), &ops); err != nil {
		t.Fatal(err)
	}
	if len(ops) != 2 || ops[0].ClientId != 3 || ops[0].Call != 5 || ops[0].Return != 1<<63-1 || ops[1].Return != 16 || fmt.Sprint(ops[1].Output) != "map[out:1 outcome:ok]" {
		t.Errorf("%+v", ops)
	}
}

// TestExportOfOneKey: Knossos knows no keys, so one is written without its name.
func TestExportOfOneKey(t *testing.T) {
	h := &history.History{Header: history.Header{Functions: history.RegisterFunctions()}, Ops: []history.Op{
		{Process: 0, Func: history.Write, Key: "a", In: `"17"`, Outcome: history.OK, Call: 1, Return: 2},
		{Process: 0, Func: history.CAS, Key: "b", In: `["1","x"]`, Out: `{"found":null}`, Outcome: history.OK, Call: 3, Return: 4},
	}}
	key, none := "b", "c"
	for _, tt := range []struct {
		x    Export
		want string
	}{
		{Export{}, `{:type :invoke, :f :write, :value ["a" 17], :time 1, :process 0, :index 0}
{:type :ok, :f :write, :value ["a" 17], :time 2, :process 0, :index 1}
{:type :invoke, :f :cas, :value ["b" [1 "x"]], :time 3, :process 0, :index 2}
{:type :fail, :f :cas, :value ["b" [1 "x"]], :time 4, :process 0, :index 3, :error [:found nil]}
`},
		{Export{Key: &key}, `{:type :invoke, :f :cas, :value [1 "x"], :time 3, :process 0, :index 0}
{:type :fail, :f :cas, :value [1 "x"], :time 4, :process 0, :index 1, :error [:found nil]}
`},
		{Export{Key: &none}, ""},
	} {
		var text bytes.Buffer
		if err := tt.x.EDN(&text, h); text.String() != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("%v: %s", err, text.String())
		}
	}
}
