package transactions

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"squall/history"
	"squall/history/check"
	"squall/history/objects"
	"squall/internal/machinetest"
)

// lists of a state, by key, as text.
type listsState map[string][]string

// step carries out a transaction, or says that it cannot have been answered so.
func (s listsState) step(op *history.Op) (listsState, bool) {
	next := listsState{}
	for k, l := range s {
		next[k] = slices.Clone(l)
	}
	said := op.In
	if op.Outcome == history.OK {
		said = op.Out
	}
	for d := range said.Elements() {
		parts := slices.Collect(d.Elements())
		key, _ := parts[1].Text()
		if parts[0] == `"append"` {
			e, _ := parts[2].Text()
			next[key] = append(next[key], e)
			continue
		}
		if op.Outcome == history.OK && parts[2] != listData(next[key]) {
			return nil, false
		}
	}
	return next, true
}

func listData(elements []string) history.Data {
	var all []history.Data
	for _, e := range elements {
		all = append(all, history.Text(e))
	}
	return history.List(all...)
}

// serializable is the definition of strict serializability, tried out order by order. It
// shares nothing with the check.
func serializable(ops []history.Op, done int, state listsState) bool {
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
		if done&(1<<i) != 0 || ops[i].Outcome == history.Fail || ops[i].Call > first {
			continue
		}
		if next, fits := state.step(&ops[i]); fits && serializable(ops, done|1<<i, next) {
			return true
		}
	}
	return false
}

// anyTxns draws a few transactions with answers that are mostly right: they are carried
// out in an order of their own, and then some answer is changed.
func anyTxns(t *rapid.T, keys int) []history.Op {
	n := rapid.IntRange(1, 6).Draw(t, "n")
	ops := make([]history.Op, n)
	state := listsState{}
	element := 0
	for i := range ops {
		op := &ops[i]
		*op = history.Op{Process: int64(i), Node: "n1", Func: history.Read, Outcome: rapid.SampledFrom([]history.Outcome{history.OK, history.OK, history.OK, history.Info, history.Fail}).Draw(t, "outcome")}
		op.Call = rapid.Int64Range(0, 12).Draw(t, "call")
		op.Return = op.Call + rapid.Int64Range(0, 6).Draw(t, "length")
		var in, out []history.Data
		view := state
		if rapid.IntRange(0, 3).Draw(t, "other view") == 0 {
			view = listsState{}
			for k, l := range state {
				view[k] = slices.Clone(l[:rapid.IntRange(0, len(l)).Draw(t, "seen")])
			}
		}
		next := listsState{}
		for k, l := range view {
			next[k] = slices.Clone(l)
		}
		for range rapid.IntRange(1, 3).Draw(t, "operations") {
			key := "k" + strconv.Itoa(rapid.IntRange(0, keys-1).Draw(t, "key"))
			if rapid.Bool().Draw(t, "append") {
				element++
				op.Func = objects.Txn
				next[key] = append(next[key], strconv.Itoa(element))
				d := objects.TxnOp{Key: history.Text(key), Element: history.Text(strconv.Itoa(element))}.Data("")
				in, out = append(in, d), append(out, d)
				continue
			}
			found := slices.Clone(next[key])
			if len(found) > 1 && rapid.IntRange(0, 9).Draw(t, "swapped") == 0 {
				found[0], found[1] = found[1], found[0]
			}
			if rapid.IntRange(0, 9).Draw(t, "spoilt") == 0 {
				found = append(found, strconv.Itoa(rapid.IntRange(1, element+2).Draw(t, "element")))
			}
			in = append(in, objects.TxnOp{Key: history.Text(key)}.Data(history.Null))
			out = append(out, objects.TxnOp{Key: history.Text(key)}.Data(listData(found)))
		}
		if op.In = history.List(in...); op.Outcome == history.OK {
			op.Out = history.List(out...)
		}
		if op.Outcome == history.OK || rapid.Bool().Draw(t, "takes effect") && op.Outcome == history.Info || rapid.IntRange(0, 9).Draw(t, "wrongly") == 0 {
			if rapid.IntRange(0, 9).Draw(t, "is lost") > 0 {
				for k, l := range next {
					state[k] = append(state[k], l[min(len(l), len(view[k])):]...)
				}
			}
		}
	}
	slices.SortStableFunc(ops, func(a, b history.Op) int { return int(a.Call - b.Call) })
	return ops
}

func checkAppend(t testing.TB, ops []history.Op) check.Result {
	t.Helper()
	return Append().Check(t.Context(), &check.Input{History: &history.History{Header: history.Header{Nodes: []string{"n1", "n2"}, Functions: objects.AppendFunctions()}, Ops: ops}})
}

func showTxns(ops []history.Op) string {
	var lines []string
	for i := range ops {
		lines = append(lines, fmt.Sprintf("%d-%d %s", ops[i].Call, ops[i].Return, check.Describe(objects.AppendFunctions(), &ops[i])))
	}
	return strings.Join(lines, "\n")
}

// TestAppendAgainstTheDefinition: the check says just what the definition of strict
// serializability does.
func TestAppendAgainstTheDefinition(t *testing.T) {
	for _, keys := range []int{1, 2, 3} {
		t.Run(fmt.Sprint(keys), func(t *testing.T) {
			said := map[bool]int{}
			for range machinetest.Rounds(4, 340) { // of a hundred histories each: in whole 10^5 with those of all keys
				rapid.Check(t, func(rt *rapid.T) {
					ops := anyTxns(rt, keys)
					res := checkAppend(t, ops)
					want := serializable(ops, 0, listsState{})
					if res.Verdict != check.Pass && res.Verdict != check.Violation {
						rt.Fatalf("%s: %s\n%s", res.Verdict, res.Summary, showTxns(ops))
					}
					if got := res.Verdict == check.Pass; got != want {
						rt.Fatalf("%s, and strictly serializable is %t: %s: %s\n%s", res.Verdict, want, res.Summary, res.Explanation, showTxns(ops))
					}
					said[want]++
				})
			}
			t.Logf("%d histories were right, %d wrong", said[true], said[false])
			// About half of them are right. With -short rapid draws so few that none need be wrong.
			if all := said[true] + said[false]; all >= 100 && min(said[true], said[false]) < all/10 {
				t.Errorf("%d histories were right, %d wrong: too few of either to mean anything", said[true], said[false])
			}
		})
	}
}
