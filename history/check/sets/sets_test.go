package sets

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"squall/history"
	"squall/history/check"
	"squall/history/check/checktest"
	"squall/history/check/linearizable"
	"squall/history/objects"
)

// checkSet checks a history of sets.
func checkSet(ops []history.Op) check.Result {
	return checkSetWithin(context.Background(), ops, check.Limits{})
}

func checkSetWithin(ctx context.Context, ops []history.Op, l check.Limits) check.Result {
	in := &check.Input{History: &history.History{Header: history.Header{Functions: linearizable.SetModel().Functions}, Ops: ops}, Limits: l}
	return Checker().Check(ctx, in)
}

func addOf(node string, n int64, call, ret int64) history.Op {
	return checktest.At(1, node, objects.Add, checktest.Number(n), "", call, ret)
}

func readOf(node string, out history.Data, call, ret int64) history.Op {
	return checktest.At(2, node, history.Read, "", out, call, ret)
}

// TestSetPasses: what is stable, never read, or of unknown outcome, is fine.
func TestSetPasses(t *testing.T) {
	for name, tt := range map[string]struct {
		ops  []history.Op
		want string
	}{
		"stable":                  {[]history.Op{readOf("n2", "[]", 1, 2), addOf("n1", 1, 3, 4), addOf("n1", 2, 5, 6), readOf("n2", "[2,1]", 7, 8)}, "2 elements on 1 key: 2 stable"},
		"under way":               {[]history.Op{addOf("n1", 1, 1, 9), readOf("n2", "[1]", 2, 4), readOf("n3", "[]", 3, 5)}, "1 element on 1 key: 1 stable"},
		"never read":              {[]history.Op{readOf("n2", "[]", 1, 2), addOf("n1", 1, 3, 4)}, "1 element on 1 key: 1 never read"},
		"read while it was added": {[]history.Op{addOf("n1", 1, 1, 5), readOf("n2", "[]", 5, 6)}, "1 element on 1 key: 1 never read"},
		"unknown and found":       {[]history.Op{checktest.Unknown(addOf("n1", 1, 1, 2)), readOf("n2", "[]", 3, 4), readOf("n2", "[1]", 5, 6)}, "1 element on 1 key: 1 stable"},
		"unknown and not found":   {[]history.Op{checktest.Unknown(addOf("n1", 1, 1, 2)), readOf("n2", "[]", 3, 4)}, "1 element on 1 key: 1 of unknown outcome and never found"},
		"failed and not found":    {[]history.Op{checktest.Failed(addOf("n1", 1, 1, 2)), readOf("n2", "[]", 3, 4)}, "0 elements on 1 key"},
		"failed reads":            {[]history.Op{addOf("n1", 1, 1, 2), checktest.Failed(readOf("n2", "[]", 3, 4)), checktest.Unknown(readOf("n2", "[]", 5, 6)), readOf("n2", "[1]", 7, 8)}, "1 element on 1 key: 1 stable"},
	} {
		if res := checkSet(tt.ops); res.Verdict != check.Pass || res.Summary != tt.want {
			t.Errorf("%s: %s %s, want %s", name, res.Verdict, res.Told(), tt.want)
		}
	}
}

// TestSetViolations: each way in which a set breaks, with what people are told.
func TestSetViolations(t *testing.T) {
	for name, tt := range map[string]struct {
		ops       []history.Op
		kind      check.Kind
		summary   string
		sentence  string
		firstAt   float64
		witnesses []bool // of each operation shown, whether it is beside
	}{
		"lost": {
			[]history.Op{addOf("n1", 1, 1, 2), addOf("n1", 2, 3, 4), readOf("n2", "[2,1]", 5, 6), readOf("n3", "[1]", 7, 9)},
			check.KindLostElement, "element 2 of key k is lost; 2 elements on 1 key: 1 lost, 1 stable",
			"At 0.009 s n3 answered read(k) without 2, but n1 had already acknowledged add(k) ← 2 at 0.004 s. No later read found it: it is lost.", 0.009, []bool{false, false},
		},
		"lost before anybody read it": {
			[]history.Op{addOf("n1", 1, 1, 2), readOf("n2", "[]", 5, 6)},
			check.KindLostElement, "element 1 of key k is lost; 1 element on 1 key: 1 lost",
			"At 0.006 s n2 answered read(k) without 1, but n1 had already acknowledged add(k) ← 1 at 0.002 s. No later read found it: it is lost.", 0.006, []bool{false, false},
		},
		"stale": {
			[]history.Op{addOf("n1", 1, 1, 2), readOf("n2", "[]", 5, 6), readOf("n2", "[]", 1500, 1501), readOf("n3", "[1]", 1502, 1503)},
			check.KindStaleRead, "element 1 of key k is missing from a read that must have it; 1 element on 1 key: 1 stale for 1.5 s",
			"At 0.006 s n2 answered read(k) without 1, but n1 had already acknowledged add(k) ← 1 at 0.002 s. read(k), called on n3 at 1.502 s, found it; " +
				"the last read without it was called 1.5 s after it was known.", 0.006, []bool{false, false, true},
		},
		"unknown, found, and gone": {
			[]history.Op{checktest.Unknown(addOf("n1", 1, 1, 2)), readOf("n2", "[1]", 3, 4), readOf("n3", "[]", 5, 6)},
			check.KindLostElement, "element 1 of key k is lost; 1 element on 1 key: 1 lost",
			"At 0.006 s n3 answered read(k) without 1, but n2 had already answered read(k) with it at 0.004 s. No later read found it: it is lost.", 0.006, []bool{true, false, false},
		},
		"twice": {
			[]history.Op{addOf("n1", 1, 1, 2), readOf("n2", "[1,1]", 3, 4)},
			check.KindElementTwice, "element 1 of key k is twice in one read; 1 element on 1 key: 1 found twice in one read, 1 stable",
			"At 0.004 s n2 answered read(k) with 1 twice, but add(k) ← 1, called on n1 at 0.001 s, is the only add of it.", 0.004, []bool{true, false},
		},
		"from nowhere": {
			[]history.Op{addOf("n1", 1, 1, 2), readOf("n2", "[1,7]", 3, 4)},
			check.KindNowhere, "element 7 of key k came from nowhere; 1 element on 1 key: 1 from nowhere, 1 stable",
			"At 0.004 s n2 answered read(k) with 7, but nobody ever added it.", 0.004, []bool{false},
		},
		"of a failed add": {
			[]history.Op{checktest.Failed(addOf("n1", 1, 1, 5)), readOf("n2", "[1]", 2, 4)},
			check.KindFailedEffect, "element 1 of key k came from nowhere; 1 element on 1 key: 1 from nowhere",
			`At 0.004 s n2 answered read(k) with 1, the element of an add that n1 answered "failed" at 0.005 s, so that add took effect after all.`, 0.005, []bool{true, false},
		},
		"before it was added": {
			[]history.Op{readOf("n2", "[1]", 1, 2), addOf("n1", 1, 3, 4)},
			check.KindNowhere, "element 1 of key k came from nowhere; 1 element on 1 key: 1 from nowhere",
			"At 0.002 s n2 answered read(k) with 1, but nobody had added it yet: add(k) ← 1 was called on n1 at 0.003 s.", 0.002, []bool{false, true},
		},
		"lost rather than stale": {
			[]history.Op{addOf("n1", 1, 1, 2), addOf("n1", 2, 3, 4), readOf("n2", "[]", 5, 6), readOf("n3", "[2]", 7, 8)},
			check.KindLostElement, "element 1 of key k is lost; 2 elements on 1 key: 1 lost, 1 stale for 1 ms",
			"At 0.006 s n2 answered read(k) without 1", 0.006, []bool{false, false},
		},
	} {
		t.Run(name, func(t *testing.T) {
			res := checkSet(tt.ops)
			if res.Verdict != check.Violation || res.Kind != tt.kind || res.Summary != tt.summary || !strings.HasPrefix(res.Explanation, tt.sentence) {
				t.Errorf("%s, %s: %s\n%s", res.Verdict, res.Kind, res.Summary, res.Explanation)
			}
			if res.FirstAt == nil || *res.FirstAt != tt.firstAt || res.Key != "k" {
				t.Errorf("first at %v, want %v, on key %s", res.FirstAt, tt.firstAt, res.Key)
			}
			var shown []bool
			for _, w := range res.Witness {
				shown = append(shown, w.Beside)
			}
			if !slices.Equal(shown, tt.witnesses) {
				t.Errorf("shown are %+v", res.Witness)
			}
		})
	}
}

// TestSetsAreToldBriefly: of a read that found much, people are told how much, and whether
// the element in question was there.
func TestSetsAreToldBriefly(t *testing.T) {
	var all []history.Data
	ops := []history.Op{}
	for n := range int64(50) {
		all = append(all, checktest.Number(n))
		ops = append(ops, addOf("n1", n, 2*n, 2*n+1))
	}
	ops = append(ops, readOf("n2", history.List(all...), 200, 201), readOf("n3", history.List(all[1:]...), 202, 203), readOf("n2", history.List(all...), 204, 205))
	res := checkSet(ops)
	var texts []string
	for _, w := range res.Witness {
		texts = append(texts, w.Text)
	}
	want := []string{"add(k) ← 0", "read(k) → 49 elements, without 0", "read(k) → 50 elements, with 0"}
	if !slices.Equal(texts, want) {
		t.Errorf("shown are %q, want %q", texts, want)
	}
	twice := checkSet([]history.Op{addOf("n1", 1, 1, 2), readOf("n2", "[1,1]", 3, 4)})
	if text := twice.Witness[1].Text; text != "read(k) → 1 element, with two of 1" {
		t.Errorf("shown is %q", text)
	}
	res = linearizable.Checker(linearizable.SetModel()).Check(t.Context(), &check.Input{History: &history.History{Header: history.Header{Functions: linearizable.SetModel().Functions}, Ops: ops}})
	if want := "At 0.203 s n3 answered read(k) → [1 2 3 4 5 6 …], which lacks 0, but n1 had already acknowledged add(k) ← 0"; !strings.HasPrefix(res.Explanation, want) {
		t.Errorf("%s\nwant %s", res.Explanation, want)
	}
}

// TestSetShowsTheFirst violation, whichever key it is on.
func TestSetShowsTheFirst(t *testing.T) {
	ops := []history.Op{addOf("n1", 1, 1, 2), readOf("n2", "[]", 20, 21)}
	other := readOf("n3", "[9]", 5, 6)
	other.Key = "other"
	if res := checkSet(append(ops, other)); res.Key != "other" || *res.FirstAt != 0.006 || res.Stats["lost"] != 1 || res.Stats["nowhere"] != 1 || res.Stats["keys"] != 2 {
		t.Errorf("%+v", res)
	}
}

// TestSetRefuses what is no history of sets, or one of which it cannot tell.
func TestSetRefuses(t *testing.T) {
	op := func(f history.Func, in, out history.Data) history.Op { return checktest.At(7, "n1", f, in, out, 1, 2) }
	for want, ops := range map[string][]history.Op{
		"the history holds no operations":                                     nil,
		"no read of a set was answered":                                       {addOf("n1", 1, 1, 2), checktest.Failed(readOf("n1", "[]", 3, 4))},
		"process 7 has, on key k, the operation pop, which a set":             {op("pop", "", "1")},
		`an add without its element "i", a string or a number: it is missing`: {op(objects.Add, "", "")},
		`an add without its element "i", a string or a number: it is [1]`:     {op(objects.Add, "[1]", "")},
		`its "o" is 2`: {op(objects.Add, "1", "2")},
		`a read that was answered without its result "o", a list: it is missing`: {op(history.Read, "", "")},
		`"o", a list: it is "{\"a\":1}"`:                                         {op(history.Read, "", `{"a":1}`)},
		"neither a string nor a number: []":                                      {op(history.Read, "", "[[]]")},
		"neither a string nor a number: null":                                    {op(history.Read, "", "[1,null]")},
		`its "i" is 1`:                                                           {op(history.Read, "1", "[]")},
		"an add of 1, which was added before: this":                              {addOf("n1", 1, 1, 2), readOf("n1", "[1]", 3, 4), checktest.Failed(addOf("n1", 1, 5, 6))},
	} {
		if res := checkSet(ops); res.Verdict != check.Unknown || !strings.Contains(res.Summary, want) {
			t.Errorf("%s: %s, want %s", res.Verdict, res.Told(), want)
		}
	}
	bad := history.Op{Func: "\x1b[2J", Key: "a\nb"}
	if res := checkSet([]history.Op{bad}); strings.ContainsAny(res.Summary, "\x1b\n") {
		t.Errorf("shown as it is: %q", res.Summary)
	}
}

// anySet draws a few operations on a set with any answers.
func anySet(t *rapid.T) []history.Op {
	ops := make([]history.Op, rapid.IntRange(1, 8).Draw(t, "n"))
	adds := int64(0)
	for i := range ops {
		call := rapid.Int64Range(0, 15).Draw(t, "call")
		op := checktest.At(int64(i), "n1", history.Read, "", "", call, call+rapid.Int64Range(0, 6).Draw(t, "took"))
		op.Outcome = rapid.SampledFrom([]history.Outcome{history.OK, history.OK, history.OK, history.OK, history.Info, history.Fail}).Draw(t, "outcome")
		if adds < 3 && rapid.Bool().Draw(t, "add") {
			adds++
			op.Func, op.In = objects.Add, checktest.Number(adds)
		} else if op.Outcome == history.OK {
			var found []history.Data
			for e := range int64(4) {
				if rapid.IntRange(0, 9).Draw(t, "has") < []int{5, 5, 5, 1}[e] {
					found = append(found, checktest.Number(e+1))
				}
			}
			if rapid.IntRange(0, 19).Draw(t, "again") == 0 {
				found = append(found, found...)
			}
			op.Out = history.List(found...)
		}
		ops[i] = op
	}
	return ops
}

// fateOf says what became of one element by the definitions, looking at every pair.
func fateOf(ops []history.Op, e history.Data) string {
	var add *history.Op
	for i := range ops {
		if ops[i].Func == objects.Add && ops[i].In == e {
			add = &ops[i]
		}
	}
	has := func(op *history.Op) bool { return slices.Contains(slices.Collect(op.Out.Elements()), e) }
	var with, without []*history.Op
	for i := range ops {
		if op := &ops[i]; op.Func == history.Read && op.Outcome == history.OK && has(op) {
			with = append(with, op)
		} else if op.Func == history.Read && op.Outcome == history.OK {
			without = append(without, op)
		}
	}
	known := func(op *history.Op) bool { // called after it was known
		if add.Outcome == history.OK && add.Return < op.Call {
			return true
		}
		return slices.ContainsFunc(with, func(w *history.Op) bool { return w.Return < op.Call })
	}
	early := func(w *history.Op) bool { return w.Return < add.Call }
	switch {
	case add == nil && len(with) == 0:
		return ""
	case add == nil || slices.ContainsFunc(with, early):
		return "nowhere"
	case add.Outcome == history.Fail && len(with) > 0:
		return "nowhere"
	case add.Outcome == history.Fail:
		return ""
	}
	fate := "unknown"
	switch {
	case len(with) > 0:
		fate = "stable"
	case add.Outcome == history.OK:
		fate = "neverRead"
	}
	for _, m := range without {
		if !known(m) {
			continue
		}
		later := slices.ContainsFunc(with, func(w *history.Op) bool { return w.Return >= m.Call })
		if !later {
			return "lost" // whatever other reads lack it
		}
		fate = "stale"
	}
	return fate
}

// TestSetAgainstTheDefinitions: for small histories of any kind the counts are those of
// the definitions, and the verdict is that of the model of a set, looking at one element
// at a time.
func TestSetAgainstTheDefinitions(t *testing.T) {
	told := t
	rapid.Check(t, func(t *rapid.T) {
		ops := anySet(t)
		res := checkSet(ops)
		checktest.Told(told, res)
		if res.Verdict == check.Unknown {
			if !strings.Contains(res.Summary, "no read of a set was answered") {
				t.Fatal(res.Summary)
			}
			return
		}
		want, twice, legal := map[string]float64{}, false, true
		for e := range int64(4) {
			if fate := fateOf(ops, checktest.Number(e+1)); fate != "" {
				want[fate]++
			}
			alone, double := projected(ops, checktest.Number(e+1))
			twice = twice || double
			in := &check.Input{History: &history.History{Header: history.Header{Functions: linearizable.SetModel().Functions}, Ops: alone}}
			legal = legal && (len(alone) == 0 || linearizable.Checker(linearizable.SetModel()).Check(t.Context(), in).Verdict == check.Pass)
		}
		for _, fate := range []string{"stable", "stale", "lost", "neverRead", "unknown", "nowhere"} {
			if res.Stats[fate] != want[fate] {
				t.Fatalf("%v %s, want %v\n%s", res.Stats[fate], fate, want[fate], res.Told())
			}
		}
		if ok := legal && !twice; (res.Verdict == check.Pass) != ok {
			t.Fatalf("%s, and the model says %t: %s", res.Verdict, ok, res.Told())
		}
	})
}

// projected are the operations with one element alone, and whether a read has it twice.
func projected(ops []history.Op, e history.Data) (alone []history.Op, twice bool) {
	for _, op := range ops {
		if op.Func == objects.Add && op.In != e {
			continue
		}
		if op.Out != "" {
			n := 0
			for d := range op.Out.Elements() {
				if d == e {
					n++
				}
			}
			twice = twice || n > 1
			op.Out = history.List([]history.Data{e}[:min(n, 1)]...)
		}
		alone = append(alone, op)
	}
	return alone, twice
}

// manySets is a correct history: keys with adds, each read now and then.
func manySets(keys, adds int) []history.Op {
	var ops []history.Op
	clock := int64(0)
	for k := range keys {
		var all []history.Data
		for n := range adds {
			clock += 4
			add := addOf("n1", int64(n), clock, clock+1)
			all = append(all, checktest.Number(int64(n)))
			read := readOf("n2", history.List(all...), clock+2, clock+3)
			add.Key = fmt.Sprint("k", k)
			read.Key = add.Key
			ops = append(ops, add, read)
		}
	}
	return ops
}

// TestSetIsNearlyLinear: histories in which each of very many elements is lacked by each
// of very many reads, or all overlap, take no more steps than they have elements.
func TestSetIsNearlyLinear(t *testing.T) {
	const n = 100_000
	lacked, overlapping := make([]history.Op, 0, 2*n), make([]history.Op, 0, 2*n)
	for i := range int64(n) {
		lacked = append(lacked, addOf("n1", i, 2*i, 2*i+1))
		overlapping = append(overlapping, addOf("n1", i, i, 3*n), readOf("n2", "[]", i, 3*n))
	}
	for i := range int64(n) {
		lacked = append(lacked, readOf("n2", "[]", 3*n+2*i, 3*n+2*i+1))
	}
	if res := checkSet(lacked); res.Verdict != check.Violation || res.Stats["lost"] != n || len(res.Witness) != 2 {
		t.Errorf("all are lost: %s", res.Told())
	}
	if res := checkSet(overlapping); res.Verdict != check.Pass || res.Stats["neverRead"] != n {
		t.Errorf("all overlap: %s", res.Told())
	}
}

// TestSetKeepsItsLimits: it ends when it is told to, or when its time is over, and says so.
func TestSetKeepsItsLimits(t *testing.T) {
	ops := manySets(20, 100)
	if res := checkSet(ops); res.Verdict != check.Pass || res.Stats["stable"] != 2000 {
		t.Fatal(res.Told())
	}
	if res := checkSetWithin(t.Context(), ops, check.Limits{Time: 1}); res.Verdict != check.Unknown || !strings.Contains(res.Summary, "time") {
		t.Error(res.Told())
	}
	if res := checkSetWithin(t.Context(), ops, check.Limits{Memory: 1}); res.Verdict != check.Unknown || !strings.Contains(res.Summary, "memory") {
		t.Error(res.Told())
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if res := checkSetWithin(ctx, ops, check.Limits{}); res.Verdict != check.Unknown || res.Summary == "" {
		t.Error(res.Told())
	}
}

// FuzzSet gives the check histories with data of any kind: it never panics, and what it
// shows is well formed.
func FuzzSet(f *testing.F) {
	f.Add(uint64(1), `["a",1]`, "n1")
	f.Add(uint64(2), `[[],{}`, "\x1b[2J")
	f.Fuzz(func(t *testing.T, seed uint64, data, text string) {
		rng := rand.New(rand.NewPCG(seed, 1))
		ops := make([]history.Op, 1+rng.IntN(30))
		pick := func(of ...history.Data) history.Data { return of[rng.IntN(len(of))] }
		for i := range ops {
			op := &ops[i]
			*op = history.Op{Process: int64(i), Node: text, Key: pickOf(rng, "k", text), Func: pickOf(rng, objects.Add, history.Read), Outcome: pickOf(rng, history.OK, history.Info, history.Fail),
				Call: rng.Int64N(50) - 5, Return: rng.Int64N(50) - 5, In: pick("", "1", checktest.Number(int64(i)), history.Data(data))}
			if op.Outcome == history.OK && op.Func == history.Read {
				op.In, op.Out = "", pick("[]", "[1]", history.List(checktest.Number(rng.Int64N(30)), checktest.Number(rng.Int64N(30))), history.Data(data))
			}
			if op.Out != "" && !op.Out.Valid() || op.In != "" && !op.In.Valid() {
				op.In, op.Out = "", "" // no reader lets it through
			}
		}
		limits := check.Limits{Time: time.Minute}
		checktest.Told(t, checkSetWithin(t.Context(), ops, limits))
	})
}

func pickOf[T any](rng *rand.Rand, of ...T) T { return of[rng.IntN(len(of))] }

func BenchmarkSet(b *testing.B) {
	ops := manySets(5000, 100) // a million operations, 25 million elements
	for b.Loop() {
		if res := checkSet(ops); res.Verdict != check.Pass {
			b.Fatal(res.Told())
		}
	}
}
