package driver

import (
	"context"
	"fmt"
	"time"

	"squall/history"
	"squall/workloads"
)

// aside is a client beside the load, before or after it: it tries operations through
// nodes until they succeed. Each attempt is an operation of its own, marked as final.
type aside struct {
	rec     *recorder
	clock   clock
	flight  *flight
	process int64        // of the next attempt
	fresh   func() int64 // a process number that nobody has
	timeout time.Duration
}

// try runs an operation once, and reports whether it succeeded. After one that may
// still take effect the client goes on under a new process number.
func (a *aside) try(ctx context.Context, l *link, in workloads.Intent) bool {
	op := newOp(l.node.Name, in)
	op.Process, op.Final = a.process, true
	a.rec.begin(a.flight, &op, a.clock.now)
	attempt, cancel := context.WithTimeoutCause(ctx, a.timeout, fmt.Errorf("timeout: no answer in %v", a.timeout))
	perform(attempt, l, &op)
	cancel()
	a.rec.end(a.flight, &op, op.Call)
	if op.Outcome == history.Info {
		a.process = a.fresh()
	}
	return op.Outcome == history.OK
}

// until tries until an attempt succeeds or ctx ends, but once at least, so that the
// history tells of an operation that no time was left for. attempt makes one.
func (a *aside) until(ctx context.Context, attempt func() bool) bool {
	for rest := restFirst; ; rest = min(2*rest, restMost) {
		if attempt() {
			return true
		}
		select {
		case <-time.After(rest):
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			return false
		}
	}
}
