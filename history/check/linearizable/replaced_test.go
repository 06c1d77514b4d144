package linearizable

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"squall/history"
	"squall/history/check"
	"squall/history/check/checktest"
)

// replacing is a write of a value that was told to have replaced another one.
func replacing(node, value, old string, call, ret int64) history.Op {
	op := told(1, node, history.Write, value, call, ret)
	checktest.Says(&op, func(r *history.Register) {
		r.Replaced, r.Result = true, history.Some(old)
		if old == "" {
			r.Result = history.None
		}
	})
	return op
}

// What writes replaced shows, without any read, what the reads would have shown.
func TestWritesThatTellWhatTheyReplaced(t *testing.T) {
	first := replacing("n1", "1", "", 1, 2)
	second := replacing("n2", "2", "1", 3, 4)
	silent := told(1, "n2", history.Write, "2", 3, 4)
	unknown := answered(history.Info, silent)
	for _, tt := range []struct {
		name     string
		ops      []history.Op
		want     check.Verdict
		kind     check.Kind
		sentence string
	}{
		{"in order", []history.Op{first, second, replacing("n1", "3", "2", 5, 6)}, check.Pass, "", ""},
		{"one is lost", []history.Op{first, second, replacing("n1", "3", "1", 5, 6)}, check.Violation, check.KindReplacedTwice,
			"n1 answered write(k) ← 3, replacing 1, but n2 had already answered write(k) ← 2, replacing 1 at 0.004 s, and nobody wrote 1 in between"},
		{"two at once may stand in one order alone", []history.Op{first, replacing("n2", "2", "1", 3, 9), replacing("n1", "3", "2", 4, 8)}, check.Pass, "", ""},
		{"two at once may not both", []history.Op{first, replacing("n2", "2", "1", 3, 9), replacing("n1", "3", "1", 4, 8)}, check.Violation, check.KindReplacedTwice, ""},
		{"one that told nothing is lost", []history.Op{first, silent, replacing("n1", "3", "1", 5, 6)}, check.Violation, check.KindStaleReplaced, "replacing 1, but n2 had already acknowledged write(k) ← 2"},
		{"one of unknown outcome may not have been", []history.Op{first, unknown, replacing("n1", "3", "1", 5, 6)}, check.Pass, "", ""},
		{"one of unknown outcome was", []history.Op{first, unknown, replacing("n1", "3", "2", 5, 6)}, check.Pass, "", ""},
		{"nobody wrote it", []history.Op{first, replacing("n1", "3", "9", 5, 6)}, check.Violation, check.KindPhantom, "but nobody ever wrote 9"},
		{"a compare-and-set took it", []history.Op{first, taken(1, "n2", "1", "2", 3, 4), replacing("n1", "3", "1", 5, 6)}, check.Violation, check.KindReplacedTwice, ""},
		{"a read of what was replaced", []history.Op{first, second, told(1, "n3", history.Read, "1", 5, 6)}, check.Violation, check.KindStaleRead, ""},
	} {
		in := &check.Input{History: &history.History{Header: checktest.Registers("n1", "n2", "n3"), Ops: slices.Clone(tt.ops)}}
		res := Checker(RegisterModel()).Check(t.Context(), in)
		if res.Verdict != tt.want || res.Kind != tt.kind || !strings.Contains(res.Explanation, tt.sentence) {
			t.Errorf("%s: %s, %q, %q (%s), want %s, %q, %q", tt.name, res.Verdict, res.Kind, res.Explanation, res.Summary, tt.want, tt.kind, tt.sentence)
		}
	}
}

// In a history that was cut short the write may be missing that an answer tells of.
func TestWhatWasReplacedInACutHistory(t *testing.T) {
	in := &check.Input{History: &history.History{Header: checktest.Registers("n1"), Ops: []history.Op{replacing("n1", "3", "9", 5, 6)}}}
	if res := Checker(RegisterModel()).Check(t.Context(), in); res.Verdict != check.Violation {
		t.Errorf("in a whole one: %s: %s", res.Verdict, res.Summary)
	}
	in.Info.Truncated = "cut"
	if res := Checker(RegisterModel()).Check(t.Context(), in); res.Verdict != check.Pass {
		t.Errorf("%s: %s", res.Verdict, res.Summary)
	}
	if in.Ops[0].Out == "" {
		t.Error("the history was changed")
	}
}

// Of a correct register whose writes all tell, every answer fits; one that tells of an
// older value does not.
func TestTellingWritesOfALongHistory(t *testing.T) {
	for seed := range uint64(20) {
		ops := checktest.Simulate(rand.New(rand.NewPCG(seed, 7)), "k", checktest.Shape{N: 2000, Clients: 8, Pending: 2, Tells: true})
		judged := func() check.Result {
			return Checker(RegisterModel()).Check(t.Context(), &check.Input{History: &history.History{Header: checktest.Registers("n1"), Ops: ops}})
		}
		if res := judged(); res.Verdict != check.Pass {
			t.Fatalf("seed %d: %s", seed, res.Summary)
		}
		var telling []int
		for i := range ops {
			if ops[i].Register().Replaced {
				telling = append(telling, i)
			}
		}
		ops[telling[len(telling)-10]].Out = ops[telling[10]].Out
		kinds := []check.Kind{check.KindReplacedTwice, check.KindDoubleGrant, check.KindStaleReplaced, check.KindStaleRead, check.KindStaleCAS}
		if res := judged(); res.Verdict != check.Violation || !slices.Contains(kinds, res.Kind) {
			t.Fatalf("seed %d: %s, %q: %s", seed, res.Verdict, res.Kind, res.Summary)
		}
	}
}
