package orchestrator

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"squall/history"
	"squall/nodeimage/agent/protocol"
)

// clock is the machines' CLOCK_MONOTONIC as seen from here. Machines on this
// host share ours. Those on another (a remote engine, or Docker Desktop's
// virtual machine) have their own: then what squall itself does is recorded by
// our clock and an offset, which is known to within an error.
type clock struct {
	offset int64 // ns to add to ours
	bound  int64 // ns that the offset may be wrong by; 0: it is one clock
}

func (c clock) now() int64 { return monotonic() + c.offset }

// reading is a look at the machines' clock: it showed theirs at some moment
// between before and after on ours, all in ns.
type reading struct{ before, theirs, after int64 }

// clockReadings is how often the clocks are compared. The quickest answer
// tells most.
const clockReadings = 16

// newClock compares the clocks. They are one when the kernels are, and every
// reading agrees; else the offset is taken from the quickest reading, and is
// wrong by at most half the time that one took (Cristian's algorithm).
func newClock(sameKernel bool, readings []reading) clock {
	best, one := readings[0], sameKernel
	for _, r := range readings {
		// A millisecond for clocks that are one and yet seem to step back.
		const slack = int64(time.Millisecond)
		one = one && r.theirs >= r.before-slack && r.theirs <= r.after+slack
		if r.after-r.before < best.after-best.before {
			best = r
		}
	}
	if one {
		return clock{}
	}
	return clock{offset: best.theirs - (best.before + (best.after-best.before)/2), bound: max(1, (best.after-best.before+1)/2)}
}

// compareClocks reads the clock of the machines, which is that of any of them.
func compareClocks(ctx context.Context, agent *protocol.Client, sameKernel bool) (clock, error) {
	readings := make([]reading, clockReadings)
	for i := range readings {
		before := monotonic()
		theirs, err := agent.Clock(ctx)
		if err != nil {
			return clock{}, fmt.Errorf("read the machines' clock: %w", err)
		}
		readings[i] = reading{before, theirs, monotonic()}
	}
	return newClock(sameKernel, readings), nil
}

// markClock records how squall's clock stands to the machines'. What this
// comparison found is recorded, and not what an earlier one did: the times in
// the history go by the first, so that they never step.
func (r *run) markClock(c clock) {
	text := "one clock"
	if c.bound > 0 {
		text = fmt.Sprintf("squall's clock and the machines' are %v apart, give or take %v",
			time.Duration(c.offset), time.Duration(c.bound))
	}
	m := history.Mark{Name: history.MarkClock, Time: r.clock.now(), Text: text,
		Clock: &history.Clock{Offset: c.offset, Error: c.bound}}
	r.append(history.Record{Mark: &m})
	r.log.Info("clock", "offset", time.Duration(c.offset), "error", time.Duration(c.bound))
}

// clockTimeout is how long the second comparison may take.
const clockTimeout = 10 * time.Second

// compareClocksAgain records how far the clocks have drifted apart, where they
// are two. A machine that is gone has no clock to compare with.
func (r *run) compareClocksAgain(ctx context.Context) {
	if r.clock.bound == 0 || r.loader.agent == nil || !r.reachable() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, clockTimeout)
	defer cancel()
	c, err := compareClocks(ctx, r.loader.agent, false)
	if err != nil {
		r.log.Warn("the clocks could not be compared again", "err", err)
		return
	}
	r.markClock(c)
}

// bootID identifies the kernel that this process runs on; "" where there is
// nothing of the kind.
func bootID() string {
	text, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}
