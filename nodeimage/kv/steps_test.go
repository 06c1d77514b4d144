package kv

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"sync"
	"testing"
	"time"

	"squall/history/trace"
	"squall/nodeimage/raft"
	"squall/nodeimage/raft/steptrace"
)

// stepBuffer is where a running server writes a trace that the test reads.
type stepBuffer struct {
	mu     sync.Mutex
	buf    bytes.Buffer
	writes int
}

func (l *stepBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.writes++
	return l.buf.Write(b)
}

func (l *stepBuffer) events(t *testing.T) []trace.Event {
	t.Helper()
	l.mu.Lock()
	data := bytes.Clone(l.buf.Bytes())
	l.mu.Unlock()
	var events []trace.Event
	for r := trace.NewReader(bytes.NewReader(data)); ; {
		e, err := r.Next()
		if err == io.EOF {
			return events
		}
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, *e.Clone())
	}
}

// TestAClusterWritesItsSteps: real servers, with their goroutines and disks. Whatever one
// received another had sent before, by their traces alone, and every acknowledged write
// and read is in them.
func TestAClusterWritesItsSteps(t *testing.T) {
	traces := make([]*stepBuffer, 3)
	c := startCluster(t, 3, func(cfg *Config) {
		traces[cfg.ID-1] = &stepBuffer{}
		cfg.FullTrace = traces[cfg.ID-1]
		cfg.SnapshotEvery, cfg.SnapshotKeep = 100, 10
	})
	lead := c.leader()
	client := dialServer(t, c.servers[lead].ClientAddr(), time.Minute)
	const ops = 400
	ctx := context.Background()
	for i := range ops {
		if err := client.Put(ctx, "k"+strconv.Itoa(i%7), "v"); err != nil {
			t.Fatal(err)
		}
		if _, _, err := client.Get(ctx, "k"); err != nil {
			t.Fatal(err)
		}
	}
	for i := range c.servers {
		c.stop(i)
	}

	sent, kinds := map[string]bool{}, map[trace.Kind]int{}
	plain := func(m *trace.Message) string { return fmt.Sprint(m.From, m.To, m.Type, m.Term, m.Number) }
	all := make([][]trace.Event, 3)
	for i, tr := range traces {
		all[i] = tr.events(t)
		for _, e := range all[i] {
			kinds[e.Kind]++
			if e.Kind == trace.Send {
				sent[plain(e.Message)] = true
			}
		}
	}
	for i, events := range all {
		var entries, served uint64
		for _, e := range events {
			switch {
			case e.Kind == trace.Receive && !sent[plain(e.Message)]:
				t.Fatalf("nobody sent what was received: %v", &e)
			case e.Kind == trace.Apply:
				entries = e.Mark.Index
			case e.Kind == trace.ReadServed:
				served += e.Last - e.First + 1
			}
		}
		if i == lead && (entries < ops || served < ops) {
			t.Errorf("the leader tells of %d entries and %d reads; there were %d each", entries, served, ops)
		}
		if n := traces[i].writes; n >= len(events) {
			t.Errorf("%d writes for %d events: they are not written together", n, len(events))
		}
	}
	for _, k := range []trace.Kind{trace.Start, trace.Grant, trace.Tally, trace.Append, trace.Persist, trace.Commit, trace.State,
		trace.ReadCame, trace.RoundBegun, trace.RoundDone, trace.Snapshot, trace.Compact, trace.Config, trace.Progress} {
		if kinds[k] == 0 {
			t.Errorf("no event %v", k)
		}
	}
}

// BenchmarkClusterTraced is BenchmarkCluster's load on the leader with every step written.
func BenchmarkClusterTraced(b *testing.B) {
	c := startCluster(b, 3, func(cfg *Config) { cfg.FullTrace = io.Discard })
	client := dialServer(b, c.servers[c.leader()].ClientAddr(), 10*time.Second)
	for _, callers := range []int{10, 100} {
		b.Run("put/leader/callers="+strconv.Itoa(callers), func(b *testing.B) {
			spread(b, callers, func(key string) error { return client.Put(context.Background(), key, "value") })
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "ops/s")
		})
	}
}

// BenchmarkStep is what a step costs the node: an append of ten entries to a follower.
func BenchmarkStep(b *testing.B) {
	entries := make([]raft.Entry, 10)
	for i := range entries {
		entries[i] = raft.Entry{Index: uint64(1000 + i), Term: 3}
	}
	step := &raft.Step{Kind: raft.StepSend, Term: 3, Message: &raft.Message{Type: raft.MsgAppend, Number: 5, From: 1, To: 2, Term: 3,
		Index: 999, LogTerm: 3, Entries: entries, Commit: 990}}
	clock, err := NewClock()
	if err != nil {
		b.Fatal(err)
	}
	tr := steptrace.New(1, io.Discard, clock.True, slog.Default())
	b.ReportAllocs()
	for b.Loop() {
		tr.Step(step)
	}
}
