package docker

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/volume"
	"go.uber.org/goleak"

	"squall/nodeimage"
	"squall/nodeimage/agent/protocol"
	"squall/orchestrator"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// engine is a Runtime on the engine of this computer. Without one the test is
// skipped, but in CI it fails.
func engine(t testing.TB) *Runtime {
	t.Helper()
	r, err := New(t.Context(), Options{})
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skipf("this test needs Docker: %v", err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// spec is a cluster of machines with these names, under an id of its own.
func spec(t testing.TB, r *Runtime, machines ...string) orchestrator.ClusterSpec {
	t.Helper()
	arch, err := r.Arch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	bin, err := nodeimage.Build(t.Context(), nodeimage.BuildOptions{Arch: arch})
	if err != nil {
		t.Fatal(err)
	}
	run := "test-" + strings.ToLower(rand.Text()[:10])
	t.Cleanup(func() { wantNothing(t, r, run) })
	specs := make([]orchestrator.MachineSpec, len(machines))
	for i, name := range machines {
		specs[i].Name = name
	}
	return orchestrator.ClusterSpec{Run: run, Machines: specs, Binary: bin.Path, BinaryKey: bin.Key}
}

// wantNothing fails the test when anything of a run is left.
func wantNothing(t testing.TB, r *Runtime, run string) {
	t.Helper()
	ctx := context.Background() // the test's own has ended when this is a clean-up
	label := byLabel(Label + "=" + run)
	containers, err := r.api.ContainerList(ctx, container.ListOptions{All: true, Filters: label})
	if err != nil || len(containers) > 0 {
		t.Errorf("%d containers of run %s are left (%v)", len(containers), run, err)
	}
	networks, err := r.api.NetworkList(ctx, network.ListOptions{Filters: label})
	if err != nil || len(networks) > 0 {
		t.Errorf("%d networks of run %s are left (%v)", len(networks), run, err)
	}
	volumes, err := r.api.VolumeList(ctx, volume.ListOptions{Filters: label})
	if err != nil || len(volumes.Volumes) > 0 {
		t.Errorf("%d volumes of run %s are left (%v)", len(volumes.Volumes), run, err)
	}
}

func up(t testing.TB, r *Runtime, s orchestrator.ClusterSpec) orchestrator.Cluster {
	t.Helper()
	begin := time.Now()
	c, err := r.Up(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d machines up in %v", len(s.Machines), time.Since(begin).Round(time.Millisecond))
	t.Cleanup(func() {
		begin := time.Now()
		if err := c.Down(context.Background()); err != nil {
			t.Error(err)
		}
		t.Logf("%d machines down in %v", len(s.Machines), time.Since(begin).Round(time.Millisecond))
	})
	return c
}

// sink keeps what a machine sends.
type sink struct {
	mu     sync.Mutex
	log    strings.Builder
	trace  int
	events []protocol.Event
}

func (s *sink) Stream(id protocol.StreamID, _ int, data []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if id == protocol.StreamTrace {
		s.trace += len(data)
		return
	}
	s.log.Write(data)
}

func (s *sink) Event(e protocol.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, e)
}

func (s *sink) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.String()
}

func (s *sink) kinds() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var kinds []string
	for _, e := range s.events {
		kinds = append(kinds, fmt.Sprintf("%s %d", e.Kind, e.Boot))
	}
	return kinds
}

func (s *sink) traced() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.trace
}

// command is a client to a machine's agent.
func command(t testing.TB, m orchestrator.Machine) (*protocol.Client, *sink) {
	t.Helper()
	s := new(sink)
	c := protocol.NewClient(m.Control(), s)
	t.Cleanup(func() { c.Close() })
	return c, s
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(15 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("in vain waited for: %s", what)
		}
	}
}

func idle(args ...string) protocol.StartSpec {
	return protocol.StartSpec{Argv: append([]string{"/squall-node", "idle"}, args...), Dir: "/data"}
}

func TestServerInContainer(t *testing.T) {
	t.Parallel()
	r := engine(t)
	m := up(t, r, spec(t, r, "n1")).Machine("n1")
	c, out := command(t, m)
	ctx := t.Context()

	hello, err := c.Hello(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if hello.PID != 1 || hello.Hostname != "n1" || !slices.Equal(hello.Capabilities, []string{"NET_ADMIN"}) {
		t.Errorf("the agent is %+v, want process 1 on n1 with NET_ADMIN alone", hello)
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
	if death := m.Death(ctx); !strings.Contains(death, "exit code 0") {
		t.Errorf("death after a shutdown: %q, want exit code 0", death)
	}
}

// TestDropOneWay cuts n2 → n1 and finds that only this direction is cut.
func TestDropOneWay(t *testing.T) {
	t.Parallel()
	r := engine(t)
	cl := up(t, r, spec(t, r, "n1", "n2", "n3"))
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
		time.Sleep(100 * time.Millisecond)
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
	if err := clients["n1"].Drop(ctx, []netip.Addr{addrs["n2"]}); err != nil {
		t.Fatal(err)
	}
	want("with n2 → n1 cut", "n1<n3 n2<n1 n2<n3 n3<n1 n3<n2")
	d, err := clients["n1"].Dropped(ctx)
	if err != nil || len(d) != 1 || d[0].Addr != addrs["n2"] || d[0].Packets < 3 {
		t.Errorf("dropped: %+v, %v, want 3 packets of n2 or more", d, err)
	}
	errs, err := clients["n1"].Connect(ctx, []netip.AddrPort{
		netip.AddrPortFrom(addrs["n2"], protocol.ProbePort), netip.AddrPortFrom(addrs["n3"], protocol.ProbePort),
	}, time.Second)
	if err != nil || errs[0] == "" || errs[1] != "" {
		t.Errorf("connecting to n2 and n3: %q, %v, want only n3 to answer", errs, err)
	}
	if err := clients["n1"].Drop(ctx, nil); err != nil {
		t.Fatal(err)
	}
	want("healed", all)
	if d, err := clients["n1"].Dropped(ctx); err != nil || len(d) != 0 {
		t.Errorf("dropped when healed: %+v, %v", d, err)
	}
}

func TestContainerLost(t *testing.T) {
	t.Parallel()
	r := engine(t)
	m := up(t, r, spec(t, r, "n1")).Machine("n1")
	c, _ := command(t, m)
	if _, err := c.Hello(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := r.api.ContainerKill(t.Context(), m.(*machine).id, "KILL"); err != nil {
		t.Fatal(err)
	}
	<-c.Done()
	if _, err := c.Clock(t.Context()); !errors.Is(err, protocol.ErrAgentGone) {
		t.Errorf("a call to a lost machine: %v, want ErrAgentGone", err)
	}
	if death := m.Death(t.Context()); !strings.Contains(death, "137") || !strings.Contains(death, "killed") {
		t.Errorf("death: %q, want exit code 137 and that it was killed", death)
	}
}

// TestAgentLeavesWithStdin is what stops the machines of a killed squall.
func TestAgentLeavesWithStdin(t *testing.T) {
	t.Parallel()
	r := engine(t)
	m := up(t, r, spec(t, r, "n1")).Machine("n1")
	c, _ := command(t, m)
	if _, err := c.Start(t.Context(), idle()); err != nil {
		t.Fatal(err)
	}
	c.Close()
	eventually(t, "the container's end", func() bool {
		return strings.Contains(m.Death(t.Context()), "exit code 0")
	})
}

func TestTwoRunsAtOnce(t *testing.T) {
	t.Parallel()
	r := engine(t)
	specs := []orchestrator.ClusterSpec{spec(t, r, "n1"), spec(t, r, "n1")}
	clusters := make([]orchestrator.Cluster, len(specs))
	var wg sync.WaitGroup
	for i, s := range specs {
		wg.Go(func() {
			var err error
			if clusters[i], err = r.Up(t.Context(), s); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	var addrs []netip.Addr
	for _, c := range clusters {
		if c != nil {
			addrs = append(addrs, c.Machine("n1").Addr())
		}
	}
	if len(addrs) == 2 && addrs[0] == addrs[1] {
		t.Errorf("both machines have the address %v", addrs[0])
	}
	for _, c := range clusters {
		if c == nil {
			continue
		}
		for range 2 { // the second time has nothing to do
			if err := c.Down(context.Background()); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestUpThatFailsLeavesNothing(t *testing.T) {
	t.Parallel()
	r := engine(t)
	t.Run("a name is taken", func(t *testing.T) {
		taken := spec(t, r, "n2")
		up(t, r, taken)
		// The second run would have to make a container of the same name. It
		// has the same id, so what is left of it is left of the first.
		s := spec(t, r, "n1", "n2")
		blocker := networkName(s.Run) + "-n2"
		other, err := r.api.ContainerCreate(t.Context(), &container.Config{
			Image: imageRepo + ":" + s.BinaryKey, Labels: map[string]string{Label: taken.Run},
		}, nil, nil, nil, blocker)
		if err != nil {
			t.Fatal(err)
		}
		defer r.api.ContainerRemove(context.Background(), other.ID, container.RemoveOptions{Force: true})
		if c, err := r.Up(t.Context(), s); err == nil || !strings.Contains(err.Error(), "machine n2") {
			t.Errorf("got %v, %v, want an error that names the machine", c, err)
		}
		wantNothing(t, r, s.Run)
	})
	t.Run("called off", func(t *testing.T) {
		s := spec(t, r, "n1", "n2", "n3")
		ctx, cancel := context.WithTimeout(t.Context(), 150*time.Millisecond)
		defer cancel()
		if _, err := r.Up(ctx, s); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the context's error", err)
		}
		wantNothing(t, r, s.Run)
	})
	t.Run("no binary", func(t *testing.T) {
		s := spec(t, r, "n1")
		s.Binary, s.BinaryKey = "/nowhere", "nowhere"
		if _, err := r.Up(t.Context(), s); err == nil || !strings.Contains(err.Error(), "/nowhere") {
			t.Errorf("got %v, want an error that names the binary", err)
		}
		wantNothing(t, r, s.Run)
	})
}

// TestTraceIsWhole lets a server write much more trace than anything on the
// way holds, kills nothing, and counts.
func TestTraceIsWhole(t *testing.T) {
	t.Parallel()
	r := engine(t)
	m := up(t, r, spec(t, r, "n1")).Machine("n1")
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

func TestClean(t *testing.T) {
	r := engine(t)
	// Not parallel: it removes what all other tests made.
	s := spec(t, r, "n1")
	if _, err := r.Up(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	report, err := r.remove(t.Context(), Label+"="+s.Run)
	if err != nil || report.Containers != 1 || report.Networks != 1 {
		t.Errorf("removed %+v, %v, want one container and one network", report, err)
	}
	wantNothing(t, r, s.Run)
}

func TestInfo(t *testing.T) {
	r := engine(t)
	info, err := r.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	arch, err := r.Arch(t.Context())
	if err != nil || info.Arch != arch || info.Version == "" || info.APIVersion == "" || info.Host == "" {
		t.Errorf("%+v, arch %q, %v", info, arch, err)
	}
}
