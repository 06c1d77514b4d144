package orchestrator

import (
	"testing"
	"time"

	"squall/nodeimage/agent/protocol"
	"squall/workloads/catalogue"
	"squall/workloads/systems"
)

// TestBentClock bends the clock of a real server in a real machine, over the
// line that the agent hands it.
func TestBentClock(t *testing.T) { onEach(t, bentClock) }

func bentClock(t *testing.T, h testHost) {
	m := up(t, h, spec(t, h, "n1")).Machine("n1")
	c, _ := command(t, m)
	ctx := t.Context()
	self := systems.Node{ID: 1, Name: "n1", Addr: m.Addr()}
	raftkv := catalogue.Systems()[0]
	start, err := raftkv.Server(self, systems.Cluster{Nodes: []systems.Node{self}}, raftkv.Params().Fill(nil, nil))
	if err != nil {
		t.Fatal(err)
	}
	for _, offset := range []time.Duration{0, time.Hour, -time.Hour} {
		if err := c.BendClock(ctx, protocol.ClockBend{Offset: offset}); err != nil {
			t.Fatal(err)
		}
		if offset <= 0 { // the second one bends a server that runs
			if _, err := c.Kill(ctx); err != nil {
				t.Fatal(err)
			}
			if _, err := c.Start(ctx, protocol.StartSpec{Argv: start.Argv, Env: start.Env, Clock: true}); err != nil {
				t.Fatal(err)
			}
		}
		r, err := c.ReadClock(ctx)
		if err != nil {
			t.Fatal(err)
		}
		off := time.Duration(r.Server-r.Mono) - offset
		if bound := time.Duration(r.Error) + time.Millisecond; off > bound || off < -bound {
			t.Errorf("bent by %v, the clock is %v off, give or take %v", offset, off, bound)
		}
	}
}
