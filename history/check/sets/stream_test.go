package sets

import (
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"squall/history/check"
	"squall/history/check/checktest"
)

// TestStreamAgreesWithTheCheck: while a history of any kind grows, a set is seen to be broken
// if and only if the whole check finds it broken.
func TestStreamAgreesWithTheCheck(t *testing.T) {
	count := map[check.Verdict]int{}
	rapid.Check(t, func(t *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		for range 100 { // one in 25 is right: enough of them even with -short, when rapid draws few
			ops := anySet(t)
			want := checkSet(ops)
			count[want.Verdict]++
			l := check.NewLive([]check.Checker{Checker()}, nil)
			checktest.Record(rng, l, ops, 1+rng.Int64N(1e7))
			if broken := l.Broken(); (broken != nil) != (want.Verdict == check.Violation) {
				t.Fatalf("the stream says %+v, and the check %s: %s", broken, want.Verdict, want.Told())
			}
		}
	})
	if count[check.Pass] == 0 || count[check.Violation] == 0 {
		t.Errorf("the generator draws one kind of history only: %v", count)
	}
}

// TestStreamLeavesWhatItCannotJudge: an element that is added twice makes the check unknown,
// whatever else is wrong.
func TestStreamLeavesWhatItCannotJudge(t *testing.T) {
	ops := manySets(1, 20)
	twice := ops[0]
	twice.Process, twice.Call, twice.Return = 1000, twice.Return+1, twice.Return+2
	lacks := readOf("n1", "[]", ops[len(ops)-1].Return/1e6+10, ops[len(ops)-1].Return/1e6+20)
	lacks.Key = ops[0].Key
	ops = append(ops, twice, lacks)
	l := check.NewLive([]check.Checker{Checker()}, nil)
	checktest.Record(rand.New(rand.NewPCG(1, 1)), l, ops, 1e6)
	if want := checkSet(ops); l.Broken() != nil || want.Verdict != check.Unknown {
		t.Errorf("%+v; the check says %s: %s", l.Broken(), want.Verdict, want.Summary)
	}
}
