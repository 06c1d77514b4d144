package driver

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"squall/history"
	"squall/workloads"
	"squall/workloads/systems"
)

// probeAttempt is the first attempt of a probe, so that it writes what the recovery
// does not.
const probeAttempt = 1 << 20

// probe finds out whether the system under test serves yet: through any node an
// operation succeeds, or a node says who leads. Its operations are in the history, as
// those after the load are.
type probe struct {
	cfg     Config
	clock   clock
	rec     *recorder
	gen     workloads.Generator
	links   [][]*link
	process atomic.Int64 // the next that nobody has
}

// run returns how it was seen that the system serves; "" when ctx ended before.
func (p *probe) run(ctx context.Context) string {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	seen := make(chan string, len(p.links))
	var nodes sync.WaitGroup
	for _, conns := range p.links {
		nodes.Go(func() {
			if how := p.node(ctx, conns[0]); how != "" {
				seen <- how
				cancel(errors.New("another node serves"))
			}
		})
	}
	nodes.Wait()
	close(seen)
	return <-seen
}

// node tries one node until it serves.
func (p *probe) node(ctx context.Context, l *link) string {
	flight := p.rec.register()
	defer p.rec.release(flight)
	process := p.process.Add(1) - 1
	timedOut := fmt.Errorf("timeout: no answer in %v", p.cfg.Timeout)
	for attempt, rest := probeAttempt, restFirst; ctx.Err() == nil; attempt, rest = attempt+1, min(2*rest, restMost) {
		if leader := askLeader(ctx, l, p.cfg.Patience); leader != "" {
			return fmt.Sprintf("%s leads, says %s", leader, l.node.Name)
		}
		op := newOp(l.node.Name, p.gen.Recovery(l.node.Name, attempt)[0])
		op.Process, op.Final, op.Call = process, true, p.clock.now()
		p.rec.begin(flight, &op)
		try, cancel := context.WithTimeoutCause(ctx, p.cfg.Timeout, timedOut)
		perform(try, l, &op)
		cancel()
		p.rec.end(flight, &op, op.Call)
		switch op.Outcome {
		case history.OK:
			return fmt.Sprintf("%s through %s succeeded", op.Func, l.node.Name)
		case history.Info:
			process = p.process.Add(1) - 1
		}
		select {
		case <-time.After(rest):
		case <-ctx.Done():
		}
	}
	return ""
}

// askLeader asks a node who leads; "" where it does not know, or cannot be asked.
func askLeader(ctx context.Context, l *link, patience time.Duration) string {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	conn, err := l.get(ctx)
	if err != nil {
		return ""
	}
	teller, ok := conn.client.(systems.LeaderTeller)
	if !ok {
		return ""
	}
	leader, err := teller.Leader(ctx)
	if err != nil {
		l.failed(conn, err, l.clock.now())
		return ""
	}
	conn.answered(l.clock.now())
	return leader
}
