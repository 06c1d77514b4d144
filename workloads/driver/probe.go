package driver

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

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
func (p *probe) node(ctx context.Context, l *link) (how string) {
	if ctx.Err() != nil {
		return "" // another node serves already
	}
	fresh := func() int64 { return p.process.Add(1) - 1 }
	a := aside{rec: p.rec, clock: p.clock, flight: p.rec.register(), process: fresh(), fresh: fresh, timeout: p.cfg.Timeout}
	defer p.rec.release(a.flight)
	attempt := probeAttempt
	a.until(ctx, func() bool {
		if leader := askLeader(ctx, l, p.cfg.Patience); leader != "" {
			how = fmt.Sprintf("%s leads, says %s", leader, l.node.Name)
			return true
		}
		in := p.gen.Recovery(l.node.Name, attempt)[0]
		attempt++
		if !a.try(ctx, l, in) {
			return false
		}
		how = fmt.Sprintf("%s through %s succeeded", in.Func, l.node.Name)
		return true
	})
	return how
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
	l.heard(conn, err)
	if err != nil {
		return ""
	}
	return leader
}
