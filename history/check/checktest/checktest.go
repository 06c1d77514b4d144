// Package checktest has what the tests of checks have in common: operations and events in
// few words, histories of a correct register, and what any result must be like. Its own
// tests run checks of all kinds together, as a test of a cluster does.
package checktest

import (
	"cmp"
	"flag"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"squall/history"
	"squall/history/check"
	"squall/internal/machinetest"
)

// Main runs the tests of a package: no goroutine may be left behind, and what was skipped
// is said. With rapid, as many examples are tried as rapid tries by itself when everything
// is to be tried, and fewer else.
func Main(m *testing.M) {
	if checks := flag.Lookup("rapid.checks"); checks != nil {
		if err := checks.Value.Set(strconv.Itoa(machinetest.Rounds(25, 100))); err != nil {
			panic(err)
		}
	}
	goleak.VerifyTestMain(machinetest.Main(m))
}

// Second is a second, in ns.
const Second = int64(1e9)

// Must fails the test for an error.
func Must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Registers is the header of a history of registers.
func Registers(nodes ...string) history.Header {
	return history.Header{Nodes: nodes, Functions: history.RegisterFunctions()}
}

// Says changes what an operation on a register says.
func Says(op *history.Op, change func(r *history.Register)) {
	r := op.Register()
	change(&r)
	op.SetRegister(r)
}

// Shape says what random operations look like.
type Shape struct {
	N, Clients int
	Values     int // how many different values are written; 0: each one once
	Pending    int // percent of unknown outcome
	Deletes    bool
	Tells      bool // writes tell what they replaced
}

// Simulate runs clients against a correct register: each operation takes effect
// at a random moment between its call and its return. One of unknown outcome
// takes effect at a random moment after its call, or never.
func Simulate(rng *rand.Rand, key string, sh Shape) []history.Op {
	type effect struct {
		at int64
		op *history.Op
	}
	ops := make([]history.Op, sh.N)
	var effects []effect
	free := make([]int64, sh.Clients) // when a client is free again
	process := make([]int64, sh.Clients)
	for c := range process {
		process[c] = int64(c)
	}
	written := []history.Value{history.None}
	for i := range ops {
		c := rng.IntN(sh.Clients)
		op := &ops[i]
		*op = history.Op{Process: process[c], Node: "n1", Key: key, Outcome: history.OK}
		op.Call = free[c] + 1 + rng.Int64N(20)
		op.Return = op.Call + 2 + rng.Int64N(100)
		free[c] = op.Return
		value := history.Some(strconv.Itoa(i + 1))
		if sh.Values > 0 {
			value = history.Some(strconv.Itoa(rng.IntN(sh.Values)))
		}
		switch p := rng.IntN(10); {
		case p < 5:
			op.Func = history.Read
		case p == 5 && sh.Deletes:
			op.Func = history.Delete
		case p < 8:
			op.Func, op.In = history.Write, value.AsData()
		default:
			op.Func = history.CAS
			op.In = history.List(written[max(0, len(written)-1-rng.IntN(3))].AsData(), value.AsData())
		}
		if op.In != "" {
			written = append(written, value)
		}
		at := op.Call + rng.Int64N(op.Return-op.Call)
		if rng.IntN(100) < sh.Pending {
			op.Outcome = history.Info
			process[c] += int64(sh.Clients)
			at = op.Call + rng.Int64N(300)
			if rng.IntN(2) == 0 {
				continue // it never takes effect
			}
		}
		effects = append(effects, effect{at, op})
	}
	slices.SortFunc(effects, func(a, b effect) int { return cmp.Compare(a.at, b.at) })
	state := history.None
	for _, e := range effects {
		before := state
		state = takeEffect(e.op, state)
		if sh.Tells && e.op.Func == history.Write {
			Says(e.op, func(r *history.Register) { r.Replaced, r.Result = true, before })
		}
	}
	return ops
}

// takeEffect gives an operation its answer, and returns the new state.
func takeEffect(op *history.Op, state history.Value) history.Value {
	r := op.Register()
	next := r.Value
	r.Swapped = op.Func == history.CAS && r.Expect == state
	if op.Func == history.Read || op.Func == history.CAS && !r.Swapped {
		r.Result, next = state, state
	}
	op.SetRegister(r)
	return next
}

// At makes an operation on the key k that was answered: times in ms.
func At(p int64, node string, f history.Func, in, out history.Data, call, ret int64) history.Op {
	return history.Op{Process: p, Node: node, Key: "k", Func: f, In: in, Out: out, Outcome: history.OK, Call: call * 1e6, Return: ret * 1e6}
}

// Unknown is the operation with an unknown outcome.
func Unknown(op history.Op) history.Op {
	op.Outcome, op.Out = history.Info, ""
	return op
}

// Failed is the operation answered "failed".
func Failed(op history.Op) history.Op {
	op.Outcome, op.Out = history.Fail, ""
	return op
}

// Number is a number as data.
func Number(n int64) history.Data { return history.Data(strconv.FormatInt(n, 10)) }

// Told checks what any result of the checker must be like.
func Told(t *testing.T, res check.Result) {
	t.Helper()
	needed := 0
	for _, w := range res.Witness {
		if !w.Beside {
			needed++
		}
	}
	switch {
	case res.Summary == "" || strings.Contains(res.Summary, "bug in the checker"):
		t.Errorf("%s: %q", res.Verdict, res.Summary)
	case res.Verdict != check.Violation && (res.FirstAt != nil || len(res.Witness) > 0 || res.Kind != ""):
		t.Errorf("%s shows a violation: %s", res.Verdict, res.Summary)
	case res.Verdict == check.Violation && (res.FirstAt == nil || needed == 0 || needed > check.WitnessMost):
		t.Errorf("first at %v, %d shown: %s", res.FirstAt, needed, res.Summary)
	case res.Kind != "" && res.Explanation == "":
		t.Errorf("%s is not explained", res.Kind)
	}
	if Malformed(res.Summary + res.Explanation) {
		t.Errorf("badly formatted: %s %s", res.Summary, res.Explanation)
	}
}

// misused is what fmt writes where a format and its values do not fit, as in
// "%!d(string=k)" and "%!(EXTRA int=1)".
var misused = regexp.MustCompile(`%!.?\(`)

// Malformed reports whether fmt has complained in a text. "%!" alone may be of a key.
func Malformed(text string) bool { return misused.MatchString(text) }

// FaultOn puts a partition from a second of the test to another into a history.
func FaultOn(h *history.History, from, to int64) {
	h.Faults = append(h.Faults, history.Fault{ID: len(h.Faults), Name: "partition", Phase: history.Inject, Begin: from * Second, End: from * Second},
		history.Fault{ID: len(h.Faults), Name: "partition", Phase: history.Heal, Begin: to * Second, End: to * Second})
}

// Unasked drops the operations through a node.
func Unasked(h *history.History, node string) {
	h.Ops = slices.DeleteFunc(h.Ops, func(op history.Op) bool { return op.Node == node })
}

// Leads is the event of a node that becomes leader.
func Leads(node string, boot int, term uint64) history.NodeEvent {
	return history.NodeEvent{Node: node, Boot: boot, Kind: history.EventRole, Role: history.RoleLeader, Term: term}
}

// FinalOp is an operation after the storm that was answered.
func FinalOp(node string, f history.Func, key string, at int64) history.Op {
	return history.Op{Node: node, Func: f, Key: key, Outcome: history.OK, Final: true, Call: at, Return: at + Second/10}
}

// BusyRun is a minute of load of three nodes: ten reads, ten writes and five
// compare-and-sets each second over ten keys, and a fault from 20 s to 40 s.
func BusyRun() *history.History {
	h := &history.History{Header: Registers("n1", "n2", "n3")}
	for _, m := range []history.Mark{{Name: history.MarkServing}, {Name: history.MarkLoadBegin}, {Name: history.MarkLoadEnd, Time: 60 * Second}, {Name: history.MarkDone, Time: 61 * Second}} {
		h.Marks = append(h.Marks, m)
	}
	FaultOn(h, 20, 40)
	h.Faults[0].Targets = []string{"n1"}
	for i := range 60 * 25 {
		at := int64(i) * Second / 25
		op := history.Op{Node: "n1", Func: history.Read, Key: "k" + string(rune('0'+i/25%10)), Outcome: history.OK, Call: at, Return: at + Second/100}
		switch {
		case i%25 >= 20:
			op.Func, op.Out = history.CAS, history.CASAnswer(i%2 == 0, history.None)
		case i%25 >= 10:
			op.Func = history.Write
		}
		h.Ops = append(h.Ops, op)
	}
	return h
}

// HardKey is not linearizable, and no search can find that out: its writes may
// stand in any order, each value is written twice and read meanwhile, and only at
// the end do two reads contradict each other.
func HardKey(key string) []history.Op {
	var ops []history.Op
	read := func(v int, call, ret int64) {
		ops = append(ops, history.Op{Process: int64(100 + len(ops)), Func: history.Read, Key: key, Out: history.Text(strconv.Itoa(v)),
			Outcome: history.OK, Call: call, Return: ret})
	}
	for i := range 48 {
		ops = append(ops, history.Op{Process: int64(i), Func: history.Write, Key: key, In: history.Text(strconv.Itoa(i / 2)),
			Outcome: history.OK, Call: int64(i), Return: 1000 + int64(i)})
	}
	for v := range 24 {
		read(v, 100, 1500)
	}
	read(0, 2000, 2001)
	read(1, 2002, 2003)
	return ops
}

// BadKey is a write and a read after it that finds nothing.
func BadKey(key string) []history.Op {
	op := func(f history.Func, at int64) history.Op {
		return history.Op{Process: 1, Node: "n1", Func: f, Key: key, Outcome: history.OK, Call: at, Return: at + 5}
	}
	w, r := op(history.Write, 0), op(history.Read, 10)
	w.In, r.Out = history.Text("1"), history.Null
	return []history.Op{w, r}
}
