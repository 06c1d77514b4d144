package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"squall/nodeimage/agent/protocol"
	"squall/orchestrator/machines"
)

// Machines that are cut off from power and started again.

// TestRestart finds the machine that was killed again as it was: its name, its
// address, what was on its disk, and its way to the others.
func TestRestart(t *testing.T) { onEach(t, restart) }

func restart(t *testing.T, h testHost) {
	cl := up(t, h, spec(t, h, "n1", "n2"))
	ctx := t.Context()
	m, addr := cl.Machine("n1"), cl.Machine("n1").Addr()
	other, _ := command(t, cl.Machine("n2"))
	for life := range 3 {
		c, out := command(t, m)
		hello, err := c.Hello(ctx)
		if err != nil || hello.PID != 1 || hello.Hostname != "n1" || m.Addr() != addr {
			t.Fatalf("life %d: %+v at %v, %v, want process 1 on n1 at %v", life, hello, m.Addr(), err, addr)
		}
		if death := m.Death(ctx); death != "" {
			t.Errorf("life %d: a running machine died of %q", life, death)
		}
		info, err := c.Start(ctx, idle("-append", "/data/lives", "-ls", "/data,/proc"))
		if err != nil || info.Boot != 1 {
			t.Fatalf("life %d: %+v, %v, want boot 1", life, info, err)
		}
		eventually(t, "the server of this life", func() bool { return strings.Contains(out.text(), "idle") })
		if want := "/data/lives: " + strings.Repeat("x", life+1) + "\n"; !strings.Contains(out.text(), want) {
			t.Errorf("life %d: %q, want %q in it", life, out.text(), want)
		}
		reaches(t, other, c, cl.Machine("n2").Addr(), addr)
		if err := c.Net(ctx, protocol.NetState{Cut: []protocol.Cut{{From: cl.Machine("n2").Addr()}}}); err != nil { // is gone in the next life
			t.Fatal(err)
		}
		begin := time.Now()
		if err := m.Kill(ctx); err != nil {
			t.Fatal(err)
		}
		killed := time.Since(begin)
		<-c.Done()
		if death := m.Death(ctx); !strings.Contains(death, "killed") {
			t.Errorf("life %d: death: %q, want that it was killed", life, death)
		}
		if err := m.Start(ctx); err != nil {
			t.Fatal(err)
		}
		t.Logf("killed in %v, started in %v", killed, time.Since(begin)-killed)
	}
}

// reaches wants the machines to hear each other, the first to speak being the
// one that did not restart: it must not need to be told where the other is.
func reaches(t *testing.T, stayed, restarted *protocol.Client, stayedAt, restartedAt netip.Addr) {
	t.Helper()
	nonce, tries := uint64(time.Now().UnixNano()), 0
	heard := func(by, from *protocol.Client, byAt, fromAt netip.Addr) bool {
		nonce++
		tries++
		if err := from.ProbeSend(t.Context(), nonce, []netip.Addr{byAt}, protocol.ProbePort); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond) // on its way; one that comes later is lost to this try alone
		got, err := by.ProbeHeard(t.Context(), nonce)
		if err != nil {
			t.Fatal(err)
		}
		return slices.Contains(got, fromAt)
	}
	eventually(t, "the restarted machine to be reached", func() bool { return heard(restarted, stayed, restartedAt, stayedAt) })
	if tries > 100 { // not a time: a busy computer makes each of them longer
		t.Errorf("only the packet number %d reached the restarted machine", tries)
	}
	eventually(t, "the restarted machine to reach the other", func() bool { return heard(stayed, restarted, stayedAt, restartedAt) })
}

// TestPowerInAnyOrder kills the dead, starts the living, and does both at once.
func TestPowerInAnyOrder(t *testing.T) { onEach(t, powerInAnyOrder) }

func powerInAnyOrder(t *testing.T, h testHost) {
	m := up(t, h, spec(t, h, "n1")).Machine("n1")
	ctx := t.Context()
	if err := m.Start(ctx); !errors.Is(err, machines.ErrMachineRuns) {
		t.Errorf("starting a machine that runs: %v, want ErrMachineRuns", err)
	}
	for range 2 {
		if err := m.Kill(ctx); err != nil {
			t.Errorf("killing it, alive or dead: %v", err)
		}
	}
	if err := m.Start(ctx); err != nil {
		t.Fatal(err)
	}
	if err := m.Start(ctx); !errors.Is(err, machines.ErrMachineRuns) {
		t.Errorf("starting it a second time: %v, want ErrMachineRuns", err)
	}
	greetAgain(t, m)
	for range 3 {
		var both sync.WaitGroup
		both.Go(func() {
			if err := m.Kill(ctx); err != nil {
				t.Errorf("killing while it is started: %v", err)
			}
		})
		both.Go(func() {
			if err := m.Start(ctx); err != nil && !errors.Is(err, machines.ErrMachineRuns) {
				t.Errorf("starting while it is killed: %v", err)
			}
		})
		both.Wait()
	}
	if err := m.Kill(ctx); err != nil {
		t.Fatal(err)
	}
	if death := m.Death(ctx); death == "" {
		t.Error("a killed machine lives")
	}
	if err := m.Start(ctx); err != nil {
		t.Fatal(err)
	}
	c := greetAgain(t, m)
	if err := c.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
	<-c.Done()
	if err := m.Start(ctx); err != nil {
		t.Errorf("starting what ended by itself: %v", err)
	}
	greetAgain(t, m)
	if death := m.Death(ctx); death != "" {
		t.Errorf("the new life is said to have ended: %q", death)
	}
}

func greetAgain(t *testing.T, m machines.Machine) *protocol.Client {
	t.Helper()
	c, _ := command(t, m)
	if _, err := c.Hello(t.Context()); err != nil {
		t.Fatal(err)
	}
	return c
}

// TestDownInAnyState: machines that run, were killed, were started again, and
// are being started. spec's clean-up finds what is left.
func TestDownInAnyState(t *testing.T) { onEach(t, downInAnyState) }

func downInAnyState(t *testing.T, h testHost) {
	cl := up(t, h, spec(t, h, "n1", "n2", "n3", "n4"))
	ctx := t.Context()
	for _, name := range []string{"n2", "n3", "n4"} {
		if err := cl.Machine(name).Kill(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if err := cl.Machine("n3").Start(ctx); err != nil {
		t.Fatal(err)
	}
	started := make(chan error, 1)
	go func() { started <- cl.Machine("n4").Start(ctx) }()
	if err := cl.Down(context.Background()); err != nil {
		t.Error(err)
	}
	t.Logf("starting a machine while it was taken down: %v", <-started)
	if err := cl.Machine("n2").Start(ctx); err == nil {
		t.Error("a machine was started after Down")
	}
}

// TestKeepInAnyState keeps the disks of the living and the dead.
func TestKeepInAnyState(t *testing.T) { onEach(t, keepInAnyState) }

func keepInAnyState(t *testing.T, h testHost) {
	s := spec(t, h, "n1", "n2", "n3")
	cl := up(t, h, s)
	for _, name := range []string{"n2", "n3"} {
		if err := cl.Machine(name).Kill(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := cl.Machine("n3").Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := cl.Keep(t.Context()); err != nil {
		t.Error(err)
	}
	if err := cl.Machine("n2").Start(t.Context()); err == nil {
		t.Error("a machine was started after Keep")
	}
	if left, err := h.leftovers(s.Run); left == "" || err != nil {
		t.Errorf("nothing was kept (%v)", err)
	}
}

// TestCan asks before what can be done, and then does it.
func TestCan(t *testing.T) { onEach(t, can) }

func can(t *testing.T, h testHost) {
	can := h.Can(t.Context())
	if why := can[machines.CanRestart]; why != "" {
		t.Errorf("machines cannot be restarted: %s", why)
	}
	m := up(t, h, spec(t, h, "n1")).Machine("n1")
	for key, limits := range map[string]machines.Limits{
		machines.CanLimitCPUs:   {CPUs: 0.5},
		machines.CanLimitMemory: {Memory: 512 << 20},
	} {
		why, ok := can[key]
		if !ok {
			t.Errorf("nothing is said of %s", key)
		}
		if err := m.Limit(t.Context(), limits); (err == nil) != (why == "") {
			t.Errorf("%s: said before %q, and then %v", key, why, err)
		}
	}
	for _, bad := range []machines.Limits{{CPUs: -1}, {Memory: -1}, {CPUs: 10_000}, {CPUs: 0.0001}} {
		if err := m.Limit(t.Context(), bad); err == nil {
			t.Errorf("%+v was set", bad)
		}
	}
}

// TestNodePower switches a node off and on as a fault does: what is recorded is
// squall's doing, boots count on, and a loss is still a loss.
func TestNodePower(t *testing.T) { onEach(t, nodePower) }

func nodePower(t *testing.T, h testHost) {
	m := up(t, h, spec(t, h, "n1")).Machine("n1")
	ctx := t.Context()
	n := newTestNode(m, "/squall-node", "idle")
	defer n.Close()
	var want []string
	for life := range 3 {
		if err := n.Start(ctx); err != nil {
			t.Fatal(err)
		}
		if err := n.Kill(ctx); err != nil {
			t.Fatal(err)
		}
		if err := n.Start(ctx); err != nil {
			t.Fatal(err)
		}
		boot := 2*life + 1
		want = append(want, fmt.Sprintf("start %d", boot), fmt.Sprintf("exit %d: killed by squall", boot), fmt.Sprintf("start %d", boot+1))
		eventually(t, "the events of boots", func() bool { return slices.Equal(n.Events(), want) })
		begin := time.Now()
		if err := n.PowerOff(ctx); err != nil {
			t.Fatal(err)
		}
		off := time.Since(begin)
		want = append(want, fmt.Sprintf("exit %d: killed by squall", boot+1))
		if got := n.Events(); !slices.Equal(got, want) {
			t.Errorf("events %q, want %q", got, want)
		}
		if err := n.PowerOn(ctx); err != nil {
			t.Fatal(err)
		}
		t.Logf("off in %v, on in %v", off, time.Since(begin)-off)
	}
	select {
	case why := <-n.Lost:
		t.Errorf("squall's own doing was taken for a loss: %s", why)
	default:
	}
	if err := m.Kill(ctx); err != nil {
		t.Fatal(err)
	}
	select {
	case why := <-n.Lost:
		if !strings.Contains(why, "killed") {
			t.Errorf("lost because %q", why)
		}
	case <-time.After(2 * time.Minute):
		t.Error("the loss of the machine went unnoticed")
	}
}
