package raft_test

import (
	"bytes"
	"io"
	"testing"
	"time"

	"squall/history/trace"
	"squall/nodeimage/raft"
	"squall/nodeimage/raft/steptrace"
)

// TestStepsAsATrace: what a storm's steps become as events survives the binary form: each
// node's trace, decoded, says the same as the events that were made of the steps.
func TestStepsAsATrace(t *testing.T) {
	type boot struct {
		id   raft.NodeID
		boot int
	}
	var (
		now    time.Duration
		event  trace.Event
		msg    trace.Message
		texts  = map[boot][]string{}
		files  = map[boot]*bytes.Buffer{}
		writer = map[boot]*steptrace.Tracer{}
	)
	failure := raft.SimulateSteps(4, 3, func(id raft.NodeID, n int, at time.Duration, s *raft.Step) {
		key := boot{id, n}
		if writer[key] == nil {
			files[key] = &bytes.Buffer{}
			writer[key] = steptrace.New(id, files[key], func() time.Duration { return now }, nil)
		}
		now = at
		writer[key].Step(s)
		steptrace.Event(&event, &msg, s)
		event.Node, event.Time = trace.NodeID(id), int64(at)
		texts[key] = append(texts[key], event.String())
	})
	if failure != "" {
		t.Fatal(failure)
	}
	events := 0
	for key, w := range writer {
		w.Sync()
		r := trace.NewReader(files[key])
		for i, want := range texts[key] {
			e, err := r.Next()
			if err != nil {
				t.Fatalf("%v, event %d: %v", key, i, err)
			}
			if got := e.String(); got != want {
				t.Fatalf("%v, event %d: %s, want %s", key, i, got, want)
			}
			events++
		}
		if _, err := r.Next(); err != io.EOF {
			t.Errorf("%v: after the last event: %v", key, err)
		}
	}
	if len(writer) < 4 || events < 10_000 {
		t.Errorf("%d boots and %d events: too little to mean anything", len(writer), events)
	}
}
