package history

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// loadOps is what a test of five nodes and ten clients records: operations of
// about a millisecond on a few keys at a time, in the order of completion.
func loadOps(n int) []Op {
	rng := rand.New(rand.NewPCG(1, 2))
	const clients = 10
	var now [clients]int64
	for c := range now {
		now[c] = 86_400_123_456_789 + rng.Int64N(1e6)
	}
	var last [5]string
	ops := make([]Op, 0, n)
	for i := range n {
		c := 0
		for k := range now {
			if now[k] < now[c] {
				c = k
			}
		}
		slot := rng.IntN(5)
		op := Op{Process: int64(c), Node: fmt.Sprintf("n%d", c%5+1), Key: fmt.Sprintf("r%d", slot+5*(i/1500)), Outcome: OK}
		op.Call = now[c] + 20_000 + rng.Int64N(30_000)
		op.Return = op.Call + 600_000 + int64(rng.ExpFloat64()*500_000)
		now[c] = op.Return
		value := fmt.Sprint(i + 1)
		var r Register
		switch p := rng.IntN(10); {
		case p < 5:
			op.Func = Read
			if last[slot] != "" {
				r.Result = Some(last[slot])
			}
		case p < 8:
			op.Func, r.Value = Write, Some(value)
			last[slot] = value
		default:
			op.Func, r.Expect, r.Value = CAS, Some(last[slot]), Some(value)
			if r.Swapped = rng.IntN(2) == 0; r.Swapped {
				last[slot] = value
			} else {
				r.Result = Some(fmt.Sprint(i))
			}
		}
		op.SetRegister(r)
		ops = append(ops, op)
	}
	return ops
}

// nodeEvents are those of five nodes that commit batches of a few entries.
func nodeEvents(n int) []NodeEvent {
	rng := rand.New(rand.NewPCG(3, 4))
	events := make([]NodeEvent, 0, n)
	t, hash := int64(86_400_123_456_789), uint64(0)
	for i := range n {
		if i%5 == 0 {
			t += 1_000_000 + rng.Int64N(500_000)
			hash = rng.Uint64()
		}
		events = append(events, NodeEvent{Node: fmt.Sprintf("n%d", i%5+1), Boot: 1, Kind: EventCommit, Time: t + rng.Int64N(300_000),
			Term: 3, Index: uint64(i / 5 * 4), EntryTerm: 3, Hash: fmt.Sprintf("%016x", hash)})
	}
	return events
}

// record writes a history, flushing as often as a live one is, and returns its
// size before and after it is packed.
func record(b *testing.B, path string, ops []Op, nodes []NodeEvent) (live, packed int64) {
	b.Helper()
	rec, err := Create(path, Header{Test: "bench", Nodes: []string{"n1", "n2", "n3", "n4", "n5"}, Functions: RegisterFunctions()})
	must(b, err)
	for i := range ops {
		must(b, rec.Append(Record{Op: &ops[i]}))
		if i%100 == 99 { // 50 ms of 2,000 operations a second
			must(b, rec.Flush())
		}
	}
	for i := range nodes {
		must(b, rec.Append(Record{Node: &nodes[i]}))
		if i%50 == 49 {
			must(b, rec.Flush())
		}
	}
	must(b, rec.Flush())
	live = rec.size
	must(b, rec.Close())
	st, err := os.Stat(path)
	must(b, err)
	return live, st.Size()
}

func BenchmarkAppendOp(b *testing.B) {
	ops := loadOps(10_000)
	var buf []byte
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		buf = AppendOp(buf[:0], &ops[i%len(ops)], false)
	}
}

func BenchmarkParseLine(b *testing.B) {
	ops := loadOps(10_000)
	lines := make([][]byte, len(ops))
	for i := range ops {
		lines[i] = AppendOp(nil, &ops[i], false)
	}
	p := newParser()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, _, err := p.line(lines[i%len(lines)]); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRecord reports what a record takes on disk: while recording and
// when closed, for operations and for node events.
func BenchmarkRecord(b *testing.B) {
	const n = 100_000
	ops, nodes := loadOps(n), nodeEvents(n)
	path := filepath.Join(b.TempDir(), FileName)
	for _, tt := range []struct {
		name  string
		ops   []Op
		nodes []NodeEvent
	}{{"ops", ops, nil}, {"nodes", nil, nodes}} {
		b.Run(tt.name, func(b *testing.B) {
			for b.Loop() {
				live, packed := record(b, path, tt.ops, tt.nodes)
				b.ReportMetric(float64(live)/n, "liveB/record")
				b.ReportMetric(float64(packed)/n, "B/record")
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/record")
		})
	}
}

func BenchmarkLoad(b *testing.B) {
	const n = 100_000
	path := filepath.Join(b.TempDir(), FileName)
	_, packed := record(b, path, loadOps(n), nil)
	b.ReportAllocs()
	for b.Loop() {
		h, err := Load(path)
		if err != nil || len(h.Ops) != n {
			b.Fatalf("%d operations, error %v", len(h.Ops), err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/record")
	b.ReportMetric(float64(packed)/n, "B/record")
}
