package lock

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"squall/history"
	"squall/history/objects"
	"squall/internal/declare"
	"squall/internal/machinetest"
	"squall/workloads"
	"squall/workloads/systems"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(machinetest.Main(m)) }

func newLock(seed uint64, clients int, given declare.Args) workloads.Generator {
	w := Workload()
	return w.New(workloads.Load{Args: w.Params.Fill(given, nil), Clients: clients, Seed: seed})
}

// store is a perfect store of locks.
type store struct {
	owners map[string]string
	tokens map[string]uint64
	last   uint64
	fail   error // of the next release
}

func newStore() *store { return &store{owners: map[string]string{}, tokens: map[string]uint64{}} }

func (s *store) Close() error { return nil }

func (s *store) Acquire(_ context.Context, key, owner string) (uint64, string, error) {
	if holder := s.owners[key]; holder != "" {
		return 0, holder, nil
	}
	s.last++
	s.owners[key], s.tokens[key] = owner, s.last
	return s.last, "", nil
}

func (s *store) Release(_ context.Context, key, owner string, token uint64) (bool, error) {
	if err := s.fail; err != nil {
		s.fail = nil
		return false, err
	}
	if s.owners[key] != owner || s.tokens[key] != token {
		return false, nil
	}
	s.owners[key] = ""
	return true, nil
}

// play runs clients in the given order against a store, one operation at a time.
func play(t testing.TB, g workloads.Generator, s *store, order []int) []history.Op {
	w, streams := Workload(), map[int]workloads.Stream{}
	var ops []history.Op
	for i, c := range order {
		if streams[c] == nil {
			streams[c] = g.Client(c)
		}
		in := streams[c].Next(false)
		op := history.Op{Process: int64(c), Node: "n1", Func: in.Func, Key: in.Key, In: in.In, Outcome: history.OK, Call: int64(2*i + 1), Return: int64(2*i + 2)}
		if err := w.Bind(s)(context.Background(), &op); err != nil {
			op.Outcome, op.Out, op.Error = history.Fail, "", err.Error()
			if !systems.Certain(err) {
				t.Fatal(err)
			}
		}
		g.Observe(&op)
		ops = append(ops, op)
	}
	return ops
}

func order(clients, n int) []int {
	rng := rand.New(rand.NewPCG(1, 2))
	order := make([]int, n)
	for i := range order {
		order[i] = rng.IntN(clients)
	}
	return order
}

// The same seed makes the same load, every owner acquires once, and what is released
// was granted.
func TestLoad(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		seed, clients := rapid.Uint64().Draw(rt, "seed"), rapid.IntRange(1, 20).Draw(rt, "clients")
		ops := play(t, newLock(seed, clients, nil), newStore(), order(clients, 400))
		if again := play(t, newLock(seed, clients, nil), newStore(), order(clients, 400)); !slices.Equal(ops, again) {
			rt.Fatal("the same seed made another load")
		}
		granted := map[history.Data]bool{}
		for _, op := range ops {
			switch {
			case op.Func == objects.Release && !granted[op.In.At("0")+op.In.At("1")]:
				rt.Fatalf("released and never granted: %+v", op)
			case op.Func == objects.Acquire && granted[op.In]:
				rt.Fatalf("the owner %s acquires twice", op.In)
			case op.Func == objects.Acquire:
				granted[op.In], granted[op.In+op.Out] = true, true
			}
		}
	})
}

// The load has some of everything that makes it bite.
func TestLoadBites(t *testing.T) {
	counts := map[string]int{}
	const n = 20_000
	for _, op := range play(t, newLock(1, 10, nil), newStore(), order(10, n)) {
		what := string(op.Func)
		switch {
		case op.Func == objects.Release:
			what += " " + string(op.Out)
		case op.Out[0] == '"':
			what += " of a held lock"
		}
		counts[what]++
	}
	for what, least := range map[string]int{"acquire": n / 10, "acquire of a held lock": n / 10, "release true": n / 10, "release false": n / 100} {
		if counts[what] < least {
			t.Errorf("%d times %s, want %d at least: %v", counts[what], what, least, counts)
		}
	}
}

// A release that certainly failed is tried again.
func TestFailedReleaseIsTriedAgain(t *testing.T) {
	s := newStore()
	g := newLock(1, 1, declare.Args{"keys": "1", "hold": "0%", "again": "0%", "ops-per-key": "5000"})
	s.fail = &systems.Error{Certain: true, Err: errors.New("no leader")}
	ops := play(t, g, s, order(1, 3))
	if ops[1].Func != objects.Release || ops[1].Outcome != history.Fail || ops[2].Func != objects.Release || ops[2].Out != history.True {
		t.Errorf("%+v", ops)
	}
}

func TestReadOnly(t *testing.T) {
	s := newStore()
	g := newLock(1, 1, declare.Args{"hold": "0%"})
	play(t, g, s, order(1, 2))
	if in := g.Client(0).Next(true); in.Func != objects.Release {
		t.Errorf("asked for what changes nothing, got %+v", in)
	}
	if ops := play(t, g, s, []int{0}); ops[0].Func == objects.Release && ops[0].Out == history.True {
		t.Errorf("it changed something: %+v", ops[0])
	}
}

func TestFinalsAndRecovery(t *testing.T) {
	g := newLock(1, 10, nil)
	ops := play(t, g, newStore(), order(10, 2000))
	finals := g.Finals()
	last := ops[len(ops)-1].Key
	if i := slices.IndexFunc(finals, func(f workloads.Final) bool { return f.Key == last }); i < 0 || !finals[i].EveryNode || finals[i].Func != objects.Acquire {
		t.Errorf("%s is not acquired through every node: %+v", last, finals)
	}
	a, b := g.Recovery("n2", 0), g.Recovery("n2", 1)
	if len(a) != 1 || a[0].Func != objects.Acquire || a[0].Key != b[0].Key || a[0].In == b[0].In {
		t.Errorf("recovery: %+v, %+v", a, b)
	}
	// Operations of nobody change nothing.
	for _, owner := range []string{"final-l1", "n2-1", "c99-1", "cx", ""} {
		for _, out := range []history.Data{"3", ""} {
			g.Observe(&history.Op{Func: objects.Acquire, Key: "l1", In: history.Text(owner), Out: out, Outcome: history.OK})
		}
	}
}

func TestDoRefusesWhatItCannot(t *testing.T) {
	for in, want := range map[string]history.Op{
		"no operation": {Func: "read", Key: "l1"},
		"token":        {Func: objects.Release, Key: "l1", In: history.List(history.Text("c1-1"))},
	} {
		if err := Workload().Bind(newStore())(t.Context(), &want); !systems.Certain(err) || !strings.Contains(err.Error(), in) {
			t.Errorf("%s: %v", in, err)
		}
	}
}
