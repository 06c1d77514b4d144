package orchestrator

import (
	"context"
	"fmt"
	"time"

	"squall/nodeimage/agent/protocol"
)

// The driver tells of itself once a second. How long it may say nothing before it
// is taken to hang:
const (
	driverLook = 500 * time.Millisecond // how often it is looked at
	// driverSilence is the limit on a computer that is not too busy, and of a
	// driver that is known to be stopped.
	driverSilence = 10 * time.Second
	// driverPatience is the limit of one that may merely be waiting for a
	// processor of a busy computer.
	driverPatience = 30 * time.Second
	driverAnswer   = 2 * time.Second        // for its machine to say how it is
	hungGrace      = 500 * time.Millisecond // for one that hangs to end by itself
)

// driverWatch notices a driver that hangs without ending. Without it a test would
// notice only when the driver is told something and does not obey.
type driverWatch struct {
	// heard counts what the driver says; taking is that something it said is
	// being recorded, for which it may have to wait.
	heard func() (said uint64, taking bool)
	state func(context.Context) (protocol.ProcState, error) // of its process
	reach func(context.Context) error                       // whether machines can be reached at all
	busy  func() string                                     // how this computer is too busy; "": it is not
	fail  func(error)
}

// watch looks at the driver at every tick, driverLook apart, until ctx ends or the
// driver hangs. Its silence is counted in ticks and not by a clock: the time in
// which squall itself was stopped, was starved, or slept with the computer has no
// ticks, and the driver may have had no turn in it either.
func (w *driverWatch) watch(ctx context.Context, ticks <-chan time.Time) {
	last, silence := uint64(0), time.Duration(0)
	var answer chan string // to why, if that was asked and not answered yet
	for {
		select {
		case <-ctx.Done():
			return
		case why := <-answer:
			answer = nil
			if said, _ := w.heard(); why != "" && said == last && silence >= driverSilence && ctx.Err() == nil {
				w.fail(fmt.Errorf("the driver, which runs the clients, has said nothing for %v: %s; its log is nodes/%s/%s",
					silence.Truncate(time.Second), why, driverMachine, serverLog))
				return
			}
			continue
		case <-ticks:
		}
		said, taking := w.heard()
		if said != last || taking {
			last, silence = said, 0
			continue
		}
		if silence += driverLook; silence >= driverSilence && answer == nil {
			asked := make(chan string, 1)
			answer = asked
			go func(silence time.Duration) { asked <- w.why(ctx, silence) }(silence)
		}
	}
}

// why says what keeps the driver silent; "": that is not for this watch to tell,
// or not yet.
func (w *driverWatch) why(ctx context.Context, silence time.Duration) string {
	asked, cancel := context.WithTimeout(ctx, driverAnswer)
	state, err := w.state(asked)
	cancel()
	if err == nil && state.Paused() {
		return "its process is stopped, as by SIGSTOP, and squall did not stop it: find out who did"
	}
	if err == nil && !state.Running {
		return "" // its end is on the way
	}
	if w.reach(ctx) != nil {
		return "" // the watch of the engine tells of that
	}
	if silence < driverPatience && w.busy() != "" {
		return "" // it may come yet; that the host was overloaded is recorded for itself
	}
	if err != nil {
		return "its machine does not answer either; was it frozen (docker pause)?"
	}
	return "its process runs and hangs"
}

// watchDriver watches the driver until ctx ends.
func (r *run) watchDriver(ctx context.Context) {
	w := driverWatch{heard: r.loader.heard, state: r.loader.agent.Process, reach: r.ping, busy: r.busy,
		fail: func(err error) {
			r.loader.hung.Store(true)
			r.fail(err)
		}}
	tick := time.NewTicker(driverLook)
	defer tick.Stop()
	w.watch(ctx, tick.C)
}
