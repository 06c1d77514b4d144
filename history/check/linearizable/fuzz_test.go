package linearizable

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"squall/history"
	"squall/history/check"
	"squall/history/check/checktest"
)

// FuzzChecker gives the whole checker histories of any kind under limits of any
// size: it never panics, never says what is false, and what it shows is well formed.
func FuzzChecker(f *testing.F) {
	for seed := range uint64(40) {
		f.Add(seed, uint8(seed*7), uint8(seed*13), uint16(seed*50))
	}
	f.Fuzz(func(t *testing.T, seed uint64, kind, spoil uint8, limit uint16) {
		rng := rand.New(rand.NewPCG(seed, 7))
		sh := checktest.Shape{N: 1 + rng.IntN(400), Clients: 1 + rng.IntN(20), Values: int(kind % 7), Pending: int(kind/7) % 20, Deletes: kind%2 == 1}
		var ops []history.Op
		for k := range 1 + rng.IntN(3) {
			ops = append(ops, checktest.Simulate(rng, fmt.Sprint("k", k), sh)...)
		}
		legal := true
		for range spoil % 4 {
			legal = false
			op := &ops[rng.IntN(len(ops))]
			switch rng.IntN(4) {
			case 0:
				op.Outcome = history.Fail
			case 1:
				result := history.Some(fmt.Sprint(rng.IntN(sh.N + 1)))
				checktest.Says(op, func(r *history.Register) { r.Result = result })
			case 2:
				checktest.Says(op, func(r *history.Register) { r.Swapped = !r.Swapped })
			default:
				op.Call, op.Return = op.Return, op.Return+rng.Int64N(500)
			}
		}
		slices.SortStableFunc(ops, func(a, b history.Op) int { return int(a.Call - b.Call) })
		limits := check.Limits{Time: time.Duration(limit)*20*time.Microsecond + 1, Workers: 1 + rng.IntN(2)}
		if rng.IntN(4) == 0 {
			limits.Memory = check.HeapBytes() + uint64(rng.IntN(4<<20))
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		if rng.IntN(4) == 0 {
			time.AfterFunc(time.Duration(rng.Int64N(int64(limits.Time))), cancel)
		}
		in := &check.Input{History: &history.History{Header: checktest.Registers(), Ops: ops, Faults: []history.Fault{{ID: 1, Name: "pause", Phase: history.Inject, Targets: []string{"n2"}}}}, Limits: limits}
		if rng.IntN(4) == 0 {
			in.Dir = t.TempDir()
		}
		res := Checker(RegisterModel()).Check(ctx, in)
		if legal && res.Verdict == check.Violation {
			t.Fatalf("a linearizable history is not: %s", res.Told())
		}
		checktest.Told(t, res)
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
		limits := check.Limits{Time: time.Duration(limit)*20*time.Microsecond + 1, Workers: 1 + rng.IntN(2)}
		if rng.IntN(4) == 0 {
			limits.Memory = check.HeapBytes() + uint64(rng.IntN(4<<20))
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		if rng.IntN(4) == 0 {
			time.AfterFunc(time.Duration(rng.Int64N(int64(limits.Time))), cancel)
		}
		in := &check.Input{History: &history.History{Header: history.Header{Functions: m.Functions}, Ops: ops}, Limits: limits}
		if rng.IntN(4) == 0 {
			in.Dir = t.TempDir()
		}
		res := Checker(m).Check(ctx, in)
		if spoil%4 == 0 && res.Verdict == check.Violation {
			t.Fatalf("a linearizable history is not: %s", res.Told())
		}
		checktest.Told(t, res)
	})
}
