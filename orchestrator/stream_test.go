package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"squall/history"
	"squall/nodeimage/agent/protocol"
	"squall/orchestrator/machines"
	"squall/workloads/driver"
)

// sink collects what nodes report.
type sink struct {
	events []history.NodeEvent
	errs   []error
}

func (s *sink) event(e history.NodeEvent) { s.events = append(s.events, e) }
func (s *sink) broken(err error)          { s.errs = append(s.errs, err) }

// namedMachine is a machine of which only the name matters.
type namedMachine struct {
	machines.Machine
	name string
}

func (m namedMachine) Name() string { return m.name }

// pieces cuts text at random places, as a pipe does.
func pieces(t *rapid.T, text string) [][]byte {
	var cut [][]byte
	for len(text) > 0 {
		n := rapid.IntRange(1, len(text)).Draw(t, "piece")
		cut, text = append(cut, []byte(text[:n])), text[n:]
	}
	return cut
}

func TestTraceLinesSurviveAnyCut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lines := rapid.IntRange(0, 20).Draw(t, "lines")
		text := ""
		for i := range lines {
			text += fmt.Sprintf(`{"e":"commit","t":%d,"i":%d,"h":"00"}`+"\n", 1000+i, i+1)
		}
		var s sink
		n := &node{machine: namedMachine{name: "n3"}, sink: &s, log: io.Discard}
		for _, piece := range pieces(t, text) {
			n.Stream(protocol.StreamTrace, 2, piece)
		}
		if len(s.events) != lines || len(s.errs) > 0 {
			t.Fatalf("%d events of %d lines, errors %v", len(s.events), lines, s.errs)
		}
		for i, e := range s.events {
			if e.Node != "n3" || e.Boot != 2 || e.Index != uint64(i+1) {
				t.Fatalf("event %d is %+v", i, e)
			}
		}
	})
}

// A SIGKILL may cut a line in two. Its rest never comes, and what the next boot
// writes must not be taken for it.
func TestALineCutByAKillIsDropped(t *testing.T) {
	var s sink
	n := &node{machine: namedMachine{name: "n1"}, sink: &s, log: io.Discard}
	n.Stream(protocol.StreamTrace, 1, []byte(`{"e":"role","t":1,"role":"leader"}`+"\n"+`{"e":"comm`))
	n.Stream(protocol.StreamTrace, 2, []byte(`{"e":"role","t":2,"role":"follower"}`+"\n"))
	if len(s.events) != 2 || len(s.errs) != 0 || s.events[1].Boot != 2 {
		t.Errorf("events %+v, errors %v", s.events, s.errs)
	}
}

func TestAnExitIsToldFromACrash(t *testing.T) {
	var s sink
	n := &node{machine: namedMachine{name: "n1"}, sink: &s, log: io.Discard, current: 3}
	n.expectEnd(history.ReasonKilled)
	n.current = 4 // it was started again before the event of its end was handled
	n.Event(protocol.Event{Kind: protocol.EventExit, Boot: 3, Reason: "signal: killed"})
	n.Event(protocol.Event{Kind: protocol.EventExit, Boot: 4, Reason: "exit status 2: panic"})
	if s.events[0].Reason != history.ReasonKilled || s.events[1].Reason != "exit status 2: panic" {
		t.Errorf("reasons %q and %q", s.events[0].Reason, s.events[1].Reason)
	}
}

func TestOperationsSurviveAnyCut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var want strings.Builder
		for i := range rapid.IntRange(0, 30).Draw(t, "lines") {
			fmt.Fprintf(&want, `{"op":"ok","p":%d}`+"\n", i)
		}
		var got []byte
		l := newLoader()
		l.lines = func(lines []byte) error {
			if lines[len(lines)-1] != '\n' {
				t.Fatalf("half a line was handed on: %q", lines)
			}
			got = append(got, lines...)
			return nil
		}
		for _, piece := range pieces(t, want.String()) {
			l.Stream(protocol.StreamTrace, 1, piece)
		}
		if string(got) != want.String() {
			t.Fatalf("got %q, want %q", got, want.String())
		}
	})
}

func TestAHistoryThatCannotBeWrittenIsNoticed(t *testing.T) {
	var s sink
	l := newLoader()
	l.sink, l.lines = &s, func([]byte) error { return errors.New("no space left on device") }
	l.Stream(protocol.StreamTrace, 1, []byte("{}\n"))
	if len(s.errs) != 1 || !strings.Contains(s.errs[0].Error(), "no space left") {
		t.Errorf("errors %v", s.errs)
	}
}

func TestAwaitingTheDriver(t *testing.T) {
	var s guarded
	l := newLoader()
	l.log, l.sink = io.Discard, &s
	l.status = func(driver.Event) {}
	go l.Stream(protocol.StreamLog, 1, []byte("connecting\n{\"event\":\"load-begin\",\"t\":1}\n"))
	if err := l.await(t.Context(), driver.EventLoadBegin); err != nil {
		t.Fatal(err)
	}
	go l.Event(protocol.Event{Kind: protocol.EventExit, Reason: "exit status 1: no such workload"})
	err := l.await(t.Context(), driver.EventLoadEnd)
	if err == nil || !strings.Contains(err.Error(), `"load-end": the driver ended: exit status 1: no such workload`) {
		t.Errorf("await after the driver's end: %v", err)
	}
	if err := l.awaitExit(t.Context()); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := newLoader().awaitExit(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("awaitExit of a driver that does not end: %v", err)
	}
}
