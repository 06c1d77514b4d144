package orchestrator

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"squall/history"
	"squall/nodeimage/agent/protocol"
	"squall/orchestrator/machines"
)

// benchEach measures every runtime, one after the other.
func benchEach(b *testing.B, bench func(b *testing.B, h testHost)) {
	for name, open := range hosts() {
		b.Run(name, func(b *testing.B) { bench(b, opened(b, open)) })
	}
}

// BenchmarkUpDown is a cluster of five and its driver, the image being there
// already: up until every agent has answered, and down.
func BenchmarkUpDown(b *testing.B) { benchEach(b, upDown) }

func upDown(b *testing.B, h testHost) {
	var upTime, downTime time.Duration
	for b.Loop() {
		s := spec(b, h, "n1", "n2", "n3", "n4", "n5", "driver")
		begin := time.Now()
		c, err := h.Up(b.Context(), s)
		if err != nil {
			b.Fatal(err)
		}
		greet(b, c, s)
		upTime += time.Since(begin)
		begin = time.Now()
		if err := c.Down(context.Background()); err != nil {
			b.Fatal(err)
		}
		downTime += time.Since(begin)
	}
	b.ReportMetric(upTime.Seconds()/float64(b.N), "s-up")
	b.ReportMetric(downTime.Seconds()/float64(b.N), "s-down")
}

func greet(b *testing.B, c machines.Cluster, s machines.ClusterSpec) {
	b.Helper()
	for _, m := range s.Machines {
		client, _ := command(b, c.Machine(m.Name))
		if _, err := client.Hello(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPowerCycle cuts a machine off from power and starts it again, until
// its agent answers.
func BenchmarkPowerCycle(b *testing.B) { benchEach(b, powerCycle) }

func powerCycle(b *testing.B, h testHost) {
	m := up(b, h, spec(b, h, "n1")).Machine("n1")
	var killed, started, greeted []time.Duration
	for b.Loop() {
		begin := time.Now()
		if err := m.Kill(b.Context()); err != nil {
			b.Fatal(err)
		}
		off := time.Now()
		if err := m.Start(b.Context()); err != nil {
			b.Fatal(err)
		}
		on := time.Now()
		c, _ := command(b, m)
		if _, err := c.Hello(b.Context()); err != nil {
			b.Fatal(err)
		}
		killed, started, greeted = append(killed, off.Sub(begin)), append(started, on.Sub(off)), append(greeted, time.Since(on))
	}
	for name, took := range map[string][]time.Duration{"kill": killed, "start": started, "hello": greeted} {
		slices.Sort(took)
		b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "ms-"+name)
	}
}

// BenchmarkCall is a call to an agent and its answer.
func BenchmarkCall(b *testing.B) { benchEach(b, call) }

func call(b *testing.B, h testHost) {
	c, _ := command(b, up(b, h, spec(b, h, "n1")).Machine("n1"))
	for b.Loop() {
		if _, err := c.Clock(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkTrace is how fast a server's trace comes out of its container.
func BenchmarkTrace(b *testing.B) { benchEach(b, wholeTrace) }

func wholeTrace(b *testing.B, h testHost) {
	c, out := command(b, up(b, h, spec(b, h, "n1")).Machine("n1"))
	const mib = 128
	b.SetBytes(mib << 20)
	for b.Loop() {
		before := out.traced()
		if _, err := c.Start(b.Context(), idle("-trace", fmt.Sprint(mib))); err != nil {
			b.Fatal(err)
		}
		for out.traced() < before+mib<<20 {
			time.Sleep(time.Millisecond)
		}
		if _, err := c.Kill(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

var _ protocol.Handler = (*machineSink)(nil)

// BenchmarkPartition cuts five nodes in two and heals them: from the command to
// the proof, by probes on all links from inside the machines.
func BenchmarkPartition(b *testing.B) {
	benchEach(b, func(b *testing.B, h testHost) { strike(b, h, "partition(halves, drop)") })
}

// BenchmarkDelay makes every link of five nodes 10 ms slow, and heals them.
func BenchmarkDelay(b *testing.B) {
	benchEach(b, func(b *testing.B, h testHost) { strike(b, h, "delay(10ms, jitter=0s, all)") })
}

func strike(b *testing.B, h testHost, fault string) {
	names := []string{"n1", "n2", "n3", "n4", "n5"}
	c := newTestCluster(up(b, h, spec(b, h, names...)), names)
	var injected, healed []time.Duration
	for b.Loop() {
		recorded, err := c.Strike(b.Context(), fault, time.Millisecond)
		if err != nil {
			b.Fatal(err)
		}
		for _, f := range recorded {
			if took := time.Duration(f.End - f.Begin); f.Phase == history.Inject {
				injected = append(injected, took)
			} else {
				healed = append(healed, took)
			}
		}
	}
	for name, took := range map[string][]time.Duration{"inject": injected, "heal": healed} {
		slices.Sort(took)
		b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "ms-"+name)
	}
}
