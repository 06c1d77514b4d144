package multiregister

import (
	"context"
	"maps"
	"slices"
	"testing"

	"squall/history"
	"squall/history/check"
	"squall/history/objects"
	"squall/workloads"
	"squall/workloads/rw"
	"squall/workloads/systems"
)

// memory is a connection to registers. Every n-th read finds its last register as it was
// some operations ago.
type memory struct {
	systems.Client
	held, old map[string]string
	asked     int
	every     int
}

func (m *memory) ReadWrite(_ context.Context, ops []rw.Op) ([]history.Value, error) {
	if m.asked++; m.asked%20 == 0 {
		m.old = maps.Clone(m.held)
	}
	found := make([]history.Value, len(ops))
	for i, op := range ops {
		from := m.held
		if m.every > 0 && m.asked%m.every == 0 && i == len(ops)-1 {
			from = m.old
		}
		if op.Writes {
			m.held[op.Key] = op.Value
		} else if value, is := from[op.Key]; is {
			found[i] = history.Some(value)
		}
	}
	return found, nil
}

// play runs n operations, one after the other, and those after the storm.
func play(t *testing.T, m *memory, seed uint64, n int) []history.Op {
	t.Helper()
	m.held, m.old = map[string]string{}, map[string]string{}
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

func TestMultiRegister(t *testing.T) {
	for every, want := range map[int]check.Verdict{0: check.Pass, 50: check.Violation} {
		ops := play(t, &memory{every: every}, 1, 2000)
		in := &check.Input{History: &history.History{Header: history.Header{Functions: Workload().Functions}, Ops: ops}}
		res := Workload().Checkers()[0].Check(t.Context(), in)
		if res.Verdict != want || res.Stats["keys"] < 20 {
			t.Errorf("every %d: %s, %v groups: %s", every, res.Verdict, res.Stats["keys"], res.Told())
		}
	}
}

// TestLoad: the same seed makes the same load; reads are of several registers of one
// group, writes of one.
func TestLoad(t *testing.T) {
	ops := play(t, &memory{}, 5, 1000)
	if !slices.Equal(ops, play(t, &memory{}, 5, 1000)) || slices.Equal(ops, play(t, &memory{}, 6, 1000)) {
		t.Error("the load does not depend on the seed, or not on it alone")
	}
	sizes := map[int]int{}
	for _, op := range ops {
		said, err := objects.ParseRegisters(&op)
		if err != nil || (op.Func == objects.Txn) != (len(said) == 1) {
			t.Fatalf("%s of %s: %v", op.Func, op.In, err)
		}
		sizes[len(said)]++
	}
	if len(sizes) != 3 || sizes[1] < 300 || sizes[2] < 100 || sizes[3] < 100 {
		t.Errorf("operations on so many registers: %v", sizes)
	}
	w := Workload()
	s := w.New(workloads.Load{Args: w.Params.Fill(nil, nil), Clients: 1, Seed: 1}).Client(0)
	for range 200 {
		if in := s.Next(true); in.Func != history.Read {
			t.Fatalf("asked for reads, got %s", in.Func)
		}
	}
}
