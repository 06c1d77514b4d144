package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"squall/history"
	"squall/nemesis"
	"squall/nodeimage/agent/protocol"
	"squall/workloads"
	"squall/workloads/driver"
	"squall/workloads/systems"
)

const (
	driverMachine = "driver"
	nodeBinary    = "/squall-node" // in every machine
)

// How long the steps of a test may take before the test is invalid.
const (
	upTimeout     = 2 * time.Minute // the image's build included
	leaderTimeout = 20 * time.Second
	driverTimeout = 20 * time.Second
	finalTimeout  = 30 * time.Second
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
	for _, step := range []func(context.Context) error{r.bringUp, r.startServers, r.startLoad} {
		if err := step(ctx); err != nil {
			return cause(ctx, err)
		}
	}
	calm()
	if err := r.underLoad(ctx); err != nil {
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

// bringUp builds the binary, makes the machines and greets their agents.
func (r *run) bringUp(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, upTimeout)
	defer cancel()
	r.cfg.Progress.Phase("building the node")
	arch, err := r.cfg.Runtime.Arch(ctx)
	if err != nil {
		return err
	}
	binary, err := r.cfg.Build(ctx, arch, r.plan.Test.Mutant)
	if err != nil {
		return err
	}
	r.env.Binary = binary.Key
	r.env.mark("built", time.Since(r.started))
	r.cfg.Progress.Phase(fmt.Sprintf("starting %d machines in %s", len(r.plan.Nodes)+1, r.cfg.Runtime.Name()))
	r.cluster, err = r.cfg.Runtime.Up(ctx, ClusterSpec{
		Run:      filepath.Base(r.dir),
		Machines: append(append([]string(nil), r.plan.Nodes...), driverMachine),
		Binary:   binary.Path, BinaryKey: binary.Key,
	})
	if err != nil {
		return err
	}
	if err := r.connect(); err != nil {
		return err
	}
	if err := r.greet(ctx); err != nil {
		return err
	}
	if err := r.openHistory(); err != nil {
		return err
	}
	r.mark(history.MarkUp, fmt.Sprintf("%d machines", len(r.plan.Nodes)+1))
	return nil
}

// connect makes the agents' clients, each with a log file of its own.
func (r *run) connect() error {
	system, err := systems.Find(r.plan.Test.System)
	if err != nil {
		return err
	}
	peers := r.peers()
	addrs := map[string]netip.Addr{}
	for _, p := range peers {
		addrs[p.Name] = p.Addr
	}
	for _, p := range peers {
		start, err := system.Server(p, peers, r.serverOptions())
		if err != nil {
			return fmt.Errorf("prepare the server of %s: %w", p.Name, err)
		}
		log, err := r.openLog(p.Name)
		if err != nil {
			return err
		}
		n := &node{machine: r.cluster.Machine(p.Name), start: start, addrs: addrs, sink: r, log: log}
		n.agent = protocol.NewClient(n.machine.Control(), n)
		r.nodes.all = append(r.nodes.all, n)
		go r.watch(n.machine, n.agent)
	}
	log, err := r.openLog(driverMachine)
	if err != nil {
		return err
	}
	l := r.loader
	l.machine, l.sink, l.log = r.cluster.Machine(driverMachine), r, log
	l.lines = func(lines []byte) error { return r.record().AppendLines(lines) }
	l.status = r.loadStatus
	l.agent = protocol.NewClient(l.machine.Control(), l)
	go r.watch(l.machine, l.agent)
	return nil
}

// peers are the nodes as a system under test addresses them.
func (r *run) peers() []systems.Node {
	var peers []systems.Node
	for i, name := range r.plan.Nodes {
		peers = append(peers, systems.Node{ID: i + 1, Name: name, Addr: r.cluster.Machine(name).Addr()})
	}
	return peers
}

func (r *run) serverOptions() systems.Options {
	t := r.plan.Test
	return systems.Options{Heartbeat: time.Duration(t.Heartbeat), ElectionMin: time.Duration(t.ElectionMin),
		ElectionMax: time.Duration(t.ElectionMax), SnapshotEvery: t.SnapshotEvery, Seed: t.Seed}
}

func (r *run) openLog(machine string) (*os.File, error) {
	folder := filepath.Join(r.dir, nodesDir, machine)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, fmt.Errorf("keep the log of %s: %w", machine, err)
	}
	f, err := os.Create(filepath.Join(folder, "server.log"))
	if err != nil {
		return nil, fmt.Errorf("keep the log of %s: %w", machine, err)
	}
	r.logs = append(r.logs, f)
	return f, nil
}

// watch fails the test when a machine is lost.
func (r *run) watch(m Machine, agent *protocol.Client) {
	<-agent.Done()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	why := m.Death(ctx)
	if why == "" {
		why = agent.Err().Error()
	}
	r.fail(fmt.Errorf("the machine %s was lost in the middle of the test: %s", m.Name(), why))
}

// greet waits until every agent answers, and learns the machines' clock.
func (r *run) greet(ctx context.Context) error {
	before := monotonic()
	hello, err := r.loader.agent.Hello(ctx)
	if err != nil {
		return fmt.Errorf("greet the driver's machine: %w", err)
	}
	r.clock = newClock(before, hello.Mono, monotonic())
	return r.nodes.each(ctx, func(ctx context.Context, _ int, n *node) error {
		_, err := n.agent.Hello(ctx)
		return err
	})
}

// startServers starts the system under test and waits for its first leader.
func (r *run) startServers(ctx context.Context) error {
	r.cfg.Progress.Phase("waiting for a leader")
	err := r.nodes.each(ctx, func(ctx context.Context, _ int, n *node) error { return n.Start(ctx) })
	if err != nil {
		return fmt.Errorf("start the servers: %w", err)
	}
	if err := r.awaitLeader(ctx, "after the servers' start"); err != nil {
		return err
	}
	r.mu.Lock()
	r.serving = true
	r.mu.Unlock()
	r.mark(history.MarkLeader, r.nodes.Leader())
	return nil
}

func (r *run) awaitLeader(ctx context.Context, when string) error {
	wait, cancel := context.WithTimeout(ctx, leaderTimeout)
	defer cancel()
	if err := r.nodes.leaders.wait(wait); err != nil && ctx.Err() == nil {
		return fmt.Errorf("no leader within %v %s: see nodes/*/server.log in the run directory", leaderTimeout, when)
	}
	return ctx.Err()
}

// startLoad starts the driver and waits until its clients run.
func (r *run) startLoad(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, driverTimeout)
	defer cancel()
	t := r.plan.Test
	config := driver.Config{
		System: t.System, Workload: t.Workload, Nodes: r.peers(), Seed: t.Seed,
		Params:  workloads.Params{Keys: t.Keys, OpsPerKey: t.OpsPerKey},
		Clients: t.Clients, Rate: t.Rate, Timeout: time.Duration(t.OpTimeout),
		// Shorter than an election, so that there are reads to answer wrongly
		// while a leader that was cut off still believes that it leads.
		Patience: min(time.Duration(t.ElectionMin)/2, time.Duration(t.OpTimeout)),
	}
	if err := r.loader.start(ctx, config); err != nil {
		return err
	}
	return r.loader.await(ctx, driver.EventLoadBegin)
}

// underLoad lets the nemesis act until the time is over or the test stopped.
func (r *run) underLoad(ctx context.Context) error {
	r.loadBegan.Store(r.clock.now())
	r.mark(history.MarkLoadBegin, "")
	r.cfg.Progress.Phase("storm")
	ctx, cancel := context.WithTimeout(ctx, time.Duration(r.plan.Test.Time))
	defer cancel()
	done := make(chan error, 1)
	storm := nemesis.Runner{Cluster: r.nodes, Recorder: r.record(), Now: r.clock.now, Notice: r.noticeFault}
	go func() { done <- storm.Run(ctx, r.plan.Schedule, r.clock.now()) }()
	select {
	case <-ctx.Done():
	case <-r.cfg.Stop:
		r.cfg.Progress.Phase("stopping: heal, collect, check")
		cancel()
	case err := <-done:
		if err != nil {
			return err
		}
		select { // the schedule is through: quiet until the load ends
		case <-ctx.Done():
		case <-r.cfg.Stop:
		}
		return nil
	}
	// The runner heals what holds before it returns.
	if err := <-done; err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}

func (r *run) noticeFault(f history.Fault) {
	r.log.Info("fault", "id", f.ID, "fault", f.Name, "variant", f.Variant, "phase", f.Phase,
		"targets", f.Targets, "took", time.Duration(f.End-f.Begin), "err", f.Err)
	r.cfg.Progress.Fault(f)
}

func (r *run) loadStatus(s driver.Event) {
	began := r.loadBegan.Load()
	if began == 0 {
		return
	}
	r.cfg.Progress.Load(LoadStats{Elapsed: time.Duration(r.clock.now() - began), Total: time.Duration(r.plan.Test.Time),
		OK: s.OK, Fail: s.Fail, Info: s.Info})
}

// afterLoad stops the clients, heals everything, and has the keys read once
// more.
func (r *run) afterLoad(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, finalTimeout)
	defer cancel()
	r.cfg.Progress.Phase("healing, then the final reads")
	if err := r.loader.send(ctx, driver.CommandStop); err != nil {
		return err
	}
	if err := r.loader.await(ctx, driver.EventLoadEnd); err != nil {
		return err
	}
	r.mark(history.MarkLoadEnd, "")
	if _, err := nemesis.HealAll(ctx, r.nodes); err != nil {
		return fmt.Errorf("heal the cluster after the storm: %w", err)
	}
	r.mark(history.MarkHealed, "")
	if err := r.awaitLeader(ctx, "after the last fault was healed"); err != nil {
		return err
	}
	r.mark(history.MarkFinalReads, "")
	if err := r.loader.send(ctx, driver.CommandFinal); err != nil {
		return err
	}
	if err := r.loader.await(ctx, driver.EventFinalDone); err != nil {
		return err
	}
	return r.loader.send(ctx, driver.CommandQuit)
}

// collect ends the driver and the servers, so that everything they wrote is
// taken. It does what it can: a machine that is lost has nothing to give.
func (r *run) collect(ctx context.Context) {
	if ctx.Err() != nil {
		return // leaving at once
	}
	ctx, cancel := context.WithTimeout(ctx, downTimeout)
	defer cancel()
	var group errgroup.Group
	if agent := r.loader.agent; agent != nil {
		group.Go(func() error {
			if _, err := agent.Terminate(ctx, 5*time.Second); err != nil {
				return err
			}
			return r.loader.awaitExit(ctx)
		})
	}
	for _, n := range r.nodes.all {
		group.Go(func() error { return n.stop(ctx) })
	}
	if err := group.Wait(); err != nil {
		r.log.Warn("collect", "err", err)
	}
}

// down takes the machines away, unless they are to be kept. It is idempotent.
func (r *run) down() {
	if r.cluster == nil || r.kept {
		return
	}
	begun := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), downTimeout)
	defer cancel()
	if err := r.cluster.Down(ctx); err != nil {
		r.log.Error("machines could not be removed; `squall clean` does", "err", err)
	}
	r.cluster = nil
	r.env.mark("down", time.Since(begun))
}
