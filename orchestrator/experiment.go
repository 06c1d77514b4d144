package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"squall/history"
	"squall/internal/declare"
	"squall/nemesis"
	"squall/orchestrator/testplan"
	"squall/workloads/systems"
)

// endTimeout bounds the time from a kill until the end of the server is recorded.
const endTimeout = 5 * time.Second

// ExperimentSpec is a run whose course another package decides: it has servers and
// a history, but no load and no plan.
type ExperimentSpec struct {
	// Name is the folder of its runs, and the name in their histories.
	Name string
	// System, and all its parameters; nil: the defaults.
	System       string
	SystemParams declare.Args
	Nodes        int
	Seed         uint64 // must be drawn
	Out          string
	Command      string // that repeats it
	// Conduct carries it out, when the machines are up and no server runs yet. Its
	// context ends when the run fails or is stopped.
	Conduct func(ctx context.Context, x *Experiment) error
	// Observe is told of every event of the servers, once it is recorded; nil: nobody.
	Observe func(e history.NodeEvent)
	// StopText says how far the experiment got before it was stopped.
	StopText func() string
	// Save writes what was measured into the run directory, before the history is
	// closed. stopped: the experiment did not come to its end.
	Save func(dir string, stopped bool) error
}

// plan is what a run needs to know of it.
func (s *ExperimentSpec) plan() *testplan.Plan {
	t := testplan.DefaultTest()
	t.Name, t.System, t.Workload, t.Nodes, t.Seed, t.Out = s.Name, s.System, s.Name, s.Nodes, s.Seed, s.Out
	if s.SystemParams != nil {
		t.SystemParams = s.SystemParams
	}
	return &testplan.Plan{Test: t, Nodes: testplan.NodeNames(s.Nodes), Command: s.Command}
}

// Experiment is one under way.
type Experiment struct {
	run     *run
	started bool // servers were started before
}

// RunExperiment makes a run directory and machines, has the experiment conducted,
// and collects the history. Stopped early, it is saved as far as it got. What goes
// wrong with machines is in the history, as a mark that makes it invalid; an error
// means that there is nothing to check.
func RunExperiment(ctx context.Context, spec ExperimentSpec, cfg Config) (dir string, err error) {
	ready, err := prepare(ctx, spec.plan().Test, nil, cfg)
	if err != nil {
		return "", err
	}
	dir, err = testplan.MakeRunDir(spec.Out, spec.Name, spec.Seed, time.Now())
	if err != nil {
		return "", err
	}
	r, err := newRun(spec.plan(), dir, cfg, ready)
	if err != nil {
		return "", err
	}
	defer r.hold()()
	cfg.Progress.Phase("run directory " + dir)
	x := &Experiment{run: r}
	r.stopText = spec.StopText
	r.observe = func(e history.NodeEvent) {
		if spec.Observe != nil {
			spec.Observe(e)
		}
		x.checkEnd(e)
	}
	err = x.conduct(ctx, spec)
	stopped := errors.Is(err, errStopped)
	if stopped { // what was measured by then stands
		err = nil
	}
	r.finish(ctx, err)
	defer r.down() // whatever happens below
	if err := errors.Join(spec.Save(dir, stopped), r.close()); err != nil {
		return "", err
	}
	if ctx.Err() != nil {
		return "", fmt.Errorf("interrupted; what was measured up to now is in %s: %w", dir, context.Cause(ctx))
	}
	r.down()
	return dir, r.env.write(dir)
}

// conduct makes the machines and has the experiment conducted on them.
func (x *Experiment) conduct(ctx context.Context, spec ExperimentSpec) (err error) {
	r := x.run
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	r.mu.Lock()
	r.cancel = cancel
	r.mu.Unlock()
	defer r.cancelOnStop(ctx, cancel)()
	if err := r.bringUp(ctx); err != nil {
		return cause(ctx, err)
	}
	return cause(ctx, spec.Conduct(ctx, x))
}

// checkEnd ends the experiment when a server ends by itself: what comes after
// would be another experiment.
func (x *Experiment) checkEnd(e history.NodeEvent) {
	x.run.mu.Lock()
	serving := x.run.serving
	x.run.mu.Unlock()
	if serving && e.Kind == history.EventExit && !history.OwnDoing(e.Reason) {
		x.run.fail(fmt.Errorf("the server of %s ended by itself: %s", e.Node, e.Reason))
	}
}

// Runtime is what runs the machines, in words.
func (x *Experiment) Runtime() string { return x.run.env.Runtime }

// Log is the run's log.
func (x *Experiment) Log() *slog.Logger { return x.run.log }

// Cluster is the machines as faults see them.
func (x *Experiment) Cluster() nemesis.Cluster { return x.run.nodes }

// Now is the machines' clock, and Began what it showed when the history began, ns.
func (x *Experiment) Now() int64 { return x.run.clock.now() }

// Began is the time by the machines' clock from which the history counts, ns.
func (x *Experiment) Began() int64 { return x.run.mono }

// Leader is the current leader and its term; "" when there is none.
func (x *Experiment) Leader() (name string, term uint64) { return x.run.nodes.leaders.leading() }

// AwaitLeader waits for a leader, for so long at most.
func (x *Experiment) AwaitLeader(ctx context.Context, limit time.Duration) error {
	wait, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if err := x.run.nodes.leaders.wait(wait); err != nil && ctx.Err() == nil {
		return fmt.Errorf("no leader within %v: see nodes/*/server.log in the run directory", limit)
	}
	return ctx.Err()
}

// Starter says how to start a server, with all parameters of its system.
type Starter func(node systems.Node, cluster systems.Cluster, a declare.Args) (systems.Start, error)

// Restart ends the servers that run, starts every one as start says, with this seed,
// and waits for a leader, for so long at most.
func (x *Experiment) Restart(ctx context.Context, limit time.Duration, seed uint64, start Starter) error {
	r := x.run
	cluster := systems.Cluster{Nodes: r.peers(), Seed: seed}
	err := r.nodes.each(ctx, func(_ context.Context, i int, n *node) (err error) {
		n.start, err = start(cluster.Nodes[i], cluster, r.plan.Test.SystemParams)
		return err
	})
	if err != nil {
		return fmt.Errorf("prepare the servers: %w", err)
	}
	if x.started { // until all have ended one of them would seem to lead
		if err := r.nodes.each(ctx, func(ctx context.Context, _ int, n *node) error { return Server{n}.End(ctx) }); err != nil {
			return fmt.Errorf("end the servers: %w", err)
		}
	}
	x.started = true
	if err := r.nodes.each(ctx, func(ctx context.Context, _ int, n *node) error { return n.Start(ctx) }); err != nil {
		return fmt.Errorf("start the servers: %w", err)
	}
	if err := x.AwaitLeader(ctx, limit); err != nil {
		return err
	}
	r.mu.Lock()
	r.serving = true
	r.mu.Unlock()
	r.mark(history.MarkServing, r.nodes.Leader())
	return nil
}

// Server is one of an experiment's servers.
type Server struct{ node *node }

// Server is the server of that node; there must be one.
func (x *Experiment) Server(name string) Server { return Server{x.run.nodes.named(name)} }

// Servers are all, in the order of their nodes.
func (x *Experiment) Servers() []Server {
	servers := make([]Server, len(x.run.nodes.all))
	for i, n := range x.run.nodes.all {
		servers[i] = Server{n}
	}
	return servers
}

// Name is that of its node.
func (s Server) Name() string { return s.node.Name() }

// Start starts it; one that runs is left alone.
func (s Server) Start(ctx context.Context) error { return s.node.Start(ctx) }

// Kill ends it with SIGKILL and returns when it was reaped.
func (s Server) Kill(ctx context.Context) error { return s.node.Kill(ctx) }

// End kills it, if it still runs, and returns when its end is recorded, and with it
// everything that it wrote.
func (s Server) End(ctx context.Context) error {
	if err := s.node.Kill(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, endTimeout)
	defer cancel()
	return s.node.awaitEnd(ctx)
}

// Tell writes to its standard input.
func (s Server) Tell(ctx context.Context, line string) error {
	return s.node.agent().Write(ctx, []byte(line))
}

// ExpectKill says that the process will end as if killed, by the experiment's doing
// and not by a fault of its own.
func (s Server) ExpectKill() { s.node.expectEnd(history.ReasonKilled) }

// ForgetKill takes ExpectKill back, if nothing came of it.
func (s Server) ForgetKill() { s.node.forgetEnd(history.ReasonKilled) }
