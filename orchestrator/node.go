package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"squall/history"
	"squall/nemesis"
	"squall/nodeimage/agent/protocol"
	"squall/orchestrator/machines"
	"squall/workloads/systems"
)

// node is one machine of the cluster under test: it carries out what the
// nemesis asks, and turns what the machine sends into history.
type node struct {
	machine machines.Machine
	// untraced is true of a server that writes no trace: what it writes in its place
	// is not read. bends is true of one whose clock can be bent, ruled of one that
	// takes rules for its messages.
	untraced, bends, ruled bool
	addrs                  map[string]netip.Addr // of every node, by name
	sink                   nodeSink
	log                    io.Writer // the server's own output
	// told reads in that output who leads; nil: nobody reads it.
	told *logTeller
	// readyLine finds the line there that says that the server is ready; nil: none does.
	readyLine *lineWatch
	// now is the machines' clock; nil: this computer's.
	now func() int64
	// begin is the earliest time of an event that the history takes, by the
	// machines' clock, ns; nil: there is no bound.
	begin func() int64
	// lost is called when a machine ends that squall did not switch off; nil:
	// nobody wants to know.
	lost func(machines.Machine, *protocol.Client)

	memory   int64 // the limit of the machine's memory that the test set, bytes; 0: none
	limiting sync.Mutex
	limits   machines.Limits      // that the machine was told last; under limiting
	squeezed atomic.Bool          // squall leaves the machine less memory than the test does
	diskHurt atomic.Bool          // its disk fails, or is damaged: servers may end over it
	powering sync.Mutex           // one PowerOff or PowerOn at a time
	life     atomic.Pointer[life] // the machine's life of the moment

	mu      sync.Mutex
	start   systems.Start
	joins   func(context.Context) (systems.Start, error) // in its place, for a server that lost its disk; nil: it did not
	tail    time.Duration                                // see tailPatience; 0: that
	current int                                          // the boot that runs, or ran last
	started int                                          // the last boot whose start was recorded
	ended   int                                          // the last boot whose end was recorded
	seen    int64                                        // the latest time in what was recorded
	// expected holds, by boot, why squall itself ended the server, so that such
	// an end is told from a crash.
	expected map[int]string
	hogged   bool // a process in the machine may hold memory for nothing
	// oomKills is how often the kernel had killed for want of memory before.
	oomKills uint64
	crashed  bool          // the server's last end was its own
	over     int           // the last boot whose end is in the history
	noted    chan struct{} // closed at the next such end; nil: nobody waits
	tracer   tracer
	full     *fullTrace  // nil: none was asked for
	prompt   func() bool // whether its full trace is to come promptly; nil: it is not
}

// nodeSink takes what nodes report. Its methods are called in the order in
// which things happened on that node.
type nodeSink interface {
	event(history.NodeEvent)
	// broken is called when something the node sent could not be understood.
	broken(error)
}

var (
	_ nemesis.Node     = (*node)(nil)
	_ protocol.Handler = (*node)(nil)
)

func (n *node) Name() string { return n.machine.Name() }

// Kill ends the server with SIGKILL and returns when it was reaped.
func (n *node) Kill(ctx context.Context) error {
	n.expectEnd(history.ReasonKilled)
	_, err := n.agent().Kill(ctx)
	return err
}

// Start starts the server; one that runs is left alone.
func (n *node) Start(ctx context.Context) error {
	start, err := n.howToStart(ctx)
	if err != nil {
		return err
	}
	l := n.life.Load()
	info, err := l.agent.Start(ctx, protocol.StartSpec{Argv: start.Argv, Env: start.Env, Dir: start.Dir, Clock: n.bends, Messages: n.ruled, FullTrace: n.full != nil, Prompt: n.prompt != nil && n.prompt()})
	if errors.Is(err, protocol.ErrRunning) {
		return nil
	}
	if err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.start, n.joins = start, nil // what it joined is on its disk from now on
	n.current = max(n.current, l.before+info.Boot)
	return nil
}

// expectEnd says why the boot that runs will end.
func (n *node) expectEnd(reason string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.expected == nil {
		n.expected = map[int]string{}
	}
	n.expected[n.current] = reason
}

// forgetEnd takes back what expectEnd said, if it said this and nothing came of it.
func (n *node) forgetEnd(reason string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.expected[n.current] == reason && n.ended < n.current {
		delete(n.expected, n.current)
	}
}

func (n *node) expectedEnd(boot int) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.expected[boot]
}

// Pause stops the server with SIGSTOP.
func (n *node) Pause(ctx context.Context) error {
	_, err := n.agent().Pause(ctx)
	return unlessEnded(err)
}

// Resume continues a paused server.
func (n *node) Resume(ctx context.Context) error {
	_, err := n.agent().Resume(ctx)
	return unlessEnded(err)
}

// unlessEnded lets a server that has crashed be, as nemesis.Node asks.
func unlessEnded(err error) error {
	if errors.Is(err, protocol.ErrNotRunning) {
		return nil
	}
	return err
}

// Process is the server's process as the kernel shows it.
func (n *node) Process(ctx context.Context) (nemesis.Process, error) {
	s, err := n.agent().Process(ctx)
	n.mu.Lock()
	defer n.mu.Unlock()
	return nemesis.Process{Running: s.Running, PID: s.PID, State: s.State, Exit: s.ExitReason, Crashed: !s.Running && n.crashed}, err
}

// stop ends the server politely at the end of a test. One that has a trace gets the time
// to finish it; of what others do at their end nothing is recorded, and some take
// seconds to hand over to nodes that are ending, too.
func (n *node) stop(ctx context.Context) error {
	grace := 2 * time.Second
	if n.untraced {
		grace = 200 * time.Millisecond
	}
	n.expectEnd(history.ReasonStopped)
	_, err := n.agent().Terminate(ctx, grace)
	return err
}

// Stream takes a piece of the server's trace or log.
func (n *node) Stream(id protocol.StreamID, boot int, data []byte) {
	switch id {
	case protocol.StreamTrace:
		if !n.untraced {
			n.trace(boot, data)
		}
	case protocol.StreamFull:
		if n.full == nil {
			return
		}
		if err := n.full.take(boot, data, n.clock()); err != nil {
			n.sink.broken(fmt.Errorf("%s: %w", n.Name(), err))
		}
	case protocol.StreamLog:
		if _, err := n.log.Write(data); err != nil {
			n.sink.broken(fmt.Errorf("keep the log of %s: %w", n.Name(), err))
		}
		n.readLog(boot, data)
	}
}

// readLog records what a piece of the server's output tells of who leads, and whether it
// is ready.
func (n *node) readLog(boot int, data []byte) {
	if n.readyLine != nil {
		n.readyLine.take(data)
	}
	if n.told == nil {
		return
	}
	for _, e := range n.told.take(n.Name(), boot, data, n.clock()) {
		n.sink.event(e)
	}
}

// trace records what a piece of the server's trace says.
func (n *node) trace(boot int, data []byte) {
	now := n.clock()
	n.mu.Lock()
	n.nameTracer()
	piece := n.tracer.take(boot, data, now)
	for _, e := range piece.events {
		n.seen = max(n.seen, e.Time)
	}
	n.mu.Unlock()
	for _, e := range piece.events {
		n.sink.event(e)
	}
	if piece.silent != "" {
		n.silence(boot, now, piece.silent)
	}
}

// nameTracer tells the tracer whose trace it reads.
func (n *node) nameTracer() {
	if n.tracer.node != "" {
		return
	}
	n.tracer.node = n.Name()
	if n.begin != nil {
		n.tracer.floor = max(n.tracer.floor, n.begin())
	}
	if n.addrs != nil {
		n.tracer.named = func(name string) bool { return name != nemesis.Clients && n.addrs[name].IsValid() }
	}
}

// silence records that the server's trace has ended and its server has not.
func (n *node) silence(boot int, at int64, why string) {
	n.mu.Lock()
	at = max(at, n.seen) // it is of what came after
	n.mu.Unlock()
	n.sink.event(history.NodeEvent{Node: n.Name(), Boot: boot, Kind: history.EventSilent, Time: at, Reason: why})
}

// Event takes what the agent saw of the server's process.
func (n *node) Event(e protocol.Event) {
	event := history.NodeEvent{Node: n.Name(), Boot: e.Boot, Time: e.Mono, Reason: e.Reason}
	switch e.Kind {
	case protocol.EventStart:
		event.Kind = history.EventStart
	case protocol.EventPause:
		event.Kind = history.EventPause
	case protocol.EventResume:
		event.Kind = history.EventResume
	case protocol.EventSilent:
		if !n.untraced {
			n.closedTrace(e)
		}
		return
	case protocol.EventFullSilent:
		if n.full != nil {
			n.full.closed(e.Boot, e.Mono, e.Reason)
		}
		return
	case protocol.EventExit:
		event.Kind, event.Reason = history.EventExit, n.endReason(e)
	default:
		n.sink.broken(fmt.Errorf("%s: the agent sent an event of unknown kind %q", n.Name(), e.Kind))
		return
	}
	n.report(event)
}

// closedTrace takes that a server closed its trace.
func (n *node) closedTrace(e protocol.Event) {
	n.mu.Lock()
	n.nameTracer()
	n.tracer.turn(e.Boot)
	known := n.tracer.silent != ""
	if !known {
		n.tracer.hush(tracePiece{}, e.Reason)
	}
	n.mu.Unlock()
	if !known {
		n.silence(e.Boot, e.Mono, e.Reason)
	}
}

// report records a start, an end, a pause or a resumption of the server.
func (n *node) report(e history.NodeEvent) {
	if e.Kind == history.EventExit {
		n.mu.Lock()
		silent, since := n.tracer.end(e.Boot, e.Time), n.tracer.begun
		n.mu.Unlock()
		if silent != "" {
			n.silence(e.Boot, min(since, e.Time), silent)
		}
	}
	n.note(e)
	n.sink.event(e)
	if e.Kind == history.EventExit {
		n.recordedEnd(e.Boot)
	}
}

// recordedEnd wakes those who wait for the end of a boot to be recorded.
func (n *node) recordedEnd(boot int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.over = max(n.over, boot)
	if n.noted != nil {
		close(n.noted)
		n.noted = nil
	}
}

// note keeps what has to be known when the machine is gone, and of the next boot.
func (n *node) note(e history.NodeEvent) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.seen = max(n.seen, e.Time)
	switch e.Kind {
	case history.EventStart:
		n.current = max(n.current, e.Boot)
		n.started = max(n.started, e.Boot)
		n.crashed = false
	case history.EventExit:
		n.ended = max(n.ended, e.Boot)
		n.crashed = !history.OwnDoing(e.Reason)
		n.tracer.floor = max(n.tracer.floor, e.Time)
	}
}

// awaitEnd returns when the end of the server is recorded, and with it everything
// that the server wrote: what the agent answers overtakes that.
func (n *node) awaitEnd(ctx context.Context) error {
	n.mu.Lock()
	boot := n.current
	n.mu.Unlock()
	for {
		n.mu.Lock()
		over := n.over >= boot
		if n.noted == nil {
			n.noted = make(chan struct{})
		}
		noted := n.noted
		n.mu.Unlock()
		if over {
			return nil
		}
		select {
		case <-noted:
		case <-n.agent().Done():
			return nil // nothing more comes
		case <-ctx.Done():
			return fmt.Errorf("waiting for the end of the server of %s: %w", n.Name(), ctx.Err())
		}
	}
}
