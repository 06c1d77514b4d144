package driver

import (
	"bytes"
	"cmp"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"squall/history"
)

func sortByCall(ops []history.Op) {
	slices.SortFunc(ops, func(a, b history.Op) int { return cmp.Compare(a.Call, b.Call) })
}

// closed tells what is observed in the lines but not written in them.
func closed(t testing.TB, lines []byte) (missing []string) {
	written := map[string]bool{}
	var observed []string
	parseBatch(t, lines, func(op history.Op, open bool) {
		said := op.Register()
		if said.Value.Present {
			written[said.Value.Data] = true
		}
		if !open && said.Result.Present {
			observed = append(observed, said.Result.Data)
		}
		if !open && said.Swapped && said.Expect.Present {
			observed = append(observed, said.Expect.Data)
		}
	})
	for _, v := range observed {
		if !written[v] {
			missing = append(missing, v)
		}
	}
	return missing
}

// stillRecorder is a recorder whose batches are cut by hand.
func stillRecorder(w *batches) *recorder {
	r := newRecorder(clock{start: time.Now()}, w, history.RegisterFunctions())
	close(r.quit)
	<-r.done
	return r
}

// clientStep is a client of a register in memory, advanced step by step:
// register, take effect, record.
type clientStep struct {
	flight *flight
	op     history.Op
	stage  int
}

func (c *clientStep) advance(rec *recorder, now int64, register *history.Value, next func() history.Op) {
	switch c.stage {
	case 0:
		c.op = next()
		rec.begin(c.flight, &c.op, func() int64 { return now })
	case 1:
		said := c.op.Register()
		said.Swapped, said.Result = c.op.Func == history.CAS && *register == said.Expect, *register
		if c.op.Func == history.Write || said.Swapped {
			*register = said.Value
		}
		c.op.Outcome = history.OK
		c.op.SetRegister(said)
	case 2:
		c.op.Return = now
		rec.end(c.flight, &c.op, c.op.Call)
	}
	c.stage = (c.stage + 1) % 3
}

// TestBatchesAreClosed advances clients in random order and cuts batches in
// between: whatever was written up to any cut names every value it observed.
func TestBatchesAreClosed(t *testing.T) {
	neededOpen := 0
	rapid.Check(t, func(rt *rapid.T) {
		var w batches
		rec := stillRecorder(&w)
		clients := make([]clientStep, 4)
		for i := range clients {
			clients[i].flight = rec.register()
		}
		var register history.Value
		values := 0
		for now := range int64(rapid.IntRange(1, 200).Draw(rt, "steps")) {
			i := rapid.IntRange(0, len(clients)).Draw(rt, "who")
			if i == len(clients) {
				if err := rec.flush(); err != nil {
					rt.Fatal(err)
				}
				continue
			}
			clients[i].advance(rec, now, &register, func() history.Op {
				f := rapid.SampledFrom([]history.Func{history.Read, history.Write, history.CAS}).Draw(rt, "f")
				op := history.Op{Process: int64(i), Node: "n1", Func: f, Key: "r0"}
				if f != history.Read {
					values++
				}
				op.SetRegister(history.Register{Value: history.Some(strconv.Itoa(values)), Expect: register})
				return op
			})
		}
		var all, ended []byte
		for _, b := range w.writes {
			all = append(all, b...)
			if missing := closed(t, all); len(missing) > 0 {
				rt.Fatalf("after a batch, observed but not written: %v\n%s", missing, all)
			}
			for line := range bytes.Lines(b) {
				if !bytes.Contains(line, []byte(`"invoke"`)) {
					ended = append(ended, line...)
				}
			}
			if len(closed(t, ended)) > 0 {
				neededOpen++
			}
		}
	})
	if neededOpen == 0 {
		t.Error("no batch needed its open operations: this test could not have failed")
	}
}

// TestBatchesAreClosedUnderConcurrency does the same with real goroutines and
// the recorder's own timing.
func TestBatchesAreClosedUnderConcurrency(t *testing.T) {
	var w batches
	c, err := newClock()
	if err != nil {
		t.Fatal(err)
	}
	rec := newRecorder(c, &w, history.RegisterFunctions())
	var (
		mu       sync.Mutex
		register history.Value
		clients  sync.WaitGroup
	)
	const perClient = 2000
	for i := range 8 {
		clients.Go(func() {
			rng := rand.New(rand.NewPCG(1, uint64(i)))
			step := clientStep{flight: rec.register()}
			for n := range perClient {
				for range 3 {
					mu.Lock()
					reg := register
					mu.Unlock()
					if step.stage == 1 {
						mu.Lock()
						step.advance(rec, c.now(), &register, nil)
						mu.Unlock()
						continue
					}
					step.advance(rec, c.now(), nil, func() history.Op {
						op := history.Op{Process: int64(i), Node: "n1", Func: history.Read, Key: "r0"}
						if rng.IntN(2) == 0 {
							op.Func = history.CAS
							op.SetRegister(history.Register{Value: history.Some(strconv.Itoa(i*perClient + n)), Expect: reg})
						}
						return op
					})
				}
			}
			rec.release(step.flight)
		})
	}
	for range 50 {
		if err := rec.flush(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond)
	}
	clients.Wait()
	if err := rec.close(); err != nil {
		t.Fatal(err)
	}
	// Prefixes of whole batches, without parsing the prefix again each time.
	written, total := map[string]bool{}, 0
	for n, b := range w.writes {
		parseBatch(t, b, func(op history.Op, _ bool) { written[op.Register().Value.Data] = true })
		parseBatch(t, b, func(op history.Op, open bool) {
			if open {
				return
			}
			total++
			said := op.Register()
			if said.Result.Present && !written[said.Result.Data] {
				t.Errorf("batch %d: %q was observed and not written so far", n, said.Result.Data)
			}
			if said.Swapped && said.Expect.Present && !written[said.Expect.Data] {
				t.Errorf("batch %d: %q was replaced and not written so far", n, said.Expect.Data)
			}
		})
	}
	if total != 8*perClient {
		t.Errorf("%d operations were written, %d ended", total, 8*perClient)
	}
}

// TestSlowReaderHoldsOperationsBack: memory stays bounded when nobody takes
// the history.
func TestSlowReaderHoldsOperationsBack(t *testing.T) {
	gate := make(chan struct{})
	rec := newRecorder(clock{start: time.Now()}, writerFunc(func(p []byte) (int, error) {
		<-gate
		return len(p), nil
	}), history.RegisterFunctions())
	f := rec.register()
	op := history.Op{Node: "n1", Func: history.Write, Key: "r0", In: history.Text(string(bytes.Repeat([]byte("x"), 1<<20))), Outcome: history.OK}
	const writes = 3 * batchMax >> 20
	ended := make(chan struct{}, writes)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range writes {
			rec.begin(f, &op, func() int64 { return op.Call })
			rec.end(f, &op, op.Call)
			ended <- struct{}{}
		}
	}()
	select {
	case <-done:
		t.Error("every operation ended although the reader took none")
	case <-time.After(200 * time.Millisecond): // in which it may not end
		if n := len(ended); n > 2*batchMax>>20+2 {
			t.Errorf("%d MB are held", n)
		}
	}
	close(gate)
	<-done
	if err := rec.close(); err != nil {
		t.Fatal(err)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
