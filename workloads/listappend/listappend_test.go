package listappend

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"squall/history"
	"squall/history/check"
	"squall/history/objects"
	"squall/internal/declare"
	"squall/internal/machinetest"
	"squall/workloads"
	"squall/workloads/systems"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(machinetest.Main(m)) }

func newAppend(seed uint64, clients int, given declare.Args) workloads.Generator {
	w := Workload()
	return w.New(workloads.Load{Args: w.Params.Fill(given, nil), Clients: clients, Seed: seed})
}

// store is a perfect store of lists, one operation at a time.
type store struct {
	lists map[string][]string
	// early makes the reads of a transaction those of the one before.
	early  bool
	before map[string][]string
}

func newStore() *store { return &store{lists: map[string][]string{}} }

func (s *store) Close() error { return nil }

func (s *store) Transact(_ context.Context, ops []Op) ([][]string, error) {
	view := map[string][]string{}
	for _, op := range ops {
		view[op.Key] = s.lists[op.Key]
		if s.early {
			view[op.Key] = s.before[op.Key]
		}
	}
	if s.early {
		s.before = maps.Clone(s.lists)
	}
	found := make([][]string, len(ops))
	for i, op := range ops {
		if op.Append {
			s.lists[op.Key] = append(slices.Clip(s.lists[op.Key]), op.Element)
			view[op.Key] = append(slices.Clip(view[op.Key]), op.Element)
			continue
		}
		found[i] = view[op.Key]
	}
	return found, nil
}

// play runs clients in the given order against a store.
func play(t testing.TB, g workloads.Generator, s *store, order []int, readOnly func(i int) bool) []history.Op {
	t.Helper()
	w, streams := Workload(), map[int]workloads.Stream{}
	var ops []history.Op
	for i, c := range order {
		if streams[c] == nil {
			streams[c] = g.Client(c)
		}
		in := streams[c].Next(readOnly(i))
		op := history.Op{Process: int64(c), Node: "n1", Func: in.Func, Key: in.Key, In: in.In, Outcome: history.OK, Call: int64(2*i + 1), Return: int64(2*i + 2)}
		if err := w.Bind(s)(context.Background(), &op); err != nil {
			t.Fatal(err)
		}
		g.Observe(&op)
		ops = append(ops, op)
	}
	return ops
}

func never(int) bool { return false }

func randomOrder(clients, n int) []int {
	rng := rand.New(rand.NewPCG(1, 2))
	order := make([]int, n)
	for i := range order {
		order[i] = rng.IntN(clients)
	}
	return order
}

// parsed are the operations of a transaction.
func parsed(t testing.TB, op *history.Op) []objects.TxnOp {
	t.Helper()
	ops, err := objects.ParseTxn(op, nil)
	if err != nil {
		t.Fatal(err)
	}
	return ops
}

func judge(ops []history.Op) check.Result {
	in := &check.Input{History: &history.History{Header: history.Header{Nodes: []string{"n1"}, Functions: Workload().Functions}, Ops: ops}}
	return Workload().Checkers()[0].Check(context.Background(), in)
}

// TestLoad: the same seed makes the same load, elements are unique, a transaction is as
// long as it may be, and one that appends nothing is a read.
func TestLoad(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		seed, clients, longest := rapid.Uint64().Draw(rt, "seed"), rapid.IntRange(1, 20).Draw(rt, "clients"), rapid.SampledFrom([]string{"1", "4", "32"}).Draw(rt, "length")
		args := declare.Args{"length": longest, "ops-per-key": "20"}
		ops := play(t, newAppend(seed, clients, args), newStore(), randomOrder(clients, 100), never)
		if again := play(t, newAppend(seed, clients, args), newStore(), randomOrder(clients, 100), never); !slices.Equal(ops, again) {
			rt.Fatal("the same seed made another load")
		}
		if other := play(t, newAppend(seed+1, clients, args), newStore(), randomOrder(clients, 100), never); slices.Equal(ops, other) {
			rt.Fatal("another seed made the same load")
		}
		seen := map[history.Data]bool{}
		for i := range ops {
			appends := 0
			all := parsed(t, &ops[i])
			for _, o := range all {
				if o.Element == "" {
					continue
				}
				appends++
				if seen[o.Element] {
					rt.Fatalf("%s is appended twice", o.Element)
				}
				seen[o.Element] = true
			}
			if len(all) > Workload().Params.Fill(args, nil).Int("length") || (appends > 0) != (ops[i].Func == objects.Txn) {
				rt.Fatalf("%s of %d operations with %d appends", ops[i].Func, len(all), appends)
			}
		}
		if res := judge(ops); res.Verdict != check.Pass {
			rt.Fatalf("of a perfect store: %s: %s", res.Summary, res.Explanation)
		}
	})
}

// TestLoadBites: the load has some of everything, and a store whose transactions read what was a
// moment ago is caught.
func TestLoadBites(t *testing.T) {
	const n = 10_000
	counts := map[string]int{}
	ops := play(t, newAppend(1, 10, nil), newStore(), randomOrder(10, n), never)
	longest := 0
	for i := range ops {
		reads, appends := map[history.Data]bool{}, map[history.Data]bool{}
		for _, o := range parsed(t, &ops[i]) {
			if o.Element != "" {
				appends[o.Key] = true
				counts["appends"]++
			} else {
				reads[o.Key] = true
				counts["reads"]++
			}
		}
		both := false
		for key := range reads {
			both = both || appends[key]
		}
		if both {
			counts["read and append one list"]++
		}
		if len(reads) > 1 {
			counts["read several lists"]++
		}
		if len(appends) > 1 {
			counts["append to several lists"]++
		}
		counts[string(ops[i].Func)]++
		for op := range ops[i].Out.Elements() {
			longest = max(longest, len(slices.Collect(op.At("2").Elements())))
		}
	}
	for what, least := range map[string]int{"txn": n / 2, "read": n / 10, "reads": n, "appends": n, "read and append one list": n / 10, "read several lists": n / 10, "append to several lists": n / 10} {
		if counts[what] < least {
			t.Errorf("%d times %s, want %d at least: %v", counts[what], what, least, counts)
		}
	}
	if longest < 20 || longest > 100 {
		t.Errorf("the longest list has %d elements", longest)
	}
	if res := judge(ops); res.Verdict != check.Pass {
		t.Errorf("of a perfect store: %s: %s", res.Summary, res.Explanation)
	}
	if res := judge(play(t, newAppend(1, 10, nil), &store{lists: map[string][]string{}, early: true}, randomOrder(10, 200), never)); res.Verdict != check.Violation {
		t.Errorf("of a store that reads too early: %s: %s", res.Verdict, res.Summary)
	}
}

func TestReadOnly(t *testing.T) {
	for _, op := range play(t, newAppend(1, 10, nil), newStore(), randomOrder(10, 2000), func(i int) bool { return i >= 1000 })[1000:] {
		if op.Func != history.Read {
			t.Fatalf("asked for reads, got a %s", op.Func)
		}
	}
}

// TestListsRotate: each list has its share of operations and is then only looked back at.
func TestListsRotate(t *testing.T) {
	ops := play(t, newAppend(5, 10, declare.Args{"keys": "2", "ops-per-key": "30"}), newStore(), randomOrder(10, 10_000), never)
	lists, lookedBack := map[history.Data]int{}, 0
	for i := range ops {
		for _, o := range parsed(t, &ops[i]) {
			if lists[o.Key]++; lists[o.Key] > 30 {
				lookedBack++
			}
		}
	}
	if len(lists) < 500 {
		t.Errorf("%d lists were used", len(lists))
	}
	if lookedBack < 300 || lookedBack > 2000 {
		t.Errorf("%d operations looked back at retired lists, want about 3 %% of all", lookedBack)
	}
}

// TestFinals: every list that is in use or kept is read once, a few in one transaction,
// and those in use through every node.
func TestFinals(t *testing.T) {
	g := newAppend(5, 10, declare.Args{"keys": "3", "ops-per-key": "20"})
	if finals := g.Finals(); len(finals) != 0 {
		t.Errorf("nothing was appended yet, and there are final reads %v", finals)
	}
	ops := play(t, g, newStore(), randomOrder(10, 10_000), never)
	seen, everywhere := map[history.Data]bool{}, map[history.Data]bool{}
	for _, f := range g.Finals() {
		op := history.Op{Func: f.Func, In: f.In}
		all := parsed(t, &op)
		if f.Func != history.Read || len(all) > finalLists {
			t.Errorf("a final %s of %d operations", f.Func, len(all))
		}
		for _, o := range all {
			if seen[o.Key] {
				t.Errorf("%s is read twice", o.Key)
			}
			seen[o.Key], everywhere[o.Key] = true, f.EveryNode
		}
	}
	if len(seen) != 3+256 {
		t.Errorf("%d lists are read at last, want 3 in use and 256 before them", len(seen))
	}
	last := map[history.Data]bool{}
	for i := len(ops) - 1; len(last) < 3; i-- {
		for _, o := range parsed(t, &ops[i]) {
			if o.Element != "" {
				last[o.Key] = true
			}
		}
	}
	for key := range last {
		if !everywhere[key] {
			t.Errorf("%s was appended to at last, and is not read through every node", key)
		}
	}
}

func TestRecovery(t *testing.T) {
	g, s := newAppend(1, 2, nil), newStore()
	for attempt := range 3 {
		for i, in := range g.Recovery("n1", attempt) {
			op := history.Op{Func: in.Func, Key: in.Key, In: in.In, Outcome: history.OK}
			if err := Workload().Bind(s)(t.Context(), &op); err != nil || Workload().Functions.Reads(op.Func) != (i == 1) {
				t.Errorf("operation %d: %+v, %v", i, op, err)
			}
		}
	}
	if got := s.lists["recovery-n1"]; !slices.Equal(got, []string{"n1-1", "n1-2", "n1-3"}) {
		t.Errorf("the list is %q", got)
	}
}

// short answers less than it was asked.
type short struct{ store }

func (short) Transact(context.Context, []Op) ([][]string, error) { return nil, nil }

// broken answers nothing.
type broken struct{ store }

func (broken) Transact(context.Context, []Op) ([][]string, error) { return nil, errors.New("broken") }

func TestDo(t *testing.T) {
	w := Workload()
	const in = `[["append","x","1"],["r","x",null],["r","y",null]]`
	op := history.Op{Func: objects.Txn, In: in}
	if err := w.Bind(newStore())(t.Context(), &op); err != nil || op.Out != `[["append","x","1"],["r","x",["1"]],["r","y",[]]]` {
		t.Errorf("%s, %v", op.Out, err)
	}
	for name, c := range map[string]struct {
		client  systems.Client
		op      history.Op
		certain bool
	}{
		"another function": {newStore(), history.Op{Func: history.Write, In: in}, true},
		"no transaction":   {newStore(), history.Op{Func: objects.Txn, In: `"x"`}, true},
		"a short answer":   {&short{}, history.Op{Func: objects.Txn, In: in}, false},
		"an error":         {&broken{}, history.Op{Func: objects.Txn, In: in}, false},
	} {
		if err := w.Bind(c.client)(t.Context(), &c.op); err == nil || systems.Certain(err) != c.certain || c.op.Out != "" {
			t.Errorf("%s: %v, certain %t, with the answer %q", name, err, systems.Certain(err), c.op.Out)
		}
	}
}

func TestConcurrentUse(t *testing.T) {
	g := newAppend(1, 8, declare.Args{"ops-per-key": "20"})
	var clients sync.WaitGroup
	for c := range 8 {
		clients.Go(func() {
			for s, i := g.Client(c), 0; i < 2000; i++ {
				in := s.Next(false)
				if _, err := objects.ParseTxn(&history.Op{Func: in.Func, In: in.In}, nil); err != nil {
					t.Error(err)
				}
			}
		})
	}
	clients.Wait()
	g.Finals()
}

func TestParamsThatDoNotGoTogether(t *testing.T) {
	for mix, want := range map[string]string{"0/1": "no reads", "1/0": "no appends"} {
		_, err := Workload().Declaration().Resolve(declare.Args{"mix": mix})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("mix=%s: %v, want something about %q", mix, err, want)
		}
	}
	if err := Workload().Declaration().Validate(); err != nil {
		t.Error(err)
	}
}
