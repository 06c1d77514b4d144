package longfork

import (
	"context"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"go.uber.org/goleak"

	"squall/history"
	"squall/history/check"
	"squall/history/objects"
	"squall/internal/machinetest"
	"squall/workloads"
	"squall/workloads/rw"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(machinetest.Main(m)) }

func newForks(seed uint64) workloads.Generator {
	w := Workload()
	return w.New(workloads.Load{Args: w.Params.Fill(nil, nil), Clients: 4, Seed: seed})
}

// store has two copies of all registers. Each copy takes its own writes at once and, where
// it forks, the other's some operations later; otherwise at once.
type store struct {
	copies [2]map[string]string
	late   []func()
	forks  bool
	turn   int
}

func newStore(forks bool) *store {
	return &store{copies: [2]map[string]string{{}, {}}, forks: forks}
}

func (s *store) Close() error { return nil }

func (s *store) ReadWrite(_ context.Context, ops []rw.Op) ([]history.Value, error) {
	mine, other := s.copies[s.turn%2], s.copies[1-s.turn%2]
	s.turn++
	if len(s.late) > 0 && (!s.forks || s.turn%9 == 0) {
		for _, apply := range s.late {
			apply()
		}
		s.late = nil
	}
	found := make([]history.Value, len(ops))
	for i, op := range ops {
		if !op.Writes {
			data, is := mine[op.Key]
			found[i] = history.Value{Data: data, Present: is}
			continue
		}
		mine[op.Key] = op.Value
		s.late = append(s.late, func() { other[op.Key] = op.Value })
	}
	if !s.forks {
		maps.Copy(other, mine)
	}
	return found, nil
}

func play(t *testing.T, g workloads.Generator, s *store, n int) []history.Op {
	t.Helper()
	rng, w, streams := rand.New(rand.NewPCG(1, 2)), Workload(), make([]workloads.Stream, 4)
	for i := range streams {
		streams[i] = g.Client(i)
	}
	var ops []history.Op
	for i := range n {
		in := streams[rng.IntN(len(streams))].Next(false)
		op := history.Op{Process: int64(i), Node: "n1", Func: in.Func, Key: in.Key, In: in.In, Outcome: history.OK, Call: int64(2*i + 1), Return: int64(2*i + 2)}
		if err := w.Bind(s)(t.Context(), &op); err != nil {
			t.Fatal(err)
		}
		g.Observe(&op)
		ops = append(ops, op)
	}
	return ops
}

// Both checks pass a store that is right, and find one whose copies take writes in different
// orders.
func TestLongFork(t *testing.T) {
	for name, want := range map[string]check.Verdict{"right": check.Pass, "forked": check.Violation} {
		ops := play(t, newForks(1), newStore(want == check.Violation), 2000)
		in := &check.Input{History: &history.History{Header: history.Header{Functions: Workload().Functions}, Ops: ops}}
		for _, c := range Workload().Checkers() {
			if res := c.Check(t.Context(), in); res.Verdict != want {
				t.Errorf("%s copies: %s: %s", name, c.Name(), res.Told())
			}
		}
	}
}

// The same seed makes the same load, and no register is written twice.
func TestLoad(t *testing.T) {
	ops := play(t, newForks(7), newStore(false), 3000)
	if !slices.Equal(ops, play(t, newForks(7), newStore(false), 3000)) {
		t.Error("the same seed made another load")
	}
	written := map[history.Data]bool{}
	for i := range ops {
		said, err := objects.ParseRegisters(&ops[i])
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case ops[i].Func == history.Read && len(said) < 2:
			t.Fatalf("a read of one register: %+v", ops[i])
		case said[0].Writes && (len(said) > 1 || written[said[0].Key]):
			t.Fatalf("written twice, or with others: %+v", ops[i])
		case said[0].Writes:
			written[said[0].Key] = true
		}
	}
	if len(written) < 300 {
		t.Errorf("only %d registers were written", len(written))
	}
	g := newForks(1)
	if in := g.Client(0).Next(true); in.Func != history.Read {
		t.Errorf("asked for what changes nothing, got %+v", in)
	}
	play(t, g, newStore(false), 300)
	if finals, scan := g.Finals(), g.(workloads.Scanner).Scan(); len(finals) == 0 || len(scan) == 0 || finals[0].Func != history.Read {
		t.Errorf("finals %+v, scan %+v", finals, scan)
	}
	a, b := g.Recovery("n2", 0), g.Recovery("n2", 1)
	if len(a) != 2 || a[0].Func != objects.Txn || a[1].Func != history.Read || a[0].In == b[0].In || a[0].Key == b[0].Key {
		t.Errorf("recovery: %+v, %+v", a, b)
	}
}
