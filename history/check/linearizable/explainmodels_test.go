package linearizable

import (
	"strings"
	"testing"

	"squall/history"
	"squall/history/check"
	"squall/history/check/checktest"
	"squall/history/objects"
)

// shownAs is how a violation must be shown.
type shownAs struct {
	ops     []history.Op
	kind    check.Kind
	says    string
	witness int // operations that cannot be ordered
	beside  int // and those beside them
}

func TestSetsAreExplained(t *testing.T) {
	add := func(n int64, node string, call, ret int64) history.Op {
		return checktest.At(1, node, objects.Add, checktest.Number(n), history.True, call, ret)
	}
	read := func(node string, out history.Data, call, ret int64) history.Op {
		return checktest.At(2, node, history.Read, "", out, call, ret)
	}
	checkShown(t, SetModel(), map[string]shownAs{
		"nobody added it": {kind: check.KindNowhere, witness: 1,
			says: "answered read(k) → [1 7], which has 7, but nobody ever added that.",
			ops:  []history.Op{add(1, "n1", 1, 2), read("n2", "[1,7]", 3, 4)}},
		"added later": {kind: check.KindNowhere, witness: 1, beside: 1,
			says: "which has 7, but nobody had added that yet: the first to do so was add(k) ← 7, called on n1 at 0.005 s.",
			ops:  []history.Op{add(1, "n1", 1, 2), read("n2", "[1,7]", 3, 4), add(7, "n1", 5, 6)}},
		"failed": {kind: check.KindFailedEffect, witness: 1, beside: 1,
			says: "the element of an add that n1 had answered \"failed\" at 0.002 s, so that add took effect after all.",
			ops:  []history.Op{checktest.Failed(add(7, "n1", 1, 2)), read("n2", "[7]", 3, 4)}},
		"twice": {kind: check.KindElementTwice, witness: 1,
			says: "answered read(k) → [1 1], which has 1 twice.",
			ops:  []history.Op{add(1, "n1", 1, 2), read("n2", "[1,1]", 3, 4)}},
		"lost": {kind: check.KindLostElement, witness: 2,
			says: "which lacks 2, but n1 had already acknowledged add(k) ← 2 at 0.004 s. No later read has it.",
			ops:  []history.Op{add(1, "n1", 1, 2), add(2, "n1", 3, 4), read("n2", "[1]", 5, 6), read("n3", "[1]", 7, 8)}},
		"stale": {kind: check.KindStaleRead, witness: 2,
			says: "which lacks 2, but n1 had already acknowledged add(k) ← 2 at 0.004 s. A later read, on n3 at 0.008 s, has it.",
			ops:  []history.Op{add(1, "n1", 1, 2), add(2, "n1", 3, 4), read("n2", "[1]", 5, 6), read("n3", "[1,2]", 7, 8)}},
		"unknown": {kind: check.KindStaleRead, witness: 3,
			says: "which lacks 1, but n2 had already answered read(k) → [1] at 0.006 s. The outcome of add(k) ← 1, called on n1 at 0.001 s, is unknown, but that read shows that it took effect.",
			ops:  []history.Op{checktest.Unknown(add(1, "n1", 1, 2)), read("n2", "[1]", 5, 6), read("n3", "[]", 7, 8)}},
		"crossed": {kind: check.KindNoOrder, witness: 4,
			says: "At 0.008 s n3 answered read(k) → [2], but n2 answered read(k) → [1] at 0.006 s, and neither has all that the other has.",
			ops:  []history.Op{add(1, "n1", 1, 9), add(2, "n1", 1, 9), read("n2", "[1]", 2, 6), read("n3", "[2]", 3, 8)}},
	})
}

func TestLocksAreExplained(t *testing.T) {
	acquire := func(node, owner string, out history.Data, call, ret int64) history.Op {
		return checktest.At(1, node, objects.Acquire, history.Text(owner), out, call, ret)
	}
	release := func(node, owner string, token int64, out history.Data, call, ret int64) history.Op {
		return checktest.At(2, node, objects.Release, history.List(history.Text(owner), checktest.Number(token)), out, call, ret)
	}
	checkShown(t, LockModel(), map[string]shownAs{
		"granted twice": {kind: check.KindDoubleGrant, witness: 2,
			says: "answered acquire(k) by b → 2, but n1 had already answered acquire(k) by a → 1 at 0.002 s, and nobody released that in between.",
			ops:  []history.Op{acquire("n1", "a", "1", 1, 2), acquire("n2", "b", "2", 3, 4)}},
		"a release that failed": {kind: check.KindFailedEffect, witness: 2, beside: 1,
			says: "which fits if release(k) by a, token 1, called on n1 at 0.003 s, took effect: n1 answered that \"failed\" at 0.004 s.",
			ops:  []history.Op{acquire("n1", "a", "1", 1, 2), checktest.Failed(release("n1", "a", 1, "true", 3, 4)), acquire("n2", "b", "2", 5, 6)}},
		"token": {kind: check.KindToken, witness: 3,
			says: "but n1 had already answered acquire(k) by a → 5 at 0.002 s, and tokens must increase.",
			ops:  []history.Op{acquire("n1", "a", "5", 1, 2), release("n1", "a", 5, "true", 3, 4), acquire("n2", "b", "5", 5, 6)}},
		"never asked": {kind: check.KindWrongHolder, witness: 1,
			says: "answered acquire(k) by a → b, but b was never granted it.",
			ops:  []history.Op{acquire("n1", "a", `"b"`, 1, 2)}},
		"holder released": {kind: check.KindWrongHolder, witness: 3,
			says: "but n1 had already acknowledged release(k) by a, token 5 at 0.004 s.",
			ops:  []history.Op{acquire("n1", "a", "5", 1, 2), release("n1", "a", 5, "true", 3, 4), acquire("n2", "b", `"a"`, 5, 6)}},
		"released twice": {kind: check.KindTwice, witness: 3,
			says: "but n1 had already acknowledged release(k) by a, token 5 at 0.004 s: one grant was released twice.",
			ops:  []history.Op{acquire("n1", "a", "5", 1, 2), release("n1", "a", 5, "true", 3, 4), release("n2", "a", 5, "true", 5, 6)}},
		"not held, and released": {kind: check.KindWrongHolder, witness: 1,
			says: "answered release(k) by b, token 4, but b was never granted token 4.",
			ops:  []history.Op{acquire("n1", "a", "5", 1, 2), release("n2", "b", 4, "true", 5, 6)}},
		"held, and not released": {kind: check.KindWrongHolder, witness: 2,
			says: "but it was held so: n1 had already answered acquire(k) by a → 5 at 0.002 s, and nobody had released that.",
			ops:  []history.Op{acquire("n1", "a", "5", 1, 2), release("n2", "a", 5, "false", 5, 6)}},
		"unknown": {kind: check.KindDoubleGrant, witness: 3,
			says: "answered acquire(k) by c → 9, but n1 had already answered acquire(k) by b → a at 0.004 s, and a had not released it. The outcome of acquire(k) by a, called on n1 at 0.001 s, is unknown",
			ops:  []history.Op{checktest.Unknown(acquire("n1", "a", "5", 1, 2)), acquire("n1", "b", `"a"`, 3, 4), acquire("n2", "c", "9", 5, 6)}},
		"long before": {kind: check.KindDoubleGrant, witness: 2,
			says: "but n1 had already answered acquire(k) by a → 4 at 0.014 s, and nobody released that in between.",
			ops: []history.Op{acquire("n1", "a", "1", 1, 2), release("n1", "a", 1, "true", 3, 4), acquire("n1", "a", "2", 5, 6), release("n1", "a", 2, "true", 7, 8),
				acquire("n1", "a", "3", 9, 10), release("n1", "a", 3, "true", 11, 12), acquire("n1", "a", "4", 13, 14), acquire("n2", "b", "5", 15, 16)}},
	})
}

func TestCountersAreExplained(t *testing.T) {
	add := func(n, call, ret int64) history.Op {
		return checktest.At(1, "n1", objects.Add, checktest.Number(n), history.True, call, ret)
	}
	read := func(node string, n, call, ret int64) history.Op {
		return checktest.At(2, node, history.Read, "", checktest.Number(n), call, ret)
	}
	checkShown(t, CounterModel(), map[string]shownAs{
		"lost": {kind: check.KindLost, witness: 3,
			says: "make 8. It fits if add(k) 5, called on n1 at 0.003 s, was lost.",
			ops:  []history.Op{add(3, 1, 2), add(5, 3, 4), read("n2", 3, 5, 6)}},
		"one of many": {kind: check.KindLost, witness: 4,
			says: "but the adds acknowledged before it was called make 3. It fits if one of 3 adds of 1 was lost.",
			ops:  []history.Op{add(1, 1, 2), add(1, 3, 4), add(1, 5, 6), read("n2", 2, 7, 8)}},
		"twice": {kind: check.KindTwice, witness: 1, beside: 1,
			says: "It fits if add(k) 5, called on n1 at 0.003 s, took effect twice.",
			ops:  []history.Op{add(3, 1, 2), add(5, 3, 4), read("n2", 13, 5, 6)}},
		"failed": {kind: check.KindFailedEffect, witness: 1, beside: 1,
			says: "make 3. It fits if add(k) 5, called on n1 at 0.003 s, took effect: n1 answered that \"failed\" at 0.004 s.",
			ops:  []history.Op{add(3, 1, 2), checktest.Failed(add(5, 3, 4)), read("n2", 8, 5, 6)}},
		"nonsense": {kind: check.KindCount, witness: 1,
			says: "but the adds acknowledged before it was called make 3, and those under way or of unknown outcome at most 5 more.",
			ops:  []history.Op{add(3, 1, 2), checktest.Unknown(add(5, 3, 4)), read("n2", 100, 5, 6)}},
		"going back": {kind: check.KindNoOrder, witness: 3,
			says: "which does not fit: n2 had already answered read(k) → 3 at 0.004 s.",
			ops:  []history.Op{add(3, 1, 9), read("n2", 3, 3, 4), read("n3", 0, 5, 6)}},
	})
}

// TestAnyModelIsExplained: a model without sentences of its own is explained all the same.
func TestAnyModelIsExplained(t *testing.T) {
	add := func(n, call, ret int64) history.Op {
		return checktest.At(1, "n1", objects.Add, checktest.Number(n), history.True, call, ret)
	}
	read := func(node string, n, call, ret int64) history.Op {
		return checktest.At(2, node, history.Read, "", checktest.Number(n), call, ret)
	}
	sp := counter()
	sp.explain = nil
	checkShown(t, sp.Model(), map[string]shownAs{
		"failed": {kind: check.KindFailedEffect, witness: 1, beside: 1,
			says: `At 0.006 s n2 answered read(k) → 8, which fits if add(k) 5, called on n1 at 0.003 s, took effect: n1 answered that "failed" at 0.004 s.`,
			ops:  []history.Op{add(3, 1, 2), checktest.Failed(add(5, 3, 4)), read("n2", 8, 5, 6)}},
		"lost": {kind: check.KindLost, witness: 3,
			says: "but n1 had already acknowledged add(k) 5 at 0.004 s. Without that operation the answers fit: its effect is lost.",
			ops:  []history.Op{add(3, 1, 2), add(5, 3, 4), read("n2", 3, 5, 6)}},
		"twice": {kind: check.KindTwice, witness: 1, beside: 1,
			says: "which fits if add(k) 5, called on n1 at 0.003 s, took effect twice.",
			ops:  []history.Op{add(3, 1, 2), add(5, 3, 4), read("n2", 13, 5, 6)}},
		"early": {kind: check.KindEarly, witness: 1, beside: 1,
			says: "which fits if add(k) 5, called on n1 at 0.007 s, had taken effect before.",
			ops:  []history.Op{add(3, 1, 2), read("n2", 8, 3, 4), add(5, 7, 8)}},
		"nothing alone": {kind: check.KindNoOrder, witness: 1,
			says: "At 0.004 s n2 answered read(k) → 100, which no order of the operations shown explains.",
			ops:  []history.Op{add(3, 1, 2), read("n2", 100, 3, 4)}},
		"unknown": {kind: check.KindNoOrder, witness: 4,
			says: "which does not fit: n2 had already answered read(k) → 8 at 0.006 s. The outcome of add(k) 5, called on n1 at 0.003 s, is unknown, and no moment",
			ops:  []history.Op{add(3, 1, 2), checktest.Unknown(add(5, 3, 4)), read("n2", 8, 5, 6), read("n3", 3, 7, 8)}},
	})
}

// checkShown checks how violations are shown. The operations of a table are all in one
// history of one key.
func checkShown(t *testing.T, m Model, table map[string]shownAs) {
	t.Helper()
	for name, want := range table {
		t.Run(name, func(t *testing.T) {
			res := checkModel(t, m, want.ops)
			shown, beside := 0, 0
			for _, op := range res.Witness {
				if op.Beside {
					beside++
				} else {
					shown++
				}
			}
			if res.Verdict != check.Violation || res.Kind != want.kind || !strings.Contains(res.Explanation, want.says) || want.says == "" || shown != want.witness || beside != want.beside {
				t.Errorf("%s, kind %q, %d shown, %d beside\n%s\n%s", res.Verdict, res.Kind, shown, beside, res.Told(), res.Explanation)
			}
		})
	}
}
