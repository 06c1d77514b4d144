package rw

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
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

// store is a perfect store of registers, one transaction at a time. One that is early has
// transactions read what was before the transaction before them.
type store struct {
	systems.Client
	held, before map[string]history.Value
	early        bool
}

func newStore() *store { return &store{held: map[string]history.Value{}} }

func (s *store) ReadWrite(_ context.Context, ops []Op) ([]history.Value, error) {
	view := maps.Clone(s.held)
	if s.early {
		view, s.before = s.before, view
		if view = maps.Clone(view); view == nil {
			view = map[string]history.Value{}
		}
	}
	found := make([]history.Value, len(ops))
	for i, op := range ops {
		if op.Writes {
			s.held[op.Key], view[op.Key] = history.Some(op.Value), history.Some(op.Value)
		} else {
			found[i] = view[op.Key]
		}
	}
	return found, nil
}

func play(t testing.TB, g workloads.Generator, s *store, clients, n int) []history.Op {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	streams := make([]workloads.Stream, clients)
	for i := range streams {
		streams[i] = g.Client(i)
	}
	ops := make([]history.Op, n)
	for i := range ops {
		c := rng.IntN(clients)
		in := streams[c].Next(false)
		ops[i] = history.Op{Process: int64(c), Node: "n1", Func: in.Func, Key: in.Key, In: in.In, Outcome: history.OK, Call: int64(2*i + 1), Return: int64(2*i + 2)}
		if err := Workload().Bind(s)(t.Context(), &ops[i]); err != nil {
			t.Fatal(err)
		}
		g.Observe(&ops[i])
	}
	return ops
}

func newRW(args declare.Args) workloads.Generator {
	w := Workload()
	return w.New(workloads.Load{Args: w.Params.Fill(args, nil), Clients: 5, Seed: 7})
}

func judge(ops []history.Op) check.Result {
	in := &check.Input{History: &history.History{Header: history.Header{Nodes: []string{"n1"}, Functions: Workload().Functions}, Ops: ops}}
	return Workload().Checkers()[0].Check(context.Background(), in)
}

// TestLoad: the same seed makes the same load, values are unique, a transaction is as long as it
// may be, a right store passes, and one whose transactions read too early is caught.
func TestLoad(t *testing.T) {
	args := declare.Args{"length": "3", "ops-per-key": "20"}
	ops := play(t, newRW(args), newStore(), 5, 2000)
	if again := play(t, newRW(args), newStore(), 5, 2000); !slices.Equal(ops, again) {
		t.Fatal("the same seed made another load")
	}
	seen, registers, counts := map[history.Data]bool{}, map[history.Data]int{}, map[history.Func]int{}
	for i := range ops {
		all, err := objects.ParseRegisters(&ops[i])
		if err != nil || len(all) > 4 {
			t.Fatalf("%s: %v", ops[i].In, err)
		}
		counts[ops[i].Func]++
		for _, o := range all {
			registers[o.Key]++
			if o.Writes && seen[o.Value] {
				t.Fatalf("%s is written twice", o.Value)
			}
			seen[o.Value] = seen[o.Value] || o.Writes
		}
	}
	if len(registers) < 150 || counts[history.Read] < 300 || counts[objects.Txn] < 1000 {
		t.Errorf("%d registers; %v", len(registers), counts)
	}
	if res := judge(ops); res.Verdict != check.Pass {
		t.Errorf("of a right store: %s: %s", res.Summary, res.Explanation)
	}
	if res := judge(play(t, newRW(nil), &store{held: map[string]history.Value{}, early: true}, 5, 500)); res.Verdict != check.Violation {
		t.Errorf("of a store that reads too early: %s: %s", res.Verdict, res.Summary)
	}
}

// TestFinals: every register that is in use or kept is read once at last, and the scan
// reads all.
func TestFinals(t *testing.T) {
	g := newRW(declare.Args{"keys": "3", "ops-per-key": "20"})
	if finals := g.Finals(); len(finals) != 0 {
		t.Errorf("nothing was written yet, and there are final reads %v", finals)
	}
	ops := play(t, g, newStore(), 5, 5000)
	used := map[history.Data]bool{}
	for i := range ops {
		all, _ := objects.ParseRegisters(&ops[i])
		for _, o := range all {
			used[o.Key] = true
		}
	}
	count := func(intents []workloads.Intent) int {
		seen := map[history.Data]bool{}
		for _, in := range intents {
			all, err := objects.ParseRegisters(&history.Op{Func: in.Func, In: in.In})
			if err != nil || in.Func != history.Read {
				t.Fatalf("%+v: %v", in, err)
			}
			for _, o := range all {
				if seen[o.Key] {
					t.Errorf("%s is read twice", o.Key)
				}
				seen[o.Key] = true
			}
		}
		return len(seen)
	}
	var finals []workloads.Intent
	everywhere := 0
	for _, f := range g.Finals() {
		finals = append(finals, f.Intent)
		if f.EveryNode {
			everywhere++
		}
	}
	if n := count(finals); n != 3+256 || everywhere == 0 || everywhere > 3 {
		t.Errorf("%d registers are read at last, %d transactions through every node", n, everywhere)
	}
	if n := count(g.(workloads.Scanner).Scan()); n != len(used) {
		t.Errorf("%d registers are scanned, %d were used", n, len(used))
	}
}

func TestRecovery(t *testing.T) {
	g, s := newRW(nil), newStore()
	for attempt := range 3 {
		for i, in := range g.Recovery("n1", attempt) {
			op := history.Op{Func: in.Func, In: in.In, Outcome: history.OK}
			if err := Workload().Bind(s)(t.Context(), &op); err != nil || Workload().Functions.Reads(op.Func) != (i == 1) {
				t.Errorf("operation %d: %+v, %v", i, op, err)
			}
		}
	}
	if got := s.held["recovery-n1"]; got != history.Some("n1-3") {
		t.Errorf("the register holds %v", got)
	}
}

// broken answers too little, or an error.
type broken struct {
	store
	err error
}

func (b *broken) ReadWrite(context.Context, []Op) ([]history.Value, error) { return nil, b.err }

func TestDo(t *testing.T) {
	w := Workload()
	const in = `[["w","x","1"],["r","x",null],["r","y",null]]`
	op := history.Op{Func: objects.Txn, In: in, Outcome: history.OK}
	if err := w.Bind(newStore())(t.Context(), &op); err != nil || op.Out != `[["w","x","1"],["r","x","1"],["r","y",null]]` {
		t.Errorf("%s, %v", op.Out, err)
	}
	for name, c := range map[string]struct {
		client  systems.Client
		op      history.Op
		certain bool
	}{
		"another function": {newStore(), history.Op{Func: history.Write, In: in}, true},
		"no transaction":   {newStore(), history.Op{Func: objects.Txn, In: `"x"`}, true},
		"a short answer":   {&broken{}, history.Op{Func: objects.Txn, In: in}, false},
		"an error":         {&broken{err: errors.New("broken")}, history.Op{Func: objects.Txn, In: in}, false},
	} {
		if err := w.Bind(c.client)(t.Context(), &c.op); err == nil || systems.Certain(err) != c.certain || c.op.Out != "" {
			t.Errorf("%s: %v, certain %t, with the answer %q", name, err, systems.Certain(err), c.op.Out)
		}
	}
	for mix, wrong := range map[string]bool{"0/1": true, "1/0": true, "1/1": false} {
		if err := checkMix(w.Params.Fill(declare.Args{"mix": mix}, nil)); (err != nil) != wrong {
			t.Errorf("mix %s: %v", mix, err)
		}
	}
}
