package orchestrator

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"squall/history"
	"squall/nodeimage/agent/protocol"
	"squall/orchestrator/machines"
)

// life is a node's machine from one start to its end: it has an agent of its
// own, which counts the server's boots from 1.
type life struct {
	node   *node
	agent  *protocol.Client
	before int // boots of the lives before
	began  time.Time
	off    atomic.Bool // squall ended it
}

var _ protocol.Handler = (*life)(nil)

// Stream takes a piece of the server's trace or log.
func (l *life) Stream(id protocol.StreamID, boot int, data []byte) {
	l.node.Stream(id, l.before+boot, data)
}

// Event takes what the agent saw of the server's process.
func (l *life) Event(e protocol.Event) {
	e.Boot += l.before
	l.node.Event(e)
}

// connect speaks to the agent of a life that has begun.
func (n *node) connect() {
	n.mu.Lock()
	l := &life{node: n, before: n.current, began: time.Now()}
	n.hogged = false // whatever did so in a life before is gone
	n.mu.Unlock()
	l.agent = protocol.NewClient(n.machine.Control(), l)
	n.life.Store(l)
	if n.lost != nil {
		go n.watch(l)
	}
}

// watch notices when the machine ends by others' doing.
func (n *node) watch(l *life) {
	<-l.agent.Done()
	if !l.off.Load() { // of this life: it may be long over, and others with it
		n.lost(n.machine, l.agent)
	}
}

// agent is that of the moment. While the machine is off its calls fail with
// protocol.ErrAgentGone.
func (n *node) agent() *protocol.Client { return n.life.Load().agent }

// Up reports whether the machine is on: from the beginning, except between
// PowerOff, or an end of its own, and PowerOn.
func (n *node) Up() bool { return !n.isOff() && !n.Lost() }

// isOff reports whether squall has switched the machine off.
func (n *node) isOff() bool { return n.life.Load().off.Load() }

// Lost reports whether the machine has ended, and squall did not switch it off.
func (n *node) Lost() bool {
	if n.isOff() {
		return false
	}
	select {
	case <-n.agent().Done():
		return !n.isOff()
	default:
		return false
	}
}

// upSince is when the machine was switched on last.
func (n *node) upSince() time.Time { return n.life.Load().began }

// PowerOff ends the machine as a power cut does, and with it the server, whose
// end it records: no agent is left that could. It returns when everything that
// had got out of the machine has been taken, and with it what the server wrote last to
// its trace, unless its agent could not end it before. A machine that is off already is left alone.
func (n *node) PowerOff(ctx context.Context) error {
	n.powering.Lock()
	defer n.powering.Unlock()
	l := n.life.Load()
	if n.isOff() {
		return nil
	}
	if n.Lost() {
		return fmt.Errorf("switch %s off: it was lost before: %s", n.Name(), death(n.machine, l.agent))
	}
	// The end of the stream is the moment of the machine's own: that the runtime
	// reports it done is later.
	gone := make(chan int64, 1)
	go func() {
		<-l.agent.Done()
		gone <- n.clock()
	}()
	l.off.Store(true)
	n.expectEnd(history.ReasonKilled)
	n.takeTail(ctx, l)
	if err := n.machine.Kill(ctx); err != nil {
		l.off.Store(false)
		n.expectEnd("")
		return fmt.Errorf("switch %s off: %w", n.Name(), err)
	}
	select {
	case at := <-gone:
		n.recordEnd(at, history.ReasonKilled)
		return nil
	case <-ctx.Done():
		return fmt.Errorf("switch %s off: it is off, but what it sent still comes: %w", n.Name(), ctx.Err())
	}
}

// tailPatience is how long a machine that is to be switched off may take to end its server
// and to hand out what the server wrote: on a busy computer much waits in it.
const tailPatience = 10 * time.Second

// takeTail ends the server a moment before its machine, so that the end of its trace gets
// out, and what its agent saw of it. Where that does not come, the machine takes it along.
func (n *node) takeTail(ctx context.Context, l *life) {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(n.tail, tailPatience))
	defer cancel()
	if _, err := l.agent.Kill(ctx); err == nil {
		_ = n.awaitEnd(ctx)
	}
}

// recordEnd records the end of the server that ran when its machine was gone. A start of
// which nothing came out of the machine is not in the history, and neither is its end.
func (n *node) recordEnd(at int64, reason string) {
	n.mu.Lock()
	boot, at := n.started, max(at, n.seen) // no event of a boot comes after its end
	known := boot <= n.ended
	n.mu.Unlock()
	if known {
		return
	}
	n.report(history.NodeEvent{Node: n.Name(), Boot: boot, Kind: history.EventExit, Time: at, Reason: reason})
}

// PowerOn starts the machine again, with its address and its disk, and returns
// when its agent answers. The server is not started: see Start. Of a machine
// that is on, only the agent is asked. One that was lost is started like one that
// was switched off.
func (n *node) PowerOn(ctx context.Context) error {
	n.powering.Lock()
	defer n.powering.Unlock()
	if n.Lost() {
		n.recordEnd(n.clock(), history.ReasonLost)
	}
	if !n.Up() {
		if err := n.machine.Start(ctx); err != nil && !errors.Is(err, machines.ErrMachineRuns) {
			return fmt.Errorf("switch %s on: %w", n.Name(), err)
		}
		_ = n.agent().Close() // what came from before the cut was taken, or never is
		n.connect()
	}
	_, err := greetOne(ctx, n.machine, n.agent())
	return err
}

// clock is the time on the machines' clock, ns.
func (n *node) clock() int64 {
	if n.now == nil {
		return monotonic()
	}
	return n.now()
}
