package monotonic

import (
	"context"
	"errors"
	"slices"
	"testing"

	"squall/history"
	"squall/history/check"
	"squall/workloads"
	"squall/workloads/systems"
)

// memory is a connection to numbers. Every n-th answer is an old one.
type memory struct {
	systems.Client
	held  map[string]int64
	asked int
	every int
	err   error
}

func (m *memory) Grow(ctx context.Context, key string) (int64, error) {
	m.held[key]++
	return m.Count(ctx, key)
}

func (m *memory) Count(_ context.Context, key string) (int64, error) {
	if m.asked++; m.every > 0 && m.asked%m.every == 0 {
		return max(m.held[key]-2, 0), m.err
	}
	return m.held[key], m.err
}

// play runs n operations, one after the other, and those after the storm.
func play(t *testing.T, m *memory, seed uint64, n int, readOnly bool) []history.Op {
	t.Helper()
	w := Workload()
	g := w.New(workloads.Load{Args: w.Params.Fill(nil, nil), Clients: 1, Seed: seed})
	var ops []history.Op
	do := func(in workloads.Intent) {
		now := int64(2 * len(ops))
		op := history.Op{Node: "n1", Func: in.Func, Key: in.Key, In: in.In, Outcome: history.OK, Call: now, Return: now + 1}
		if err := w.Bind(m)(t.Context(), &op); err != nil {
			t.Fatal(err)
		}
		ops = append(ops, op)
	}
	for s := g.Client(0); len(ops) < n; {
		do(s.Next(readOnly))
	}
	for _, f := range g.Finals() {
		do(f.Intent)
	}
	for _, in := range slices.Concat(g.(workloads.Scanner).Scan(), g.Recovery("n1", 0)) {
		do(in)
	}
	return ops
}

func TestMonotonic(t *testing.T) {
	for every, want := range map[int]check.Verdict{0: check.Pass, 100: check.Violation} {
		ops := play(t, &memory{held: map[string]int64{}, every: every}, 1, 3000, false)
		in := &check.Input{History: &history.History{Header: history.Header{Functions: Workload().Functions}, Ops: ops}}
		if res := Workload().Checkers()[0].Check(t.Context(), in); res.Verdict != want {
			t.Errorf("every %d: %s: %s", every, res.Verdict, res.Told())
		}
	}
	fresh := func() *memory { return &memory{held: map[string]int64{}} }
	if !slices.Equal(play(t, fresh(), 5, 500, false), play(t, fresh(), 5, 500, false)) || slices.Equal(play(t, fresh(), 5, 500, false), play(t, fresh(), 6, 500, false)) {
		t.Error("the load does not depend on the seed, or not on it alone")
	}
	for _, op := range play(t, fresh(), 1, 500, true)[:500] {
		if op.Func != history.Read {
			t.Fatalf("asked for reads, got %s", op.Func)
		}
	}
	m := &memory{held: map[string]int64{}, err: errors.New("no leader")}
	failed := history.Op{Func: history.Read, Key: "m"}
	if err := Workload().Bind(m)(t.Context(), &failed); err != m.err || failed.Out != "" {
		t.Errorf("a failed read: %s, %v", failed.Out, err)
	}
	if err := Workload().Bind(m)(t.Context(), &history.Op{Func: history.Write}); !systems.Certain(err) {
		t.Errorf("a write: %v, want a certain error", err)
	}
}
