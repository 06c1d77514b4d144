package linearizable

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"squall/history"
)

// TestHeldAt: what is named is what may have been there.
func TestHeldAt(t *testing.T) {
	w := func(v string, call, ret int64) history.Op { return told(1, "n1", history.Write, v, call, ret) }
	r := func(v string, call, ret int64) history.Op { return told(2, "n1", history.Read, v, call, ret) }
	for name, tt := range map[string]struct {
		ops  []history.Op
		want string
	}{
		"nothing yet":           {nil, "it held nothing at 0.050 s"},
		"one":                   {[]history.Op{w("1", 1, 2), w("2", 3, 4)}, "it held 2 at 0.050 s"},
		"side by side":          {[]history.Op{w("1", 1, 4), w("2", 3, 5)}, "it held 1 or 2 at 0.050 s"},
		"told apart by a read":  {[]history.Op{w("1", 1, 4), w("2", 3, 5), r("1", 6, 7)}, "it held 1 at 0.050 s"},
		"under way":             {[]history.Op{w("1", 1, 4), w("2", 45, 60)}, "it held 1 or 2 at 0.050 s"},
		"unknown, at any time":  {[]history.Op{answered(history.Info, w("1", 1, 4)), w("2", 5, 6), w("3", 7, 8)}, "it held 1 or 3 at 0.050 s"},
		"unknown, but seen":     {[]history.Op{answered(history.Info, w("1", 1, 4)), r("1", 5, 6), w("3", 7, 8)}, "it held 3 at 0.050 s"},
		"an old value is there": {[]history.Op{w("1", 1, 4), w("2", 5, 6), w("1", 5, 8)}, "it held 1 or 2 at 0.050 s"},
		"many": {[]history.Op{w("1", 1, 9), w("2", 1, 9), w("3", 1, 9), w("4", 1, 9), w("5", 1, 9)},
			"whatever it held at 0.050 s"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := startText(showValues(heldAt(pointers(tt.ops), 50e6, time.Now().Add(time.Hour))), 0.05); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

// TestHeldAtMissesNothing: a read at that moment that finds a value which is not
// named is never linearizable.
func TestHeldAtMissesNothing(t *testing.T) {
	named := 0
	rapid.Check(t, func(t *rapid.T) {
		for range 100 {
			ops := anyOps(t, rapid.Bool().Draw(t, "unique"))
			at := rapid.Int64Range(0, 14).Draw(t, "at")
			held := heldAt(pointers(ops), at, time.Now().Add(time.Hour))
			if held == nil {
				continue
			}
			named++
			// Only what was known at the moment, and a read there.
			var past []history.Op
			for _, op := range ops {
				if op.Call <= at {
					if op.Return >= at && op.Outcome == history.OK {
						if op.Func == history.Read || op.Func == history.CAS && !op.Swapped() {
							continue
						}
						op.Outcome = history.Info
					}
					past = append(past, op)
				}
			}
			for _, v := range []history.Value{history.None, history.Some("1"), history.Some("2"), history.Some("3"), history.Some("4")} {
				read := history.Op{Process: 99, Key: "k", Func: history.Read, Out: v.AsData(), Outcome: history.OK, Call: at, Return: at}
				if !slices.Contains(held, v) && possible(append(slices.Clone(past), read), 0, history.None) {
					t.Fatalf("%s may be there at %d, and is not among %v: %+v", showValue(v), at, held, ops)
				}
			}
		}
	})
	if named == 0 {
		t.Error("the generator draws no history of which the values are few")
	}
}
