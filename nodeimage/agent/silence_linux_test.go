package agent

import (
	"slices"
	"testing"

	"squall/nodeimage/agent/protocol"
)

// TestSilence: a server that closes its trace and runs on is told of, once, after
// everything that it wrote there.
func TestSilence(t *testing.T) {
	h := newHarness(t, new(recorder))
	h.run(t, "trace=64", "trace-close", "say=closed", "hang")
	var e protocol.Event
	eventually(t, "the silence", func() (ok bool) { e, ok = h.rec.event(protocol.EventSilent, 1); return ok })
	if e.PID == 0 || e.Mono == 0 || e.Reason == "" {
		t.Errorf("the silence: %+v", e)
	}
	if got := len(h.rec.text(protocol.StreamTrace)); got != 64<<10 {
		t.Errorf("%d bytes of trace came before it", got)
	}
	if _, err := h.Kill(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.exit(t, 1)
	h.rec.mu.Lock()
	defer h.rec.mu.Unlock()
	count := 0
	for _, e := range h.rec.events {
		if e.Kind == protocol.EventSilent {
			count++
		}
	}
	silent, trace := slices.Index(h.rec.order, "silent 1"), slices.Index(h.rec.order, "trace 1")
	if count != 1 || trace < 0 || silent < trace {
		t.Errorf("%d silences; in this order: %q", count, h.rec.order)
	}
}

// TestAnEndIsNoSilence: however a server ends, the end of its trace is not taken
// for more than that.
func TestAnEndIsNoSilence(t *testing.T) {
	h := newHarness(t, new(recorder))
	for _, args := range [][]string{{"trace=1", "exit=0"}, {"exit=3"}, {"panic=no"}, {"trace=1", "trace-close", "exit=0"}} {
		for range 5 {
			info := h.run(t, args...)
			h.exit(t, info.Boot)
			if args[1%len(args)] == "trace-close" { // it may have been seen alive in between
				continue
			}
			if e, silent := h.rec.event(protocol.EventSilent, info.Boot); silent {
				t.Errorf("a server that ran %q: %+v", args, e)
			}
		}
	}
	for range 10 {
		info := h.run(t, "trace=1", "hang")
		if _, err := h.Kill(t.Context()); err != nil {
			t.Fatal(err)
		}
		h.exit(t, info.Boot)
		if e, silent := h.rec.event(protocol.EventSilent, info.Boot); silent {
			t.Errorf("a server that was killed: %+v", e)
		}
	}
}

// TestKillsForMemoryAreCounted: the exit says whether the kernel killed for want of
// memory while the process ran, and not before.
func TestKillsForMemoryAreCounted(t *testing.T) {
	kills := uint64(4) // before the process began
	s := &supervisor{wrap: []string{"/proc/self/exe", "exec"}, out: newFrameWriter(nil), oomKills: func() uint64 { return kills }}
	events := make(chan protocol.Event, 10)
	s.emit = func(e protocol.Event) { events <- e }
	for _, test := range []struct {
		more uint64
		want bool
	}{{0, false}, {1, true}, {0, false}} {
		if _, err := s.start(protocol.StartSpec{Argv: []string{"/proc/self/exe", "server", "hang"}}); err != nil {
			t.Fatal(err)
		}
		<-events
		kills += test.more
		if err := s.kill(); err != nil {
			t.Fatal(err)
		}
		if e := <-events; e.Kind != protocol.EventExit || e.OOM != test.want {
			t.Errorf("after %d more kills: %+v", test.more, e)
		}
		s.drain()
	}
}
