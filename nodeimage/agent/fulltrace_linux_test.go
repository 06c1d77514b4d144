package agent

import (
	"strings"
	"testing"

	"squall/nodeimage/agent/protocol"
)

// runFull starts a server that gets a pipe for its full trace.
func (h *harness) runFull(t *testing.T, args ...string) protocol.ProcInfo {
	t.Helper()
	info, err := h.Start(t.Context(), protocol.StartSpec{FullTrace: true, Argv: append([]string{"/proc/self/exe", "server"}, args...)})
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// TestFullTrace: a server gets the second pipe, and knows where; all of it comes before
// the end of the server, beside the first trace.
func TestFullTrace(t *testing.T) {
	h := newHarness(t, new(recorder))
	info := h.runFull(t, "env", "trace=3", "full=2000", "exit=0")
	h.exit(t, info.Boot)
	if n := len(h.rec.text(protocol.StreamFull)); n != 2000<<10 {
		t.Errorf("%d bytes of full trace", n)
	}
	if n := len(h.rec.text(protocol.StreamTrace)); n != 3<<10 {
		t.Errorf("%d bytes of trace", n)
	}
	if log := h.rec.text(protocol.StreamLog); !strings.Contains(log, "SQUALL_TRACE2_FD=4") {
		t.Errorf("the server's environment: %s", log)
	}
	if e, silent := h.rec.event(protocol.EventFullSilent, info.Boot); silent {
		t.Errorf("the end of a server was taken for silence: %+v", e)
	}
}

// TestNoFullTraceUnasked: without being asked, a server has no such pipe.
func TestNoFullTraceUnasked(t *testing.T) {
	h := newHarness(t, new(recorder))
	info := h.run(t, "env", "full=1", "exit=0")
	h.exit(t, info.Boot)
	if n := len(h.rec.text(protocol.StreamFull)); n != 0 {
		t.Errorf("%d bytes of full trace", n)
	}
	if log := h.rec.text(protocol.StreamLog); !strings.Contains(log, "SQUALL_TRACE_FD=3") || strings.Contains(log, "SQUALL_TRACE2_FD") {
		t.Errorf("the server's environment: %s", log)
	}
}

// TestFullTraceOfAKilledServer: what was written before a SIGKILL comes whole.
func TestFullTraceOfAKilledServer(t *testing.T) {
	h := newHarness(t, new(recorder))
	info := h.runFull(t, "full=100", "say=written", "hang")
	eventually(t, "the server to have written", func() bool { return strings.Contains(h.rec.text(protocol.StreamLog), "written") })
	if _, err := h.Kill(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.exit(t, info.Boot)
	if n := len(h.rec.text(protocol.StreamFull)); n != 100<<10 {
		t.Errorf("%d bytes of full trace", n)
	}
}

// TestSilenceOfAFullTrace: a server that closes it and runs on is told of.
func TestSilenceOfAFullTrace(t *testing.T) {
	h := newHarness(t, new(recorder))
	info := h.runFull(t, "full=1", "full-close", "hang")
	var e protocol.Event
	eventually(t, "the silence", func() (ok bool) { e, ok = h.rec.event(protocol.EventFullSilent, info.Boot); return ok })
	if !strings.Contains(e.Reason, "file descriptor 4") {
		t.Errorf("the silence: %+v", e)
	}
	if e, silent := h.rec.event(protocol.EventSilent, info.Boot); silent {
		t.Errorf("the other trace: %+v", e)
	}
}
