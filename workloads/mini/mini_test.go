package mini

import (
	"context"
	"maps"
	"testing"

	"go.uber.org/goleak"

	"squall/history"
	"squall/history/check"
	"squall/internal/machinetest"
	"squall/workloads"
	"squall/workloads/rw"
	"squall/workloads/systems"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(machinetest.Main(m)) }

// store is a store of registers, one transaction at a time. A forgetful one loses every
// hundredth write.
type store struct {
	systems.Client
	held      map[string]history.Value
	forgetful bool
	writes    int
}

func (s *store) ReadWrite(_ context.Context, ops []rw.Op) ([]history.Value, error) {
	found, next := make([]history.Value, len(ops)), maps.Clone(s.held)
	for i, op := range ops {
		if !op.Writes {
			found[i] = next[op.Key]
			continue
		}
		if s.writes++; !s.forgetful || s.writes%100 != 0 {
			next[op.Key] = history.Some(op.Value)
		}
	}
	s.held = next
	return found, nil
}

// TestMini: what the load does are mini-transactions, some of each kind; a right store
// passes, and one that loses writes does not.
func TestMini(t *testing.T) {
	w := Workload()
	for name, want := range map[string]check.Verdict{"right": check.Pass, "forgetful": check.Violation} {
		s := &store{held: map[string]history.Value{}, forgetful: want == check.Violation}
		g := w.New(workloads.Load{Args: w.Params.Fill(nil, nil), Clients: 2, Seed: 1})
		streams := []workloads.Stream{g.Client(0), g.Client(1)}
		kinds := map[int]int{} // transactions by how many operations they have
		var ops []history.Op
		for i := range 3000 {
			in, now := streams[i%2].Next(i%50 == 0), int64(2*i)
			op := history.Op{Process: int64(i % 2), Node: "n1", Func: in.Func, Key: in.Key, In: in.In, Outcome: history.OK, Call: now, Return: now + 1}
			if i%50 == 0 && op.Func != history.Read {
				t.Errorf("asked for reads, got a %s", op.Func)
			}
			if err := w.Bind(s)(t.Context(), &op); err != nil {
				t.Fatal(err)
			}
			n := 0
			for range op.In.Elements() {
				n++
			}
			kinds[n]++
			ops = append(ops, op)
		}
		for n := range 4 {
			if kinds[n+1] < 300 {
				t.Errorf("%d transactions of %d operations", kinds[n+1], n+1)
			}
		}
		in := &check.Input{History: &history.History{Header: history.Header{Functions: w.Functions}, Ops: ops}}
		if res := w.Checkers()[0].Check(t.Context(), in); res.Verdict != want {
			t.Errorf("%s registers: %s: %s", name, res.Verdict, res.Told())
		}
	}
}
