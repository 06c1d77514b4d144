package set

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
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

// newSet is the load of that many clients, with these parameters and the defaults of all
// others.
func newSet(seed uint64, clients int, given declare.Args) workloads.Generator {
	w := Workload()
	return w.New(workloads.Load{Args: w.Params.Fill(given, nil), Clients: clients, Seed: seed})
}

// memory is a connection to sets that are never wrong, or to sets that forget: spoil says
// what a read answers of what there is.
type memory struct {
	sets  map[string][]string
	spoil func(elements []string) []string
	err   error
}

func (m *memory) Close() error { return nil }

func (m *memory) Add(_ context.Context, key, element string) error {
	if m.err == nil {
		m.sets[key] = append(m.sets[key], element)
	}
	return m.err
}

func (m *memory) Elements(_ context.Context, key string) ([]string, error) {
	if m.spoil != nil {
		return m.spoil(m.sets[key]), m.err
	}
	return m.sets[key], m.err
}

// play runs n operations of random clients, one at a time, and then the final reads.
func play(t testing.TB, g workloads.Generator, m *memory, clients, n int, readOnly bool) []history.Op {
	t.Helper()
	rng := rand.New(rand.NewPCG(3, 4))
	streams := make([]workloads.Stream, clients)
	var ops []history.Op
	do := func(client int, in workloads.Intent) {
		op := history.Op{Process: int64(client), Node: "n1", Func: in.Func, Key: in.Key, In: in.In, Outcome: history.OK, Call: int64(2 * len(ops)), Return: int64(2*len(ops) + 1)}
		if err := Workload().Bind(m)(t.Context(), &op); err != nil {
			t.Fatal(err)
		}
		g.Observe(&op)
		ops = append(ops, op)
	}
	for range n {
		c := rng.IntN(clients)
		if streams[c] == nil {
			streams[c] = g.Client(c)
		}
		do(c, streams[c].Next(readOnly))
	}
	for _, f := range g.Finals() {
		do(clients, f.Intent)
	}
	for _, in := range g.Recovery("n1", 0) {
		do(clients, in)
	}
	return ops
}

func perfect() *memory { return &memory{sets: map[string][]string{}} }

// judge runs the workload's own checks.
func judge(ops []history.Op) map[string]check.Result {
	results := map[string]check.Result{}
	in := &check.Input{History: &history.History{Header: history.Header{Functions: Workload().Functions}, Ops: ops}}
	for _, c := range Workload().Checkers() {
		results[c.Name()] = c.Check(context.Background(), in)
	}
	return results
}

// TestSameSeedSameLoad: what clients do depends on the seed and on nothing else.
func TestSameSeedSameLoad(t *testing.T) {
	mk := func(seed uint64) []history.Op { return play(t, newSet(seed, 7, nil), perfect(), 7, 2000, false) }
	if !slices.Equal(mk(5), mk(5)) {
		t.Error("the same seed made another load")
	}
	if slices.Equal(mk(5), mk(6)) {
		t.Error("another seed made the same load")
	}
}

// TestElementsAreUnique, few in a set, and added as often as the mix says.
func TestElementsAreUnique(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		clients, perKey := rapid.IntRange(1, 20).Draw(rt, "clients"), rapid.IntRange(10, 60).Draw(rt, "opsPerKey")
		g := newSet(rapid.Uint64().Draw(rt, "seed"), clients, declare.Args{"ops-per-key": strconv.Itoa(perKey)})
		ops := play(t, g, perfect(), clients, 600, false)
		seen, inSet, adds := map[history.Data]bool{}, map[string]int{}, 0
		for _, op := range ops {
			if op.Func != objects.Add {
				continue
			}
			if adds++; seen[op.In] {
				rt.Fatalf("%s is added twice", op.In)
			}
			seen[op.In] = true
			if inSet[op.Key]++; inSet[op.Key] > perKey {
				rt.Fatalf("%s has %d elements, and its share is %d operations", op.Key, inSet[op.Key], perKey)
			}
		}
		if adds < 210 || adds > 390 {
			rt.Fatalf("%d of 600 operations are adds, want about half", adds)
		}
	})
}

// TestReach: sets are looked back at, and read at last, that were retired long ago.
func TestReach(t *testing.T) {
	g := newSet(1, 5, nil)
	play(t, g, perfect(), 5, 70_000, false)
	if finals := len(g.Finals()); finals < 650 {
		t.Errorf("%d sets are read at last, of about 680 that there were", finals)
	}
}

func TestReadOnly(t *testing.T) {
	ops := play(t, newSet(1, 5, nil), perfect(), 5, 500, true)
	for _, op := range ops[:len(ops)-2] { // but for those that show that a node serves again
		if op.Func != history.Read {
			t.Fatalf("asked for reads, got %s", op.Func)
		}
	}
}

// TestChecks: sets that keep what was added pass, and each way of not doing so is found by
// the check whose business it is.
func TestChecks(t *testing.T) {
	reads := 0
	every := func(n int, change func([]string) []string) func([]string) []string {
		return func(all []string) []string {
			if reads++; reads%n != 0 || len(all) < 2 {
				return all
			}
			return change(slices.Clone(all))
		}
	}
	for name, tt := range map[string]struct {
		spoil func([]string) []string
		stat  string // what must be found; "": nothing
	}{
		"perfect":      {nil, ""},
		"in any order": {every(1, func(all []string) []string { slices.Reverse(all); return all }), ""},
		"stale":        {every(50, func(all []string) []string { return all[:len(all)-1] }), "stale"},
		"forgetful":    {every(1, func(all []string) []string { return all[1:] }), "lost"},
		"doubled":      {every(50, func(all []string) []string { return append(all, all[0]) }), "twice"},
		"made up":      {every(50, func(all []string) []string { return append(all, "x") }), "nowhere"},
	} {
		m := perfect()
		m.spoil = tt.spoil
		for check, res := range judge(play(t, newSet(1, 5, nil), m, 5, 2000, false)) {
			if check == "durability" { // these histories end with the load
				continue
			}
			if ok := tt.stat == ""; ok != (res.Verdict == "pass") || check == "set" && !ok && res.Stats[tt.stat] == 0 {
				t.Errorf("%s: %s says %s: %s", name, check, res.Verdict, res.Told())
			}
		}
	}
}

func TestPerform(t *testing.T) {
	m := perfect()
	read := history.Op{Func: history.Read, Key: "s"}
	if err := Workload().Bind(m)(t.Context(), &read); err != nil || read.Out != "[]" {
		t.Errorf("an empty set: %s, %v", read.Out, err)
	}
	m.sets["s"] = []string{"1", `"`}
	if err := Workload().Bind(m)(t.Context(), &read); err != nil || read.Out != `["1","\""]` {
		t.Errorf("two elements: %s, %v", read.Out, err)
	}
	m.err = errors.New("no leader")
	failed := history.Op{Func: history.Read, Key: "s"}
	if err := Workload().Bind(m)(t.Context(), &failed); err != m.err || failed.Out != "" {
		t.Errorf("a failed read: %s, %v", failed.Out, err)
	}
	for _, op := range []history.Op{{Func: history.Write, Key: "s", In: `"1"`}, {Func: objects.Add, Key: "s", In: "1"}} {
		if err := Workload().Bind(perfect())(t.Context(), &op); !systems.Certain(err) {
			t.Errorf("%s of %s: %v, want a certain error", op.Func, op.In, err)
		}
	}
}

func TestParamsThatDoNotGoTogether(t *testing.T) {
	for mix, want := range map[string]string{"0/1": "no adds", "1/0": "no reads"} {
		_, err := Workload().Declaration().Resolve(declare.Args{"mix": mix})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("mix=%s: %v, want something about %q", mix, err, want)
		}
	}
	if err := Workload().Declaration().Validate(); err != nil {
		t.Error(err)
	}
}
