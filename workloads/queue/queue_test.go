package queue

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

// memory is a connection to queues. Every n-th dequeue is spoiled.
type memory struct {
	systems.Client
	held  map[string][]string
	takes int
	every int
	spoil func(held []string) (value string, left []string)
	err   error
}

func (m *memory) KeepsOrder() {}

func (m *memory) Enqueue(_ context.Context, key, value string) error {
	m.held[key] = append(m.held[key], value)
	return m.err
}

func (m *memory) Dequeue(_ context.Context, key string) (value string, found bool, err error) {
	held := m.held[key]
	if m.err != nil || len(held) == 0 {
		return "", false, m.err
	}
	if m.takes++; m.every > 0 && m.takes%m.every == 0 && len(held) > 1 {
		value, m.held[key] = m.spoil(held)
	} else {
		value, m.held[key] = held[0], held[1:]
	}
	return value, value != "", nil
}

// play runs n operations, one after the other, and those after the storm.
func play(t *testing.T, w workloads.Workload, m *memory, seed uint64, n int) []history.Op {
	t.Helper()
	g := w.New(workloads.Load{Args: w.Params.Fill(nil, nil), Clients: 1, Seed: seed})
	var ops []history.Op
	do := func(in workloads.Intent) {
		now := int64(2 * len(ops))
		op := history.Op{Node: "n1", Func: in.Func, Key: in.Key, In: in.In, Outcome: history.OK, Call: now, Return: now + 1}
		if err := w.Bind(m)(t.Context(), &op); err != nil {
			t.Fatal(err)
		}
		g.Observe(&op)
		ops = append(ops, op)
	}
	for s := g.Client(0); len(ops) < n; {
		do(s.Next(false))
	}
	for _, f := range g.Finals() {
		do(f.Intent)
	}
	for _, in := range g.Recovery("n1", 0) {
		do(in)
	}
	return ops
}

// TestQueues: queues that behave pass, and what others do to a value is found.
func TestQueues(t *testing.T) {
	for name, tt := range map[string]struct {
		every     int
		spoil     func(held []string) (string, []string)
		any, fifo check.Kind // "": nothing is wrong
	}{
		"right":     {0, nil, "", ""},
		"losing":    {50, func(h []string) (string, []string) { return h[0], slices.Delete(slices.Clone(h), 0, len(h)) }, check.KindLostElement, check.KindOutOfOrder},
		"doubling":  {50, func(h []string) (string, []string) { return h[0], h }, check.KindTakenTwice, check.KindTakenTwice},
		"unordered": {50, func(h []string) (string, []string) { return h[1], slices.Delete(slices.Clone(h), 1, 2) }, "", check.KindOutOfOrder},
		"blind":     {50, func(h []string) (string, []string) { return "", h }, check.KindStaleRead, check.KindStaleRead},
		"inventive": {50, func(h []string) (string, []string) { return "x", h }, check.KindNowhere, check.KindNowhere},
	} {
		for i, want := range []check.Kind{tt.any, tt.fifo} {
			w := []workloads.Workload{Workload(), FIFO()}[i]
			ops := play(t, w, &memory{held: map[string][]string{}, every: tt.every, spoil: tt.spoil}, 1, 2000)
			res := w.Checkers()[0].Check(t.Context(), &check.Input{History: &history.History{Header: history.Header{Functions: w.Functions}, Ops: ops}})
			if fine := want == ""; fine != (res.Verdict == check.Pass) || !fine && res.Verdict != check.Violation || res.Kind != want {
				t.Errorf("%s: %s queues: %s, %q, want %q: %s %s", w.Name, name, res.Verdict, res.Kind, want, res.Told(), res.Explanation)
			}
		}
	}
}

// TestLoad: the same seed makes the same load, values are unique, and nothing is left
// behind in the queues that are in use or were lately.
func TestLoad(t *testing.T) {
	m := &memory{held: map[string][]string{}}
	ops := play(t, FIFO(), m, 5, 3000)
	if !slices.Equal(ops, play(t, FIFO(), &memory{held: map[string][]string{}}, 5, 3000)) || slices.Equal(ops, play(t, FIFO(), &memory{held: map[string][]string{}}, 6, 3000)) {
		t.Error("the load does not depend on the seed, or not on it alone")
	}
	for key, left := range m.held {
		if len(left) > 0 {
			t.Errorf("%q was not drained: %d are left", key, len(left))
		}
	}
	seen := map[history.Data]bool{}
	for _, op := range ops {
		if op.Func == objects.Enqueue && seen[op.In] {
			t.Fatalf("%s is put in twice", op.In)
		}
		seen[op.In] = true
	}
}

func TestWhatCannotBeDone(t *testing.T) {
	m := &memory{held: map[string][]string{}, err: errors.New("no leader")}
	failed := history.Op{Func: objects.Dequeue, Key: "q"}
	if err := Workload().Bind(m)(t.Context(), &failed); err != m.err || failed.Out != "" {
		t.Errorf("a failed dequeue: %s, %v", failed.Out, err)
	}
	for _, op := range []history.Op{{Func: history.Write, Key: "q", In: "1"}, {Func: objects.Enqueue, Key: "q", In: "1"}} {
		if err := FIFO().Bind(m)(t.Context(), &op); !systems.Certain(err) {
			t.Errorf("%s of %s: %v, want a certain error", op.Func, op.In, err)
		}
	}
}
