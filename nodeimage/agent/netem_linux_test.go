package agent

import (
	"context"
	"testing"
	"time"

	"squall/internal/machinetest"
	"squall/nodeimage/agent/protocol"
)

// TestNetemInNamespace shapes with the kernel's own netem, where there is one.
func TestNetemInNamespace(t *testing.T) {
	t.Setenv(engineVar, protocol.EngineNetem)
	inWorld(t, func() {
		w := newWorld(t, 3)
		a, b, c := w[0], w[1], w[2]
		f, err := a.Features(context.Background())
		must(t, err)
		if why := f[protocol.FeatureNetem]; why != "" {
			machinetest.Skip(t, why)
		}
		testNetemKinds(t, a, b, c)
		// One shape changes, the other goes on; and one comes and goes.
		first := protocol.Shape{To: b.addr, Delay: 20 * time.Millisecond}
		second := protocol.Shape{To: c.addr, Loss: 1}
		a.net(t, nil, first, second)
		a.flow(t, 50, 0, 0, b, c)
		second.Loss = 0
		second.Delay = 40 * time.Millisecond
		a.net(t, nil, second, first)
		a.flow(t, 50, 0, 0, b, c)
		got := a.counts(t).Shape
		if len(got) != 2 || got[0].Packets != 100 || got[1].Packets != 50 {
			t.Errorf("counted %+v, want 100, and 50 since the change", got)
		}
		a.net(t, nil, second)
		a.net(t, nil, second, protocol.Shape{To: b.addr6, Loss: 1})
		sent, _ := a.flow(t, 20, time.Millisecond, 0, b, c)
		if sent[0].Answered != 20 || sent[0].RTT.Min > 15*time.Millisecond || sent[1].RTT.Min < 40*time.Millisecond {
			t.Errorf("with one link mended: %+v", sent)
		}
		a.net(t, nil)
		sent, _ = a.flow(t, 20, time.Millisecond, 0, b, c)
		if sent[1].Answered != 20 || sent[1].RTT.Min > 15*time.Millisecond || len(a.counts(t).Shape) != 0 {
			t.Errorf("mended: %+v", sent)
		}
		// What netem cannot do is refused when nothing else may do it.
		for _, bad := range []protocol.Shape{
			{To: b.addr, Corrupt: 0.1, CorruptKind: protocol.CorruptPayload},
			{To: b.addr, Duplicate: 0.1},
		} {
			if err := a.Net(context.Background(), protocol.NetState{Shape: []protocol.Shape{bad}}); err == nil {
				t.Errorf("netem took %+v, which it cannot do", bad)
			}
		}
		if got := a.counts(t); len(got.Shape) != 0 {
			t.Errorf("what was refused left %+v", got)
		}
	})
}

func testNetemKinds(t *testing.T, a, b, c *host) {
	// The pace and what may be late are such that an emulated computer manages.
	const ms, pace, count, late = time.Millisecond, 20 * time.Millisecond, 100, 25 * time.Millisecond
	for name, k := range map[string]struct {
		shape          protocol.Shape
		heard, swapped [2]int // received and reordered, at least and at most
		median         time.Duration
	}{
		"delay":    {protocol.Shape{Delay: 60 * ms}, [2]int{count, count}, [2]int{}, 60 * ms},
		"normal":   {protocol.Shape{Delay: 60 * ms, Jitter: 10 * ms, Distribution: protocol.DistNormal}, [2]int{count, count}, [2]int{count / 10, count}, 60 * ms},
		"pareto":   {protocol.Shape{Delay: 60 * ms, Jitter: 10 * ms, Distribution: protocol.DistPareto}, [2]int{count, count}, [2]int{count / 10, count}, 57 * ms},
		"loss":     {protocol.Shape{Loss: 0.3}, [2]int{count * 6 / 10, count * 8 / 10}, [2]int{}, 0},
		"burst":    {protocol.Shape{Burst: &protocol.Burst{P: 0.1, R: 0.3, LossBad: 1}}, [2]int{count * 6 / 10, count * 9 / 10}, [2]int{}, 0},
		"reorder":  {protocol.Shape{Delay: 60 * ms, Reorder: 0.2}, [2]int{count, count}, [2]int{count / 5, count * 6 / 10}, 60 * ms},
		"checksum": {protocol.Shape{Corrupt: 0.3}, [2]int{count * 6 / 10, count * 8 / 10}, [2]int{}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			k.shape.To, k.shape.Seed = b.addr, 1
			a.net(t, nil, k.shape)
			patiently(t, func(j judge) {
				sent, heard := a.flow(t, count, pace, 100, b, c)
				h := heard[0]
				within(j, "received", h.Received, k.heard[0], k.heard[1])
				within(j, "twice", h.Duplicates, 0, 0)
				within(j, "reordered", h.Reordered, k.swapped[0], k.swapped[1])
				within(j, "damaged for the application", h.Corrupted, 0, 0)
				within(j, "the median", h.Delay.Median, k.median-3*ms, k.median+late)
				within(j, "answers of the one beside", sent[1].Answered, count, count)
				within(j, "its delay", heard[1].Delay.Median, 0, late)
			})
			got := a.counts(t).Shape
			if len(got) != 1 || got[0].Engine != protocol.EngineNetem || got[0].Packets < count || (got[0].Lost > 0) != (name == "loss" || name == "burst") {
				t.Errorf("counted %+v", got)
			}
		})
	}
	t.Run("rate", func(t *testing.T) {
		a.net(t, nil, protocol.Shape{To: b.addr, Rate: 200_000})
		patiently(t, func(j judge) {
			_, heard := a.flow(t, 100, 0, 1000, b)
			within(j, "bytes per second", heard[0].BytesPerSecond, 170_000, 204_000)
		})
	})
}
