package orchestrator

import (
	"bytes"
	"context"
	"encoding/json"
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
	"squall/workloads/systems"
)

// node is one machine of the cluster under test: it carries out what the
// nemesis asks, and turns what the machine sends into history.
type node struct {
	machine Machine
	start   systems.Start
	addrs   map[string]netip.Addr // of every node, by name
	sink    nodeSink
	log     io.Writer // the server's own output
	// now is the machines' clock; nil: this computer's.
	now func() int64
	// lost is called when a machine ends that squall did not switch off; nil:
	// nobody wants to know.
	lost func(Machine, *protocol.Client)

	limiting sync.Mutex
	limits   Limits               // that the machine was told last; under limiting
	powering sync.Mutex           // one PowerOff or PowerOn at a time
	life     atomic.Pointer[life] // the machine's life of the moment
	off      atomic.Pointer[life] // the last one that squall ended itself

	mu      sync.Mutex
	current int   // the boot that runs, or ran last
	ended   int   // the last boot whose end was recorded
	seen    int64 // the latest time in what was recorded
	// doomed holds, by boot, why squall itself ended the server, so that such
	// an end is told from a crash.
	doomed map[int]string
	hogged bool // a process in the machine may hold memory for nothing
	// oomKills is how often the kernel had killed for want of memory before.
	oomKills uint64
	boot     int    // the boot that part belongs to
	part     []byte // a trace line whose end has not arrived yet
}

// signalKilled is how a server ends that the kernel kills because memory has run
// out. Any other end is not what squall starved it for.
const signalKilled = "signal: killed"

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
	n.doom(history.ReasonKilled)
	_, err := n.agent().Kill(ctx)
	return err
}

// Start starts the server; one that runs is left alone.
func (n *node) Start(ctx context.Context) error {
	l := n.life.Load()
	info, err := l.agent.Start(ctx, protocol.StartSpec{Argv: n.start.Argv, Env: n.start.Env, Clock: n.start.Clock})
	if errors.Is(err, protocol.ErrRunning) {
		return nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if err == nil {
		n.current = max(n.current, l.before+info.Boot)
	}
	return err
}

// doom says why the boot that runs will end.
func (n *node) doom(reason string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.doomed == nil {
		n.doomed = map[int]string{}
	}
	n.doomed[n.current] = reason
}

// undoom takes back what doom said, if it said this and nothing came of it.
func (n *node) undoom(reason string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.doomed[n.current] == reason && n.ended < n.current {
		delete(n.doomed, n.current)
	}
}

func (n *node) doomOf(boot int) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.doomed[boot]
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
	return nemesis.Process{Running: s.Running, PID: s.PID, State: s.State, Exit: s.ExitReason}, err
}

// stop ends the server politely at the end of a test.
func (n *node) stop(ctx context.Context) error {
	const grace = 2 * time.Second
	n.doom(history.ReasonStopped)
	_, err := n.agent().Terminate(ctx, grace)
	return err
}

// Stream takes a piece of the server's trace or log.
func (n *node) Stream(id protocol.StreamID, boot int, data []byte) {
	switch id {
	case protocol.StreamTrace:
		n.trace(boot, data)
	case protocol.StreamLog:
		if _, err := n.log.Write(data); err != nil {
			n.sink.broken(fmt.Errorf("keep the log of %s: %w", n.Name(), err))
		}
	}
}

// trace cuts the stream into lines. A line that a SIGKILL cut in two is never
// completed and is dropped when the next boot begins.
func (n *node) trace(boot int, data []byte) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if boot != n.boot {
		n.boot, n.part = boot, nil
	}
	rest := append(n.part, data...)
	for {
		line, after, whole := bytes.Cut(rest, []byte{'\n'})
		if !whole {
			break
		}
		n.traceLine(boot, line)
		rest = after
	}
	n.part = bytes.Clone(rest)
}

func (n *node) traceLine(boot int, line []byte) {
	e := history.NodeEvent{Node: n.Name(), Boot: boot}
	if err := json.Unmarshal(line, &e); err != nil {
		n.sink.broken(fmt.Errorf("%s wrote a trace line that is none: %q: %w", n.Name(), line, err))
		return
	}
	n.seen = max(n.seen, e.Time)
	n.sink.event(e)
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
	case protocol.EventExit:
		event.Kind = history.EventExit
		if why := n.doomOf(e.Boot); why != "" && (why != history.ReasonOOM || e.Reason == signalKilled) {
			event.Reason = why
		}
	default:
		n.sink.broken(fmt.Errorf("%s: the agent sent an event of unknown kind %q", n.Name(), e.Kind))
		return
	}
	n.note(event)
	n.sink.event(event)
}

// note keeps what has to be known when the machine is gone.
func (n *node) note(e history.NodeEvent) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.seen = max(n.seen, e.Time)
	switch e.Kind {
	case history.EventStart:
		n.current = max(n.current, e.Boot)
	case history.EventExit:
		n.ended = max(n.ended, e.Boot)
	}
}
