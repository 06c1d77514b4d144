package transactions

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"squall/history"
	"squall/history/check"
	"squall/history/objects"
)

// busy are n transactions of c clients that are always busy, carried out one after the other
// somewhere between call and return. Of one in a hundred nobody was told the outcome, and half of those
// took effect. do makes one: what was asked for, and answered, at the state that it finds.
func busy(n, c int, do func(rng *rand.Rand, i int, carry bool) (f history.Func, in, out history.Data)) []history.Op {
	rng := rand.New(rand.NewPCG(7, uint64(n)))
	type running struct{ call, at, ret int64 }
	ops := make([]history.Op, n)
	free := make([]int64, c) // when each client calls next
	plan := make([]struct {
		at int64
		i  int32
	}, n)
	for i := range ops {
		client := 0
		for k := range free {
			if free[k] < free[client] {
				client = k
			}
		}
		r := running{call: free[client]}
		r.at = r.call + 1 + rng.Int64N(1000)
		r.ret = r.at + 1 + rng.Int64N(1000)
		free[client] = r.ret + 1
		ops[i] = history.Op{Process: int64(client), Node: "n1", Call: r.call, Return: r.ret, Outcome: history.OK}
		if rng.IntN(100) == 0 {
			ops[i].Outcome, ops[i].Process = history.Info, int64(c+i)
		}
		plan[i].at, plan[i].i = r.at, int32(i)
	}
	slices.SortFunc(plan, func(a, b struct {
		at int64
		i  int32
	}) int {
		return int(a.at - b.at)
	})
	for _, p := range plan {
		op := &ops[p.i]
		carry := op.Outcome == history.OK || rng.IntN(2) == 0
		op.Func, op.In, op.Out = do(rng, int(p.i), carry)
		if op.Outcome != history.OK {
			op.Out = ""
		}
	}
	return ops
}

// busyRegisters are transactions on registers, of which there are ten at a time, replaced after
// every 2,000 transactions. Mini-transactions read what they write.
func busyRegisters(n, c int, mini bool) []history.Op {
	last := 0 // value that was written
	state := map[string]string{}
	return busy(n, c, func(rng *rand.Rand, i int, carry bool) (history.Func, history.Data, history.Data) {
		f := history.Read
		var in, out []history.Data
		wrote := map[string]string{}
		add := func(key string, write bool) {
			o := objects.RegisterOp{Key: history.Text(key), Writes: write}
			if write {
				f = objects.Txn
				last++
				wrote[key] = fmt.Sprint(last)
				o.Value = history.Text(wrote[key])
			}
			in = append(in, o.Data())
			if v, is := wrote[key]; !write && is {
				o.Value = history.Text(v)
			} else if v, is := state[key]; !write && is {
				o.Value = history.Text(v)
			} else if !write {
				o.Value = history.Null
			}
			out = append(out, o.Data())
		}
		first := i / 2000 * 10
		if mini {
			a := rng.IntN(10)
			keys := []string{fmt.Sprint("r", first+a), fmt.Sprint("r", first+(a+1+rng.IntN(9))%10)}[:1+rng.IntN(2)]
			for _, k := range keys {
				add(k, false)
			}
			for _, k := range keys {
				if rng.IntN(2) == 0 {
					add(k, true)
				}
			}
		} else {
			for range 1 + rng.IntN(4) {
				add(fmt.Sprint("r", first+rng.IntN(10)), rng.IntN(2) == 0)
			}
		}
		if carry {
			for k, v := range wrote {
				state[k] = v
			}
		}
		return f, history.List(in...), history.List(out...)
	})
}

func benchmark(b *testing.B, c check.Checker, functions history.Functions, ops []history.Op) {
	in := &check.Input{History: &history.History{Header: history.Header{Nodes: []string{"n1"}, Functions: functions}, Ops: ops}}
	for b.Loop() {
		if res := c.Check(b.Context(), in); res.Verdict != check.Pass {
			b.Fatal(res.Verdict, res.Summary, res.Explanation)
		}
	}
}

func BenchmarkMini(b *testing.B) {
	for _, n := range []int{100_000, 1_000_000} {
		ops := busyRegisters(n, 10, true)
		b.Run(fmt.Sprint("txns=", n), func(b *testing.B) { benchmark(b, Mini(), objects.RegistersFunctions(), ops) })
	}
}

func BenchmarkRW(b *testing.B) {
	for _, n := range []int{100_000, 1_000_000} {
		ops := busyRegisters(n, 10, false)
		b.Run(fmt.Sprint("txns=", n), func(b *testing.B) { benchmark(b, RW(), objects.RegistersFunctions(), ops) })
	}
}
