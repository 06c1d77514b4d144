package agent

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"squall/internal/machinetest"
	"squall/nodeimage/agent/protocol"
)

func TestExitReasons(t *testing.T) {
	h := newHarness(t, new(recorder))
	for i, c := range []struct {
		args []string
		want string
	}{
		{[]string{"say=all is well"}, "exit status 0: all is well"},
		{[]string{"say=first", "say=port taken", "exit=3"}, "exit status 3: port taken"},
		{[]string{"exit=4"}, "exit status 4"},
		{[]string{"panic=index 7 is lost"}, "exit status 2: panic: index 7 is lost"},
	} {
		info := h.run(t, c.args...)
		if info.Boot != i+1 {
			t.Errorf("boot %d, want %d", info.Boot, i+1)
		}
		e := h.exit(t, info.Boot)
		if !strings.HasPrefix(e.Reason, c.want) {
			t.Errorf("%v: reason %q, want %q", c.args, e.Reason, c.want)
		}
		if st, err := h.Process(t.Context()); err != nil || st.Running || st.ExitReason != e.Reason {
			t.Errorf("state %+v, %v", st, err)
		}
		start, _ := h.rec.event(protocol.EventStart, info.Boot)
		if start.Mono <= 0 || e.Mono < start.Mono || start.PID != info.PID {
			t.Errorf("start %+v, exit %+v", start, e)
		}
	}
}

func TestStartRefused(t *testing.T) {
	h := newHarness(t, new(recorder))
	ctx := t.Context()
	for name, c := range map[string]struct {
		spec protocol.StartSpec
		want string
	}{
		"no program":      {protocol.StartSpec{}, "no program"},
		"missing program": {protocol.StartSpec{Argv: []string{"/no/such"}}, "/no/such"},
		"not a program":   {protocol.StartSpec{Argv: []string{"/etc/passwd"}}, "permission denied"},
		"missing dir":     {protocol.StartSpec{Argv: []string{"/proc/self/exe"}, Dir: "/no/dir"}, "/no/dir"},
		"dir is a file":   {protocol.StartSpec{Argv: []string{"/proc/self/exe"}, Dir: "/etc/passwd"}, "not a directory"},
	} {
		if _, err := h.Start(ctx, c.spec); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an error with %q", name, err, c.want)
		}
	}
	if info := h.run(t, "hang"); info.Boot != 1 {
		t.Errorf("boot %d, want 1: what did not start is no boot", info.Boot)
	}
	if _, err := h.Start(ctx, protocol.StartSpec{Argv: []string{"/proc/self/exe"}}); !errors.Is(err, protocol.ErrRunning) {
		t.Errorf("a second start: %v, want ErrRunning", err)
	}
}

func TestPauseKillResume(t *testing.T) {
	h := newHarness(t, new(recorder))
	ctx := t.Context()
	for name, call := range map[string]func(context.Context) (protocol.ProcState, error){"pause": h.Pause, "resume": h.Resume} {
		if _, err := call(ctx); !errors.Is(err, protocol.ErrNotRunning) {
			t.Errorf("%s of nothing: %v, want ErrNotRunning", name, err)
		}
	}
	if st, err := h.Kill(ctx); err != nil || st.Running {
		t.Errorf("kill of nothing: %+v, %v", st, err)
	}
	info := h.run(t, "hang")
	for range 2 {
		if st, err := h.Pause(ctx); err != nil || !st.Paused() {
			t.Errorf("pause: %+v, %v", st, err)
		}
	}
	for range 2 {
		if st, err := h.Resume(ctx); err != nil || st.Paused() || !st.Running {
			t.Errorf("resume: %+v, %v", st, err)
		}
	}
	if _, err := h.Pause(ctx); err != nil {
		t.Error(err)
	}
	st, err := h.Kill(ctx)
	if err != nil || st.Running || st.ExitReason != "signal: killed" {
		t.Errorf("kill when paused: %+v, %v", st, err)
	}
	if _, err := os.Stat(fmt.Sprintf("/proc/%d", info.PID)); !os.IsNotExist(err) {
		t.Errorf("pid %d is still there: %v", info.PID, err)
	}
	h.exit(t, 1)
	want := []string{"start 1", "pause 1", "resume 1", "pause 1", "exit 1"}
	if !slices.Equal(h.rec.order, want) {
		t.Errorf("events %v, want %v", h.rec.order, want)
	}
	h.run(t, "hang")
	if st, err := h.Terminate(ctx, 5*time.Second); err != nil || st.ExitReason != "signal: terminated" {
		t.Errorf("terminate: %+v, %v", st, err)
	}
}

func TestServerHasNoCapabilities(t *testing.T) {
	h := newHarness(t, new(recorder))
	info, err := h.Start(t.Context(), protocol.StartSpec{
		Argv: []string{"/proc/self/exe", "server", "caps", "env", "hang"}, Env: []string{"A=b"},
	})
	if err != nil {
		t.Fatal(err)
	}
	const none = "0000000000000000"
	st, err := h.Process(t.Context())
	if err != nil || st.CapEff != none || st.CapPrm != none || st.PID != info.PID {
		t.Errorf("state %+v, %v, want no capabilities", st, err)
	}
	eventually(t, "the server's word", func() bool {
		return strings.Contains(h.rec.text(protocol.StreamLog), "caps "+none+"\n[A=b SQUALL_TRACE_FD=3]\n")
	})
}

func TestStdin(t *testing.T) {
	h := newHarness(t, new(recorder))
	ctx := t.Context()
	if err := h.Write(ctx, []byte("x")); !errors.Is(err, protocol.ErrNotRunning) {
		t.Errorf("writing to nothing: %v, want ErrNotRunning", err)
	}
	h.run(t, "echo")
	text := strings.Repeat("squall ", 100_000) // several requests
	if err := h.Write(ctx, []byte(text)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := h.CloseStdin(ctx); err != nil && !errors.Is(err, protocol.ErrNotRunning) {
			t.Error(err)
		}
	}
	h.exit(t, 1)
	if got := h.rec.text(protocol.StreamLog); got != text {
		t.Errorf("%d bytes came back, want %d", len(got), len(text))
	}
	// A server that does not read must not keep a kill from getting through.
	h.run(t, "hang")
	written := make(chan error, 1)
	go func() { written <- h.Write(ctx, make([]byte, 2*pipeSize)) }()
	time.Sleep(20 * time.Millisecond) // so that it mostly writes by now; it must fail in any case
	if _, err := h.Kill(ctx); err != nil {
		t.Error(err)
	}
	if err := <-written; err == nil {
		t.Error("writing to a killed server worked")
	}
}

// TestOutputBeforeExit: all output comes, and before the exit.
func TestOutputBeforeExit(t *testing.T) {
	h := newHarness(t, new(recorder))
	const kib = 3000
	h.run(t, fmt.Sprintf("trace=%d", kib), "say=done")
	h.exit(t, 1)
	if got := len(h.rec.text(protocol.StreamTrace)); got != kib<<10 {
		t.Errorf("%d bytes of trace, want %d", got, kib<<10)
	}
	if last := h.rec.order[len(h.rec.order)-1]; last != "exit 1" {
		t.Errorf("after the exit came %v", h.rec.order)
	}
}

// TestSlowReader: a reader that takes nothing for a while gets all of the
// trace in the end, and a log that says how much of it is missing.
func TestSlowReader(t *testing.T) {
	rec := &recorder{block: make(chan struct{})}
	h := newHarness(t, rec)
	const kib = 15 << 10 // beyond what the client and the agent hold for the reader
	logger := h.run(t, fmt.Sprintf("log=%d", kib))
	// The log holds nobody up: this server ends though nobody reads.
	eventually(t, "the end of the server", func() bool {
		st, err := readStat(fmt.Sprintf("/proc/%d/stat", logger.PID))
		return err != nil || st.state == 'Z'
	})
	close(rec.block)
	h.exit(t, logger.Boot)
	const note = "[squall: %d bytes of log left out]"
	got, missing := 0, 0
	for line := range strings.Lines(rec.text(protocol.StreamLog)) {
		var n int
		if _, err := fmt.Sscanf(line, note, &n); err == nil {
			missing += n
			continue
		}
		got += strings.Count(line, "l")
	}
	if got+missing != kib<<10 || missing == 0 {
		t.Errorf("%d bytes of log and %d left out, want %d together", got, missing, kib<<10)
	}
}

// TestTraceHoldsServerUp: the server waits for a reader of its trace, and none
// of it is lost.
func TestTraceHoldsServerUp(t *testing.T) {
	rec := &recorder{block: make(chan struct{})}
	h := newHarness(t, rec)
	const kib = 11 << 10
	tracer := h.run(t, fmt.Sprintf("trace=%d", kib))
	time.Sleep(100 * time.Millisecond) // in which it may not end
	if st, err := readStat(fmt.Sprintf("/proc/%d/stat", tracer.PID)); err != nil || st.state == 'Z' {
		t.Errorf("the server did not wait: %c, %v", st.state, err)
	}
	// A fault must not wait for a reader that is behind.
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := h.Pause(ctx); err != nil {
		t.Errorf("pause while nobody reads: %v", err)
	}
	if _, err := h.Resume(ctx); err != nil {
		t.Errorf("resume while nobody reads: %v", err)
	}
	close(rec.block)
	h.exit(t, tracer.Boot)
	if got := len(rec.text(protocol.StreamTrace)); got != kib<<10 {
		t.Errorf("%d bytes of trace, want %d", got, kib<<10)
	}
}

// TestGrandchild: one that keeps the pipes open does not keep the exit back.
func TestGrandchild(t *testing.T) {
	h := newHarness(t, new(recorder))
	h.run(t, "child", "exit=1")
	h.exit(t, 1)
	_, pid, _ := strings.Cut(strings.TrimSpace(h.rec.text(protocol.StreamLog)), "child ")
	n, err := strconv.Atoi(pid)
	if err != nil {
		t.Fatalf("log %q: %v", h.rec.text(protocol.StreamLog), err)
	}
	child, err := os.FindProcess(n)
	if err != nil {
		t.Fatal(err)
	}
	child.Kill()
}

func TestProbes(t *testing.T) {
	h := newHarness(t, new(recorder))
	ctx := t.Context()
	lo := netip.MustParseAddr("127.0.0.1")
	if err := h.ProbeSend(ctx, 7, []netip.Addr{lo}, h.port); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the probe", func() bool {
		from, err := h.ProbeHeard(ctx, 7)
		return err == nil && slices.Equal(from, []netip.Addr{lo})
	})
	if from, err := h.ProbeHeard(ctx, 8); err != nil || len(from) != 0 {
		t.Errorf("of a probe that nobody sent: %v, %v", from, err)
	}
	gone := netip.AddrPortFrom(machinetest.Address(), 7000)
	errs, err := h.Connect(ctx, []netip.AddrPort{netip.AddrPortFrom(lo, h.port), gone}, time.Second)
	if err != nil || errs[0] != "" || !strings.Contains(errs[1], "refused") {
		t.Errorf("connect: %q, %v", errs, err)
	}
}

func TestProbesAreBounded(t *testing.T) {
	p := new(prober)
	a := netip.MustParseAddr("198.18.0.1")
	for n := range uint64(maxProbes) {
		p.heard = append(p.heard, probe{nonce: n, from: a, at: time.Now()})
	}
	const more = 100
	for n := range uint64(more * 2) {
		p.remember(maxProbes+n/2, a) // each twice
	}
	if len(p.heard) > maxProbes || len(p.heardFrom(maxProbes+more-1)) != 1 || len(p.heardFrom(0)) != 0 {
		t.Errorf("%d probes are kept, the first and the last of them %d and %d",
			len(p.heard), p.heard[0].nonce, p.heard[len(p.heard)-1].nonce)
	}
	old := &p.heard[0]
	old.at = time.Now().Add(-2 * probeMemory)
	if nonce := old.nonce; len(p.heardFrom(nonce)) != 0 {
		t.Error("an old probe is still heard")
	}
}

func TestShutdown(t *testing.T) {
	h := newHarness(t, new(recorder))
	h.run(t, "hang")
	if err := h.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-h.Done()
	if err := <-h.ended; err != nil {
		t.Errorf("the agent ended with %v", err)
	}
	h.ended <- nil // for the clean-up
	if e, ok := h.rec.event(protocol.EventExit, 1); !ok || e.Reason != "signal: killed" {
		t.Errorf("the server's exit: %+v, %v", e, ok)
	}
}

func TestEndOfInputKillsServer(t *testing.T) {
	h := newHarness(t, new(recorder))
	info := h.run(t, "hang")
	h.Close()
	h.ended <- <-h.ended // it may complain that nobody takes its output either
	if _, err := os.Stat(fmt.Sprintf("/proc/%d", info.PID)); !os.IsNotExist(err) {
		t.Errorf("pid %d outlives its agent: %v", info.PID, err)
	}
}

func TestBadRequests(t *testing.T) {
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	ended := make(chan error)
	go func() {
		ended <- Run(context.Background(), Options{In: inR, Out: outW, Log: t.Output(), ProbePort: freePort(t)})
	}()
	out := bufio.NewReader(outR)
	for _, c := range []struct{ request, want string }{
		{`{"id":1,"m":"fly"}`, `no method \"fly\"`},
		{`{"id":2,"m":"net","p":{"cut":[{"from":"nobody"}]}}`, "bad-request"},
		{`{"id":3,"m":"write"}`, "bad-request"},
		{`{"id":4,"m":"net","p":{"cut":[{"from":"0.0.0.0"}]}}`, "not the address of one machine"},
		{`{"id":5,"m":"probe-send","p":{"nonce":1,"to":["127.0.0.1"]}}`, "no port"},
	} {
		frame, _ := protocol.AppendFrame(nil, protocol.KindRequest, []byte(c.request))
		inW.Write(frame)
		if _, reply, err := protocol.ReadFrame(out); err != nil || !strings.Contains(string(reply), c.want) {
			t.Errorf("%s: %s, %v, want %s", c.request, reply, err, c.want)
		}
	}
	inW.Write([]byte("this is not a frame"))
	if err := <-ended; !errors.Is(err, protocol.ErrFrame) {
		t.Errorf("the agent ended with %v, want ErrFrame", err)
	}
}
