package numbers

import (
	"math/rand/v2"
	"strings"
	"testing"

	"squall/history"
	"squall/history/check"
	"squall/history/check/checktest"
	"squall/history/objects"
)

func TestMain(m *testing.M) { checktest.Main(m) }

func judge(t *testing.T, c check.Checker, functions history.Functions, ops ...history.Op) check.Result {
	t.Helper()
	res := c.Check(t.Context(), &check.Input{History: &history.History{Header: history.Header{Functions: functions}, Ops: ops}})
	if res.Verdict == check.Violation && (len(res.Witness) != 2 || res.FirstAt == nil || res.Kind == "" || checktest.Malformed(res.Explanation)) {
		t.Errorf("a violation without all that it must come with: %+v", res)
	}
	return res
}

func TestUniqueIDs(t *testing.T) {
	id := func(out history.Data, call, ret int64) history.Op {
		return checktest.At(1, "n1", objects.Generate, "", out, call, ret)
	}
	other := id("7", 5, 6)
	other.Key = "other"
	for name, tt := range map[string]struct {
		ops     []history.Op
		verdict check.Verdict
		says    string
	}{
		"each once":          {[]history.Op{id("7", 1, 2), id("8", 1, 2), id("3", 3, 4)}, check.Pass, "3 ids, each given once"},
		"of another key":     {[]history.Op{id("7", 1, 2), other}, check.Pass, ""},
		"not answered":       {[]history.Op{id("7", 1, 2), checktest.Unknown(id("7", 3, 4)), checktest.Failed(id("7", 5, 6))}, check.Pass, "1 id, each given once"},
		"a text is another":  {[]history.Op{id("7", 1, 2), id(`"7"`, 3, 4)}, check.Pass, ""},
		"twice":              {[]history.Op{id("7", 1, 2), id("8", 2, 3), id("7", 3, 4)}, check.Violation, "the id 7 was given twice"},
		"side by side":       {[]history.Op{id(`"a"`, 1, 9), id(`"a"`, 1, 9), id(`"a"`, 1, 9)}, check.Violation, "2 such answers in all"},
		"none":               {[]history.Op{checktest.Unknown(id("7", 3, 4))}, check.Unknown, "no id was given"},
		"no such data":       {[]history.Op{id("", 1, 2)}, check.Unknown, `without its id "o"`},
		"no such operations": {[]history.Op{checktest.At(1, "n1", history.Write, "", "1", 1, 2)}, check.Unknown, "does not know; it knows generate"},
	} {
		if res := judge(t, UniqueIDs(), objects.IDFunctions(), tt.ops...); res.Verdict != tt.verdict || !strings.Contains(res.Summary, tt.says) {
			t.Errorf("%s: %s: %s", name, res.Verdict, res.Told())
		}
	}
}

func TestMonotonic(t *testing.T) {
	increase := func(out history.Data, call, ret int64) history.Op {
		return checktest.At(1, "n1", objects.Increase, "", out, call, ret)
	}
	read := func(out history.Data, call, ret int64) history.Op {
		return checktest.At(2, "n2", history.Read, "", out, call, ret)
	}
	for name, tt := range map[string]struct {
		ops     []history.Op
		verdict check.Verdict
		says    string
	}{
		"growing":               {[]history.Op{read("0", 1, 2), increase("1", 3, 4), read("1", 5, 6), increase("5", 7, 8), read("5", 9, 10), read("5", 11, 12)}, check.Pass, "6 numbers on 1 key never went back"},
		"side by side":          {[]history.Op{increase("2", 1, 9), increase("1", 1, 9), read("2", 3, 4), read("1", 3, 4)}, check.Pass, ""},
		"unknown":               {[]history.Op{increase("1", 1, 2), checktest.Unknown(increase("2", 3, 4)), read("1", 5, 6), read("2", 7, 8), increase("3", 9, 10)}, check.Pass, ""},
		"a read goes back":      {[]history.Op{increase("2", 1, 2), read("1", 3, 4)}, check.Violation, "went back to 1 after 2"},
		"to the same process":   {[]history.Op{read("2", 1, 2), read("1", 3, 4)}, check.Violation, "to the same process"},
		"an increase goes back": {[]history.Op{read("5", 1, 2), increase("3", 3, 4)}, check.Violation, "went back to 3 after 5"},
		"an increase stays":     {[]history.Op{read("5", 1, 2), increase("5", 3, 4)}, check.Violation, "went back to 5 after 5"},
		"the same twice":        {[]history.Op{increase("5", 1, 9), increase("5", 3, 4)}, check.Violation, "two increases of key k were answered 5"},
		"none":                  {[]history.Op{checktest.Unknown(increase("7", 3, 4))}, check.Unknown, "nothing was answered"},
		"no such data":          {[]history.Op{read("null", 1, 2)}, check.Unknown, `a read whose number "o" is none`},
	} {
		if res := judge(t, Monotonic(), objects.MonotonicFunctions(), tt.ops...); res.Verdict != tt.verdict || !strings.Contains(res.Summary+res.Explanation, tt.says) {
			t.Errorf("%s: %s: %s %s", name, res.Verdict, res.Told(), res.Explanation)
		}
	}
}

// TestMonotonicByDefinition holds the check against all pairs of operations, on random
// histories.
func TestMonotonicByDefinition(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	count := map[check.Verdict]int{}
	for range 20_000 {
		ops := make([]history.Op, 1+rng.IntN(6))
		for i := range ops {
			f := []history.Func{objects.Increase, history.Read}[rng.IntN(2)]
			call := rng.Int64N(12)
			ops[i] = checktest.At(int64(i), "n1", f, "", checktest.Number(rng.Int64N(6)), call, call+rng.Int64N(6))
			if rng.IntN(4) == 0 {
				ops[i] = checktest.Unknown(ops[i])
			}
		}
		want := check.Unknown
		for i := range ops {
			if ops[i].Outcome == history.OK && want == check.Unknown {
				want = check.Pass
			}
			for k := range ops {
				a, b := &ops[i], &ops[k]
				if i == k || a.Outcome != history.OK || b.Outcome != history.OK {
					continue
				}
				grows := b.Func == objects.Increase
				if a.Return < b.Call && (numberOf(b) < numberOf(a) || grows && numberOf(b) == numberOf(a)) ||
					grows && a.Func == objects.Increase && numberOf(a) == numberOf(b) {
					want = check.Violation
				}
			}
		}
		if res := judge(t, Monotonic(), objects.MonotonicFunctions(), ops...); res.Verdict != want {
			t.Fatalf("%s, want %s: %+v", res.Verdict, want, ops)
		}
		count[want]++
	}
	if count[check.Pass] < 1000 || count[check.Violation] < 1000 {
		t.Errorf("too few of one kind: %v", count)
	}
}
