package orchestrator

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"squall/history"
	"squall/nemesis"
	"squall/nemesis/faults"
	"squall/orchestrator/testplan"
	"squall/workloads/driver"
	"squall/workloads/systems"
)

const driverMachine = "driver"

// How long the steps of a test may take before the test is invalid.
const (
	upTimeout     = 3 * time.Minute // an image may have a long way to the engine
	leaderTimeout = 20 * time.Second
	driverTimeout = 20 * time.Second
	healTimeout   = time.Minute
	downTimeout   = 30 * time.Second
)

// errStopped ends a storm that was stopped before its load began.
var errStopped = errors.New("stopped before the load began")

// storm is the test itself, from machines to final reads. Its error says what
// of the infrastructure failed.
func (r *run) storm(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	r.mu.Lock()
	r.cancel = cancel
	r.mu.Unlock()

	calm := r.cancelOnStop(ctx, cancel)
	defer calm()
	for _, step := range []func(context.Context) error{r.bringUp, r.checkNeeds, r.startServers, r.startLoad} {
		if err := step(ctx); err != nil {
			return cause(ctx, err)
		}
	}
	calm()
	watched, unwatch := context.WithCancel(ctx)
	defer unwatch()
	go r.watchDriver(watched)
	if err := errors.Join(r.underLoad(ctx), ctx.Err()); err != nil { // a load that failed is not gone on with
		return cause(ctx, err)
	}
	return cause(ctx, r.afterLoad(ctx))
}

// cancelOnStop lets a stop end the test at once, until the returned function
// is called: from then on there is something to heal and to check.
func (r *run) cancelOnStop(ctx context.Context, cancel context.CancelCauseFunc) (release func()) {
	watch, release := context.WithCancel(ctx)
	go func() {
		select {
		case <-watch.Done():
		case <-r.cfg.Stop:
			cancel(errStopped)
		}
	}()
	return release
}

// cause prefers the reason why ctx ended to the error that followed from it.
func cause(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		if c := context.Cause(ctx); c != nil {
			return c
		}
	}
	return err
}

// startServers starts the system under test, and the driver beside it.
func (r *run) startServers(ctx context.Context) error {
	r.cfg.Progress.Phase("starting the servers")
	group, starting := errgroup.WithContext(ctx)
	group.Go(func() error { return r.loader.start(starting) })
	group.Go(func() error {
		return r.nodes.each(starting, func(ctx context.Context, _ int, n *node) error { return n.Start(ctx) })
	})
	if err := group.Wait(); err != nil {
		return fmt.Errorf("start the servers: %w", err)
	}
	return nil
}

// startLoad waits until the system serves, and then until the clients run: of servers
// with a trace one must lead, and with others a client must have been served, or been
// told of a leader.
func (r *run) startLoad(ctx context.Context) error {
	system, err := r.plan.Test.FindSystem()
	if err != nil {
		return err
	}
	config := driverConfig(&r.plan.Test, r.peers())
	if resender, ok := systems.As[systems.Resender](system); ok {
		config.Resend = resender.Resends(r.plan.Test.SystemParams)
	}
	readier, _ := systems.As[systems.Readier](system)
	if err := r.awaitReadyLines(ctx, readier); err != nil {
		return err
	}
	if systems.Traced(system) {
		r.cfg.Progress.Phase("waiting for a leader")
		if err := r.awaitLeader(ctx, "after the servers' start"); err != nil {
			return err
		}
		r.serves(r.nodes.Leader())
	}
	config.Probe = !systems.Traced(system)
	telling, cancel := context.WithTimeout(ctx, driverTimeout)
	defer cancel()
	if err := r.loader.configure(telling, config); err != nil {
		return err
	}
	if err := r.awaitReady(ctx, readier); err != nil {
		return err
	}
	if config.Probe {
		if err := r.awaitServing(ctx); err != nil {
			return err
		}
		r.serves(r.loader.said(driver.EventServing))
	}
	beginning, cancel := context.WithTimeout(ctx, driverTimeout)
	defer cancel()
	return r.loader.await(beginning, driver.EventLoadBegin)
}

// serves notes that the system serves, and how that was seen.
func (r *run) serves(how string) {
	r.mu.Lock()
	r.serving = true
	r.mu.Unlock()
	r.mark(history.MarkServing, how)
}

func (r *run) awaitLeader(ctx context.Context, when string) error {
	limit := cmp.Or(r.cfg.LeaderTimeout, leaderTimeout)
	wait, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if err := r.nodes.leaders.wait(wait); err != nil && ctx.Err() == nil {
		return fmt.Errorf("no leader within %v %s: see nodes/*/server.log in the run directory%s", limit, when, r.nodes.silent())
	}
	return ctx.Err()
}

// awaitServing waits until a client was served.
func (r *run) awaitServing(ctx context.Context) error {
	r.cfg.Progress.Phase("waiting until a client is served")
	limit := cmp.Or(r.cfg.LeaderTimeout, leaderTimeout)
	wait, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err := r.loader.await(wait, driver.EventServing)
	if err != nil && wait.Err() != nil && ctx.Err() == nil {
		return fmt.Errorf("no client was served within %v after the servers' start: see nodes/*/server.log in the run directory, "+
			"and the operations in its history", limit)
	}
	return err
}

// driverConfig is what the driver is told of the test.
func driverConfig(t *testplan.Test, nodes []systems.Node) driver.Config {
	return driver.Config{
		System: t.System, Definition: t.Definition, SystemArgs: t.SystemParams, Workload: t.Workload, Args: t.WorkloadParams, Nodes: nodes, Seed: t.Seed,
		Clients: t.Clients, Rate: t.Rate.Within(time.Duration(t.Time)), Timeout: time.Duration(t.OpTimeout),
		Patience: t.Patience(),
		Recovery: time.Duration(t.Recovery), FinalTimeout: time.Duration(t.Recovery),
		ScanTimeout: scanTime(time.Duration(t.Time)),
	}
}

// underLoad lets the nemesis act until the time is over or the test stopped.
func (r *run) underLoad(ctx context.Context) error {
	r.loadBegan.Store(r.clock.now())
	r.mark(history.MarkLoadBegin, "")
	defer r.markRates(ctx)()
	r.cfg.Progress.Phase("storm")
	ctx, cancel := context.WithTimeout(ctx, time.Duration(r.plan.Test.Time))
	defer cancel()
	done := make(chan error, 1)
	storm := nemesis.Runner{Catalogue: faults.All(), Cluster: r.nodes, Recorder: r.record(), Now: r.clock.now,
		Notice: r.noticeFault, Began: r.noteRoles, Missed: r.missed,
		Warn: func(text string) { r.log.Warn(text) }, Load: r.busy, Abandon: r.gone}
	schedule := slices.Clone(r.plan.Schedule) // noteRoles writes into the plan's own
	defer r.judgeLive(ctx)()
	go func() { done <- storm.Run(ctx, schedule, r.clock.now()) }()
	select {
	case <-ctx.Done():
	case <-r.cfg.Stop:
		r.stopping()
		cancel()
	case <-r.sight:
		r.stopping()
		cancel()
	case err := <-done:
		if err != nil {
			return err
		}
		select { // the schedule is through: quiet until the load ends
		case <-ctx.Done():
		case <-r.cfg.Stop:
			r.stopping()
		case <-r.sight:
			r.stopping()
		}
		return nil
	}
	// The runner heals what holds before it returns.
	if err := <-done; err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}

// missed takes a fault that never began. That of a test which was stopped, or has
// failed, is nothing to tell of.
func (r *run) missed(p nemesis.Planned) {
	r.mu.Lock()
	failed := r.failure != nil
	r.mu.Unlock()
	if !failed && !r.stopped() {
		r.mark(history.MarkMissed, fmt.Sprintf("fault %d, %s: the load was over before the faults that exclude it were healed, or its moment came", p.ID, p.Name()))
	}
}

func (r *run) noticeFault(f history.Fault) {
	r.log.Info("fault", "id", f.ID, "fault", f.Name, "variant", f.Variant, "phase", f.Phase,
		"targets", f.Targets, "took", time.Duration(f.End-f.Begin), "err", f.Err)
	r.cfg.Progress.Fault(f)
}

func (r *run) loadStatus(s driver.Event) {
	switch s.Event {
	case driver.EventLeader:
		r.nodes.leaders.observe(s.Text)
		r.nodes.watch.Tell(s.Text, r.clock.now())
		r.mark(history.MarkObserved, s.Text)
		return
	case driver.EventCompared:
		r.markAs(history.Mark{Name: history.MarkReplicas, Replicas: s.Replicas})
		return
	}
	r.host.Driver(time.Duration(s.Late))
	began := r.loadBegan.Load()
	if began == 0 {
		return
	}
	r.cfg.Progress.Load(LoadStats{Elapsed: time.Duration(r.clock.now() - began), Total: time.Duration(r.plan.Test.Time),
		OK: s.OK, Fail: s.Fail, Info: s.Info})
}
