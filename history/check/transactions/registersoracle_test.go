package transactions

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"squall/history"
	"squall/history/check"
	"squall/history/objects"
	"squall/internal/machinetest"
)

// held are registers, by key; what is not in it is absent.
type held map[history.Data]history.Data

// read is what a register holds.
func (h held) read(key history.Data) history.Data {
	if v, is := h[key]; is {
		return v
	}
	return history.Null
}

// step carries out a transaction, or says that it cannot have been answered so.
func (h held) step(ops []objects.RegisterOp) (held, bool) {
	next := maps.Clone(h)
	for _, o := range ops {
		if o.Writes {
			next[o.Key] = o.Value
		} else if o.Value != "" && o.Value != next.read(o.Key) {
			return nil, false
		}
	}
	return next, true
}

// orderly is the definition of serializability, tried out order by order: strictly so if
// what was answered before another was called must come before it. It shares nothing with the check.
func orderly(ops []history.Op, txns [][]objects.RegisterOp, done int, state held, strict bool) bool {
	first, left := int64(1<<62), false
	for i := range ops {
		if done&(1<<i) == 0 && ops[i].Outcome == history.OK {
			first, left = min(first, ops[i].Return), true
		}
	}
	if !left {
		return true
	}
	for i := range ops {
		if done&(1<<i) != 0 || ops[i].Outcome == history.Fail || strict && ops[i].Call > first {
			continue
		}
		if next, fits := state.step(txns[i]); fits && orderly(ops, txns, done|1<<i, next, strict) {
			return true
		}
	}
	return false
}

// snapshots is the definition of snapshot isolation, tried out: each transaction reads what was
// committed when it began, and of two that write the same register one begins only when the
// other is committed. states are those after each commit, and wrote what each of them wrote.
func snapshots(ops []history.Op, txns [][]objects.RegisterOp, done int, states []held, wrote [][]history.Data) bool {
	left := false
	for i := range ops {
		if done&(1<<i) != 0 || ops[i].Outcome == history.Fail {
			continue
		}
		left = left || ops[i].Outcome == history.OK
		var writes []history.Data
		for _, o := range txns[i] {
			if o.Writes {
				writes = append(writes, o.Key)
			}
		}
		for from := range states {
			after, fits := states[from].step(txns[i])
			if !fits || slices.ContainsFunc(wrote[from:], func(keys []history.Data) bool {
				return slices.ContainsFunc(keys, func(k history.Data) bool { return slices.Contains(writes, k) })
			}) {
				continue
			}
			next := maps.Clone(states[len(states)-1])
			for _, k := range writes {
				next[k] = after[k]
			}
			if snapshots(ops, txns, done|1<<i, append(slices.Clip(states), next), append(slices.Clip(wrote), writes)) {
				return true
			}
		}
	}
	return !left
}

// committed is the definition of read committed, tried out: for some order of the
// writes of each register, no transaction follows itself by what was read and replaced,
// and none read what was never committed or was not the last that its writer wrote.
func committed(ops []history.Op, txns [][]objects.RegisterOp) bool {
	unknown := []int{}
	for i := range ops {
		if ops[i].Outcome == history.Info {
			unknown = append(unknown, i)
		}
	}
	for which := range 1 << len(unknown) {
		in := map[int]bool{}
		for i := range ops {
			in[i] = ops[i].Outcome == history.OK
		}
		for k, i := range unknown {
			in[i] = which&(1<<k) != 0
		}
		if committedWith(txns, in) {
			return true
		}
	}
	return false
}

func committedWith(txns [][]objects.RegisterOp, in map[int]bool) bool {
	last := map[history.Data]map[int]history.Data{} // by key, what each wrote last
	var edges [][2]int
	for i, ops := range txns {
		for _, o := range ops {
			if o.Writes && in[i] {
				if last[o.Key] == nil {
					last[o.Key] = map[int]history.Data{}
				}
				last[o.Key][i] = o.Value
			}
		}
	}
	for i, ops := range txns {
		own := map[history.Data]bool{}
		for _, o := range ops {
			if o.Writes {
				own[o.Key] = true
				continue
			}
			if !in[i] || o.Value == "" || o.Value == history.Null || own[o.Key] {
				continue
			}
			by := -1
			for w, v := range last[o.Key] {
				if v == o.Value {
					by = w
				}
			}
			if by < 0 {
				return false
			}
			edges = append(edges, [2]int{by, i})
		}
	}
	var orders func(keys []history.Data, edges [][2]int) bool
	orders = func(keys []history.Data, edges [][2]int) bool {
		if circular(edges) {
			return false
		}
		if len(keys) == 0 {
			return true
		}
		return permuted(slices.Sorted(maps.Keys(last[keys[0]])), nil, func(order []int) bool {
			more := slices.Clip(edges)
			for i := range order[:max(0, len(order)-1)] {
				more = append(more, [2]int{order[i], order[i+1]})
			}
			return orders(keys[1:], more)
		})
	}
	return orders(slices.Collect(maps.Keys(last)), edges)
}

func permuted(left, order []int, try func([]int) bool) bool {
	if len(left) == 0 {
		return try(order)
	}
	for i, x := range left {
		rest := append(slices.Clone(left[:i]), left[i+1:]...)
		if permuted(rest, append(slices.Clip(order), x), try) {
			return true
		}
	}
	return false
}

func circular(edges [][2]int) bool {
	reach := map[[2]int]bool{}
	for _, e := range edges {
		reach[e] = true
	}
	for range 4 {
		for a := range reach {
			for b := range reach {
				if a[1] == b[0] {
					reach[[2]int{a[0], b[1]}] = true
				}
			}
		}
	}
	for e := range reach {
		if e[0] == e[1] {
			return true
		}
	}
	return false
}

// anyRegisterTxns draws a few transactions with answers that are mostly right: they are carried out
// in an order of their own, and now and then something is changed.
func anyRegisterTxns(rng *rand.Rand, mini bool) []history.Op {
	n := 1 + rng.IntN(6)
	ops := make([]history.Op, n)
	state := held{}
	before := []held{{}}
	value := 0
	for i := range ops {
		op := &ops[i]
		*op = history.Op{Process: int64(i), Node: "n1", Func: history.Read, Outcome: []history.Outcome{history.OK, history.OK, history.OK, history.OK, history.Info, history.Fail}[rng.IntN(6)]}
		op.Call = rng.Int64N(13)
		op.Return = op.Call + rng.Int64N(8)
		view := maps.Clone(state)
		if rng.IntN(4) == 0 {
			view = maps.Clone(before[rng.IntN(len(before))])
		}
		var asked []objects.RegisterOp
		add := func(key string, write bool) {
			o := objects.RegisterOp{Key: history.Text(key), Writes: write}
			if write {
				value++
				op.Func, o.Value = objects.Txn, history.Text(fmt.Sprint(value))
			}
			asked = append(asked, o)
		}
		if mini {
			keys := [][]string{{"x"}, {"y"}, {"x", "y"}, {"y", "x"}}[rng.IntN(4)]
			for _, k := range keys {
				add(k, false)
			}
			for _, k := range keys {
				if rng.IntN(2) == 0 {
					add(k, true)
				}
			}
		} else {
			for range 1 + rng.IntN(3) {
				add([]string{"x", "y"}[rng.IntN(2)], rng.IntN(2) == 0)
			}
		}
		wrote := held{}
		var in, out []history.Data
		for _, o := range asked {
			in = append(in, o.Data())
			if o.Writes {
				view[o.Key], wrote[o.Key] = o.Value, o.Value
			} else if o.Value = view.read(o.Key); rng.IntN(40) == 0 {
				o.Value = history.Text(fmt.Sprint(1 + rng.IntN(value+2)))
			}
			out = append(out, o.Data())
		}
		if op.In = history.List(in...); op.Outcome == history.OK {
			op.Out = history.List(out...)
		}
		if op.Outcome == history.OK || op.Outcome == history.Info && rng.IntN(2) == 0 || rng.IntN(15) == 0 {
			if rng.IntN(12) > 0 { // or it is lost
				maps.Copy(state, wrote)
				before = append(before, maps.Clone(state))
			}
		}
	}
	slices.SortStableFunc(ops, func(a, b history.Op) int { return int(a.Call - b.Call) })
	return ops
}

func checkRegisters(t testing.TB, c check.Checker, ops []history.Op) check.Result {
	t.Helper()
	return c.Check(t.Context(), &check.Input{History: &history.History{Header: history.Header{Nodes: []string{"n1", "n2"}, Functions: objects.RegistersFunctions()}, Ops: ops}})
}

func showRegisterTxns(ops []history.Op) string {
	var lines []string
	for i := range ops {
		lines = append(lines, fmt.Sprintf("%d-%d %s", ops[i].Call, ops[i].Return, check.Describe(objects.RegistersFunctions(), &ops[i])))
	}
	return strings.Join(lines, "\n")
}

// TestRegistersAgainstTheDefinition: the checks "rw" and "mini" say just what the definition
// of strict serializability does, and the levels that they say are ruled out are.
func TestRegistersAgainstTheDefinition(t *testing.T) {
	for _, c := range []check.Checker{RW(), Mini()} {
		t.Run(c.Name(), func(t *testing.T) {
			said, anomalies := map[bool]int{}, map[string]int{}
			rng := rand.New(rand.NewPCG(3, uint64(len(c.Name()))))
			for range machinetest.Rounds(1_500, 60_000) {
				ops := anyRegisterTxns(rng, c.Name() == "mini")
				txns := make([][]objects.RegisterOp, len(ops))
				for i := range ops {
					var err error
					if txns[i], err = objects.ParseRegisters(&ops[i]); err != nil {
						t.Fatal(err)
					}
				}
				res := checkRegisters(t, c, ops)
				want := orderly(ops, txns, 0, held{}, true)
				said[want]++
				anomalies[res.Anomaly]++
				if got := res.Verdict == check.Pass; got != want || !want && res.Verdict != check.Violation {
					t.Fatalf("%s, and strictly serializable is %t: %s: %s\n%s", res.Verdict, want, res.Summary, res.Explanation, showRegisterTxns(ops))
				}
				for level, holds := range map[level]func() bool{
					serializableLevel: func() bool { return orderly(ops, txns, 0, held{}, false) },
					snapshotIsolation: func() bool { return snapshots(ops, txns, 0, []held{{}}, nil) },
					readCommitted:     func() bool { return committed(ops, txns) },
				} {
					if slices.Contains(res.RuledOut, level.String()) && holds() {
						t.Fatalf("%s rules out %s, and that holds: %s\n%s", res.Anomaly, level, res.Explanation, showRegisterTxns(ops))
					}
				}
			}
			if min(said[true], said[false]) < (said[true]+said[false])/5 {
				t.Errorf("%d histories were right, %d wrong: too few of either to mean anything", said[true], said[false])
			}
			if len(anomalies) < 8 {
				t.Errorf("too few kinds of anomalies to mean anything: %v", anomalies)
			}
		})
	}
}
