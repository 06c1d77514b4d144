package orchestrator

import (
	"context"
	"time"

	"squall/internal/host"
	"squall/orchestrator/machines"
)

// pingEvery is how often it is asked whether what the machines are reached through
// is still there. With what an answer may take it is noticed within 15 seconds.
const pingEvery = 3 * time.Second

// watchReach fails the test when the machines can no longer be reached, until ctx
// ends. Without it a test would wait for each machine, fault and heal in turn.
func (r *run) watchReach(ctx context.Context, every time.Duration) {
	if _, ok := r.cfg.Runtime.(machines.Pinger); !ok {
		return
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := r.ping(ctx); err != nil && ctx.Err() == nil {
			r.goneOnce.Do(func() { close(r.gone) })
			r.fail(err)
			return
		}
	}
}

// ping asks what the machines are reached through, if anything, whether it is there.
func (r *run) ping(ctx context.Context) error {
	if pinger, ok := r.cfg.Runtime.(machines.Pinger); ok {
		return pinger.Ping(ctx)
	}
	return nil
}

// reachable reports whether there is a point in asking machines for anything.
func (r *run) reachable() bool {
	select {
	case <-r.gone:
		return false
	default:
		return true
	}
}

// busy says how busy the computer is at this moment, "" when it is not too busy.
func (r *run) busy() string {
	if why := host.Look(r.dir).Busy(); why != "" {
		return "the host is busy: " + why
	}
	return ""
}
