package trace

import (
	"bytes"
	"testing"
)

// load is what a leader of five writes while it serves: appends and their answers, above
// all.
func load(n int) []Event {
	events := []Event{{Kind: Start, Node: 1, Members: []NodeID{1, 2, 3, 4, 5}}}
	for i := uint64(1); len(events) < n; i++ {
		run := []Run{{First: i * 10, Count: 10, Term: 7}}
		events = append(events, Event{Kind: Append, Runs: run})
		for id := NodeID(2); id <= 5; id++ {
			events = append(events, Event{Kind: Send, Message: &Message{Type: AppendEntries, Number: 8*i + uint64(id),
				From: 1, To: id, Term: 7, Mark: Mark{i*10 - 1, 7}, Runs: run, Commit: i*10 - 30}})
		}
		events = append(events, Event{Kind: Persist, Mark: Mark{i*10 + 9, 7}, Vote: 1})
		for id := NodeID(2); id <= 5; id++ {
			events = append(events, Event{Kind: Receive, Message: &Message{Type: AppendReply, Number: 3 * i,
				From: id, To: 1, Term: 7, Mark: Mark{i*10 + 9, 0}}})
		}
		events = append(events, Event{Kind: Commit, Mark: Mark{i*10 + 9, 7}, Hash: i * 0x9e3779b97f4a7c15},
			Event{Kind: Apply, Mark: Mark{i*10 + 9, 7}})
	}
	for i := range events {
		events[i].Term, events[i].Time = 7, 86_400_000_000_000+int64(i)*3000
	}
	return events
}

func BenchmarkDecode(b *testing.B) {
	events := load(100_000)
	data := encode(b, events)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		r := NewReader(bytes.NewReader(data))
		for range events {
			if _, err := r.Next(); err != nil {
				b.Fatal(err)
			}
		}
	}
	reportRate(b, len(events))
}

func BenchmarkEncode(b *testing.B) {
	events := load(100_000)
	buf := make([]byte, 0, 2*len(encode(b, events)))
	b.ReportAllocs()
	for b.Loop() {
		var enc Encoder
		buf = buf[:0]
		for i := range events {
			var err error
			if buf, err = enc.Append(buf, &events[i]); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.SetBytes(int64(len(buf)))
	reportRate(b, len(events))
}

func reportRate(b *testing.B, events int) {
	b.ReportMetric(float64(events)*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mevents/s")
}
