package orchestrator

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"testing"
	"time"

	"squall/history"
	"squall/nodeimage/agent/protocol"
	"squall/orchestrator/machines"
)

// deafRuntime answers a few pings and then no more.
type deafRuntime struct {
	machines.Runtime
	answers int
}

func (d *deafRuntime) Ping(context.Context) error {
	if d.answers--; d.answers < 0 {
		return errors.New("the Docker engine does not answer: it hangs")
	}
	return nil
}

// TestMachinesOutOfReachEndATest: at once, by the name of what hangs, and without
// asking the machines for anything more.
func TestMachinesOutOfReachEndATest(t *testing.T) {
	runtime := &deafRuntime{answers: 3}
	r := &run{converged: newConvergence(nil), cfg: Config{Runtime: runtime, Progress: quiet{}}, log: slog.New(slog.DiscardHandler), gone: make(chan struct{}), loader: newLoader(), nodes: &nodes{}}
	ctx, cancel := context.WithCancelCause(t.Context())
	r.cancel = cancel
	r.watchReach(ctx, time.Millisecond)
	if err := context.Cause(ctx); err == nil || err.Error() != "the Docker engine does not answer: it hangs" || r.reachable() {
		t.Errorf("the test ends because of %v; reachable: %t", err, r.reachable())
	}
	// Neither a driver nor a node is asked to end: either would never answer.
	m := newScripted()
	n := &node{machine: m, sink: new(guarded), log: io.Discard}
	n.connect()
	defer n.agent().Close()
	r.nodes.all = []*node{n}
	m.mu.Lock()
	defer m.mu.Unlock() // the agent hangs with the engine
	r.collect(t.Context())
}

// TestAWatchOfReachEnds with the test.
func TestAWatchOfReachEnds(t *testing.T) {
	r := &run{converged: newConvergence(nil), cfg: Config{Runtime: &deafRuntime{answers: 1 << 30}}, gone: make(chan struct{})}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r.watchReach(ctx, time.Millisecond)
	if !r.reachable() {
		t.Error("the machines are taken to be out of reach")
	}
}

// TestAwaitEnd: the end of a server is awaited until it is in the history.
func TestAwaitEnd(t *testing.T) {
	n, _, sink, _ := powered(t)
	if err := n.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- n.awaitEnd(t.Context()) }()
	select {
	case err := <-done:
		t.Fatalf("it runs, and awaitEnd = %v", err)
	case <-time.After(5 * time.Millisecond):
	}
	n.Event(protocol.Event{Kind: protocol.EventExit, Boot: 1, Mono: 900, Reason: "exit status 0"})
	if err := <-done; err != nil {
		t.Error(err)
	}
	if events := sink.seen(); events[len(events)-1].Kind != history.EventExit {
		t.Errorf("recorded %+v", events)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	n.Event(protocol.Event{Kind: protocol.EventStart, Boot: 2, Mono: 950})
	if err := n.awaitEnd(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("awaitEnd of one that runs = %v", err)
	}
}
