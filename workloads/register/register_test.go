package register

import (
	"context"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"squall/history"
	"squall/internal/declare"
	"squall/internal/machinetest"
	"squall/workloads"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(machinetest.Main(m)) }

// newRegister is the load of that many clients, with these parameters and the
// defaults of all others.
func newRegister(seed uint64, clients int, given declare.Args) workloads.Generator {
	w := Workload()
	args := declare.Args{"spread": "0"} // but for the test of that
	maps.Copy(args, given)
	return w.New(workloads.Load{Args: w.Params.Fill(args, nil), Clients: clients, Seed: seed})
}

func opsPerKey(n int) declare.Args { return declare.Args{"ops-per-key": strconv.Itoa(n)} }

// play runs clients in the given order against a perfect store, one operation
// at a time, and returns what was done.
func play(g workloads.Generator, order []int, readOnly func(i int) bool) []history.Op {
	store := map[string]history.Value{} // what is not there is None
	streams := map[int]workloads.Stream{}
	var ops []history.Op
	for i, c := range order {
		if streams[c] == nil {
			streams[c] = g.Client(c)
		}
		in := streams[c].Next(readOnly(i))
		op := history.Op{Process: int64(c), Func: in.Func, Key: in.Key, In: in.In,
			Outcome: history.OK, Call: int64(2 * i), Return: int64(2*i + 1)}
		r := op.Register()
		r.Swapped = in.Func == history.CAS && store[in.Key] == r.Expect
		r.Result = store[in.Key]
		if in.Func == history.Write || r.Swapped {
			store[in.Key] = r.Value
		}
		op.SetRegister(r)
		g.Observe(&op)
		ops = append(ops, op)
	}
	return ops
}

func never(int) bool { return false }

// TestSameSeedSameLoad: what clients do depends on the seed and on what they
// saw, and on nothing else.
func TestSameSeedSameLoad(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.Uint64().Draw(t, "seed")
		clients, args := rapid.IntRange(1, 20).Draw(t, "clients"), opsPerKey(rapid.IntRange(2, 50).Draw(t, "opsPerKey"))
		order := rapid.SliceOfN(rapid.IntRange(0, clients-1), 50, 500).Draw(t, "order")
		mk := func(seed uint64) []history.Op { return play(newRegister(seed, clients, args), order, never) }
		a := mk(seed)
		if b := mk(seed); !slices.Equal(a, b) {
			t.Fatal("the same seed made another load")
		}
		if b := mk(seed + 1); slices.Equal(a, b) {
			t.Fatal("another seed made the same load")
		}
	})
}

// TestValuesAreUnique, decimal integers, and CASes name a value of their key.
func TestValuesAreUnique(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		clients := rapid.IntRange(1, 20).Draw(t, "clients")
		g := newRegister(rapid.Uint64().Draw(t, "seed"), clients, opsPerKey(rapid.IntRange(2, 50).Draw(t, "opsPerKey")))
		order := rapid.SliceOfN(rapid.IntRange(0, clients-1), 50, 500).Draw(t, "order")
		keyOf := map[string]string{}
		for _, op := range play(g, order, never) {
			if err := op.AsRegister(new(history.RegisterData)); err != nil {
				t.Fatal(err)
			}
			r := op.Register()
			if r.Expect.Present && keyOf[r.Expect.Data] != op.Key {
				t.Fatalf("a CAS on %s expects %q, a value of %q", op.Key, r.Expect.Data, keyOf[r.Expect.Data])
			}
			if !r.Value.Present {
				if op.Func != history.Read {
					t.Fatalf("a %s without a value", op.Func)
				}
				continue
			}
			if _, err := strconv.ParseInt(r.Value.Data, 10, 64); err != nil {
				t.Fatal(err)
			}
			if other, twice := keyOf[r.Value.Data]; twice {
				t.Fatalf("%s is written to %s and to %s", r.Value.Data, other, op.Key)
			}
			keyOf[r.Value.Data] = op.Key
		}
	})
}

// randomOrder interleaves clients.
func randomOrder(clients, n int) []int {
	rng := rand.New(rand.NewPCG(3, 4))
	order := make([]int, n)
	for i := range order {
		order[i] = rng.IntN(clients)
	}
	return order
}

func TestMixAndSuccess(t *testing.T) {
	const n = 50_000
	counts, swapped := map[history.Func]int{}, 0
	for _, op := range play(newRegister(1, 10, nil), randomOrder(10, n), never) {
		counts[op.Func]++
		if op.Swapped() {
			swapped++
		}
	}
	for f, percent := range map[history.Func]int{history.Read: 50, history.Write: 30, history.CAS: 20} {
		if got := 100 * counts[f] / n; got < percent-3 || got > percent+3 {
			t.Errorf("%s: %d %%, want about %d %%", f, got, percent)
		}
	}
	if swapped < counts[history.CAS]*9/10 {
		t.Errorf("%d of %d CASes succeeded, with one client at a time", swapped, counts[history.CAS])
	}
}

func TestReadOnly(t *testing.T) {
	for _, op := range play(newRegister(1, 10, nil), randomOrder(10, 2000), func(i int) bool { return i >= 1000 })[1000:] {
		if op.Func != history.Read {
			t.Fatalf("asked for reads, got a %s", op.Func)
		}
	}
}

// TestKeysRotate: each key gets its share of operations and then only reads,
// few at any one time, and no name is used twice.
func TestKeysRotate(t *testing.T) {
	const keys, perKey = 3, 40
	ops := play(newRegister(5, 10, declare.Args{"keys": "3", "ops-per-key": "40"}), randomOrder(10, 20_000), never)
	type span struct{ first, lastChange, changes, ops int }
	spans := map[string]*span{}
	for i, op := range ops {
		s := spans[op.Key]
		if s == nil {
			s = &span{first: i}
			spans[op.Key] = s
		}
		s.ops++
		if op.Func != history.Read {
			s.lastChange, s.changes = i, s.changes+1
		}
	}
	lookedBack := 0
	for key, s := range spans {
		if s.changes > perKey {
			t.Errorf("%s was changed %d times, at most %d operations are its share", key, s.changes, perKey)
		}
		if s.ops > 2*perKey {
			t.Errorf("%s has %d operations: the history of a key must stay short", key, s.ops)
		}
		lookedBack += max(0, s.ops-perKey)
		inUse := 0
		for _, o := range spans {
			if o.first <= s.lastChange && s.lastChange <= o.lastChange {
				inUse++
			}
		}
		if inUse > keys {
			t.Errorf("%d keys were in use at once", inUse)
		}
	}
	if want := 20_000 / perKey; len(spans) < want*9/10 || len(spans) > want+keys {
		t.Errorf("%d keys were used, want about %d", len(spans), want)
	}
	if lookedBack < 20_000*2/100 {
		t.Errorf("%d operations looked back at retired keys, want about 3 %%", lookedBack)
	}
}

func TestFinalReads(t *testing.T) {
	const kept = 256
	g := newRegister(5, 10, declare.Args{"keys": "3", "ops-per-key": "40"})
	if reads := g.Finals(); len(reads) != 0 {
		t.Errorf("nothing was written yet, and there are final reads %v", reads)
	}
	ops := play(g, randomOrder(10, 30_000), never)
	reads := g.Finals()
	if len(reads) != 3+kept {
		t.Errorf("%d keys are read at last, want 3 in use and %d before them", len(reads), kept)
	}
	want := map[string]bool{} // the last keys that were changed
	for i := len(ops) - 1; len(want) < 3; i-- {
		if ops[i].Func != history.Read {
			want[ops[i].Key] = true
		}
	}
	seen := map[string]bool{}
	for i, r := range reads {
		if r.EveryNode != (i < 6) {
			t.Errorf("read %d, of %s: every node is %v", i, r.Key, r.EveryNode)
		}
		if seen[r.Key] {
			t.Errorf("%s is read twice", r.Key)
		}
		seen[r.Key] = true
		if i < 6 {
			delete(want, r.Key)
		}
	}
	if len(want) > 0 {
		t.Errorf("keys in use that are not read through every node: %v", want)
	}
}

// TestSpread: keys beside those in use are written once, whatever the clients' number,
// looked back at, and read at the end.
func TestSpread(t *testing.T) {
	const clients = 7
	g := newRegister(5, clients, declare.Args{"spread": "40"})
	written, read := map[string]int{}, map[string]int{}
	for _, op := range play(g, randomOrder(clients, 3000), never) {
		switch {
		case op.Key[0] != 's':
		case op.Func == history.Write:
			written[op.Key]++
		case op.Func == history.Read:
			read[op.Key]++
		default:
			t.Fatalf("%+v", op)
		}
	}
	scanned := map[string]bool{}
	for _, in := range g.(workloads.Scanner).Scan() {
		scanned[in.Key] = true
	}
	for i := range 40 {
		if key := spreadKey(i); written[key] != 1 || !scanned[key] {
			t.Errorf("%s was written %d times; scanned: %v", key, written[key], scanned[key])
		}
	}
	if len(written) != 40 || len(read) < 20 {
		t.Errorf("%d keys were written once, %d of them read", len(written), len(read))
	}
}

// However short a run is, clients that have keys to write once do what the mix says as
// well, from their first operations on, and meet on the keys in use.
func TestSpreadLeavesRoomForTheMix(t *testing.T) {
	const clients, each = 3, 12
	g := newRegister(5, clients, declare.Args{"spread": "200"})
	var order []int
	for i := range clients * each {
		order = append(order, i%clients)
	}
	once, counts, meet := 0, map[history.Func]int{}, map[string]map[int64]bool{}
	for _, op := range play(g, order, never) {
		if op.Key[0] == 's' && op.Func == history.Write {
			once++
			continue
		}
		counts[op.Func]++
		if meet[op.Key] == nil {
			meet[op.Key] = map[int64]bool{}
		}
		meet[op.Key][op.Process] = true
	}
	if once != clients*each/spreadEvery {
		t.Errorf("%d of %d operations wrote a key once, want one in %d", once, clients*each, spreadEvery)
	}
	if counts[history.Read] < 5 || counts[history.Write] < 3 || counts[history.CAS] < 2 {
		t.Errorf("beside them there were %v", counts)
	}
	shared := 0
	for _, by := range meet {
		if len(by) > 1 {
			shared++
		}
	}
	if shared < 3 {
		t.Errorf("clients met on %d keys: %v", shared, meet)
	}
}

// Where the mix has no writes nothing is written once, looked back at or read at the end.
func TestNoSpreadWithoutWrites(t *testing.T) {
	g := newRegister(5, 3, declare.Args{"spread": "40", "mix": "1/0/1", "look-back": "50%"})
	for _, op := range play(g, randomOrder(3, 1000), never) {
		if op.Func == history.Write || op.Key[0] == 's' {
			t.Fatalf("%+v", op)
		}
	}
	for _, in := range g.(workloads.Scanner).Scan() {
		if in.Key[0] == 's' {
			t.Fatalf("%s is read at the end, and nobody wrote it", in.Key)
		}
	}
}

// A client that is to read only writes its keys when it may again.
func TestSpreadOfAClientThatOnlyReads(t *testing.T) {
	g := newRegister(5, 1, declare.Args{"spread": "5"})
	ops := play(g, make([]int, 100), func(i int) bool { return i < 50 })
	written := map[string]bool{}
	for i, op := range ops {
		if i < 50 && op.Func != history.Read {
			t.Fatalf("asked for reads, got a %s", op.Func)
		}
		if op.Key[0] == 's' && op.Func == history.Write {
			written[op.Key] = true
		}
	}
	if len(written) != 5 {
		t.Errorf("%d keys were written once, want 5", len(written))
	}
}

// TestOldNews: an answer that was long on its way does not hide a newer one.
func TestOldNews(t *testing.T) {
	g := newRegister(1, 10, declare.Args{"keys": "1", "mix": "1/0/1000"}).(*load)
	g.Observe(&history.Op{Func: history.Write, Key: "r0", In: `"7"`, Outcome: history.OK, Call: 20})
	g.Observe(&history.Op{Func: history.Read, Key: "r0", Out: `"3"`, Outcome: history.OK, Call: 10})
	g.Observe(&history.Op{Func: history.Write, Key: "r0", In: `"8"`, Outcome: history.Info, Call: 30})
	g.Observe(&history.Op{Func: history.Write, Key: "r1", In: `"9"`, Outcome: history.OK, Call: 30})
	g.Observe(&history.Op{Func: history.Write, Key: "mine", In: `"9"`, Outcome: history.OK, Call: 30})
	if v := g.keys.Take(0).Seen; v != `"7"` {
		t.Errorf("last seen is %+v, want 7", v)
	}
}

func TestConcurrentUse(t *testing.T) {
	g := newRegister(1, 8, opsPerKey(20))
	var clients sync.WaitGroup
	var mu sync.Mutex
	values := map[string]bool{}
	for c := range 8 {
		clients.Go(func() {
			s := g.Client(c)
			for i := range 3000 {
				in := s.Next(false)
				op := history.Op{Func: in.Func, Key: in.Key, In: in.In, Outcome: history.OK, Call: int64(i)}
				r := op.Register()
				op.SetRegister(history.Register{Value: r.Value, Expect: r.Expect, Result: r.Expect})
				g.Observe(&op)
				if r.Value.Present {
					mu.Lock()
					if values[r.Value.Data] {
						t.Errorf("%s is written twice", r.Value.Data)
					}
					values[r.Value.Data] = true
					mu.Unlock()
				}
			}
		})
	}
	clients.Wait()
	g.Finals()
}

func TestParamsThatDoNotGoTogether(t *testing.T) {
	for mix, want := range map[string]string{"0/1/1": "no reads", "1/0/0": "neither writes nor cas"} {
		_, err := Workload().Declaration().Resolve(declare.Args{"mix": mix})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("mix=%s: %v, want something about %q", mix, err, want)
		}
	}
	if err := Workload().Declaration().Validate(); err != nil {
		t.Error(err)
	}
}

// telling is a store of one key whose writes tell what they replaced.
type telling struct {
	Client
	held history.Value
}

func (s *telling) Replace(_ context.Context, _ string, v history.Value) (old history.Value, err error) {
	old, s.held = s.held, v
	return old, nil
}

// A write has the value that it replaced as its answer, where the connection tells it.
func TestWritesTellWhatTheyReplaced(t *testing.T) {
	do := Workload().Bind(&telling{})
	for _, step := range []struct{ in, out history.Data }{{`"1"`, history.Null}, {`"2"`, `"1"`}} {
		op := history.Op{Func: history.Write, Key: "k", In: step.in, Outcome: history.OK}
		if err := do(t.Context(), &op); err != nil || op.Out != step.out || !op.Register().Replaced {
			t.Errorf("write of %s: replaced %s, %v", step.in, op.Out, err)
		}
	}
}

// TestValuesAndSkew: values are as large as asked for and unique, and a hot key has half of
// the operations.
func TestValuesAndSkew(t *testing.T) {
	w := Workload()
	g := w.New(workloads.Load{Args: w.Params.Fill(declare.Args{"value-size": "100B", "keys-skew": "hot", "keys": "4", "spread": "0", "look-back": "0%", "ops-per-key": "5000"}, nil), Clients: 1, Seed: 1})
	keys, values := map[string]int{}, map[history.Data]bool{}
	s := g.Client(0)
	for range 4000 {
		in := s.Next(false)
		if keys[in.Key]++; in.Func == history.Write {
			if text, _ := in.In.Text(); len(text) != 100 || values[in.In] {
				t.Fatalf("a value of %d bytes, known: %v", len(text), values[in.In])
			}
			values[in.In] = true
		}
	}
	if n := keys["r0"]; n < 1800 || n > 2200 || len(values) < 1000 {
		t.Errorf("%d of 4000 operations are on the hot key, %d writes: %v", n, len(values), keys)
	}
}
