package bank

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"squall/history"
	"squall/history/check"
	"squall/history/objects"
	"squall/internal/declare"
	"squall/internal/machinetest"
	"squall/workloads"
	"squall/workloads/rw"
	"squall/workloads/systems"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(machinetest.Main(m)) }

// vault is a store of balances. A careless one does not look whether the first account holds
// what is expected. Every tenth time another transfer comes in between.
type vault struct {
	systems.Client
	held     map[string]history.Value
	careless bool
	swaps    int
	err      error
}

func (v *vault) ReadWrite(_ context.Context, ops []rw.Op) ([]history.Value, error) {
	found := make([]history.Value, len(ops))
	for i, op := range ops {
		found[i] = v.held[op.Key]
	}
	return found, v.err
}

func (v *vault) SwapAll(_ context.Context, expect, store []Balance) (bool, error) {
	if v.swaps++; v.swaps%10 == 0 { // between the read and this
		other := "account-7"
		if a, b := v.holds(expect[0].Key), v.holds(other); expect[0].Key != other && expect[1].Key != other && b > 0 {
			v.held[expect[0].Key], v.held[other] = history.Some(strconv.Itoa(a+1)), history.Some(strconv.Itoa(b-1))
		}
	}
	for i, b := range expect {
		if v.held[b.Key] != b.Value && !(v.careless && i == 0) {
			return false, v.err
		}
	}
	for _, b := range store {
		v.held[b.Key] = b.Value
	}
	return true, v.err
}

func (v *vault) holds(key string) int {
	if b := v.held[key]; b.Present {
		n, _ := strconv.Atoi(b.Data)
		return n
	}
	return 20
}

// TestBank: of a right store all money is found whatever comes in between; one that does not look
// what the first account holds makes some.
func TestBank(t *testing.T) {
	w := Workload()
	for name, want := range map[string]check.Verdict{"right": check.Pass, "careless": check.Violation} {
		v := &vault{held: map[string]history.Value{}, careless: want == check.Violation}
		g := w.New(workloads.Load{Args: w.Params.Fill(declare.Args{"accounts": "8"}, nil), Clients: 1, Seed: 1})
		counts := map[history.Outcome]int{}
		var ops []history.Op
		for s := g.Client(0); len(ops) < 2000; {
			in, now := s.Next(len(ops)%100 == 0), int64(2*len(ops))
			if len(ops)%100 == 0 && in.Func != history.Read {
				t.Fatal("asked for a read, got a", in.Func)
			}
			op := history.Op{Node: "n1", Func: in.Func, In: in.In, Outcome: history.OK, Call: now, Return: now + 1}
			if err := w.Bind(v)(t.Context(), &op); err != nil {
				if !systems.Certain(err) || in.Func == history.Read {
					t.Fatal(err)
				}
				op.Outcome = history.Fail
			}
			counts[op.Outcome]++
			ops = append(ops, op)
		}
		if counts[history.OK] < 1500 || want == check.Pass && counts[history.Fail] < 20 {
			t.Errorf("%s: %v", name, counts)
		}
		in := &check.Input{History: &history.History{Header: history.Header{Functions: w.Functions}, Ops: ops}}
		if res := w.Checkers()[0].Check(t.Context(), in); res.Verdict != want {
			t.Errorf("%s: %s: %s", name, res.Verdict, res.Told())
		}
	}
}

func TestDo(t *testing.T) {
	w := Workload()
	few := objects.Bank{Accounts: 2, Each: 3}
	move := history.Data(strings.TrimSuffix(string(objects.Move{From: 0, To: 1, Amount: 4}.Data()), "}") + `,"bank":` + string(few.Data()) + "}")
	if err := w.Bind(&vault{held: map[string]history.Value{}})(t.Context(), &history.Op{Func: objects.Transfer, In: move}); err == nil || !systems.Certain(err) || !strings.Contains(err.Error(), "does not hold as much") {
		t.Errorf("more than there is: %v", err)
	}
	over := few
	over.Overdraw = true
	v := &vault{held: map[string]history.Value{}}
	allowed := history.Data(strings.Replace(string(move), string(few.Data()), string(over.Data()), 1))
	if err := w.Bind(v)(t.Context(), &history.Op{Func: objects.Transfer, In: allowed}); err != nil || v.held["account-0"] != history.Some("-1") || v.held["account-1"] != history.Some("7") {
		t.Errorf("overdrawn: %v, %v", maps.Clone(v.held), err)
	}
	odd := errors.New("odd")
	for name, c := range map[string]struct {
		op      history.Op
		v       *vault
		certain bool
	}{
		"another function":       {history.Op{Func: history.Write, In: few.Data()}, v, true},
		"no bank":                {history.Op{Func: history.Read, In: "1"}, v, true},
		"no move":                {history.Op{Func: objects.Transfer, In: few.Data()}, v, true},
		"a read that failed":     {history.Op{Func: history.Read, In: few.Data()}, &vault{err: odd}, true},
		"a transfer's read":      {history.Op{Func: objects.Transfer, In: allowed}, &vault{err: odd}, true},
		"what is no balance":     {history.Op{Func: history.Read, In: few.Data()}, &vault{held: map[string]history.Value{"account-1": history.Some("x")}}, true},
		"a swap of some outcome": {history.Op{Func: objects.Transfer, In: allowed}, &vault{held: map[string]history.Value{}}, false},
	} {
		var client systems.Client = c.v
		if name == "a swap of some outcome" {
			client = failing{c.v, odd}
		}
		if err := w.Bind(client)(t.Context(), &c.op); err == nil || systems.Certain(err) != c.certain {
			t.Errorf("%s: %v, certain %t", name, err, systems.Certain(err))
		}
	}
	g := w.New(workloads.Load{Args: w.Params.Fill(nil, nil), Clients: 1, Seed: 1})
	if finals := g.Finals(); len(finals) != 1 || !finals[0].EveryNode || finals[0].Func != history.Read {
		t.Errorf("finals %v", finals)
	}
	if r := g.Recovery("n1", 9); len(r) != 2 || r[0].Func != objects.Transfer || r[1].Func != history.Read || slices.Equal(r, g.Recovery("n1", 10)) {
		t.Errorf("recovery %v", r)
	}
}

// failing reads, and does not say whether it swapped.
type failing struct {
	*vault
	err error
}

func (f failing) SwapAll(context.Context, []Balance, []Balance) (bool, error) { return false, f.err }
