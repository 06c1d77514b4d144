package uniqueids

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"testing"

	"squall/history"
	"squall/history/check"
	"squall/workloads"
	"squall/workloads/systems"
)

// memory hands out numbers. Every n-th is one that it has given before.
type memory struct {
	systems.Client
	last  map[string]int
	given int
	every int
	err   error
}

func (m *memory) NewID(_ context.Context, generator string) (string, error) {
	if m.given++; m.every > 0 && m.given%m.every == 0 && m.last[generator] > 0 {
		return strconv.Itoa(m.last[generator]), m.err
	}
	m.last[generator]++
	return strconv.Itoa(m.last[generator]), m.err
}

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
	do(g.Recovery("n1", 0)[0])
	return ops
}

func TestUniqueIDs(t *testing.T) {
	for every, want := range map[int]check.Verdict{0: check.Pass, 500: check.Violation} {
		ops := play(t, &memory{last: map[string]int{}, every: every}, 1, 2000)
		in := &check.Input{History: &history.History{Header: history.Header{Functions: Workload().Functions}, Ops: ops}}
		if res := Workload().Checkers()[0].Check(t.Context(), in); res.Verdict != want {
			t.Errorf("every %d: %s: %s", every, res.Verdict, res.Told())
		}
	}
	fresh := func() *memory { return &memory{last: map[string]int{}} }
	if !slices.Equal(play(t, fresh(), 5, 500), play(t, fresh(), 5, 500)) || slices.Equal(play(t, fresh(), 5, 500), play(t, fresh(), 6, 500)) {
		t.Error("the load does not depend on the seed, or not on it alone")
	}
	m := &memory{last: map[string]int{}, err: errors.New("no leader")}
	failed := play(t, fresh(), 1, 1)[0]
	failed.Out = ""
	if err := Workload().Bind(m)(t.Context(), &failed); err != m.err || failed.Out != "" {
		t.Errorf("a failed request: %s, %v", failed.Out, err)
	}
	if err := Workload().Bind(m)(t.Context(), &history.Op{Func: history.Write}); !systems.Certain(err) {
		t.Errorf("a write: %v, want a certain error", err)
	}
}
