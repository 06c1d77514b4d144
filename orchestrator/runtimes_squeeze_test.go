package orchestrator

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"squall/internal/machinetest"
	"squall/nodeimage/agent/protocol"
	"squall/orchestrator/machines"
)

// Machines that are squeezed while they run. Where a runtime says that it
// cannot limit them, there is nothing to try; that it then refuses is tried by
// TestCan.

func mustLimit(t *testing.T, h testHost, key string) {
	t.Helper()
	if why := h.Can(t.Context())[key]; why != "" {
		machinetest.Skip(t, why)
	}
}

// TestCPULimit measures from inside what processor time a machine gets.
func TestCPULimit(t *testing.T) { onEach(t, cpuLimit) }

func cpuLimit(t *testing.T, h testHost) {
	mustLimit(t, h, machines.CanLimitCPUs)
	m := up(t, h, spec(t, h, "n1")).Machine("n1")
	ctx := t.Context()
	c, _ := command(t, m)
	const cpus, long = 0.2, time.Second
	share := func() float64 {
		t.Helper()
		had, err := c.Spin(ctx, long, 2)
		if err != nil {
			t.Fatal(err)
		}
		return had.Seconds() / long.Seconds()
	}
	set := func(l machines.Limits) {
		t.Helper()
		begin := time.Now()
		if err := m.Limit(ctx, l); err != nil {
			t.Fatal(err)
		}
		t.Logf("limits %+v set in %v", l, time.Since(begin))
	}
	throttled := func() time.Duration {
		t.Helper()
		u, err := c.Usage(ctx)
		if err != nil || u.CPUWhy != "" {
			t.Fatalf("usage: %+v, %v", u, err)
		}
		return u.CPUThrottled
	}
	// A period more than fits is what the last turn may add. How much less it is
	// depends on what else runs here.
	wantLimited := func(when string) float64 {
		t.Helper()
		got := share()
		if got > cpus*1.25 || got <= 0 {
			t.Errorf("%s: %.3f processors, want about %v", when, got, cpus)
		} else {
			t.Logf("%s: %.3f processors", when, got)
		}
		return got
	}
	set(machines.Limits{CPUs: cpus})
	had := wantLimited("limited")
	u, err := c.Usage(ctx)
	if err != nil || u.CPUWhy != "" || u.CPULimit != cpus {
		t.Errorf("usage: %+v, %v, want a limit of %v", u, err, cpus)
	}
	// With others at work here a machine may never come to its limit.
	if u.CPUThrottled == 0 && had > 0.9*cpus {
		t.Errorf("usage: %+v, want a limit that was in the way of %.3f processors", u, had)
	}
	if err := m.Kill(ctx); err != nil {
		t.Fatal(err)
	}
	if err := m.Start(ctx); err != nil {
		t.Fatal(err)
	}
	c = greetAgain(t, m)
	wantLimited("limited, in the next life")
	set(machines.Limits{})
	before := throttled()
	free := share()
	if got := throttled() - before; got != 0 {
		t.Errorf("without the limit the machine was held back for %v", got)
	}
	t.Logf("without the limit: %.3f processors", free)
	// With others at work here a machine may not get more, limited or not.
	if free < 1.5*cpus {
		t.Logf("this computer is too busy to show that it may be more than %v", cpus)
	}
	if err := m.Kill(ctx); err != nil {
		t.Fatal(err)
	}
	set(machines.Limits{CPUs: cpus}) // of the machine that is off
	if err := m.Start(ctx); err != nil {
		t.Fatal(err)
	}
	c = greetAgain(t, m)
	wantLimited("limited while it was off")
}

// TestOutOfMemory takes a machine's memory until the kernel kills. The server is
// who is killed, however little it uses; the machine lives on.
func TestOutOfMemory(t *testing.T) { onEach(t, outOfMemory) }

func outOfMemory(t *testing.T, h testHost) {
	mustLimit(t, h, machines.CanLimitMemory)
	m := up(t, h, spec(t, h, "n1")).Machine("n1")
	ctx := t.Context()
	c, out := command(t, m)
	const mib, limit = 1 << 20, 128 << 20
	for i, serverMiB := range []int{0, 64, 0} {
		boot := i + 1
		if _, err := c.Start(ctx, idle("-hog", fmt.Sprint(serverMiB))); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the server to be there", func() bool { return strings.Count(out.text(), "idle\n") == boot })
		if err := m.Limit(ctx, machines.Limits{Memory: limit}); err != nil {
			t.Fatal(err)
		}
		before, err := c.Usage(ctx)
		if err != nil || before.MemoryWhy != "" || before.MemoryLimit != limit || before.MemoryUsed == 0 || before.OOMKills < uint64(i) {
			t.Errorf("usage: %+v, %v, want a limit of %d bytes and %d kills", before, err, limit, i)
		}
		begin := time.Now()
		state, err := c.Hog(ctx, protocol.HogSpec{Bytes: limit, ServerFirst: true})
		if err != nil || !state.ServerEnded {
			t.Fatalf("a server of %d MiB: hog: %+v, %v, want that it ended the server", serverMiB, state, err)
		}
		t.Logf("a server of %d MiB was killed after %v, with %d MiB hogged", serverMiB, time.Since(begin), state.Held/mib)
		eventually(t, "the event of its end", func() bool { return slices.Contains(out.kinds(), fmt.Sprintf("exit %d", boot)) })
		after, err := c.Usage(ctx)
		if err != nil || after.OOMKills <= before.OOMKills {
			t.Errorf("usage: %+v, %v, want more kills than %d", after, err, before.OOMKills)
		}
		if st, err := c.Process(ctx); err != nil || st.Running || st.ExitReason != "signal: killed" {
			t.Errorf("the server: %+v, %v, want that it was killed", st, err)
		}
		if death := m.Death(ctx); death != "" {
			t.Errorf("the machine died with it: %s", death)
		}
		if err := c.Unhog(ctx); err != nil {
			t.Error(err)
		}
		if err := m.Limit(ctx, machines.Limits{}); err != nil {
			t.Error(err)
		}
	}
	if u, err := c.Usage(ctx); err != nil || u.MemoryLimit != 0 {
		t.Errorf("with the limit lifted: %+v, %v", u, err)
	}
	if err := m.Kill(ctx); err != nil {
		t.Fatal(err)
	}
	<-c.Done()
	if death := m.Death(ctx); !strings.Contains(death, "killed") || strings.Contains(death, "memory") {
		t.Errorf("death: %q, want that it was killed, and not for want of memory", death)
	}
}

// TestMemoryInUse does not limit a machine to less than it uses: that would
// kill, or not, as the kernel likes.
func TestMemoryInUse(t *testing.T) { onEach(t, memoryInUse) }

func memoryInUse(t *testing.T, h testHost) {
	mustLimit(t, h, machines.CanLimitMemory)
	s := spec(t, h, "n1")
	const own, mib = 512 << 20, 1 << 20
	s.Machines[0].Memory = own
	m := up(t, h, s).Machine("n1")
	ctx := t.Context()
	c, _ := command(t, m)
	if _, err := c.Start(ctx, idle()); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Hog(ctx, protocol.HogSpec{Bytes: 100 * mib}); err != nil {
		t.Fatal(err)
	}
	limit := func() int64 {
		u, err := c.Usage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return u.MemoryLimit
	}
	err := m.Limit(ctx, machines.Limits{CPUs: 0.5, Memory: 64 * mib})
	if !errors.Is(err, machines.ErrMemoryInUse) || !strings.Contains(err.Error(), "memory: 67108864 bytes") {
		t.Errorf("a limit below what is in use: %v, want ErrMemoryInUse", err)
	}
	if u, err := c.Usage(ctx); err != nil || u.MemoryLimit != own || u.CPULimit != 0 {
		t.Errorf("after a limit that was refused: %+v, %v, want the limits of before", u, err)
	}
	if err := m.Limit(ctx, machines.Limits{Memory: 256 * mib}); err != nil || limit() != 256*mib {
		t.Errorf("a limit above what is in use: %v, the limit is %d", err, limit())
	}
	if err := c.Unhog(ctx); err != nil {
		t.Fatal(err)
	}
	if err := m.Limit(ctx, machines.Limits{Memory: 64 * mib}); err != nil || limit() != 64*mib {
		t.Errorf("the same limit when it is in use no more: %v, the limit is %d", err, limit())
	}
	if err := m.Limit(ctx, machines.Limits{}); err != nil || limit() != own {
		t.Errorf("the machine's own limit: %v, the limit is %d", err, limit())
	}
}

// TestNodeOutOfMemory: what the kernel does to a server that squall has starved
// is recorded as squall's doing.
func TestNodeOutOfMemory(t *testing.T) { onEach(t, nodeOutOfMemory) }

func nodeOutOfMemory(t *testing.T, h testHost) {
	mustLimit(t, h, machines.CanLimitMemory)
	m := up(t, h, spec(t, h, "n1")).Machine("n1")
	ctx := t.Context()
	n := newTestNode(m, "/squall-node", "idle")
	defer n.Close()
	if err := n.Start(ctx); err != nil {
		t.Fatal(err)
	}
	const limit = 96 << 20
	if err := m.Limit(ctx, machines.Limits{Memory: limit}); err != nil {
		t.Fatal(err)
	}
	n.ExpectOOM()
	if _, err := n.Agent().Hog(ctx, protocol.HogSpec{Bytes: limit, ServerFirst: true}); err != nil {
		t.Fatal(err)
	}
	want := []string{"start 1", "exit 1: killed for want of memory, by squall"}
	eventually(t, "the server's end", func() bool { return slices.Equal(n.Events(), want) })
}
