package check

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"squall/history"
)

// FuzzChecker gives the whole checker histories of any kind under limits of any
// size: it never panics, never says what is false, and what it shows is well formed.
func FuzzChecker(f *testing.F) {
	for seed := range uint64(40) {
		f.Add(seed, uint8(seed*7), uint8(seed*13), uint16(seed*50))
	}
	f.Fuzz(func(t *testing.T, seed uint64, kind, spoil uint8, limit uint16) {
		rng := rand.New(rand.NewPCG(seed, 7))
		sh := shape{n: 1 + rng.IntN(400), clients: 1 + rng.IntN(20), values: int(kind % 7), pending: int(kind/7) % 20, deletes: kind%2 == 1}
		var ops []history.Op
		for k := range 1 + rng.IntN(3) {
			ops = append(ops, simulate(rng, fmt.Sprint("k", k), sh)...)
		}
		legal := true
		for range spoil % 4 {
			legal = false
			op := &ops[rng.IntN(len(ops))]
			switch rng.IntN(4) {
			case 0:
				op.Outcome = history.Fail
			case 1:
				result := history.Some(fmt.Sprint(rng.IntN(sh.n + 1)))
				says(op, func(r *history.Register) { r.Result = result })
			case 2:
				says(op, func(r *history.Register) { r.Swapped = !r.Swapped })
			default:
				op.Call, op.Return = op.Return, op.Return+rng.Int64N(500)
			}
		}
		slices.SortStableFunc(ops, func(a, b history.Op) int { return int(a.Call - b.Call) })
		limits := Limits{Time: time.Duration(limit)*20*time.Microsecond + 1, Workers: 1 + rng.IntN(2)}
		if rng.IntN(4) == 0 {
			limits.Memory = heapBytes() + uint64(rng.IntN(4<<20))
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		if rng.IntN(4) == 0 {
			time.AfterFunc(time.Duration(rng.Int64N(int64(limits.Time))), cancel)
		}
		in := &Input{History: &history.History{Header: registers(), Ops: ops, Faults: []history.Fault{{ID: 1, Name: "pause", Phase: history.Inject, Targets: []string{"n2"}}}}, Limits: limits}
		if rng.IntN(4) == 0 {
			in.Dir = t.TempDir()
		}
		res := Linearizable(RegisterModel()).Check(ctx, in)
		if legal && res.Verdict == Violation {
			t.Fatalf("a linearizable history is not: %s", res.Told())
		}
		checkTold(t, res)
	})
}

// FuzzModels is FuzzChecker for the other models.
func FuzzModels(f *testing.F) {
	for seed := range uint64(60) {
		f.Add(seed, uint8(seed), uint8(seed/3), uint16(seed*50))
	}
	f.Fuzz(func(t *testing.T, seed uint64, kind, spoil uint8, limit uint16) {
		rng := rand.New(rand.NewPCG(seed, 7))
		m := Models()[1+int(kind)%(len(Models())-1)]
		var ops []history.Op
		for k := range 1 + rng.IntN(3) {
			ops = append(ops, simulateModel(rng, m.Name, fmt.Sprint("k", k), 1+rng.IntN(300), 1+rng.IntN(12), int(kind/7)%20)...)
		}
		for range spoil % 4 {
			op, other := &ops[rng.IntN(len(ops))], &ops[rng.IntN(len(ops))]
			switch {
			case rng.IntN(3) == 0:
				op.Outcome, op.Out = history.Fail, ""
			case rng.IntN(2) == 0 && op.Func == other.Func && op.Outcome == other.Outcome:
				op.Out = other.Out
			default:
				op.Call, op.Return = op.Return, op.Return+rng.Int64N(500)
			}
		}
		limits := Limits{Time: time.Duration(limit)*20*time.Microsecond + 1, Workers: 1 + rng.IntN(2)}
		if rng.IntN(4) == 0 {
			limits.Memory = heapBytes() + uint64(rng.IntN(4<<20))
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		if rng.IntN(4) == 0 {
			time.AfterFunc(time.Duration(rng.Int64N(int64(limits.Time))), cancel)
		}
		in := &Input{History: &history.History{Header: history.Header{Functions: m.Functions}, Ops: ops}, Limits: limits}
		if rng.IntN(4) == 0 {
			in.Dir = t.TempDir()
		}
		res := Linearizable(m).Check(ctx, in)
		if spoil%4 == 0 && res.Verdict == Violation {
			t.Fatalf("a linearizable history is not: %s", res.Told())
		}
		checkTold(t, res)
	})
}

// checkTold checks what any result of the checker must be like.
func checkTold(t *testing.T, res Result) {
	t.Helper()
	needed := 0
	for _, w := range res.Witness {
		if !w.Beside {
			needed++
		}
	}
	switch {
	case res.Summary == "" || strings.Contains(res.Summary, "bug in the checker"):
		t.Errorf("%s: %q", res.Verdict, res.Summary)
	case res.Verdict != Violation && (res.FirstAt != nil || len(res.Witness) > 0 || res.Kind != ""):
		t.Errorf("%s shows a violation: %s", res.Verdict, res.Summary)
	case res.Verdict == Violation && (res.FirstAt == nil || needed == 0 || needed > witnessMost):
		t.Errorf("first at %v, %d shown: %s", res.FirstAt, needed, res.Summary)
	case res.Kind != "" && res.Explanation == "":
		t.Errorf("%s is not explained", res.Kind)
	}
	if strings.Contains(res.Summary+res.Explanation, "%!") {
		t.Errorf("badly formatted: %s %s", res.Summary, res.Explanation)
	}
}
