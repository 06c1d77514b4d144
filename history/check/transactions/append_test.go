package transactions

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"squall/history"
	"squall/history/check"
	"squall/history/objects"
)

// tx is a transaction in short: "a x 1, r x 1 2" appends 1 to x and then finds 1 and 2 in
// it. With ? in front its outcome is unknown, with ! it failed; what reads found is then
// left out.
func tx(text string, call, ret int64) history.Op {
	op := history.Op{Node: "n1", Func: history.Read, Outcome: history.OK, Call: call, Return: ret}
	switch text[0] {
	case '?':
		op.Outcome, text = history.Info, text[1:]
	case '!':
		op.Outcome, text = history.Fail, text[1:]
	}
	var in, out []history.Data
	for part := range strings.SplitSeq(text, ", ") {
		words := strings.Fields(part)
		o := objects.TxnOp{Key: history.Text(words[1])}
		if words[0] == "a" {
			op.Func, o.Element = objects.Txn, history.Text(words[2])
		}
		in, out = append(in, o.Data(history.Null)), append(out, o.Data(listData(words[2:])))
	}
	if op.In = history.List(in...); op.Outcome == history.OK {
		op.Out = history.List(out...)
	}
	return op
}

// appended are the transactions of a history, in the order of their calls, each a process of its own.
func appended(ops ...history.Op) []history.Op {
	for i := range ops {
		ops[i].Process = int64(i)
	}
	slices.SortStableFunc(ops, func(a, b history.Op) int { return int(a.Call - b.Call) })
	return ops
}

func TestAppendAccepts(t *testing.T) {
	for name, ops := range map[string][]history.Op{
		"one after the other":                     {tx("a x 1", 1, 2), tx("r x 1", 3, 4), tx("a x 2, r x 1 2, a x 3, r x 1 2 3", 5, 6), tx("r x 1 2 3, r y", 7, 8)},
		"concurrent appends in either order":      {tx("a x 1", 1, 9), tx("a x 2", 1, 9), tx("r x 2", 2, 8), tx("r x 2 1", 3, 9)},
		"concurrent reads of different length":    {tx("a x 1", 1, 9), tx("r x 1", 2, 6), tx("r x", 2, 6)},
		"an unknown append that took effect":      {tx("?a x 1", 1, 2), tx("r x", 3, 4), tx("r x 1", 5, 6)},
		"an unknown append that did not":          {tx("?a x 1", 1, 2), tx("r x", 3, 4), tx("a x 2", 5, 6), tx("r x 2", 7, 8)},
		"an unknown one that is late":             {tx("?a x 1, a y 1", 1, 2), tx("a x 2", 3, 4), tx("r x 2", 5, 6), tx("r x 2 1, r y 1", 7, 8)},
		"a failed append":                         {tx("!a x 1", 1, 2), tx("r x", 3, 4)},
		"what failed is appended again":           {tx("!a x 1", 1, 2), tx("a x 1", 3, 4), tx("r x 1", 5, 6)},
		"the same element in two lists":           {tx("a x 1, a y 1", 1, 2), tx("r x 1, r y 1", 3, 4)},
		"a transaction before the other's append": {tx("r x, a x 1", 1, 9), tx("a x 2", 1, 9), tx("r x 1 2", 10, 11)},
		"all or nothing of two lists":             {tx("a x 1, a y 2", 1, 9), tx("r x, r y", 1, 9), tx("r x 1, r y 2", 1, 9)},
		"elements that are hard to tell apart":    {tx(`a x ","`, 1, 2), tx(`a x "`, 3, 4), tx(`r x "," "`, 5, 6), tx(`a x \, r x "," " \`, 7, 8)},
		"an append that nobody read":              {tx("a x 1", 1, 2), tx("a x 2", 3, 4), tx("r x 1", 1, 3)},
	} {
		t.Run(name, func(t *testing.T) {
			res := checkAppend(t, appended(ops...))
			if res.Verdict != check.Pass || !strings.HasPrefix(res.Summary, "one order of all transactions on ") {
				t.Errorf("%s: %s: %s", res.Verdict, res.Summary, res.Explanation)
			}
		})
	}
}

func TestAppendRefuses(t *testing.T) {
	type want struct {
		kind    check.Kind
		at      float64 // FirstAt, ns
		witness int     // operations, without those beside
		tells   string  // a part of the sentence
	}
	for name, c := range map[string]struct {
		ops  []history.Op
		want want
	}{
		"a stale read": {[]history.Op{tx("a x 1", 1, 2), tx("r x", 3, 4), tx("r x 1", 5, 6)},
			want{check.KindStaleRead, 4, 2, `n1 answered read [[r x []]], which lacks 1 of x, but n1 had already acknowledged its append at 0.000 s.`}},
		"a lost append": {[]history.Op{tx("a x 1", 1, 2), tx("r x", 3, 4), tx("r x", 5, 6)},
			want{check.KindLostElement, 4, 2, "No later read found 1, whose append was acknowledged."}},
		"a list that goes back": {[]history.Op{tx("?a x 1", 1, 2), tx("r x 1", 3, 4), tx("r x", 5, 6)},
			want{check.KindStaleRead, 6, 2, "had already answered a read that shows that it was appended"}},
		"two orders": {[]history.Op{tx("a x 1", 1, 2), tx("a x 2", 1, 9), tx("a x 3", 1, 9), tx("r x 1 2 3", 3, 9), tx("r x 1 3", 3, 7)},
			want{check.KindOrder, 9, 2, "n1 also answered read [[r x [1 3]]] at 0.000 s: the 2nd element of x is 2 in one and 3 in the other"}},
		"an append that was overwritten": {[]history.Op{tx("a x 1", 1, 2), tx("r x 1", 3, 4), tx("a x 2", 5, 6), tx("r x 2", 7, 8), tx("r x 2", 9, 10)},
			want{check.KindLostElement, 8, 2, "No later read found 1, whose append was acknowledged."}},
		"a failed append": {[]history.Op{tx("!a x 1", 1, 2), tx("r x 1", 3, 4)},
			want{check.KindFailedEffect, 4, 1, `n1 had answered the append of 1 of x with "failed" at 0.000 s, so it took effect after all`}},
		"from nowhere": {[]history.Op{tx("a y 1", 1, 2), tx("r x 1", 3, 4)},
			want{check.KindNowhere, 4, 1, "nobody ever appended 1 to x"}},
		"twice": {[]history.Op{tx("a x 1", 1, 2), tx("r x 1 1", 3, 4)},
			want{check.KindElementTwice, 4, 1, "which has 1 of x twice, and it was appended once"}},
		"twice, found later": {[]history.Op{tx("a x 1, a x 2", 1, 2), tx("r x 1 2", 3, 4), tx("r x 1 2 1", 5, 6)},
			want{check.KindElementTwice, 6, 1, "[r x [1 2 1]]"}},
		"before it was called": {[]history.Op{tx("r x 1", 1, 2), tx("a x 1", 3, 4)},
			want{check.KindEarly, 2, 2, "nobody had appended 1 of x yet: its transaction was called on n1"}},
		"its own append missing": {[]history.Op{tx("a x 1, r x", 1, 2)},
			want{check.KindInternal, 2, 1, "whose read of x does not end with what it had appended itself, 1: it found []"}},
		"its own append not last": {[]history.Op{tx("a x 1, r x 1 2", 1, 4), tx("a x 2", 1, 4)},
			want{check.KindInternal, 4, 1, "1: it found [1 2]"}},
		"its own append too soon": {[]history.Op{tx("r x 1, a x 1", 1, 2)},
			want{check.KindInternal, 2, 1, "which read 1 of x before it appended it"}},
		"its own append too soon, as another read it": {[]history.Op{tx("r x 1", 1, 3), tx("r x 1, a x 1", 1, 4)},
			want{check.KindInternal, 4, 1, "which read 1 of x before it appended it"}},
		"two reads of one transaction": {[]history.Op{tx("a x 1", 1, 4), tx("r x, r x 1", 1, 4)},
			want{check.KindInternal, 4, 1, "without those it found [] and then [1]"}},
		"in the wrong order": {[]history.Op{tx("a x 1, a x 2", 1, 2), tx("r x 2 1", 3, 4)},
			want{check.KindTorn, 4, 2, "where 1 of x and 2 of x do not follow one another"}},
		"another's between two": {[]history.Op{tx("a x 1, a x 2", 1, 2), tx("a x 3", 1, 2), tx("r x 1 3 2", 3, 4)},
			want{check.KindTorn, 4, 2, "do not follow one another"}},
		"another's between read and append": {[]history.Op{tx("r x, a x 1", 1, 9), tx("a x 2", 1, 9), tx("r x 2 1", 1, 8)},
			want{check.KindTorn, 9, 2, "so 1 comes right after what it read of x, but n1 also answered read [[r x [2 …]]] at 0.000 s, where 2 comes next"}},
		"two that come next": {[]history.Op{tx("r x, a x 1", 1, 8), tx("r x, a x 2", 1, 9)},
			want{check.KindTorn, 9, 2, "both read the same of x, and only one of 1 and 2 can come next"}},
		"a part of a list's transaction": {[]history.Op{tx("?a x 1, a x 2", 1, 9), tx("r x 1", 2, 8), tx("r x 1 2", 2, 9)},
			want{check.KindFractured, 8, 2, "which has 1 of x and lacks 2 of x, and one transaction appended both"}},
		"the end of a list's transaction": {[]history.Op{tx("a x 1, a x 2", 1, 9), tx("r x 2", 2, 8)},
			want{check.KindFractured, 8, 2, "which has 2 of x and lacks 1 of x"}},
		"a part of two lists' transaction": {[]history.Op{tx("?a x 1, a y 2", 1, 9), tx("r x 1, r y", 2, 8)},
			want{check.KindFractured, 8, 2, "which has 1 of x and lacks 2 of y"}},
		"the part that is known, in another list": {[]history.Op{tx("?a x 1, a y 2", 1, 2), tx("r x 1", 3, 4), tx("r y", 5, 6)},
			want{check.KindStaleRead, 6, 2, "which lacks 2 of y, but n1 had already answered a read that shows that it was appended"}},
		"against time": {[]history.Op{tx("a x 1", 1, 2), tx("a x 2", 3, 4), tx("r x 2 1", 1, 9)},
			want{check.KindAgainst, 9, 3, "where 2 of x does not come behind 1"}},
		"against time, one not read": {[]history.Op{tx("a x 1", 1, 2), tx("a x 2", 3, 4), tx("r x 2", 1, 9)},
			want{check.KindAgainst, 9, 3, "where 2 of x does not come behind 1"}},
	} {
		t.Run(name, func(t *testing.T) {
			ops := appended(c.ops...)
			if serializable(ops, 0, listsState{}) {
				t.Fatal("this history is strictly serializable")
			}
			res := checkAppend(t, ops)
			if res.Verdict != check.Violation || res.Kind != c.want.kind || !strings.Contains(res.Explanation, c.want.tells) {
				t.Fatalf("%s, %s: %s\n%s\nwant %s, told with\n%s", res.Verdict, res.Kind, res.Summary, res.Explanation, c.want.kind, c.want.tells)
			}
			if res.FirstAt == nil || *res.FirstAt*1e9 != c.want.at {
				t.Errorf("first at %v, want %v ns", *res.FirstAt*1e9, c.want.at)
			}
			n := len(slices.DeleteFunc(slices.Clone(res.Witness), func(w check.WitnessOp) bool { return w.Beside }))
			if n != c.want.witness || res.Key == "" {
				t.Errorf("%d operations show it, on %q: %+v", n, res.Key, res.Witness)
			}
			if strings.Contains(res.Explanation, "  ") || !strings.HasSuffix(res.Explanation, ".") {
				t.Errorf("the sentence %q", res.Explanation)
			}
		})
	}
}

// TestAppendShowsTheFirst: of several violations the one that was certain first is shown,
// and it is said how many lists have one.
func TestAppendShowsTheFirst(t *testing.T) {
	ops := appended(tx("a x 1", 1, 2), tx("a y 1", 1, 2), tx("r x", 13, 24), tx("r y", 5, 6), tx("r y 1, r z", 7, 8))
	res := checkAppend(t, ops)
	if res.Key != "y" || res.Summary != "G-single-realtime: no order of list y explains the answers of these 2 operations; 2 of 3 lists have such a violation" {
		t.Errorf("%q: %s", res.Key, res.Summary)
	}
}

// TestAppendShowsWhereListsPart: a list is told by its end, or by where it parts from
// another.
func TestAppendShowsWhereListsPart(t *testing.T) {
	ops := appended(tx("a x 1, a x 2, a x 3, a x 4, a x 5, a x 6, a x 7, a x 8", 1, 2), tx("a x 9", 1, 9),
		tx("r x 1 2 3 4 5 6 7 8", 3, 4), tx("r x 1 2 3 4 5 9", 5, 6))
	res := checkAppend(t, ops)
	for i, want := range []string{"txn [[append x 1] [append x 2] [append x 3] [append x 4] [append x 5] [append x 6] [append x 7] [append x 8]]",
		"txn [[append x 9]]", "read [[r x [… 3 4 5 6 …]]]", "read [[r x [… 3 4 5 9]]]"} {
		if len(res.Witness) != 4 || res.Witness[i].Text != want {
			t.Errorf("operation %d of the witness, want %s: %+v", i, want, res.Witness)
		}
	}
}

// TestAppendRefusesOtherData: what is no history of transactions on lists is refused with what is
// wrong.
func TestAppendRefusesOtherData(t *testing.T) {
	fine := tx("a x 1, r x 1", 1, 2)
	for want, change := range map[string]func(op *history.Op){
		`the operation write, which this check does not know; it knows txn, read`:    func(op *history.Op) { op.Func = history.Write },
		`a txn without its "i", a list of operations: it is missing`:                 func(op *history.Op) { op.In = "" },
		`a txn without its "i", a list of operations: it is 7`:                       func(op *history.Op) { op.In = "7" },
		`a txn whose "i" has no operations`:                                          func(op *history.Op) { op.In = "[]" },
		`an operation that is neither ["append", key, element] nor ["r", key, null]`: func(op *history.Op) { op.In = `[["append","x"]]` },
		`nor ["r", key, null]: "{\"r\":1}"`:                                          func(op *history.Op) { op.In = `[{"r":1}]` },
		`nor ["r", key, null]: "[\"w\",\"x\",null]"`:                                 func(op *history.Op) { op.In = `[["w","x",null]]` },
		`nor ["r", key, null]: "[\"r\",1,null]"`:                                     func(op *history.Op) { op.In = `[["r",1,null]]` },
		`nor ["r", key, null]: "[\"r\",\"x\",null,1]"`:                               func(op *history.Op) { op.In = `[["r","x",null,1]]` },
		`an append of what is no string`:                                             func(op *history.Op) { op.In = `[["append","x",1]]` },
		`a read that is asked for with 1 in place of null`:                           func(op *history.Op) { op.In = `[["r","x",1]]` },
		`a read whose "i" has an append, and a read has none`:                        func(op *history.Op) { op.Func = history.Read },
		`more than 128 operations`:                                                   func(op *history.Op) { op.In = history.List(slices.Repeat([]history.Data{`["r","x",null]`}, 129)...) },
		`whose result "o" is no list of operations: it is missing`:                   func(op *history.Op) { op.Out = "" },
		`does not have the operations of its "i": it has "[\"r\",\"x\",[\"1\"]]"`:    func(op *history.Op) { op.Out = `[["r","x",["1"]]]` },
		`whose result "o" has 1 of the 2 operations of its "i"`:                      func(op *history.Op) { op.Out = `[["append","x","1"]]` },
		`a read of what is no list: 1`:                                               func(op *history.Op) { op.Out = `[["append","x","1"],["r","x",1]]` },
		`a read of an element that is no string: 1`:                                  func(op *history.Op) { op.Out = `[["append","x","1"],["r","x",[1]]]` },
		`1 is appended to the list x twice`: func(op *history.Op) {
			op.In, op.Out, op.Outcome = `[["append","x","1"],["append","x","1"]]`, "", history.Info
		},
	} {
		op := fine
		change(&op)
		if res := checkAppend(t, []history.Op{op}); res.Verdict != check.Unknown || !strings.Contains(res.Summary, want) {
			t.Errorf("%s: %s\nwant %s", res.Verdict, res.Summary, want)
		}
	}
	if res := checkAppend(t, nil); res.Verdict != check.Unknown {
		t.Errorf("no operations: %+v", res)
	}
	if res := checkAppend(t, []history.Op{{Func: history.Read, In: `[["r","x",null]]`, Out: `[["r","x",null]]`, Outcome: history.OK}}); res.Verdict != check.Pass {
		t.Errorf("null for a list that is not there: %+v", res)
	}
}

// manyTxns are transactions on lists of so many elements, one after the other.
func manyTxns(n, elements int) []history.Op {
	ops := make([]history.Op, n)
	var held []string
	for i := range ops {
		if i%elements == 0 {
			held = nil
		}
		held = append(held, fmt.Sprint(i))
		key := fmt.Sprint("l", i/elements)
		ops[i] = tx(fmt.Sprintf("a %s %d, r %s %s, r other", key, i, key, strings.Join(held, " ")), int64(2*i), int64(2*i+1))
	}
	return ops
}

// TestAppendKeepsItsLimits: a check that reaches a limit says so, unless it has found a
// violation by then.
func TestAppendKeepsItsLimits(t *testing.T) {
	in := &check.Input{History: &history.History{Header: history.Header{Functions: objects.AppendFunctions()}, Ops: manyTxns(5000, 20)}, Limits: check.Limits{Time: time.Nanosecond}}
	if res := Append().Check(t.Context(), in); res.Verdict != check.Unknown || !strings.Contains(res.Summary, "limit") {
		t.Errorf("without time: %s: %s", res.Verdict, res.Summary)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	in.Limits = check.Limits{}
	if res := Append().Check(ctx, in); res.Verdict != check.Unknown || !strings.Contains(res.Summary, "interrupted") {
		t.Errorf("interrupted: %s: %s", res.Verdict, res.Summary)
	}
	if res := Append().Check(t.Context(), in); res.Verdict != check.Pass {
		t.Errorf("with time: %s: %s", res.Verdict, res.Summary)
	}
}

// FuzzAppend gives the check histories of any data: it never panics, and what it shows
// of a violation is well formed.
func FuzzAppend(f *testing.F) {
	f.Add(`[["append","x","1"],["r","x",null]]`, `[["append","x","1"],["r","x",["1"]]]`, `[["r","x",["2","1"]]]`, uint8(0))
	f.Add(`[["r","x",null]]`, `[["r","x",["1","1"]]]`, `[["r","x",[]]]`, uint8(9))
	f.Add(`[["append","\"","\\"]]`, `[["append","\"","\\"]]`, `[["r","\"",["\\",","]]]`, uint8(77))
	f.Fuzz(func(t *testing.T, in, out, read string, how uint8) {
		ops := []history.Op{
			{Func: objects.Txn, In: history.Data(in), Out: history.Data(out), Outcome: history.OK, Call: 1, Return: 5},
			{Func: history.Read, In: `[["r","x",null]]`, Out: history.Data(read), Outcome: history.OK, Call: int64(how % 8), Return: int64(how%8) + 3},
			{Func: objects.Txn, In: `[["append","x","1"],["append","y","2"]]`, Outcome: history.Info, Call: int64(how / 8), Return: int64(how / 4)},
			{Func: objects.Txn, In: history.Data(in), Outcome: history.Fail, Call: 2, Return: 3},
		}
		ops = ops[:1+how%4]
		for _, op := range ops {
			if op.In != "" && !op.In.Valid() || op.Out != "" && !op.Out.Valid() { // no reader lets it in
				t.Skip()
			}
		}
		res := checkAppend(t, ops)
		if (res.Verdict == check.Violation) != (res.FirstAt != nil && len(res.Witness) > 0 && res.Explanation != "" && res.Kind != "") || res.Verdict == check.Invalid {
			t.Errorf("%+v", res)
		}
	})
}
