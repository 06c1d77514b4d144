package measure

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"squall/history"
)

// writeRun records a run of n operations: ten clients, three functions, a
// thousand operations a second of each client, and a leader killed every ten
// seconds of it.
func writeRun(tb testing.TB, path string, n int) {
	tb.Helper()
	must := func(err error) {
		if err != nil {
			tb.Fatal(err)
		}
	}
	nodes := []string{"n1", "n2", "n3", "n4", "n5"}
	rec, err := history.Create(path, history.Header{Test: "bench", Nodes: nodes, Functions: history.RegisterFunctions(), Mono: mono})
	must(err)
	add := func(r history.Record) { must(rec.Append(r)) }
	role := func(t int64, node, role string, term uint64) {
		add(history.Record{Node: &history.NodeEvent{Node: node, Boot: 1, Kind: history.EventRole, Time: t, Term: term, Role: role}})
	}
	role(mono, "n1", history.RoleLeader, 1)
	add(history.Record{Mark: &history.Mark{Name: history.MarkLoadBegin, Time: mono}})
	rng := rand.New(rand.NewPCG(1, 2))
	const clients, every = 10, int64(10e9)
	now, nextFault, term := mono, mono+every, uint64(1)
	for i := range n {
		now += 100_000
		op := history.Op{Process: int64(i % clients), Node: nodes[i%5], Key: fmt.Sprintf("r%d", rng.IntN(5)+5*(i/1500)),
			Outcome: history.OK, Call: now, Return: now + 300_000 + min(int64(rng.ExpFloat64()*200_000), 690_000)}
		switch value := history.Some(fmt.Sprint(i)); i % 3 {
		case 0:
			op.Func, op.Out = history.Read, value.AsData()
		case 1:
			op.Func, op.In = history.Write, value.AsData()
		case 2:
			op.Func, op.In, op.Out = history.CAS, history.List(value.AsData(), history.Text(fmt.Sprint(i+1))), history.True
		}
		add(history.Record{Op: &op})
		if i%1000 == 999 {
			must(rec.Flush())
		}
		if now < nextFault {
			continue
		}
		nextFault += every
		lost, next := nodes[term%5], nodes[(term+1)%5]
		f := history.Fault{Name: "pause", ID: int(term), Phase: history.Inject, Targets: []string{lost}, Begin: now, End: now + 5e6}
		add(history.Record{Fault: &f})
		role(now+200e6, next, history.RoleCandidate, term+1)
		role(now+220e6, next, history.RoleLeader, term+1)
		f.Phase, f.Begin, f.End = history.Heal, now+4e9, now+4e9+5e6
		add(history.Record{Fault: &f})
		term++
	}
	add(history.Record{Mark: &history.Mark{Name: history.MarkLoadEnd, Time: now}})
	must(rec.Close())
}

// peak watches how large the heap becomes until done is called.
func peak() (done func() uint64) {
	runtime.GC()
	var most atomic.Uint64
	over, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			most.Store(max(most.Load(), m.HeapInuse))
			select {
			case <-tick.C:
			case <-over:
				return
			}
		}
	}()
	return func() uint64 {
		close(over)
		<-ended
		return most.Load()
	}
}

// BenchmarkMillion loads a run of a million operations and makes its figures.
// heapMB is the most that the heap was.
func BenchmarkMillion(b *testing.B) {
	path := filepath.Join(b.TempDir(), history.FileName)
	writeRun(b, path, 1_000_000)
	for b.Loop() {
		done, began := peak(), time.Now()
		h, err := history.Load(path)
		if err != nil {
			b.Fatal(err)
		}
		loaded := time.Since(began)
		got := Summarize(h)
		if got.Ops.Total < 999_000 || len(got.Effects) < 9 || len(got.Blocks.OK) < 99 {
			b.Fatalf("%d operations, %d effects, %d blocks", got.Ops.Total, len(got.Effects), len(got.Blocks.OK))
		}
		b.ReportMetric(loaded.Seconds(), "load-s")
		b.ReportMetric((time.Since(began) - loaded).Seconds(), "figures-s")
		b.ReportMetric(float64(done())/1e6, "heapMB")
	}
}
