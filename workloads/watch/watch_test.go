package watch

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

// newWatch is the load of that many clients, with these parameters and the defaults of all
// others.
func newWatch(seed uint64, clients int, given declare.Args) workloads.Generator {
	w := Workload()
	return w.New(workloads.Load{Args: w.Params.Fill(given, nil), Clients: clients, Seed: seed})
}

// memory is a connection to a store whose watches are never wrong, or are spoilt: spoil
// changes what a watch answers.
type memory struct {
	revision int64
	log      []objects.Event
	spoil    func(r objects.WatchRequest, a objects.WatchAnswer) objects.WatchAnswer
	shift    int64 // of the revisions of answers to writes
	err      error
}

func perfect() *memory { return &memory{revision: 1} }

func (m *memory) Close() error { return nil }

func (m *memory) Write(ctx context.Context, key, value string) (int64, error) {
	return m.WriteAll(ctx, [][2]string{{key, value}})
}

func (m *memory) WriteAll(_ context.Context, pairs [][2]string) (int64, error) {
	if m.err != nil {
		return 0, m.err
	}
	m.revision++
	for _, p := range pairs {
		m.log = append(m.log, objects.Event{Revision: m.revision, Key: p[0], Value: history.Text(p[1])})
	}
	return m.revision + m.shift, nil
}

func (m *memory) Watch(_ context.Context, prefix string, r objects.WatchRequest) (objects.WatchAnswer, error) {
	a := objects.WatchAnswer{Next: max(m.revision+1, r.From)}
	if r.Until > 0 {
		a.Next = min(a.Next, r.Until+1)
	}
	from, _ := slices.BinarySearchFunc(m.log, r.From, func(e objects.Event, at int64) int { return int(e.Revision - at) })
	for _, e := range m.log[from:] {
		if e.Revision >= a.Next {
			break
		}
		if n := len(a.Events); n >= r.Most && a.Events[n-1].Revision != e.Revision {
			a.Next = e.Revision
			break
		}
		if strings.HasPrefix(e.Key, prefix) {
			a.Events = append(a.Events, e)
		}
	}
	if m.spoil != nil {
		a = m.spoil(r, a)
	}
	return a, m.err
}

// play runs n operations of random clients, one at a time, and then the final watches.
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

// judge runs the workload's own check.
func judge(ops []history.Op) check.Result {
	in := &check.Input{History: &history.History{Header: history.Header{Functions: Workload().Functions}, Ops: ops}}
	return Workload().Checkers()[0].Check(context.Background(), in)
}

// TestSameSeedSameLoad: what clients do depends on the seed and on nothing else.
func TestSameSeedSameLoad(t *testing.T) {
	mk := func(seed uint64) []history.Op { return play(t, newWatch(seed, 7, nil), perfect(), 7, 2000, false) }
	if !slices.Equal(mk(5), mk(5)) {
		t.Error("the same seed made another load")
	}
	if slices.Equal(mk(5), mk(6)) {
		t.Error("another seed made the same load")
	}
}

// TestChecks: watches that tell of all that was written pass, and each way of not doing so
// is found.
func TestChecks(t *testing.T) {
	answers := 0
	// Every fiftieth answer that has a few events is changed.
	every := func(change func(objects.WatchRequest, objects.WatchAnswer) objects.WatchAnswer) func(objects.WatchRequest, objects.WatchAnswer) objects.WatchAnswer {
		return func(r objects.WatchRequest, a objects.WatchAnswer) objects.WatchAnswer {
			if len(a.Events) < 3 {
				return a
			}
			if answers++; answers%50 != 0 {
				return a
			}
			a.Events = slices.Clone(a.Events)
			return change(r, a)
		}
	}
	for name, tt := range map[string]struct {
		change func(objects.WatchRequest, objects.WatchAnswer) objects.WatchAnswer
		kind   check.Kind
	}{
		"perfect": {func(_ objects.WatchRequest, a objects.WatchAnswer) objects.WatchAnswer { return a }, ""},
		"compacted": {func(_ objects.WatchRequest, a objects.WatchAnswer) objects.WatchAnswer {
			return objects.WatchAnswer{Next: a.Next, Compacted: true}
		}, ""},
		"loses": {func(_ objects.WatchRequest, a objects.WatchAnswer) objects.WatchAnswer {
			last := a.Events[1].Revision // of a txn, both
			a.Events = slices.DeleteFunc(a.Events, func(e objects.Event) bool { return e.Revision == last })
			return a
		}, check.KindEventLost},
		"tells twice": {func(_ objects.WatchRequest, a objects.WatchAnswer) objects.WatchAnswer {
			a.Events = slices.Insert(a.Events, 1, a.Events[0])
			return a
		}, check.KindEventTwice},
		"reorders": {func(_ objects.WatchRequest, a objects.WatchAnswer) objects.WatchAnswer {
			slices.Reverse(a.Events)
			return a
		}, check.KindEventOrder},
		"makes up": {func(_ objects.WatchRequest, a objects.WatchAnswer) objects.WatchAnswer {
			a.Events[0].Value = `"x"`
			return a
		}, check.KindEventNowhere},
		"moves": {func(_ objects.WatchRequest, a objects.WatchAnswer) objects.WatchAnswer {
			a.Events[0].Key += "0"
			return a
		}, check.KindEventNowhere},
		"says too much": {func(_ objects.WatchRequest, a objects.WatchAnswer) objects.WatchAnswer { a.Next += 100; return a }, check.KindEventLost},
		"begins too early": {func(r objects.WatchRequest, a objects.WatchAnswer) objects.WatchAnswer {
			if before := r.From - 1; before > 1 {
				a.Events = slices.Insert(a.Events, 0, objects.Event{Revision: before, Key: "w/1", Value: `"?"`})
			}
			return a
		}, check.KindEventNowhere},
	} {
		answers = 0
		m := perfect()
		m.spoil = every(tt.change)
		res := judge(play(t, newWatch(1, 5, declare.Args{"mix": "90/10/20"}), m, 5, 4000, false))
		if res.Kind != tt.kind || (res.Verdict == check.Pass) != (tt.kind == "") {
			t.Errorf("%s: %s, %s: %s\n%s", name, res.Verdict, res.Kind, res.Told(), res.Explanation)
		}
		if answers < 50 {
			t.Errorf("%s: only %d answers could be spoilt", name, answers)
		}
	}
	m := perfect()
	m.shift = 1
	if res := judge(play(t, newWatch(1, 5, nil), m, 5, 2000, false)); res.Kind != check.KindRevision {
		t.Errorf("writes answered with the next revision: %s, %s", res.Verdict, res.Told())
	}
}

// TestWatchersGoOn: a watcher asks for what comes next, goes back now and then, and in the
// end all have seen all.
func TestWatchersGoOn(t *testing.T) {
	m := perfect()
	g := newWatch(1, 10, declare.Args{"watchers": "3", "most": "20"})
	ops := play(t, g, m, 10, 5000, false)
	next, back, on := map[string]int64{}, 0, 0
	for _, op := range ops {
		if op.Func != objects.Watch {
			continue
		}
		r, err := objects.ParseWatchRequest(op.In)
		if err != nil {
			t.Fatal(err)
		}
		var a objects.WatchAnswer
		if err := objects.ParseWatchAnswer(op.Out, &a); err != nil {
			t.Fatal(err)
		}
		switch last := next[r.As]; {
		case r.Until != 0 || op.Key != prefix:
			continue
		case last == 0 && r.From == 1, r.From == last:
			on++
		case r.From < last && r.From >= last-backMost:
			back++
		default:
			t.Fatalf("%s asks from %d, and the last answer ended before %d", r.As, r.From, last)
		}
		if len(a.Events) > 21 {
			t.Fatalf("%d events in an answer", len(a.Events))
		}
		next[r.As] = a.Next
	}
	if len(next) != 3 || back == 0 || on < 10*back {
		t.Errorf("%d watchers, which went on %d times and back %d times", len(next), on, back)
	}
	if res := judge(ops); res.Verdict != check.Pass || res.Stats["watched"] != res.Stats["acknowledged"] {
		t.Errorf("%s %v", res.Told(), res.Stats)
	}
}

// TestFinals cover what every watcher lacks, and the last part of all that was written.
func TestFinals(t *testing.T) {
	m := perfect()
	g := newWatch(1, 10, declare.Args{"watchers": "2"})
	play(t, g, m, 10, 20_000, false)
	latest := g.(*load).latest
	g.(*load).next[0] = latest - 2500 // it was cut off
	covered := map[string]int64{}
	for _, f := range g.Finals() {
		r, err := objects.ParseWatchRequest(f.In)
		if err != nil {
			t.Fatal(err)
		}
		if f.Key != prefix || r.Until < r.From || r.Until-r.From >= piece || r.Until > latest {
			t.Errorf("%+v", r)
		}
		name, _, _ := strings.Cut(r.As, "-")
		covered[name] += r.Until - r.From + 1
		if f.EveryNode != (name != "all") {
			t.Errorf("%s through every node: %t", r.As, f.EveryNode)
		}
	}
	if covered["c0"] != 2501 || covered["last"] != piece || covered["all"] != latest-piece {
		t.Errorf("covered are %v of %d", covered, latest)
	}
}

// TestValuesAreUnique, whatever the clients.
func TestValuesAreUnique(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		clients := rapid.IntRange(1, 20).Draw(rt, "clients")
		m := perfect()
		play(t, newWatch(rapid.Uint64().Draw(rt, "seed"), clients, declare.Args{"keys": "2"}), m, clients, 300, false)
		seen := map[history.Data]bool{}
		for _, e := range m.log {
			if seen[e.Value] {
				rt.Fatalf("%s is written twice", e.Value)
			}
			seen[e.Value] = true
		}
	})
}

// TestReadOnly: a client that may not write watches what is new, whether it is a watcher
// or not.
func TestReadOnly(t *testing.T) {
	m := perfect()
	g := newWatch(1, 8, declare.Args{"watchers": "2"})
	play(t, g, m, 8, 2000, false)
	for i := range 8 {
		in := g.Client(i).Next(true)
		r, err := objects.ParseWatchRequest(in.In)
		if in.Func != objects.Watch || err != nil || i >= 2 && r.From < m.revision-readBack-1 {
			t.Errorf("client %d: %s %s, and the revision is %d", i, in.Func, in.In, m.revision)
		}
	}
}

// TestObserveBelievesNobody: what is no answer to a watcher of this load changes nothing.
func TestObserveBelievesNobody(t *testing.T) {
	g := newWatch(1, 2, nil).(*load)
	g.next[1] = 5
	for _, op := range []history.Op{
		{Func: objects.Watch, In: `{"as":"c1","from":5}`, Out: `{"next":9}`, Outcome: history.Fail},
		{Func: objects.Watch, In: `{"as":"c2","from":5}`, Out: `{"next":9}`, Outcome: history.OK},
		{Func: objects.Watch, In: `{"as":"c-1","from":5}`, Out: `{"next":9}`, Outcome: history.OK},
		{Func: objects.Watch, In: `{"as":"c1","from":4}`, Out: `{"next":9}`, Outcome: history.OK}, // of before it went back
		{Func: objects.Watch, In: `{"as":"c1","from":5}`, Out: `{"next":"x"}`, Outcome: history.OK},
		{Func: objects.Watch, In: `{"as":"c1","from":5}`, Out: `{"next":4}`, Outcome: history.OK},
		{Func: history.Write, In: `"1"`, Out: "true", Outcome: history.OK},
	} {
		if g.Observe(&op); g.next[1] != 5 || g.latest != 0 {
			t.Errorf("%s %s: %v, %d", op.In, op.Out, g.next, g.latest)
		}
	}
}

func TestPerform(t *testing.T) {
	m := perfect()
	do := func(op history.Op) (history.Data, error) {
		err := Workload().Bind(m)(t.Context(), &op)
		return op.Out, err
	}
	write := history.Op{Func: history.Write, Key: "w/1", In: `"5"`}
	txn := history.Op{Func: objects.Txn, In: `[["w/1","6"],["w/2","7"]]`}
	observe := history.Op{Func: objects.Watch, Key: "w/", In: objects.WatchRequest{As: "c0", From: 1, Most: 9}.Data()}
	for _, tt := range []struct {
		op   history.Op
		want history.Data
	}{{write, "2"}, {txn, "3"}, {observe, `{"next":4,"events":[[2,"w/1","5"],[3,"w/1","6"],[3,"w/2","7"]]}`}} {
		if out, err := do(tt.op); err != nil || out != tt.want {
			t.Errorf("%s: %s, %v, want %s", tt.op.Func, out, err, tt.want)
		}
	}
	m.err = errors.New("no leader")
	for _, op := range []history.Op{write, txn, observe} {
		if out, err := do(op); !errors.Is(err, m.err) || systems.Certain(err) || out != "" {
			t.Errorf("a failed %s: %s, %v", op.Func, out, err)
		}
	}
	m.err = nil
	for _, op := range []history.Op{{Func: history.Read}, {Func: history.Write, In: "1"}, {Func: objects.Txn, In: "1"}, {Func: objects.Watch, In: "1"}} {
		if _, err := do(op); !systems.Certain(err) {
			t.Errorf("%s of %s: %v, want a certain error", op.Func, op.In, err)
		}
	}
}

func TestParamsThatDoNotGoTogether(t *testing.T) {
	for mix, want := range map[string]string{"0/5/5": "no writes", "5/5/0": "no watches"} {
		_, err := Workload().Declaration().Resolve(declare.Args{"mix": mix})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("mix=%s: %v, want something about %q", mix, err, want)
		}
	}
	if err := Workload().Declaration().Validate(); err != nil {
		t.Error(err)
	}
	if _, err := Workload().Declaration().Resolve(declare.Args{"keys": strconv.Itoa(1)}); err == nil {
		t.Error("a txn needs two keys")
	}
}
