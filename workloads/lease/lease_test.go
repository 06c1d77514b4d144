package lease

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

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

func newLease(seed uint64, clients int, given declare.Args) workloads.Generator {
	w := Workload()
	return w.New(workloads.Load{Args: w.Params.Fill(given, nil), Clients: clients, Seed: seed})
}

// store is a perfect store of leases, but for what it is told to do wrong.
type store struct {
	now   time.Duration
	held  map[string]holding
	fence map[string]uint64
	last  uint64
	fail  error // of all that follows

	early, unfenced bool // leases last half as long; any token is accepted
}

type holding struct {
	owner string
	token uint64
	ends  time.Duration
}

func newStore() *store { return &store{held: map[string]holding{}, fence: map[string]uint64{}} }

func (s *store) Close() error { return nil }

func (s *store) ending(ttl time.Duration) time.Duration {
	if s.early {
		return s.now + ttl/2
	}
	return s.now + ttl
}

func (s *store) AcquireLease(_ context.Context, key, owner string, ttl time.Duration) (uint64, string, error) {
	if h, held := s.held[key]; held && s.now < h.ends {
		return 0, h.owner, s.fail
	}
	s.last++
	s.held[key] = holding{owner, s.last, s.ending(ttl)}
	return s.last, "", s.fail
}

func (s *store) holds(key, owner string, token uint64) bool {
	h := s.held[key]
	return h.owner == owner && h.token == token && s.now < h.ends
}

func (s *store) KeepAlive(_ context.Context, key, owner string, token uint64, ttl time.Duration) (bool, error) {
	if !s.holds(key, owner, token) {
		return false, s.fail
	}
	s.held[key] = holding{owner, token, s.ending(ttl)}
	return true, s.fail
}

func (s *store) Release(_ context.Context, key, owner string, token uint64) (bool, error) {
	if !s.holds(key, owner, token) {
		return false, s.fail
	}
	delete(s.held, key)
	return true, s.fail
}

func (s *store) WriteFenced(_ context.Context, key string, token uint64) (bool, error) {
	if token < s.fence[key] && !s.unfenced {
		return false, s.fail
	}
	s.fence[key] = token
	return true, s.fail
}

func (s *store) ReadFence(_ context.Context, key string) (uint64, error) { return s.fence[key], s.fail }

// play runs clients against a store, one operation each 20 ms.
func play(t testing.TB, g workloads.Generator, s *store, clients, n int) []history.Op {
	t.Helper()
	rng, w, streams := rand.New(rand.NewPCG(1, 2)), Workload(), make([]workloads.Stream, clients)
	for c := range streams {
		streams[c] = g.Client(c)
	}
	var ops []history.Op
	for range n {
		s.now += 20 * time.Millisecond
		c := rng.IntN(clients)
		in := streams[c].Next(false)
		op := history.Op{Process: int64(c), Node: "n1", Func: in.Func, Key: in.Key, In: in.In, Outcome: history.OK, Call: int64(s.now) - 1e6, Return: int64(s.now) + 1e6}
		if err := w.Bind(s)(t.Context(), &op); err != nil {
			t.Fatal(err)
		}
		g.Observe(&op)
		ops = append(ops, op)
	}
	return ops
}

func judge(t *testing.T, ops []history.Op) check.Result {
	t.Helper()
	in := &check.Input{History: &history.History{Header: history.Header{Functions: Workload().Functions}, Ops: ops}}
	return Workload().Checkers()[0].Check(t.Context(), in)
}

// The check passes a store that is right, and finds one whose leases end early and one that
// accepts any token.
func TestLease(t *testing.T) {
	for name, tt := range map[string]struct {
		spoil func(s *store)
		want  check.Verdict
		kinds []check.Kind
	}{
		"right":    {func(*store) {}, check.Pass, []check.Kind{""}},
		"early":    {func(s *store) { s.early = true }, check.Violation, []check.Kind{check.KindDoubleGrant, check.KindLeaseEarly}},
		"unfenced": {func(s *store) { s.unfenced = true }, check.Violation, []check.Kind{check.KindFence}},
	} {
		s := newStore()
		tt.spoil(s)
		res := judge(t, play(t, newLease(1, 6, nil), s, 6, 5000))
		if res.Verdict != tt.want || !slices.Contains(tt.kinds, res.Kind) {
			t.Errorf("%s: %s, %q: %s", name, res.Verdict, res.Kind, res.Told())
		}
	}
}

// The same seed makes the same load, and it has some of everything.
func TestLoad(t *testing.T) {
	const n = 20_000
	ops := play(t, newLease(7, 6, nil), newStore(), 6, n)
	if !slices.Equal(ops, play(t, newLease(7, 6, nil), newStore(), 6, n)) {
		t.Error("the same seed made another load")
	}
	counts := map[string]int{}
	for _, op := range ops {
		what := string(op.Func)
		switch {
		case op.Func == objects.Acquire && op.Out[0] != '"':
			what += " granted"
		case op.Func != history.Read:
			what += " " + string(op.Out[:1])
		}
		counts[what]++
	}
	for what, least := range map[string]int{"acquire granted": 200, `acquire "`: 500, "keep-alive t": 500, "keep-alive f": 50, "release t": 100, "release f": 20, "write t": 500, "write f": 50, "read": 500} {
		if counts[what] < least {
			t.Errorf("%d times %s, want %d at least: %v", counts[what], what, least, counts)
		}
	}
}

func TestReadOnlyAndFinals(t *testing.T) {
	g := newLease(1, 2, nil).(*load)
	if in := g.Client(1).Next(true); in.Func != history.Read {
		t.Errorf("asked for what changes nothing, got %+v", in)
	}
	play(t, g, newStore(), 2, 500)
	finals, scan := g.Finals(), g.Scan()
	if len(finals) == 0 || len(scan) == 0 || finals[0].Func != history.Read || !finals[0].EveryNode || scan[0].Func != history.Read {
		t.Errorf("finals %+v, scan %+v", finals, scan)
	}
	a, b := g.Recovery("n2", 0), g.Recovery("n2", 1)
	if len(a) != 2 || a[0].Func != objects.Acquire || a[0].Key != b[0].Key || a[0].In == b[0].In || a[1] != read(a[0].Key) {
		t.Errorf("recovery: %+v, %+v", a, b)
	}
	for _, owner := range []string{"n2-1", "c99-1", "cx", ""} { // of nobody here
		g.Observe(&history.Op{Func: objects.Acquire, Key: "l1", In: objects.LeaseTerms(owner, 10, 1), Out: "7", Outcome: history.OK})
		g.Observe(&history.Op{Func: objects.KeepAlive, Key: "l1", In: objects.KeepAliveTerms(history.Text(owner), "7", 10, 1), Out: history.False, Outcome: history.OK})
	}
}

func TestErrors(t *testing.T) {
	s := newStore()
	s.fail = &systems.Error{Err: errors.New("no answer")}
	terms, alive := objects.LeaseTerms("c1-1", 10, 1), objects.KeepAliveTerms(`"c1-1"`, "3", 10, 1)
	for _, op := range []history.Op{{Func: objects.Acquire, In: terms}, {Func: objects.KeepAlive, In: alive}, {Func: objects.Release, In: `["c1-1",3]`}, {Func: history.Write, In: "3"}, {Func: history.Read}} {
		if err := Workload().Bind(s)(t.Context(), &op); systems.Certain(err) || op.Out != "" {
			t.Errorf("%s: %v, answer %q", op.Func, err, op.Out)
		}
	}
	op := history.Op{Func: objects.Enqueue, Key: "l1"}
	if err := Workload().Bind(s)(t.Context(), &op); !systems.Certain(err) || !strings.Contains(err.Error(), "does not know") {
		t.Errorf("an operation that a lease does not have: %v", err)
	}
	_, err := Workload().Declaration().Resolve(declare.Args{"ttl": "50ms", "skew": "40ms"})
	var bad *declare.Error
	if !errors.As(err, &bad) || bad.Param != "skew" {
		t.Errorf("a skew of most of the lease: %v", err)
	}
}
