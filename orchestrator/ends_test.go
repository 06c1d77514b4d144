package orchestrator

import (
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"squall/history"
	"squall/nodeimage/agent/protocol"
	"squall/workloads/driver"
)

// TestWhoEndedAServer: an end is the server's own, squall's or somebody else's.
func TestWhoEndedAServer(t *testing.T) {
	for name, test := range map[string]struct {
		memory   int64 // the test's limit
		squeezed bool
		expected string
		exit     protocol.Event
		want     string
	}{
		"SIGKILL of somebody else":   {exit: protocol.Event{Reason: "signal: killed"}, want: history.ReasonOutside},
		"SIGKILL within a limit":     {memory: 64 << 20, exit: protocol.Event{Reason: "signal: killed"}, want: history.ReasonOutside},
		"SIGTERM of somebody else":   {exit: protocol.Event{Reason: "signal: terminated: a last line"}, want: "killed from outside (SIGTERM)"},
		"SIGINT of somebody else":    {exit: protocol.Event{Reason: "signal: interrupt"}, want: "killed from outside (SIGINT)"},
		"its own limit":              {memory: 64 << 20, exit: protocol.Event{Reason: "signal: killed", OOM: true}, want: history.ReasonOwnLimit},
		"squall's limit":             {memory: 64 << 20, squeezed: true, exit: protocol.Event{Reason: "signal: killed", OOM: true}, want: history.ReasonOOM},
		"the host's":                 {exit: protocol.Event{Reason: "signal: killed", OOM: true}, want: "killed from outside (SIGKILL by the kernel: the host was out of memory)"},
		"squall":                     {memory: 64 << 20, expected: history.ReasonKilled, exit: protocol.Event{Reason: "signal: killed", OOM: true}, want: history.ReasonKilled},
		"squall, politely":           {expected: history.ReasonStopped, exit: protocol.Event{Reason: "signal: terminated"}, want: history.ReasonStopped},
		"squall, for want of memory": {expected: history.ReasonOOM, exit: protocol.Event{Reason: "signal: killed", OOM: true}, want: history.ReasonOOM},
		"a panic":                    {exit: protocol.Event{Reason: "exit status 2: panic: x"}, want: "exit status 2: panic: x"},
		"a panic when starved":       {expected: history.ReasonOOM, exit: protocol.Event{Reason: "exit status 2: fatal error: out of memory", OOM: true}, want: "exit status 2: fatal error: out of memory"},
		"a crash":                    {exit: protocol.Event{Reason: "signal: segmentation fault"}, want: "signal: segmentation fault"},
		"an abort that says killed":  {exit: protocol.Event{Reason: "exit status 1: signal: killed"}, want: "exit status 1: signal: killed"},
	} {
		t.Run(name, func(t *testing.T) {
			var s sink
			n := &node{machine: namedMachine{name: "n1"}, sink: &s, log: io.Discard, current: 1, memory: test.memory}
			n.squeezed.Store(test.squeezed)
			if test.expected != "" {
				n.expectEnd(test.expected)
			}
			test.exit.Kind, test.exit.Boot = protocol.EventExit, 1
			n.Event(test.exit)
			if len(s.events) != 1 || s.events[0].Reason != test.want {
				t.Errorf("recorded %+v, want the reason %q", s.events, test.want)
			}
		})
	}
}

// TestTheDriversEndIsNoticed: at once, by name, unless it was told to end.
func TestTheDriversEndIsNoticed(t *testing.T) {
	for name, test := range map[string]struct {
		exit    protocol.Event
		says    string // an error that it told of before
		leaving bool
		want    string
	}{
		"killed":    {exit: protocol.Event{Reason: "signal: killed"}, want: "ended in the middle of the test: killed from outside (SIGKILL)"},
		"no memory": {exit: protocol.Event{Reason: "signal: killed", OOM: true}, want: "killed by the kernel: out of memory"},
		"a panic":   {exit: protocol.Event{Reason: "exit status 2: panic: x"}, want: "exit status 2: panic: x"},
		"an error":  {exit: protocol.Event{Reason: "exit status 1"}, says: "no such workload", want: "gave up: no such workload; its log is nodes/driver/server.log"},
		"told to":   {exit: protocol.Event{Reason: "exit status 0"}, leaving: true},
	} {
		t.Run(name, func(t *testing.T) {
			var s sink
			l := newLoader()
			l.sink, l.log, l.status, l.leaving = &s, io.Discard, func(driver.Event) {}, test.leaving
			if test.says != "" {
				l.Stream(protocol.StreamLog, 1, []byte(`{"event":"error","t":1,"error":"`+test.says+`"}`+"\n"))
			}
			test.exit.Kind = protocol.EventExit
			l.Event(test.exit)
			if test.want == "" {
				if len(s.errs) > 0 {
					t.Errorf("an end that was asked for: %v", s.errs)
				}
				return
			}
			if len(s.errs) != 1 || !strings.Contains(s.errs[0].Error(), test.want) || !strings.Contains(s.errs[0].Error(), "the driver") {
				t.Errorf("told %v, want %q", s.errs, test.want)
			}
		})
	}
}

// TestADriverThatClosesItsHistory is ending, and tells why with its end; one that runs
// on has lost what its clients did.
func TestADriverThatClosesItsHistory(t *testing.T) {
	for name, test := range map[string]struct {
		ends    time.Duration // after that; 0: it does not
		leaving bool          // it was told to quit
		want    string
	}{
		"ends":         {ends: time.Second, want: "gave up: no clients"},
		"runs on":      {want: "closed its history and runs on"},
		"told to quit": {leaving: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var s sink
				l := newLoader()
				l.sink, l.log, l.status, l.leaving = &s, io.Discard, func(driver.Event) {}, test.leaving
				l.Stream(protocol.StreamLog, 1, []byte(`{"event":"error","t":1,"error":"no clients"}`+"\n"))
				l.Event(protocol.Event{Kind: protocol.EventSilent})
				if test.ends > 0 {
					time.Sleep(test.ends)
					l.Event(protocol.Event{Kind: protocol.EventExit, Reason: "exit status 1"})
				}
				time.Sleep(time.Minute)
				synctest.Wait()
				if test.want == "" {
					if len(s.errs) > 0 {
						t.Errorf("told %v", s.errs)
					}
				} else if len(s.errs) != 1 || !strings.Contains(s.errs[0].Error(), test.want) {
					t.Errorf("told %v, want %q", s.errs, test.want)
				}
			})
		})
	}
}

// FuzzDriver: whatever comes from the driver's machine, in whatever pieces, only
// whole lines are handed on, nothing is kept without bound, and nothing panics.
func FuzzDriver(f *testing.F) {
	f.Add([]byte("connecting\n{\"event\":\"load-begin\",\"t\":1}\n"), uint8(9), true)
	f.Add([]byte(`{"event":"stats","t":1,"ok":3,"latency":{"count":-1}}`+"\n"), uint8(1), true)
	f.Add([]byte(`{"op":"ok","p":1,"n":"n1","f":"read","k":"x","r":null,"t":5,"d":3}`+"\n{"), uint8(50), false)
	f.Fuzz(func(t *testing.T, data []byte, size uint8, status bool) {
		var s sink
		l := newLoader()
		l.sink, l.log, l.status = &s, io.Discard, func(driver.Event) {}
		handed := 0
		l.lines = func(lines []byte) error {
			if len(lines) == 0 || lines[len(lines)-1] != '\n' {
				t.Fatalf("half a line was handed on: %q", lines)
			}
			handed += len(lines)
			return nil
		}
		id := protocol.StreamTrace
		if status {
			id = protocol.StreamLog
		}
		for rest := data; len(rest) > 0; {
			piece := rest[:min(len(rest), int(size)+1)]
			l.Stream(id, 1, append([]byte(nil), piece...))
			rest = rest[len(piece):]
		}
		if !status && len(s.errs) == 0 && handed+len(l.trace) != len(data) {
			t.Fatalf("of %d bytes %d were handed on and %d kept", len(data), handed, len(l.trace))
		}
		if len(l.trace) > maxOpLine || len(l.out.part) > maxStatusLine {
			t.Fatal("more is kept than may be")
		}
	})
}
