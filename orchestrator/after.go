package orchestrator

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"squall/history"
	"squall/nemesis"
	"squall/nemesis/faults"
	"squall/workloads/driver"
	"squall/workloads/systems"
)

// afterLoad stops the clients, heals everything, has the cluster show that it
// serves again through every node and waits until it has converged, has all that was written read back, and the nodes' copies compared. That it does
// not serve is nothing that failed here: the history tells of it.
func (r *run) afterLoad(ctx context.Context) error {
	r.cfg.Progress.Phase("healing, then the final reads")
	if err := r.endLoad(ctx); err != nil {
		return err
	}
	if err := r.healAll(ctx); err != nil {
		return err
	}
	bound, committed := time.Duration(r.plan.Test.Recovery), r.converged.committed()
	end := time.Now().Add(bound)
	if err := r.command(ctx, driver.CommandRecover, driver.EventRecovered, bound); err != nil {
		return err
	}
	if err := r.awaitConvergence(ctx, committed, end); err != nil {
		return err
	}
	r.mark(history.MarkFinalReads, "")
	if err := r.command(ctx, driver.CommandFinal, driver.EventFinalDone, bound); err != nil {
		return err
	}
	if err := r.scan(ctx); err != nil {
		return err
	}
	if err := r.compareReplicas(ctx, bound); err != nil {
		return err
	}
	return r.loader.quit(ctx)
}

// scan has all that was written read back through every node.
func (r *run) scan(ctx context.Context) error {
	bound := scanTime(time.Duration(r.plan.Test.Time))
	r.markAs(history.Mark{Name: history.MarkScan, Bound: int64(bound)})
	return r.command(ctx, driver.CommandScan, driver.EventScanned, bound)
}

// scanTime is how long all that was written in a load may be read back. There is a
// read of each key through every node where the load had a hundred operations or more
// on it, so a tenth of the load's time is plenty unless something is wrong.
func scanTime(load time.Duration) time.Duration {
	return min(max(load/10, 5*time.Second), time.Minute)
}

// compareReplicas has the nodes' copies of the state compared, where the system tells of
// them. What comes of it is recorded when the driver tells it.
func (r *run) compareReplicas(ctx context.Context, bound time.Duration) error {
	system, err := r.plan.Test.FindSystem()
	if err != nil || !systems.TellsReplicas(system) {
		return err
	}
	return r.command(ctx, driver.CommandCompare, driver.EventCompared, bound)
}

// endLoad lets no operation begin any more and waits for those under way.
func (r *run) endLoad(ctx context.Context) error {
	if err := r.command(ctx, driver.CommandStop, driver.EventLoadEnd, 0); err != nil {
		return err
	}
	r.mark(history.MarkLoadEnd, "")
	return nil
}

// command gives the driver a command and waits for the event that tells of its end,
// which the driver bounds.
func (r *run) command(ctx context.Context, command, event string, bound time.Duration) error {
	limit := bound + time.Duration(r.plan.Test.OpTimeout) + driverTimeout
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("the driver has not done it within %v", limit))
	defer cancel()
	if err := r.loader.send(ctx, command); err != nil {
		return fmt.Errorf("tell the driver to %s: %w", command, cause(ctx, err))
	}
	return r.loader.await(ctx, event)
}

// healAll makes every node whole, and says from when on the cluster has to come
// back.
func (r *run) healAll(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, healTimeout, fmt.Errorf("it was not healed within %v", healTimeout))
	defer cancel()
	// Before servers are started: one that is no member any more would end again.
	if err := faults.Rejoin(ctx, r.nodes); err != nil {
		return fmt.Errorf("heal the cluster after the storm: %w", err)
	}
	if _, err := nemesis.HealAll(ctx, r.nodes); err != nil {
		return fmt.Errorf("heal the cluster after the storm: %w", err)
	}
	r.markAs(history.Mark{Name: history.MarkHealed, Bound: int64(r.plan.Test.Recovery)})
	return nil
}

// stopping records that the test was stopped early. Only the first call does.
func (r *run) stopping() {
	r.stopOnce.Do(func() {
		r.cfg.Progress.Phase("stopping: heal, collect, check")
		text := r.stopText
		if text == nil {
			text = r.stoppedAfter
		}
		r.mark(history.MarkStopped, text())
	})
}

// stoppedAfter says how much of the load there was when the test was stopped.
func (r *run) stoppedAfter() string {
	began, total := r.loadBegan.Load(), time.Duration(r.plan.Test.Time)
	if began == 0 {
		return "stopped before the load began"
	}
	text := stoppedText(time.Duration(r.clock.now()-began), total)
	select {
	case <-r.sight:
		return text + ": violation seen"
	default:
		return text
	}
}

func stoppedText(ran, total time.Duration) string {
	return fmt.Sprintf("stopped after %s s of %s s", seconds(min(ran, total)), seconds(total))
}

// seconds writes a duration with one decimal at most.
func seconds(d time.Duration) string {
	return strconv.FormatFloat(d.Round(100*time.Millisecond).Seconds(), 'f', -1, 64)
}
