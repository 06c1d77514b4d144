package linearizable

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"squall/history"
	"squall/history/check"
	"squall/history/check/checktest"
	"squall/history/measure"
)

// hardShapes are histories that are hard to decide, or long.
func hardShapes() []checktest.Shape {
	return []checktest.Shape{
		{N: 10_000, Clients: 50, Values: 5, Pending: 3, Deletes: true},
		{N: 10_000, Clients: 30, Values: 30, Pending: 3, Deletes: true},
		{N: 100_000, Clients: 10, Values: 5, Pending: 1},
		{N: 100_000, Clients: 20, Values: 3, Pending: 2, Deletes: true},
		{N: 1_000_000, Clients: 10, Pending: 1},
		{N: 1_000_000, Clients: 10, Values: 5, Pending: 1, Deletes: true},
		{N: 1_000_000, Clients: 50, Values: 100, Pending: 1},
	}
}

// shapeText names a shape.
func shapeText(s checktest.Shape) string {
	text := fmt.Sprintf("n=%d,clients=%d,values=%d,unknown=%d", s.N, s.Clients, s.Values, s.Pending)
	if s.Deletes {
		text += ",deletes"
	}
	return text
}

// BenchmarkLimits reports by how much a check outlasts its limits: of time, of
// memory, and the moment at which it is interrupted. It fails when that is more
// than 100 ms and a tenth of the limit.
func BenchmarkLimits(b *testing.B) {
	for _, sh := range hardShapes() {
		for _, bad := range []bool{false, true} {
			ops := checktest.Simulate(rand.New(rand.NewPCG(1, 1)), "k", sh)
			if bad {
				ops = withStaleRead(ops)
			}
			in := check.Input{History: &history.History{Header: checktest.Registers(), Ops: ops}}
			name := fmt.Sprintf("%s,bad=%v/", shapeText(sh), bad)
			for _, limit := range []time.Duration{100 * time.Millisecond, time.Second, 5 * time.Second} {
				b.Run(name+limit.String(), func(b *testing.B) { benchmarkLimit(b, &in, check.Limits{Time: limit}, 0) })
			}
			b.Run(name+"interrupted", func(b *testing.B) {
				benchmarkLimit(b, &in, check.Limits{Time: time.Minute}, time.Duration(rand.Int64N(int64(3*time.Second))))
			})
			b.Run(name+"memory", func(b *testing.B) {
				runtime.GC()
				benchmarkLimit(b, &in, check.Limits{Time: 3 * time.Second, Memory: check.HeapBytes() + 100<<20}, 0)
			})
		}
	}
}

// BenchmarkHardLegal reports how many of five hard histories, all linearizable, are
// decided in 15 s.
func BenchmarkHardLegal(b *testing.B) {
	for _, sh := range []checktest.Shape{
		{N: 100_000, Clients: 10, Values: 5, Pending: 1},
		{N: 10_000, Clients: 30, Values: 30, Pending: 3, Deletes: true},
	} {
		b.Run(shapeText(sh), func(b *testing.B) {
			decided := 0
			for b.Loop() {
				for seed := range uint64(5) {
					ops := checktest.Simulate(rand.New(rand.NewPCG(seed, 3)), "k", sh)
					begin := time.Now()
					res := Checker(RegisterModel()).Check(b.Context(), &check.Input{History: &history.History{Header: checktest.Registers(), Ops: ops}, Limits: check.Limits{Time: 15 * time.Second}})
					b.Logf("%s, %.1f s: %s", res.Verdict, time.Since(begin).Seconds(), res.Summary)
					if res.Verdict == check.Pass {
						decided++
					}
				}
			}
			b.ReportMetric(float64(decided)/float64(b.N), "decided-of-5")
		})
	}
}

func benchmarkLimit(b *testing.B, in *check.Input, l check.Limits, interrupt time.Duration) {
	worst, most := time.Duration(0), uint64(0)
	for b.Loop() {
		ctx, cancel := context.WithCancel(b.Context())
		may := l.Time
		if interrupt > 0 {
			may = interrupt
			time.AfterFunc(interrupt, cancel)
		}
		done := make(chan struct{})
		peak := make(chan uint64)
		go func() {
			high := uint64(0)
			for {
				select {
				case <-done:
					peak <- high
					return
				case <-time.After(5 * time.Millisecond):
					high = max(high, check.HeapBytes())
				}
			}
		}()
		begin := time.Now()
		res := Checker(RegisterModel()).Check(ctx, &check.Input{History: in.History, Limits: l})
		worst = max(worst, time.Since(begin)-may)
		close(done)
		most = max(most, <-peak)
		cancel()
		b.Logf("%s, %.2f s, %d shown: %s", res.Verdict, time.Since(begin).Seconds(), len(res.Witness), res.Summary)
	}
	b.ReportMetric(float64(worst.Milliseconds()), "ms-over")
	if l.Memory > 0 {
		b.ReportMetric(float64(int64(most)-int64(l.Memory))/(1<<20), "MiB-over")
	}
	over := 100 * time.Millisecond
	if interrupt == 0 {
		over = max(over, l.Time/10)
	}
	if worst > over {
		b.Errorf("%v over the limit", worst)
	}
}

// withStaleRead adds a stale read, some time after the operations.
func withStaleRead(ops []history.Op) []history.Op {
	end := int64(0)
	for i := range ops {
		end = max(end, ops[i].Return)
	}
	end += 1000
	for i, v := range []string{"new1", "new2"} {
		ops = append(ops, history.Op{Process: 1 << 40, Node: "n1", Func: history.Write, Key: "k", In: history.Text(v), Outcome: history.OK,
			Call: end + int64(i)*10, Return: end + int64(i)*10 + 5})
	}
	return append(ops, history.Op{Process: 1<<40 + 1, Node: "n2", Func: history.Read, Key: "k", Out: history.Text("new1"), Outcome: history.OK,
		Call: end + 30, Return: end + 35})
}

// withStaleReadInTheMiddle makes a read in the middle of operations that write
// unique values find what a read long before it had found.
func withStaleReadInTheMiddle(ops []history.Op) []history.Op {
	const before = 10_000
	var reads []int
	for i := range ops {
		if ops[i].Func == history.Read && ops[i].Outcome == history.OK {
			reads = append(reads, i)
		}
	}
	slices.SortFunc(reads, func(a, b int) int { return cmp.Compare(ops[a].Call, ops[b].Call) })
	middle := len(reads) / 2
	ops[reads[middle]].Out = ops[reads[max(0, middle-before)]].Out
	return ops
}

func TestStaleReadInTheMiddle(t *testing.T) {
	ops := withStaleReadInTheMiddle(checktest.Simulate(rand.New(rand.NewPCG(1, 1)), "k", checktest.Shape{N: 50_000, Clients: 10, Pending: 1}))
	in := &check.Input{History: &history.History{Ops: ops}, Dir: t.TempDir()}
	res := Checker(RegisterModel()).Check(t.Context(), in)
	if res.Verdict != check.Violation || len(res.Witness) > 6 || res.Kind != check.KindStaleRead {
		t.Errorf("%s, %s, %d operations: %s", res.Verdict, res.Kind, len(res.Witness), res.Told())
	}
	checkWitness(t, in, res)
}

// TestRecordMillion writes two runs of a million operations on one key, with a stale
// read at the end and in the middle, to be checked with `squall check` by hand.
func TestRecordMillion(t *testing.T) {
	dir := os.Getenv("SQUALL_RECORD_MILLION")
	if dir == "" {
		t.Skip("SQUALL_RECORD_MILLION names no directory to write the runs to")
	}
	recordMillion(t, filepath.Join(dir, "end"), staleMillion(1_000_000))
	recordMillion(t, filepath.Join(dir, "middle"),
		withStaleReadInTheMiddle(checktest.Simulate(rand.New(rand.NewPCG(1, 1)), "k", checktest.Shape{N: 1_000_000, Clients: 10, Pending: 1})))
}

// recordMillion writes a run in which the operations took a minute or so.
func recordMillion(t *testing.T, dir string, ops []history.Op) {
	t.Helper()
	checktest.Must(t, os.MkdirAll(dir, 0o755))
	rec, err := history.Create(filepath.Join(dir, history.FileName), history.Header{Test: "million", System: "raftkv", Nodes: []string{"n1", "n2"}, Workload: "register", Functions: history.RegisterFunctions()})
	checktest.Must(t, err)
	const slower = 10_000 // an operation of simulate takes nanoseconds
	markAt := func(name string, at int64) {
		checktest.Must(t, rec.Append(history.Record{Mark: &history.Mark{Name: name, Time: at}}))
	}
	markAt(history.MarkLoadBegin, 0)
	end := int64(0)
	for i := range ops {
		op := ops[i]
		op.Call, op.Return = op.Call*slower, op.Return*slower
		end = max(end, op.Return)
		checktest.Must(t, rec.Append(history.Record{Op: &op}))
	}
	for i, name := range []string{history.MarkLoadEnd, history.MarkHealed, history.MarkDone} {
		markAt(name, end+int64(i)*int64(time.Second))
	}
	checktest.Must(t, rec.Close())
	h, err := history.Load(filepath.Join(dir, history.FileName))
	checktest.Must(t, err)
	if sum := measure.Summarize(h); sum.Ops.Total != int64(len(ops)) || sum.Ops.LoadSeconds < 10 {
		t.Errorf("the summary tells %d operations in %.1f s", sum.Ops.Total, sum.Ops.LoadSeconds)
	}
}
