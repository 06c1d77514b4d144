package linearizable

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"squall/history"
	"squall/history/check"
	"squall/history/check/checktest"
	"squall/history/historytest"
)

// told is one client's operation, short: times in ms, for tables.
func told(p int64, node string, f history.Func, value string, call, ret int64) history.Op {
	op := history.Op{Process: p, Node: node, Key: "k", Func: f, Outcome: history.OK, Call: call * 1e6, Return: ret * 1e6}
	op.SetRegister(history.Register{Value: history.Some(value), Result: history.Some(value)})
	return op
}

func taken(p int64, node, from, to string, call, ret int64) history.Op {
	op := told(p, node, history.CAS, to, call, ret)
	op.SetRegister(history.Register{Expect: history.Some(from), Value: history.Some(to), Swapped: true})
	return op
}

func answered(o history.Outcome, op history.Op) history.Op {
	op.Outcome = o
	return op
}

// TestKinds: each kind of violation is named, and told with what is known.
func TestKinds(t *testing.T) {
	trace := []history.NodeEvent{
		{Node: "n3", Boot: 1, Kind: history.EventRole, Time: 1, Term: 4, Role: history.RoleLeader},
		{Node: "n1", Boot: 1, Kind: history.EventRole, Time: 25e6, Term: 5, Role: history.RoleLeader},
	}
	faults := []history.Fault{{ID: 4, Name: "partition", Kind: history.KindPartition, Phase: history.Inject, Targets: []string{"n3"}, Begin: 20e6}}
	for _, tt := range []struct {
		kind   check.Kind
		ops    []history.Op
		says   []string
		beside int
		at     float64
	}{
		{check.KindStaleRead, []history.Op{told(1, "n1", history.Write, "1", 1, 2), told(1, "n1", history.Write, "2", 30, 40),
			told(2, "n3", history.Read, "1", 50, 60), told(3, "n1", history.Read, "2", 70, 80)},
			[]string{"n3, cut off by fault 4 (partition) and still leader of term 4 while n1 led term 5, answered read(k) → 1, but n1, leader of term 5, had already acknowledged write(k) ← 2 at 0.040 s."}, 0, 0.060},
		{check.KindLostWrite, []history.Op{told(1, "n1", history.Write, "1", 1, 2), told(1, "n1", history.Write, "2", 3, 4),
			told(2, "n2", history.Read, "1", 5, 6), told(3, "n1", history.Read, "1", 7, 8)}, []string{", but n1 had already acknowledged write(k) ← 2 at 0.004 s. No later operation saw that write."}, 0, 0.006},
		// The write of 3 may have replaced that of 2 before anybody looked: it need not be lost.
		{check.KindStaleRead, []history.Op{told(1, "n1", history.Write, "1", 1, 2), told(1, "n1", history.Write, "2", 3, 4),
			told(2, "n2", history.Read, "1", 5, 6), told(4, "n1", history.Write, "3", 6, 9), told(3, "n1", history.Read, "1", 7, 8), told(2, "n2", history.Read, "3", 10, 11)},
			[]string{"answered read(k) → 1, but n1 had already acknowledged write(k) ← 2 at 0.004 s."}, 0, 0.006},
		{check.KindFailedWrite, []history.Op{told(1, "n1", history.Write, "1", 1, 2), answered(history.Fail, told(1, "n1", history.Write, "2", 3, 4)),
			told(2, "n2", history.Read, "2", 5, 6)}, []string{`At 0.006 s n2 answered read(k) → 2: the value of a write that n1 had answered "failed" at 0.004 s, so that write took effect after all.`}, 1, 0.006},
		{check.KindUnknownWrite, []history.Op{answered(history.Info, told(1, "n1", history.Write, "2", 1, 2)), told(2, "n2", history.Read, "2", 5, 6),
			told(3, "n1", history.Write, "3", 7, 8), told(2, "n2", history.Read, "2", 9, 10)}, []string{"but n1 had already acknowledged write(k) ← 3 at 0.008 s. The only write of 2, called on n1 at 0.001 s, has an unknown outcome"}, 0, 0.010},
		{check.KindPhantom, []history.Op{told(1, "n1", history.Write, "1", 1, 2), told(2, "n2", history.Read, "9", 3, 4)}, []string{"At 0.004 s n2 answered read(k) → 9, but nobody ever wrote 9."}, 0, 0.004},
		{check.KindDoubleGrant, []history.Op{told(1, "n1", history.Write, "free", 1, 2), taken(1, "n1", "free", "a", 3, 4), taken(2, "n2", "free", "b", 5, 6)},
			[]string{"but n1 had already answered cas(k) free→a at 0.004 s, and nobody wrote free in between."}, 0, 0.006},
		{check.KindStaleCAS, []history.Op{told(1, "n1", history.Write, "1", 1, 2), told(1, "n1", history.Write, "2", 3, 4), taken(2, "n2", "1", "3", 5, 6)},
			[]string{"answered cas(k) 1→3, but n1 had already acknowledged write(k) ← 2 at 0.004 s."}, 0, 0.006},
	} {
		t.Run(string(tt.kind), func(t *testing.T) {
			in := &check.Input{History: &history.History{Header: checktest.Registers(), Ops: tt.ops, Nodes: trace, Faults: faults}, Dir: t.TempDir()}
			res := Checker(RegisterModel()).Check(t.Context(), in)
			if res.Verdict != check.Violation || res.Kind != tt.kind {
				t.Fatalf("%s, kind %q: %s %s", res.Verdict, res.Kind, res.Summary, res.Explanation)
			}
			for _, want := range tt.says {
				if !strings.Contains(res.Explanation, want) {
					t.Errorf("%q does not say %q", res.Explanation, want)
				}
			}
			beside := 0
			for _, op := range res.Witness {
				if op.Beside {
					beside++
				}
			}
			if beside != tt.beside || res.FirstAt == nil || *res.FirstAt != tt.at {
				t.Errorf("%d beside, first at %v: %s", beside, res.FirstAt, res.Explanation)
			}
			checkWitness(t, in, res)
		})
	}
}

// TestFieldRegisters: what others met, decided right and soon.
func TestFieldRegisters(t *testing.T) {
	for name, want := range map[string]struct {
		verdict check.Verdict
		kind    check.Kind
		at      float64
	}{
		"h1-knossos10":   {verdict: check.Pass},
		"h9-60info":      {verdict: check.Pass},
		"h9b-60info-bad": {check.Violation, check.KindPhantom, 4.905},
		"h3-maelstrom92": {check.Violation, check.KindFailedWrite, 3},
	} {
		t.Run(name, func(t *testing.T) {
			res, err := check.Run(t.Context(), historytest.Field(t, name), []check.Checker{Checker(RegisterModel())}, check.Limits{Time: 20 * time.Second})
			checktest.Must(t, err)
			c := res.Checks[0]
			if c.Verdict != want.verdict || c.Kind != want.kind || want.verdict == check.Violation && *c.FirstAt != want.at {
				t.Errorf("%s, kind %q, first at %v: %s %s", c.Verdict, c.Kind, c.FirstAt, c.Told(), c.Explanation)
			}
		})
	}
}

// TestLockGrantedTwice: of a long history of few values only the two grants remain.
func TestLockGrantedTwice(t *testing.T) {
	ops := []history.Op{told(1, "n1", history.Write, "free", 1, 2)}
	at := int64(10)
	for i := range int64(130) {
		owner := fmt.Sprint("c", i%3)
		ops = append(ops, taken(i%3, "n1", "free", owner, at, at+1), taken(i%3, "n1", owner, "free", at+2, at+3))
		at += 4
	}
	ops = append(ops, taken(1, "n1", "free", "c1", at, at+1), taken(2, "n2", "free", "c2", at+2, at+3))
	in := &check.Input{History: &history.History{Header: checktest.Registers(), Ops: ops}, Dir: t.TempDir()}
	res := Checker(RegisterModel()).Check(t.Context(), in)
	if res.Verdict != check.Violation || res.Kind != check.KindDoubleGrant || len(res.Witness) > 3 || res.Start == "" {
		t.Errorf("%s, %q, %d operations, %q: %s", res.Verdict, res.Kind, len(res.Witness), res.Start, res.Told())
	}
	checkWitness(t, in, res)
}

// TestFirstOfTwoIsShown: the earlier violation, though the later needs fewer operations.
func TestFirstOfTwoIsShown(t *testing.T) {
	early := []history.Op{told(1, "n1", history.Write, "1", 1, 2), told(1, "n1", history.Write, "2", 3, 4), told(2, "n2", history.Read, "1", 5, 6)}
	late := told(3, "n1", history.Read, "nowhere", 100, 101)
	late.Key = "other"
	res := Checker(RegisterModel()).Check(t.Context(), &check.Input{History: &history.History{Header: checktest.Registers(), Ops: append(early, late)}})
	if res.Key != "k" || res.FirstAt == nil || *res.FirstAt != 0.006 {
		t.Errorf("key %s, first at %v: %s", res.Key, res.FirstAt, res.Told())
	}
}

// staleMillion is n operations of ten clients on one key, with one stale read.
func staleMillion(n int) []history.Op {
	return withStaleRead(checktest.Simulate(rand.New(rand.NewPCG(1, 1)), "k", checktest.Shape{N: n, Clients: 10, Pending: 1}))
}

func TestLargeViolationIsShown(t *testing.T) {
	in := &check.Input{History: &history.History{Header: checktest.Registers(), Ops: staleMillion(50_000)}, Dir: t.TempDir()}
	res := Checker(RegisterModel()).Check(t.Context(), in)
	if res.Verdict != check.Violation || len(res.Witness) > 6 || res.FirstAt == nil {
		t.Errorf("%s, %d operations: %s", res.Verdict, len(res.Witness), res.Told())
	}
	checkWitness(t, in, res)
}

func BenchmarkViolationOfAMillion(b *testing.B) {
	ops := staleMillion(1_000_000)
	for b.Loop() {
		res := Checker(RegisterModel()).Check(b.Context(), &check.Input{History: &history.History{Header: checktest.Registers(), Ops: ops}})
		if res.Verdict != check.Violation || len(res.Witness) > 6 {
			b.Fatal(res.Told(), len(res.Witness))
		}
		b.ReportMetric(float64(len(res.Witness)), "operations-shown")
	}
}
