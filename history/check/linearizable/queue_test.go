package linearizable

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"squall/history"
	"squall/history/check"
	"squall/history/check/checktest"
	"squall/history/objects"
	"squall/internal/machinetest"
)

// drawQueue draws values that are put in once, most of the time.
func drawQueue(t *rapid.T, op *history.Op) {
	value := checktest.Number(op.Process + 1)
	if rapid.IntRange(0, 19).Draw(t, "again") == 0 {
		value = "1"
	}
	if op.Func = rapid.SampledFrom([]history.Func{objects.Enqueue, objects.Dequeue}).Draw(t, "func"); op.Func == objects.Enqueue {
		op.In, op.Out = value, history.True
		return
	}
	op.Out = history.Null
	if rapid.IntRange(0, 3).Draw(t, "none") > 0 {
		op.Out = checktest.Number(rapid.Int64Range(1, 7).Draw(t, "value"))
	}
}

// queueByDefinition has states that are values with spaces behind them.
func queueByDefinition(state any, op *history.Op, fifo bool) (out []any) {
	s := state.(string)
	if op.Func == objects.Enqueue {
		return []any{s + string(op.In) + " "}
	}
	values := strings.Fields(s)
	if len(values) == 0 && (op.Outcome != history.OK || op.Out == history.Null) {
		return []any{s}
	}
	for i, value := range values {
		if (i == 0 || !fifo) && (op.Outcome != history.OK || op.Out == history.Data(value)) {
			left := slices.Delete(slices.Clone(values), i, i+1)
			out = append(out, strings.Join(append(left, ""), " "))
		}
	}
	return out
}

// TestQueuesAgreeWithWalks: on histories that are longer than a definition can try, and
// nearly right, the quick way says what the walk says, of the whole and of what was known at
// each moment. Of a moment it may say nothing, but seldom.
func TestQueuesAgreeWithWalks(t *testing.T) {
	w := startWatch(t.Context(), 1<<40)
	defer w.close()
	for _, m := range []Model{QueueModel(), FIFOQueueModel()} {
		count := map[answer]int{}
		moments, open := 0, 0
		rng := rand.New(rand.NewPCG(1, 2))
		for range machinetest.Rounds(1000, 20_000) {
			ops := nearlyQueue(rng, m.Name == "fifo-queue")
			e, err := m.prepare(pointers(ops), nil)
			checktest.Must(t, err)
			list := e.(*entries[string, queueOp]).list
			g, release := w.guard(time.Now().Add(time.Hour))
			got := decideQueue(list, m.Name == "fifo-queue", g)
			want, _ := e.(*entries[string, queueOp]).walks(g)
			release()
			if got != want {
				t.Fatalf("%s: %d, and the walk %d: %s", m.Name, got, want, showOps(m, ops))
			}
			count[got]++
			for i := range list {
				part := e.(*entries[string, queueOp]).upTo(list[i].call)
				g, release := w.guard(time.Now().Add(time.Hour))
				got := decideQueue(part.list, m.Name == "fifo-queue", g)
				want, _ := part.walks(g)
				release()
				if got != want && got != undecided {
					t.Fatalf("%s: up to %d %d, and the walk %d: %s", m.Name, list[i].call, got, want, showOps(m, ops))
				}
				if moments++; got == undecided {
					open++
				}
			}
		}
		if open*50 > moments {
			t.Errorf("%s: of %d moments the quick way left %d open", m.Name, moments, open)
		}
		if count[legal] < 100 || count[illegal] < 100 {
			t.Errorf("%s: %d linearizable, %d not: too few of one", m.Name, count[legal], count[illegal])
		}
	}
}

// TestQueueUnderWay: a value whose dequeue was under way may have been taken by one of
// unknown outcome before.
func TestQueueUnderWay(t *testing.T) {
	put := func(value history.Data, call, ret int64) history.Op {
		return checktest.At(1, "n1", objects.Enqueue, value, history.True, call, ret)
	}
	take := func(value history.Data, call, ret int64) history.Op {
		return checktest.At(2, "n2", objects.Dequeue, "", value, call, ret)
	}
	ops := []history.Op{put("1", 0, 0), checktest.Unknown(take("2", 0, 0)), put("3", 0, 4), put("7", 3, 4), take("null", 4, 9), take("1", 8, 10)}
	e, err := FIFOQueueModel().prepare(pointers(ops), nil)
	checktest.Must(t, err)
	w := startWatch(t.Context(), 1<<40)
	defer w.close()
	far := time.Now().Add(time.Hour)
	got := e.decide(&judge{watch: w, way: everyWay, model: FIFOQueueModel()}, far)
	if got.answer != illegal {
		t.Fatalf("%v, want illegal", got.answer)
	}
	if at, exact := got.moment(far); at != 10*int64(time.Millisecond) || !exact {
		t.Errorf("broken at %d ns (exact: %v), want 10 ms", at, exact)
	}
}

// nearlyQueue is what a few clients did with a queue, with an answer changed now and then.
func nearlyQueue(rng *rand.Rand, fifo bool) []history.Op {
	n := 4 + rng.IntN(14)
	ops := make([]history.Op, n)
	var held []history.Data
	for i := range ops {
		at := int64(10 * i)
		op := &ops[i]
		*op = history.Op{Process: int64(i), Node: "n1", Key: "k", Outcome: history.OK, Call: at - rng.Int64N(25), Return: at + rng.Int64N(25)}
		op.Func, op.Out = objects.Dequeue, history.Null
		if rng.IntN(2) == 0 {
			op.Func, op.In, op.Out = objects.Enqueue, checktest.Number(int64(i)), history.True
		}
		unknown := rng.IntN(6) == 0
		switch {
		case unknown && rng.IntN(2) == 0: // it never took effect
		case op.Func == objects.Enqueue:
			held = append(held, op.In)
		case len(held) > 0:
			at := 0
			if !fifo || rng.IntN(8) == 0 {
				at = rng.IntN(len(held))
			}
			op.Out = held[at]
			held = slices.Delete(held, at, at+1)
		}
		if op.Func == objects.Dequeue && rng.IntN(8) == 0 {
			op.Out = history.Null
		}
		if unknown {
			op.Outcome, op.Out = history.Info, ""
		}
	}
	return ops
}

func TestQueues(t *testing.T) {
	put := func(value history.Data, call, ret int64) history.Op {
		return checktest.At(1, "n1", objects.Enqueue, value, history.True, call, ret)
	}
	take := func(value history.Data, call, ret int64) history.Op {
		return checktest.At(2, "n2", objects.Dequeue, "", value, call, ret)
	}
	unknown, failed := checktest.Unknown, checktest.Failed
	for name, tt := range map[string]struct {
		ops       []history.Op
		any, fifo check.Kind // of the violation; "": none
		says      string
	}{
		"in order":              {[]history.Op{put("1", 1, 2), put("2", 3, 4), take("1", 5, 6), take("2", 7, 8), take("null", 9, 10)}, "", "", ""},
		"side by side":          {[]history.Op{put("1", 1, 4), put("2", 1, 4), take("2", 5, 6), take("1", 7, 8)}, "", "", ""},
		"taken, unheard":        {[]history.Op{put("1", 1, 2), put("2", 3, 4), unknown(take("1", 5, 6)), take("2", 7, 8)}, "", "", ""},
		"empty, unheard":        {[]history.Op{put("1", 1, 2), unknown(take("1", 5, 6)), take("null", 7, 8)}, "", "", ""},
		"unknown and taken":     {[]history.Op{unknown(put("1", 1, 2)), take("null", 3, 4), take("1", 5, 6)}, "", "", ""},
		"unknown and not taken": {[]history.Op{unknown(put("1", 1, 2)), take("null", 3, 4)}, "", "", ""},
		"empty in between":      {[]history.Op{put("1", 1, 4), take("1", 3, 9), put("2", 6, 12), take("null", 5, 7), take("2", 13, 14)}, "", "", ""},
		"out of order":          {[]history.Op{put("1", 1, 2), put("2", 3, 4), take("2", 5, 6), take("1", 7, 8)}, "", check.KindOutOfOrder, "1 was enqueued before 2, and yet 2 was taken when 1 was still in the queue; "},
		"left behind":           {[]history.Op{put("1", 1, 2), put("2", 3, 4), take("2", 5, 6)}, "", check.KindOutOfOrder, ""},
		"too many left":         {[]history.Op{put("1", 1, 2), put("2", 3, 4), unknown(take("1", 5, 6)), take("null", 7, 8)}, check.KindLostElement, check.KindLostElement, "The 1 dequeue of unknown outcome called until then cannot have taken all that is missing"},
		"unheard, but too late": {[]history.Op{put("1", 1, 2), take("null", 3, 4), unknown(take("1", 5, 6))}, check.KindLostElement, check.KindLostElement, "No dequeue was answered 1"},
		"lost":                  {[]history.Op{put("1", 1, 2), take("null", 3, 4)}, check.KindLostElement, check.KindLostElement, "n2 answered dequeue(k) → nothing, but n1 had already acknowledged enqueue(k) ← 1"},
		"not seen yet":          {[]history.Op{put("1", 1, 2), take("null", 3, 4), take("1", 5, 6)}, check.KindStaleRead, check.KindStaleRead, "It was taken only later"},
		"taken twice":           {[]history.Op{put("1", 1, 2), take("1", 3, 4), take("1", 5, 6)}, check.KindTakenTwice, check.KindTakenTwice, "1 was enqueued once"},
		"from nowhere":          {[]history.Op{put("1", 1, 2), take("7", 3, 4)}, check.KindNowhere, check.KindNowhere, "but nobody ever enqueued 7"},
		"from the future":       {[]history.Op{take("1", 1, 2), put("1", 3, 4)}, check.KindNowhere, check.KindNowhere, ""},
		"a put that failed":     {[]history.Op{failed(put("1", 1, 2)), take("1", 3, 4)}, check.KindFailedEffect, check.KindFailedEffect, `had answered "failed"`},
	} {
		for i, want := range []check.Kind{tt.any, tt.fifo} {
			m := []Model{QueueModel(), FIFOQueueModel()}[i]
			t.Run(m.Name+": "+name, func(t *testing.T) {
				res := checkModel(t, m, tt.ops)
				if verdict := map[bool]check.Verdict{true: check.Pass, false: check.Violation}[want == ""]; res.Verdict != verdict || want != "" && (!strings.Contains(res.Explanation, tt.says) && tt.says != "") {
					t.Errorf("%s: %s %s", res.Verdict, res.Told(), res.Explanation)
				}
				if want != "" && res.Kind != want && res.Kind != check.KindNowhere {
					t.Errorf("it is called %q, want %q: %s", res.Kind, want, res.Explanation)
				}
			})
		}
	}
}

// queueLoad is what clients did with a correct queue: n operations, so many percent of
// unknown outcome.
func queueLoad(n, clients, pending int) []history.Op {
	rng := rand.New(rand.NewPCG(3, 3))
	ops := make([]history.Op, n)
	var held []history.Data
	for i := range ops {
		at := int64(10 * i)
		op := &ops[i]
		*op = history.Op{Process: int64(i % clients), Node: fmt.Sprint("n", 1+i%3), Key: "k", Outcome: history.OK, Call: at - rng.Int64N(int64(5*clients)), Return: at + 1 + rng.Int64N(int64(5*clients))}
		unknown := rng.IntN(100) < pending
		never := unknown && rng.IntN(2) == 0
		switch {
		case rng.IntN(2) == 0:
			op.Func, op.In, op.Out = objects.Enqueue, checktest.Number(int64(i)), history.True
			if !never {
				held = append(held, op.In)
			}
		default:
			op.Func, op.Out = objects.Dequeue, history.Null
			if len(held) > 0 && !never {
				op.Out = held[0]
				held = held[1:]
			}
		}
		if unknown {
			op.Outcome, op.Out = history.Info, ""
		}
	}
	return ops
}

// TestLongQueues: queues of many thousand operations are decided, and of one lost value few
// operations are shown.
func TestLongQueues(t *testing.T) {
	for _, m := range []Model{QueueModel(), FIFOQueueModel()} {
		ops := queueLoad(machinetest.Rounds(3_000, 50_000), 10, 2)
		if res := checkModel(t, m, ops); res.Verdict != check.Pass {
			t.Errorf("%s: %s: %s", m.Name, res.Verdict, res.Told())
		}
		last := ops[len(ops)-1]
		last.Call, last.Return = last.Call+1000, last.Return+2000
		last.Func, last.In, last.Out, last.Outcome = objects.Dequeue, "", "-1", history.OK
		if res := checkModel(t, m, append(ops, last)); res.Verdict != check.Violation || len(res.Witness) > 8 {
			t.Errorf("%s: %s, %d shown: %s", m.Name, res.Verdict, len(res.Witness), res.Told())
		}
	}
}

// BenchmarkQueues reports what it takes to judge a million operations on one queue.
func BenchmarkQueues(b *testing.B) {
	for _, m := range []Model{QueueModel(), FIFOQueueModel()} {
		for _, pending := range []int{0, 1, 5} {
			b.Run(fmt.Sprintf("%s,unknown=%d", m.Name, pending), func(b *testing.B) {
				ops := queueLoad(1_000_000, 10, pending)
				b.ResetTimer()
				for b.Loop() {
					res := Checker(m).Check(b.Context(), &check.Input{History: &history.History{Header: history.Header{Functions: m.Functions}, Ops: ops}})
					if res.Verdict != check.Pass {
						b.Errorf("%s: %s", res.Verdict, res.Told())
					}
				}
			})
		}
	}
}
