package orchestrator

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"squall/history"
	"squall/nodeimage/agent/protocol"
	"squall/orchestrator/machines"
)

// scripted is a machine whose agent does as a test says.
type scripted struct {
	machines.Machine
	killErr error
	ends    func() // what comes out of the machine after a kill of the server; nil: nothing
	mute    bool   // starts are not told of

	mu      sync.Mutex
	control net.Conn // ours
	agent   net.Conn // the agent's
	boots   int
	starts  int
}

func newScripted() *scripted {
	m := &scripted{}
	m.begin()
	return m
}

func (m *scripted) begin() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.control, m.agent = net.Pipe()
	m.boots = 0
	go m.serve(m.agent)
}

func (m *scripted) Name() string                 { return "n1" }
func (m *scripted) Death(context.Context) string { return "it was killed" }

func (m *scripted) Control() io.ReadWriteCloser {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.control
}

func (m *scripted) Kill(context.Context) error {
	if m.killErr != nil {
		return m.killErr
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.agent.Close()
}

func (m *scripted) Start(context.Context) error {
	m.mu.Lock()
	m.starts++
	m.mu.Unlock()
	m.begin()
	return nil
}

// serve answers every request: a start with the next boot, and its event.
func (m *scripted) serve(conn net.Conn) {
	for {
		_, payload, err := protocol.ReadFrame(conn)
		if err != nil {
			return
		}
		var req protocol.Request
		if json.Unmarshal(payload, &req) != nil || req.ID == 0 {
			continue // credit
		}
		reply := protocol.Reply{ID: req.ID}
		switch req.Method {
		case protocol.MethodHello:
			reply.Result, _ = json.Marshal(protocol.Hello{Version: protocol.Version, PID: 1})
		case protocol.MethodStart:
			m.mu.Lock()
			m.boots++
			boot := m.boots
			m.mu.Unlock()
			if !m.mute {
				send(conn, protocol.KindEvent, protocol.Event{Kind: protocol.EventStart, Boot: boot, Mono: 5})
			}
			reply.Result, _ = json.Marshal(protocol.ProcInfo{Boot: boot})
		default:
			reply.Result = []byte("{}")
		}
		send(conn, protocol.KindReply, reply)
		if req.Method == protocol.MethodKill && m.ends != nil {
			m.ends() // replies overtake what servers wrote
		}
	}
}

func send(conn net.Conn, kind protocol.Kind, message any) {
	payload, _ := json.Marshal(message)
	frame, _ := protocol.AppendFrame(nil, kind, payload)
	conn.Write(frame)
}

// trace sends a piece of a server's trace.
func (m *scripted) trace(boot int, text string) {
	frame := append(make([]byte, protocol.StreamOverhead), text...)
	protocol.PutStreamHead(frame, protocol.StreamTrace, boot)
	m.agent.Write(frame)
}

// guarded is a sink that may be looked at while nodes report.
type guarded struct {
	mu sync.Mutex
	sink
}

func (g *guarded) event(e history.NodeEvent) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.sink.event(e)
}

func (g *guarded) broken(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.sink.broken(err)
}

func (g *guarded) seen() []history.NodeEvent {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]history.NodeEvent(nil), g.events...)
}

func powered(t *testing.T) (*node, *scripted, *guarded, chan string) {
	t.Helper()
	m, s, lost := newScripted(), new(guarded), make(chan string, 10)
	n := &node{machine: m, sink: s, log: io.Discard, now: func() int64 { return 1000 }, tail: 10 * time.Millisecond,
		lost: func(m machines.Machine, agent *protocol.Client) { lost <- death(m, agent) }}
	n.connect()
	t.Cleanup(func() {
		n.life.Load().off.Store(true)
		n.agent().Close()
	})
	return n, m, s, lost
}

// wantEvents compares what was recorded, once there is as much, as events come by
// themselves.
func wantEvents(t *testing.T, s *guarded, want ...history.NodeEvent) {
	t.Helper()
	got := s.seen()
	for limit := time.Now().Add(time.Minute); len(got) < len(want) && time.Now().Before(limit); got = s.seen() {
		time.Sleep(time.Millisecond)
	}
	if len(got) != len(want) {
		t.Fatalf("events %+v, want %+v", got, want)
	}
	for i := range want {
		want[i].Node = "n1"
		if got[i].Kind != want[i].Kind || got[i].Boot != want[i].Boot || got[i].Time != want[i].Time || got[i].Reason != want[i].Reason {
			t.Errorf("event %d is %+v, want %+v", i, got[i], want[i])
		}
	}
}

func TestPowerCycle(t *testing.T) {
	n, m, s, lost := powered(t)
	ctx := t.Context()
	if !n.Up() {
		t.Fatal("a new machine is off")
	}
	if err := n.Start(ctx); err != nil {
		t.Fatal(err)
	}
	m.trace(1, `{"e":"role","t":7,"role":"leader"}`+"\n"+`{"e":"comm`) // the rest is lost with the machine
	for range 2 {                                                      // the second time there is nothing to do
		if err := n.PowerOff(ctx); err != nil {
			t.Fatal(err)
		}
		if n.Up() {
			t.Error("the machine is on after PowerOff")
		}
	}
	want := []history.NodeEvent{{Kind: history.EventStart, Boot: 1, Time: 5}, {Kind: history.EventRole, Boot: 1, Time: 7},
		{Kind: history.EventExit, Boot: 1, Time: 1000, Reason: history.ReasonKilled}}
	wantEvents(t, s, want...)
	if err := n.Kill(ctx); !errors.Is(err, protocol.ErrAgentGone) {
		t.Errorf("a command to a machine that is off: %v, want ErrAgentGone", err)
	}
	for range 2 { // likewise
		if err := n.PowerOn(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if !n.Up() || m.starts != 1 {
		t.Errorf("up: %t, started %d times, want that it is on and was started once", n.Up(), m.starts)
	}
	if err := n.PowerOff(ctx); err != nil { // without a server there is no end to record
		t.Fatal(err)
	}
	if err := n.PowerOn(ctx); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := n.Start(ctx); err != nil {
			t.Fatal(err)
		}
	}
	m.trace(1, `{"e":"role","t":2000,"role":"follower"}`+"\n")
	send(m.agent, protocol.KindEvent, protocol.Event{Kind: protocol.EventExit, Boot: 1, Mono: 2001, Reason: "exit status 2"})
	m.trace(2, `{"e":"role","t":3000,"role":"follower"}`+"\n")
	if err := n.PowerOff(ctx); err != nil {
		t.Fatal(err)
	}
	wantEvents(t, s, append(want,
		history.NodeEvent{Kind: history.EventStart, Boot: 2, Time: 5}, history.NodeEvent{Kind: history.EventStart, Boot: 3, Time: 5},
		history.NodeEvent{Kind: history.EventRole, Boot: 2, Time: 2000},
		history.NodeEvent{Kind: history.EventExit, Boot: 2, Time: 2001, Reason: "exit status 2"},
		history.NodeEvent{Kind: history.EventRole, Boot: 3, Time: 3000},
		// Not before what the server itself said, whatever clock that was by.
		history.NodeEvent{Kind: history.EventExit, Boot: 3, Time: 3000, Reason: history.ReasonKilled})...)
	if len(s.errs) > 0 {
		t.Errorf("errors %v", s.errs)
	}
	select {
	case why := <-lost:
		t.Errorf("squall's own doing was taken for a loss: %s", why)
	default:
	}
}

// TestAPowerCutTakesNoTraceAlong: what a server had written comes out of a machine that is
// switched off, however much later than the answer to the command.
func TestAPowerCutTakesNoTraceAlong(t *testing.T) {
	n, m, s, _ := powered(t)
	n.tail = time.Minute
	m.ends = func() {
		m.trace(1, `{"e":"role","t":7,"role":"leader"}`+"\n")
		send(m.agent, protocol.KindEvent, protocol.Event{Kind: protocol.EventExit, Boot: 1, Mono: 8, Reason: "signal: killed"})
	}
	if err := n.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := n.PowerOff(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantEvents(t, s, history.NodeEvent{Kind: history.EventStart, Boot: 1, Time: 5}, history.NodeEvent{Kind: history.EventRole, Boot: 1, Time: 7},
		history.NodeEvent{Kind: history.EventExit, Boot: 1, Time: 8, Reason: history.ReasonKilled})
}

// TestAStartOfWhichNothingCameOut: the machine goes before its agent has told of a server's
// end and of the next start. The history has the end of the one that it knows of.
func TestAStartOfWhichNothingCameOut(t *testing.T) {
	n, m, s, _ := powered(t)
	ctx := t.Context()
	if err := n.Start(ctx); err != nil {
		t.Fatal(err)
	}
	m.mute = true
	if err := n.Start(ctx); err != nil { // the first one has ended by itself
		t.Fatal(err)
	}
	if err := n.PowerOff(ctx); err != nil {
		t.Fatal(err)
	}
	m.mute = false
	if err := n.PowerOn(ctx); err != nil {
		t.Fatal(err)
	}
	if err := n.Start(ctx); err != nil {
		t.Fatal(err)
	}
	wantEvents(t, s, history.NodeEvent{Kind: history.EventStart, Boot: 1, Time: 5},
		history.NodeEvent{Kind: history.EventExit, Boot: 1, Time: 1000, Reason: history.ReasonKilled},
		history.NodeEvent{Kind: history.EventStart, Boot: 3, Time: 5})
}

// TestALateLookAtALifeThatIsOverIsNoLoss: on a busy computer the end of a life may
// be looked at when later ones have ended too.
func TestALateLookAtALifeThatIsOverIsNoLoss(t *testing.T) {
	n, _, _, lost := powered(t)
	first := n.life.Load()
	for _, do := range []func(context.Context) error{n.PowerOff, n.PowerOn, n.PowerOff} {
		if err := do(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	n.watch(first)
	select {
	case why := <-lost:
		t.Errorf("squall's own doing was taken for a loss: %s", why)
	default:
	}
}

// TestALossIsStillALoss: also of a machine that was switched off before.
func TestALossIsStillALoss(t *testing.T) {
	n, m, _, lost := powered(t)
	ctx := t.Context()
	if err := n.PowerOff(ctx); err != nil {
		t.Fatal(err)
	}
	if err := n.PowerOn(ctx); err != nil {
		t.Fatal(err)
	}
	m.agent.Close()
	select {
	case why := <-lost:
		if why != "it was killed" {
			t.Errorf("lost because %q", why)
		}
	case <-time.After(2 * time.Minute):
		t.Fatal("the loss of a machine went unnoticed")
	}
	if err := n.PowerOff(ctx); err == nil || !strings.Contains(err.Error(), "lost before") {
		t.Errorf("switching a lost machine off: %v", err)
	}
}

// TestAPowerCutThatFails leaves the machine on: its end would be a loss.
func TestAPowerCutThatFails(t *testing.T) {
	n, m, s, lost := powered(t)
	if err := n.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	m.killErr = errors.New("the engine is hung")
	if err := n.PowerOff(t.Context()); err == nil || !strings.Contains(err.Error(), "switch n1 off: the engine is hung") || !n.Up() {
		t.Errorf("got %v, up: %t", err, n.Up())
	}
	send(m.agent, protocol.KindEvent, protocol.Event{Kind: protocol.EventExit, Boot: 1, Mono: 9, Reason: "exit status 1"})
	m.agent.Close()
	select {
	case <-lost:
	case <-time.After(2 * time.Minute):
		t.Fatal("the loss of a machine went unnoticed")
	}
	wantEvents(t, s, history.NodeEvent{Kind: history.EventStart, Boot: 1, Time: 5},
		history.NodeEvent{Kind: history.EventExit, Boot: 1, Time: 9, Reason: "exit status 1"})
}

// TestCommandsWhileThePowerGoes races everything with power cuts; the race
// detector watches.
func TestCommandsWhileThePowerGoes(t *testing.T) {
	n, _, s, _ := powered(t)
	ctx := t.Context()
	stop := make(chan struct{})
	var all sync.WaitGroup
	for _, do := range []func() error{
		func() error { return n.Start(ctx) },
		func() error { return n.Kill(ctx) },
		func() error { _, err := n.Process(ctx); return err },
	} {
		all.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if err := do(); err != nil && !errors.Is(err, protocol.ErrAgentGone) {
					t.Error(err)
					return
				}
			}
		})
	}
	for range 20 {
		if err := n.PowerOff(ctx); err != nil {
			t.Fatal(err)
		}
		if err := n.PowerOn(ctx); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	all.Wait()
	last := 0
	for _, e := range s.seen() {
		if e.Kind == history.EventStart {
			if e.Boot <= last {
				t.Fatalf("boot %d began after boot %d", e.Boot, last)
			}
			last = e.Boot
		}
	}
}

// An end that squall had starved the server for is only that when the kernel
// killed it.
func TestStarvedOrCrashed(t *testing.T) {
	var s sink
	n := &node{machine: namedMachine{name: "n1"}, sink: &s, log: io.Discard, current: 1}
	n.expectEnd(history.ReasonOOM)
	n.Event(protocol.Event{Kind: protocol.EventExit, Boot: 1, Reason: "signal: killed"})
	n.current = 2
	n.expectEnd(history.ReasonOOM)
	n.Event(protocol.Event{Kind: protocol.EventExit, Boot: 2, Reason: "exit status 2: fatal error: out of memory"})
	if s.events[0].Reason != history.ReasonOOM || !strings.HasPrefix(s.events[1].Reason, "exit status 2") {
		t.Errorf("reasons %q and %q", s.events[0].Reason, s.events[1].Reason)
	}
}
