package setremove

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"squall/history"
	"squall/history/check"
	"squall/history/objects"
	"squall/internal/declare"
	"squall/internal/machinetest"
	"squall/workloads"
	"squall/workloads/systems"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(machinetest.Main(m)) }

func newSets(seed uint64) workloads.Generator {
	w := Workload()
	return w.New(workloads.Load{Args: w.Params.Fill(nil, nil), Clients: 5, Seed: seed})
}

// store has sets, of which every hundredth remove is not kept when it forgets.
type store struct {
	sets    map[string][]string
	forgets bool
	removes int
	fail    error
}

func (s *store) Close() error { return nil }

func (s *store) Add(_ context.Context, key, element string) error {
	s.sets[key] = append(s.sets[key], element)
	return s.fail
}

func (s *store) Elements(_ context.Context, key string) ([]string, error) { return s.sets[key], s.fail }

func (s *store) Remove(_ context.Context, key, element string) (bool, error) {
	i := slices.Index(s.sets[key], element)
	if i < 0 {
		return false, s.fail
	}
	if s.removes++; !s.forgets || s.removes%100 != 0 {
		s.sets[key] = slices.Delete(slices.Clone(s.sets[key]), i, i+1)
	}
	return true, s.fail
}

func play(t *testing.T, g workloads.Generator, s *store, n int) []history.Op {
	t.Helper()
	rng, w, streams := rand.New(rand.NewPCG(1, 2)), Workload(), make([]workloads.Stream, 5)
	for i := range streams {
		streams[i] = g.Client(i)
	}
	var ops []history.Op
	for i := range n {
		in := streams[rng.IntN(len(streams))].Next(false)
		op := history.Op{Node: "n1", Func: in.Func, Key: in.Key, In: in.In, Outcome: history.OK, Call: int64(2*i + 1), Return: int64(2*i + 2)}
		if err := w.Bind(s)(t.Context(), &op); err != nil {
			t.Fatal(err)
		}
		g.Observe(&op)
		ops = append(ops, op)
	}
	return ops
}

// The check passes sets that are right, and finds an element that comes back.
func TestSetRemove(t *testing.T) {
	for name, want := range map[string]check.Verdict{"right": check.Pass, "forgetful": check.Violation} {
		ops := play(t, newSets(1), &store{sets: map[string][]string{}, forgets: want == check.Violation}, 5000)
		in := &check.Input{History: &history.History{Header: history.Header{Functions: Workload().Functions}, Ops: ops}}
		res := Workload().Checkers()[0].Check(t.Context(), in)
		if res.Verdict != want || want == check.Violation && res.Kind != check.KindCameBack {
			t.Errorf("%s: %s, %q: %s", name, res.Verdict, res.Kind, res.Told())
		}
	}
}

func TestLoad(t *testing.T) {
	const n = 5000
	ops := play(t, newSets(7), &store{sets: map[string][]string{}}, n)
	if !slices.Equal(ops, play(t, newSets(7), &store{sets: map[string][]string{}}, n)) {
		t.Error("the same seed made another load")
	}
	count := map[history.Func]int{}
	for _, op := range ops {
		count[op.Func]++
	}
	for _, f := range []history.Func{objects.Add, objects.Remove, history.Read} {
		if count[f] < n/10 {
			t.Errorf("%d times %s: %v", count[f], f, count)
		}
	}
	g := newSets(1)
	if in := g.Client(1).Next(true); in.Func != history.Read {
		t.Errorf("asked for what changes nothing, got %+v", in)
	}
	play(t, g, &store{sets: map[string][]string{}}, 300)
	if finals, scan := g.Finals(), g.(workloads.Scanner).Scan(); len(finals) == 0 || len(scan) == 0 || finals[0].Func != history.Read {
		t.Errorf("finals %+v, scan %+v", finals, scan)
	}
	if a, b := g.Recovery("n2", 0), g.Recovery("n2", 1); len(a) != 2 || a[0].Key != b[0].Key || a[0].In == b[0].In {
		t.Errorf("recovery: %+v, %+v", a, b)
	}
}

func TestErrors(t *testing.T) {
	s := &store{sets: map[string][]string{}, fail: &systems.Error{Err: errors.New("no answer")}}
	for _, op := range []history.Op{{Func: objects.Add, In: `"1"`}, {Func: objects.Remove, In: `"1"`}, {Func: history.Read}} {
		if err := Workload().Bind(s)(t.Context(), &op); systems.Certain(err) || op.Out != "" {
			t.Errorf("%s: %v, answer %q", op.Func, err, op.Out)
		}
	}
	for says, op := range map[string]history.Op{"not a string": {Func: objects.Remove, In: "1"}, "no operation": {Func: objects.Enqueue}} {
		if err := Workload().Bind(s)(t.Context(), &op); !systems.Certain(err) || !strings.Contains(err.Error(), says) {
			t.Errorf("%v, want %q", err, says)
		}
	}
	_, err := Workload().Declaration().Resolve(declare.Args{"mix": "50/0/50"})
	var bad *declare.Error
	if !errors.As(err, &bad) || bad.Param != "mix" {
		t.Errorf("a mix without removes: %v", err)
	}
}
