package transactions

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"squall/history"
	"squall/history/check"
	"squall/history/objects"
)

// Where every list has an order, and all of them together have none, the cycle is told.
func TestAppendFindsCycles(t *testing.T) {
	for name, c := range map[string]struct {
		ops     []history.Op
		anomaly string
		kind    check.Kind
		tells   string
	}{
		"writes in a circle": {[]history.Op{tx("a x 1, a y 1", 1, 9), tx("a x 2, a y 2", 1, 9), tx("r x 1 2", 1, 9), tx("r y 2 1", 1, 9)},
			"G0", check.KindDirtyWrite, "appended 2 of x after 1"},
		"information in a circle": {[]history.Op{tx("a x 1, r y 2", 1, 9), tx("a y 2, r x 1", 1, 9)},
			"G1c", check.KindCircular, "read 2 of y, which"},
		"write skew": {[]history.Op{tx("r x, a y 1", 1, 9), tx("r y, a x 1", 1, 9), tx("r x 1, r y 1", 1, 9)},
			"G2-item", check.KindWriteSkew, "read x empty, before"},
		"a long fork": {[]history.Op{tx("a x 1", 1, 9), tx("a y 2", 1, 9), tx("r x 1, r y", 1, 9), tx("r x, r y 2", 1, 9)},
			"G-nonadjacent", check.KindLongFork, "T4"},
		"read skew over three": {[]history.Op{tx("a x 1", 1, 9), tx("r x 1, a y 2", 1, 9), tx("r x, r y 2", 1, 9)},
			"G-single", check.KindReadSkew, "T3"},
	} {
		ops := appended(c.ops...)
		if serializable(ops, 0, listsState{}) {
			t.Errorf("%s: this history is strictly serializable", name)
		}
		res := checkAppend(t, ops)
		if res.Verdict != check.Violation || res.Anomaly != c.anomaly || res.Kind != c.kind || !strings.Contains(res.Explanation, c.tells) {
			t.Errorf("%s: %s, %s, %s: %s\n%s", name, res.Verdict, res.Anomaly, res.Kind, res.Summary, res.Explanation)
		}
		isDrawn(t, res)
	}
}

// busyLists are transactions on lists, of which there are ten at a time, replaced after every 200
// transactions.
func busyLists(n, c int) []history.Op {
	state := map[string][]string{}
	last := 0
	return busy(n, c, func(rng *rand.Rand, i int, carry bool) (history.Func, history.Data, history.Data) {
		f := history.Read
		var in, out []history.Data
		added := map[string][]string{}
		for range 1 + rng.IntN(4) {
			key := fmt.Sprint("l", i/200*10+rng.IntN(10))
			o := objects.TxnOp{Key: history.Text(key)}
			if rng.IntN(2) == 0 {
				f, last = objects.Txn, last+1
				added[key] = append(added[key], fmt.Sprint(last))
				o.Element = history.Text(fmt.Sprint(last))
			}
			in = append(in, o.Data(history.Null))
			out = append(out, o.Data(listData(append(state[key][:len(state[key]):len(state[key])], added[key]...))))
		}
		if carry {
			for key, elements := range added {
				state[key] = append(state[key], elements...)
			}
		}
		return f, history.List(in...), history.List(out...)
	})
}

func TestBusyLists(t *testing.T) {
	if res := checkAppend(t, busyLists(5000, 10)); res.Verdict != check.Pass {
		t.Errorf("%s: %s: %s", res.Verdict, res.Summary, res.Explanation)
	}
}

func BenchmarkAppend(b *testing.B) {
	for _, n := range []int{100_000, 1_000_000} {
		b.Run(fmt.Sprint("txns=", n), func(b *testing.B) { benchmark(b, Append(), objects.AppendFunctions(), busyLists(n, 10)) })
	}
}
