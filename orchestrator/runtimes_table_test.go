package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"squall/internal/machinetest"
	"squall/nodeimage/agent/protocol"
	"squall/orchestrator/machines"
)

func TestServer(t *testing.T) { onEach(t, server) }

func server(t *testing.T, h testHost) {
	m := up(t, h, spec(t, h, "n1")).Machine("n1")
	c, out := command(t, m)
	ctx := t.Context()

	hello, err := c.Hello(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if hello.PID != 1 || hello.Hostname != "n1" || !slices.Equal(withoutResource(hello.Capabilities), []string{"KILL", "NET_ADMIN", "NET_RAW", "SETGID", "SETUID"}) {
		t.Errorf("the agent is %+v, want process 1 on n1 with what it needs alone", hello)
	}
	if _, err := c.Start(ctx, protocol.StartSpec{Argv: []string{"/nowhere"}}); err == nil || !strings.Contains(err.Error(), "/nowhere") {
		t.Errorf("starting what is not there: %v, want an error that names it", err)
	}
	first, err := c.Start(ctx, idle())
	if err != nil {
		t.Fatal(err)
	}
	st, err := c.Process(ctx)
	if err != nil {
		t.Fatal(err)
	}
	const none = "0000000000000000"
	if !st.Running || st.PID != first.PID || st.CapEff != none || st.CapPrm != none {
		t.Errorf("the server is %+v, want it running without capabilities", st)
	}
	eventually(t, "the server's own word on its capabilities", func() bool {
		return strings.Contains(out.text(), "CapEff:\t"+none) && strings.Contains(out.text(), "NoNewPrivs:\t1")
	})
	if st, err := c.Pause(ctx); err != nil || !st.Paused() {
		t.Errorf("pause: %+v, %v", st, err)
	}
	if st, err := c.Kill(ctx); err != nil || st.Running || st.ExitReason != "signal: killed" {
		t.Errorf("kill of a paused server: %+v, %v", st, err)
	}
	second, err := c.Start(ctx, idle())
	if err != nil || second.Boot != first.Boot+1 {
		t.Errorf("second start: %+v, %v", second, err)
	}
	eventually(t, "the events of both boots", func() bool {
		return slices.Equal(out.kinds(), []string{"start 1", "pause 1", "exit 1", "start 2"})
	})
	if death := m.Death(ctx); death != "" {
		t.Errorf("a running machine died of %q", death)
	}
	if err := c.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	<-c.Done()
	if death := m.Death(ctx); !endedWell(death) {
		t.Errorf("death after a shutdown: %q, want one with status 0", death)
	}
}

// withoutResource leaves out the right that an agent keeps where its
// oom_score_adj may be lowered, which it may not be everywhere.
func withoutResource(capabilities []string) []string {
	return slices.DeleteFunc(slices.Clone(capabilities), func(c string) bool { return c == "SYS_RESOURCE" })
}

// endedWell reports whether a machine ended by itself with status 0.
func endedWell(death string) bool {
	return strings.Contains(death, "exit code 0") || strings.Contains(death, "exit status 0")
}

// TestDropOneWay cuts n2 → n1 and finds that only this direction is cut.
func TestDropOneWay(t *testing.T) { onEach(t, dropOneWay) }

func dropOneWay(t *testing.T, h testHost) {
	cl := up(t, h, spec(t, h, "n1", "n2", "n3"))
	ctx := t.Context()
	names := []string{"n1", "n2", "n3"}
	clients := make(map[string]*protocol.Client)
	addrs := make(map[string]netip.Addr)
	for _, n := range names {
		clients[n], _ = command(t, cl.Machine(n))
		addrs[n] = cl.Machine(n).Addr()
	}
	nonce := uint64(0)
	// heard probes every direction; "n1<n2" is that n1 heard n2.
	heard := func() string {
		nonce++
		for _, n := range names {
			var to []netip.Addr
			for _, o := range names {
				if o != n {
					to = append(to, addrs[o])
				}
			}
			if err := clients[n].ProbeSend(ctx, nonce, to, protocol.ProbePort); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(100 * time.Millisecond) // on their way; what comes later is lost to this try alone
		var pairs []string
		for _, n := range names {
			from, err := clients[n].ProbeHeard(ctx, nonce)
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range names {
				if slices.Contains(from, addrs[o]) {
					pairs = append(pairs, n+"<"+o)
				}
			}
		}
		return strings.Join(pairs, " ")
	}
	// On a busy computer a probe may come too late to be counted; then the
	// next ones count. That a cut is not mere lateness, the counters show.
	want := func(when, pairs string) {
		t.Helper()
		eventually(t, when+": "+pairs, func() bool { return heard() == pairs })
	}
	const all = "n1<n2 n1<n3 n2<n1 n2<n3 n3<n1 n3<n2"
	want("before", all)
	if err := clients["n1"].Net(ctx, protocol.NetState{Cut: []protocol.Cut{{From: addrs["n2"]}}}); err != nil {
		t.Fatal(err)
	}
	want("with n2 → n1 cut", "n1<n3 n2<n1 n2<n3 n3<n1 n3<n2")
	c, err := clients["n1"].NetCounters(ctx)
	if err != nil || len(c.Cut) != 1 || c.Cut[0].From != addrs["n2"] || c.Cut[0].Packets < 3 {
		t.Errorf("dropped: %+v, %v, want 3 packets of n2 or more", c, err)
	}
	errs, err := clients["n1"].Connect(ctx, []netip.AddrPort{
		netip.AddrPortFrom(addrs["n2"], protocol.ProbePort), netip.AddrPortFrom(addrs["n3"], protocol.ProbePort),
	}, time.Second)
	if err != nil || errs[0] == "" || errs[1] != "" {
		t.Errorf("connecting to n2 and n3: %q, %v, want only n3 to answer", errs, err)
	}
	if err := clients["n1"].Net(ctx, protocol.NetState{}); err != nil {
		t.Fatal(err)
	}
	want("healed", all)
	if c, err := clients["n1"].NetCounters(ctx); err != nil || len(c.Cut)+len(c.Shape) != 0 {
		t.Errorf("dropped when healed: %+v, %v", c, err)
	}
}

// TestBadLink: a machine of every runtime may do what bad links need.
func TestBadLink(t *testing.T) { onEach(t, badLink) }

func badLink(t *testing.T, h testHost) {
	cl := up(t, h, spec(t, h, "n1", "n2"))
	ctx := t.Context()
	n1, _ := command(t, cl.Machine("n1"))
	n2, _ := command(t, cl.Machine("n2"))
	features, err := n1.Features(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{protocol.FeatureCut, protocol.FeatureReject, protocol.FeatureQueue, protocol.FeatureRaw} {
		if why, ok := features[name]; !ok || why != "" {
			t.Errorf("%s: %q", name, why)
		}
	}
	const delay, count = 50 * time.Millisecond, 50
	to := cl.Machine("n2").Addr()
	if err := n1.Net(ctx, protocol.NetState{Shape: []protocol.Shape{{To: to, Delay: delay, Duplicate: 1}}}); err != nil {
		t.Fatal(err)
	}
	sent, err := n1.FlowSend(ctx, protocol.FlowSpec{
		Nonce: 1, To: []netip.Addr{to}, Port: protocol.ProbePort, Count: count, Interval: time.Millisecond, Wait: 10 * time.Second,
	})
	if err != nil || sent[0].Answered != count || sent[0].RTT.Min < delay {
		t.Errorf("sent %+v, %v, want all answered after %v", sent, err, delay)
	}
	eventually(t, "every datagram to arrive twice", func() bool {
		heard, err := n2.FlowHeard(ctx, 1)
		return err == nil && len(heard) == 1 && heard[0].Received == count && heard[0].Duplicates == count && heard[0].Delay.Min >= delay
	})
	if err := n1.Net(ctx, protocol.NetState{}); err != nil {
		t.Fatal(err)
	}
	if c, err := n1.NetCounters(ctx); err != nil || len(c.Cut)+len(c.Shape) != 0 {
		t.Errorf("mended: %+v, %v", c, err)
	}
}

func TestLostMachine(t *testing.T) { onEach(t, lostMachine) }

func lostMachine(t *testing.T, h testHost) {
	names := []string{"n1", "n2", "n3", "n4"}
	cl := up(t, h, spec(t, h, names...))
	for _, name := range names { // the end of each is noticed while the others live
		m := cl.Machine(name)
		c, _ := command(t, m)
		if _, err := c.Hello(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := m.Kill(t.Context()); err != nil {
			t.Fatal(err)
		}
		select {
		case <-c.Done():
		case <-time.After(2 * time.Minute):
			t.Fatalf("the end of %s goes unnoticed", name)
		}
		if _, err := c.Clock(t.Context()); !errors.Is(err, protocol.ErrAgentGone) {
			t.Errorf("a call to a lost machine: %v, want ErrAgentGone", err)
		}
		if death := m.Death(t.Context()); !strings.Contains(death, "killed") {
			t.Errorf("death: %q, want that it was killed", death)
		}
	}
}

// TestAgentLeavesWithStdin is what stops the machines of a killed squall.
func TestAgentLeavesWithStdin(t *testing.T) { onEach(t, agentLeavesWithStdin) }

func agentLeavesWithStdin(t *testing.T, h testHost) {
	m := up(t, h, spec(t, h, "n1")).Machine("n1")
	c, _ := command(t, m)
	if _, err := c.Start(t.Context(), idle()); err != nil {
		t.Fatal(err)
	}
	c.Close()
	var death string
	eventually(t, "the machine's end", func() bool {
		death = m.Death(t.Context())
		return death != ""
	})
	if !endedWell(death) {
		t.Errorf("death: %q, want one with status 0", death)
	}
}

// TestTraceIsWhole lets a server write much more trace than anything on the
// way holds, kills nothing, and counts.
func TestTraceIsWhole(t *testing.T) { onEach(t, traceIsWhole) }

func traceIsWhole(t *testing.T, h testHost) {
	m := up(t, h, spec(t, h, "n1")).Machine("n1")
	c, out := command(t, m)
	const mib = 64
	begin := time.Now()
	if _, err := c.Start(t.Context(), idle("-trace", fmt.Sprint(mib))); err != nil {
		t.Fatal(err)
	}
	var slowest time.Duration
	eventually(t, "the whole trace", func() bool {
		asked := time.Now()
		if _, err := c.Clock(t.Context()); err != nil {
			t.Fatal(err)
		}
		slowest = max(slowest, time.Since(asked))
		return out.traced() >= mib<<20
	})
	took := time.Since(begin)
	t.Logf("%d MiB of trace in %v: %.0f MB/s; slowest reply meanwhile %v", mib, took, mib*1.048576/took.Seconds(), slowest)
	if got := out.traced(); got != mib<<20 {
		t.Errorf("%d bytes of trace arrived, want %d", got, mib<<20)
	}
}

// TestTwoRunsAtOnce finds that neither hears the other, whatever addresses
// they have.
func TestTwoRunsAtOnce(t *testing.T) { onEach(t, twoRunsAtOnce) }

func twoRunsAtOnce(t *testing.T, h testHost) {
	specs := []machines.ClusterSpec{spec(t, h, "n1", "n2"), spec(t, h, "n1", "n2")}
	clusters := make([]machines.Cluster, len(specs))
	var wg sync.WaitGroup
	for i, s := range specs {
		wg.Go(func() {
			var err error
			if clusters[i], err = h.Up(t.Context(), s); err != nil {
				t.Error(err)
				return
			}
			t.Cleanup(func() { _ = clusters[i].Down(context.Background()) })
		})
	}
	wg.Wait()
	var addrs []netip.Addr
	for _, c := range clusters {
		if c == nil {
			t.FailNow()
		}
		addrs = append(addrs, c.Machine("n1").Addr(), c.Machine("n2").Addr())
	}
	const nonce = 7 // the same in both, so that a stranger's probe counts
	var listeners []*protocol.Client
	for _, c := range clusters {
		from, _ := command(t, c.Machine("n1"))
		to, _ := command(t, c.Machine("n2"))
		listeners = append(listeners, to)
		if _, err := to.Hello(t.Context()); err != nil { // it listens from here on
			t.Fatal(err)
		}
		if err := from.ProbeSend(t.Context(), nonce, addrs, protocol.ProbePort); err != nil {
			t.Fatal(err)
		}
	}
	for i, c := range clusters {
		own := []netip.Addr{c.Machine("n1").Addr()}
		var heard []netip.Addr
		eventually(t, "a probe in its own cluster", func() bool {
			var err error
			if heard, err = listeners[i].ProbeHeard(t.Context(), nonce); err != nil {
				t.Fatal(err)
			}
			return len(heard) > 0
		})
		if !slices.Equal(heard, own) {
			t.Errorf("n2 of cluster %d heard %v, want %v", i, heard, own)
		}
	}
	for _, c := range clusters {
		for range 2 { // the second time has nothing to do
			if err := c.Down(context.Background()); err != nil {
				t.Error(err)
			}
		}
	}
}

// TestOwnRoot looks at a machine from inside: no file, process or setting of
// the host is in reach.
func TestOwnRoot(t *testing.T) { onEach(t, ownRoot) }

func ownRoot(t *testing.T, h testHost) {
	c, out := command(t, up(t, h, spec(t, h, "n1")).Machine("n1"))
	if _, err := c.Start(t.Context(), idle("-ls", "/,/data,/proc,/dev", "-open", "/proc/sys/kernel/hostname")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "what the server sees", func() bool { return strings.Contains(out.text(), "idle") })
	seen := map[string][]string{}
	for line := range strings.Lines(out.text()) {
		if dir, entries, ok := strings.Cut(line, ":"); ok {
			seen[dir] = strings.Fields(entries)
		}
	}
	known := []string{".dockerenv", "data", "dev", "etc", "proc", "squall-node", "sys", "tmp"}
	for _, name := range seen["/"] {
		if !slices.Contains(known, name) {
			t.Errorf("/ holds %q, want no more than %q", name, known)
		}
	}
	if len(seen["/data"]) != 0 {
		t.Errorf("a new disk holds %q", seen["/data"])
	}
	for _, name := range []string{"null", "random", "urandom", "zero"} {
		if !slices.Contains(seen["/dev"], name) {
			t.Errorf("/dev lacks %s: %q", name, seen["/dev"])
		}
	}
	processes := slices.DeleteFunc(slices.Clone(seen["/proc"]), func(s string) bool { return strings.Trim(s, "0123456789") != "" })
	if len(processes) != 2 || !slices.Contains(processes, "1") {
		t.Errorf("the server sees the processes %q, want the agent, which is 1, and itself", processes)
	}
	if got := strings.Join(seen["open"], " "); !strings.Contains(got, "read-only file system") && !strings.Contains(got, "permission denied") {
		t.Errorf("a setting of the kernel can be opened for writing: %q", got)
	}
}

// TestKeep leaves the disk, and only that.
// TestWipe: a machine's data directory is emptied, whoever its files belong to, and not
// under a server that runs.
func TestWipe(t *testing.T) { onEach(t, wiped) }

func wiped(t *testing.T, h testHost) {
	c, out := command(t, up(t, h, spec(t, h, "n1")).Machine("n1"))
	ctx := t.Context()
	start := func(args ...string) {
		t.Helper()
		if _, err := c.Start(ctx, idle(args...)); err != nil {
			t.Fatal(err)
		}
	}
	start("-append", "/data/kept")
	eventually(t, "the file", func() bool { return strings.Contains(out.text(), "kept: x\n") })
	if _, err := c.Wipe(ctx); !errors.Is(err, protocol.ErrRunning) {
		t.Errorf("while a server runs: %v", err)
	}
	if _, err := c.Kill(ctx); err != nil {
		t.Fatal(err)
	}
	start("-append", "/data/kept")
	eventually(t, "what the killed server left", func() bool { return strings.Contains(out.text(), "kept: xx\n") })
	if _, err := c.Kill(ctx); err != nil {
		t.Fatal(err)
	}
	if r, err := c.Wipe(ctx); err != nil || r.Files != 1 {
		t.Errorf("%+v, %v, want one file less", r, err)
	}
	start("-append", "/data/kept")
	eventually(t, "a new file", func() bool { return strings.Count(out.text(), "kept: x\n") == 2 })
}

func TestKeep(t *testing.T) { onEach(t, keep) }

func keep(t *testing.T, h testHost) {
	s := spec(t, h, "n1")
	cl := up(t, h, s)
	c, _ := command(t, cl.Machine("n1"))
	if _, err := c.Hello(t.Context()); err != nil {
		t.Fatal(err)
	}
	where, err := cl.Keep(t.Context())
	if err != nil || !strings.Contains(where, s.Run) {
		t.Errorf("kept at %q, %v, want something that names the run %s", where, err, s.Run)
	}
	<-c.Done()
	if err := cl.Down(context.Background()); err != nil {
		t.Error(err)
	}
	if left, err := h.leftovers(s.Run); left == "" || err != nil {
		t.Errorf("nothing was kept (%v)", err)
	}
}

func TestUpThatFailsLeavesNothing(t *testing.T) { onEach(t, upThatFails) }

func upThatFails(t *testing.T, h testHost) {
	t.Run("called off", func(t *testing.T) {
		s := spec(t, h, "n1", "n2", "n3")
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, err := h.Up(ctx, s); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the context's error", err)
		}
	})
	t.Run("no binary", func(t *testing.T) {
		s := spec(t, h, "n1")
		s.Binary, s.BinaryKey = "/nowhere", "nowhere"
		if _, err := h.Up(t.Context(), s); err == nil || !strings.Contains(err.Error(), "/nowhere") {
			t.Errorf("got %v, want an error that names the binary", err)
		}
	})
	t.Run("bad names", func(t *testing.T) {
		s := spec(t, h, "n1")
		s.Machines[0].Name = "N 1"
		if _, err := h.Up(t.Context(), s); err == nil || !strings.Contains(err.Error(), `"N 1"`) {
			t.Errorf("got %v, want an error that names the machine", err)
		}
	})
}

// TestLimits lets servers want more than their machines may have. A runtime
// that cannot limit refuses by name, which is right too.
func TestLimits(t *testing.T) { onEach(t, limited) }

func limited(t *testing.T, h testHost) {
	const cpus, mib = 0.25, 64
	s := spec(t, h, "n1", "n2", "n3")
	s.Machines[0].CPUs = cpus
	s.Machines[1].Memory = mib << 20
	cl, err := h.Up(t.Context(), s)
	if err != nil {
		if os.Geteuid() != 0 && (strings.Contains(err.Error(), "cpus") || strings.Contains(err.Error(), "memory")) {
			machinetest.Skip(t, err)
		}
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cl.Down(context.Background()) })
	start := func(machine string, args ...string) *machineSink {
		c, out := command(t, cl.Machine(machine))
		if _, err := c.Start(t.Context(), idle(args...)); err != nil {
			t.Fatal(err)
		}
		return out
	}
	burner := start("n1", "-burn", "1s")
	hog := start("n2", "-hog", "256")
	free := start("n3", "-hog", "256")
	eventually(t, "the end of the server that wants too much memory", func() bool {
		return slices.Contains(hog.kinds(), "exit 1")
	})
	eventually(t, "the server without a limit", func() bool { return strings.Contains(free.text(), "idle") })
	eventually(t, "the busy server", func() bool { return strings.Contains(burner.text(), "idle") })
	var share float64
	if _, err := fmt.Sscanf(burner.text()[strings.Index(burner.text(), "share"):], "share %f", &share); err != nil {
		t.Fatal(err)
	}
	if share > 1.5*cpus {
		t.Errorf("a server that may have %v of a processor had %v", cpus, share)
	}
}
