package counter

import (
	"context"
	"errors"
	"slices"
	"testing"

	"squall/history"
	"squall/history/check"
	"squall/history/objects"
	"squall/workloads"
	"squall/workloads/systems"
)

// memory is a connection to counters. Every n-th add is spoiled.
type memory struct {
	systems.Client
	held  map[string]int64
	adds  int
	every int
	spoil func(by int64) int64
	err   error
}

func (m *memory) Increase(_ context.Context, key string, by int64) error {
	if m.adds++; m.every > 0 && m.adds%m.every == 0 {
		by = m.spoil(by)
	}
	m.held[key] += by
	return m.err
}

func (m *memory) Count(_ context.Context, key string) (int64, error) { return m.held[key], m.err }

// play runs n operations, one after the other, and those after the storm.
func play(t *testing.T, m *memory, seed uint64, n int) []history.Op {
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
		do(s.Next(false))
	}
	for _, f := range g.Finals() {
		do(f.Intent)
	}
	for _, in := range slices.Concat(g.(workloads.Scanner).Scan(), g.Recovery("n1", 0)) {
		do(in)
	}
	return ops
}

// TestCounter: counters that count pass, and what others do to an add is found.
func TestCounter(t *testing.T) {
	for name, tt := range map[string]struct {
		every int
		spoil func(by int64) int64
		kind  check.Kind // "": nothing is wrong
	}{
		"right":     {0, nil, ""},
		"forgetful": {100, func(int64) int64 { return 0 }, check.KindLost},
		"doubling":  {100, func(by int64) int64 { return 2 * by }, check.KindTwice},
		"minus":     {100, func(by int64) int64 { return -by }, check.KindCount},
	} {
		ops := play(t, &memory{held: map[string]int64{}, every: tt.every, spoil: tt.spoil}, 1, 3000)
		in := &check.Input{History: &history.History{Header: history.Header{Functions: Workload().Functions}, Ops: ops}}
		res := Workload().Checkers()[0].Check(t.Context(), in)
		if want := tt.kind != ""; want != (res.Verdict == check.Violation) || want == (res.Verdict == check.Pass) || tt.kind != check.KindCount && res.Kind != tt.kind {
			t.Errorf("%s counters: %s, %q: %s", name, res.Verdict, res.Kind, res.Told())
		}
	}
}

// TestLoad: the same seed makes the same load, adds are of the sizes asked for, and reads
// are of what was used.
func TestLoad(t *testing.T) {
	m := func() *memory { return &memory{held: map[string]int64{}} }
	ops := play(t, m(), 5, 2000)
	if !slices.Equal(ops, play(t, m(), 5, 2000)) || slices.Equal(ops, play(t, m(), 6, 2000)) {
		t.Error("the load does not depend on the seed, or not on it alone")
	}
	sizes := map[history.Data]int{}
	for _, op := range ops {
		if op.Func == objects.Add {
			sizes[op.In]++
		}
	}
	if len(sizes) != 3 || sizes["1"] < 200 || sizes["2"] < 200 || sizes["3"] < 200 {
		t.Errorf("the sizes of adds are %v, want 1, 2 and 3 alike", sizes)
	}
	w := Workload()
	for s := w.New(workloads.Load{Args: w.Params.Fill(nil, nil), Clients: 1, Seed: 1}).Client(0); len(ops) > 0; ops = ops[1:] {
		if in := s.Next(true); in.Func != history.Read {
			t.Fatalf("asked for reads, got %s", in.Func)
		}
	}
}

func TestWhatCannotBeDone(t *testing.T) {
	m := &memory{held: map[string]int64{}, err: errors.New("no leader")}
	failed := history.Op{Func: history.Read, Key: "c"}
	if err := Workload().Bind(m)(t.Context(), &failed); err != m.err || failed.Out != "" {
		t.Errorf("a failed read: %s, %v", failed.Out, err)
	}
	for _, op := range []history.Op{{Func: history.Write, Key: "c", In: "1"}, {Func: objects.Add, Key: "c", In: `"1"`}} {
		if err := Workload().Bind(m)(t.Context(), &op); !systems.Certain(err) {
			t.Errorf("%s of %s: %v, want a certain error", op.Func, op.In, err)
		}
	}
}
