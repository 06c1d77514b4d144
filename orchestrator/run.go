package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"squall/history"
	"squall/history/check"
	"squall/internal/atomicfile"
	"squall/internal/host"
	"squall/nemesis"
	"squall/nodeimage"
	"squall/orchestrator/machines"
	"squall/orchestrator/testplan"
	"squall/workloads/catalogue"
)

// Config is what a run needs beside its test.
type Config struct {
	Version string // of squall
	Runtime machines.Runtime
	Build   Builder
	// CanBuild says why Build would fail for want of what it builds from, without
	// building; nil: that is found by Build alone.
	CanBuild func(arch, mutant string) error
	// Images opens what takes files out of images, until done is called; nil: only a
	// Runtime that can does.
	Images   func(context.Context) (images machines.Images, done func(), err error)
	Log      *slog.Logger // nil: none; a copy goes to the run directory anyway
	Progress Progress
	// Stop, when closed, ends the load early: heal, collect, check.
	Stop <-chan struct{}
	// LeaderTimeout is how long servers that run have to elect a leader before the
	// test is invalid; 0: 20 s.
	LeaderTimeout time.Duration
}

// images are the runtime's own, where it has any.
func (c Config) images(ctx context.Context) (images machines.Images, done func(), err error) {
	if own, ok := c.Runtime.(machines.Images); ok {
		return own, func() {}, nil
	}
	if c.Images == nil {
		return nil, nil, errors.New("nothing takes files out of images here")
	}
	return c.Images(ctx)
}

// Outcome is what a run came to.
type Outcome struct {
	*check.Checked // its directory, its results, and the history they came from
	Plan           *testplan.Plan
	Interrupted    bool   // somebody stopped it early: not when its history was complete by then
	Kept           string // where the machines' disks were left; "": they were removed
}

// Run carries out a plan: it brings machines up, storms them, records, and has
// the history checked. What goes wrong with machines is not an error of Run
// but a verdict, invalid. An error means that there is no verdict at all: what
// keeps a test from starting is one, before there is a run directory (a
// *FieldError, where a setting is to blame).
// When ctx ends, everything is torn down at once and ctx's error returned.
func Run(ctx context.Context, plan *testplan.Plan, cfg Config) (*Outcome, error) {
	ready, err := prepare(ctx, plan.Test, plan.Schedule, cfg)
	if err != nil {
		return nil, err
	}
	dir, err := testplan.NewRunDir(plan, time.Now())
	if err != nil {
		return nil, err
	}
	cfg.Progress.Planned(plan, dir)
	r, err := newRun(plan, dir, cfg, ready)
	if err != nil {
		return nil, err
	}
	defer r.hold()()
	stormErr := r.storm(ctx)
	r.finish(ctx, stormErr)
	defer r.down() // whatever happens below
	var unmet *needError
	if errors.As(stormErr, &unmet) { // no test was run: there is nothing to check
		return nil, errors.Join(unmet, r.close())
	}
	if err := r.writePlan(); err != nil {
		return nil, err
	}
	if err := r.close(); err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, fmt.Errorf("interrupted; the history up to now is in %s: %w", dir, context.Cause(ctx))
	}
	if plan.Test.Keep == testplan.KeepNever {
		r.down()
	}
	if err := r.env.write(dir); err != nil {
		return nil, err
	}
	cfg.Progress.Phase("checking the history")
	checked, err := Check(ctx, dir)
	if err != nil {
		return nil, err
	}
	results := checked.Results
	outcome := &Outcome{Checked: checked, Plan: plan, Interrupted: results.Stopped != "" && results.Seen == ""}
	if keep := plan.Test.Keep; keep == testplan.KeepAlways || keep == testplan.KeepOnFail && (results.Verdict != check.Pass || len(results.Missed()) > 0) {
		if outcome.Kept, err = r.keep(); err != nil {
			r.log.Error("the machines are removed after all", "err", err)
		}
	}
	return outcome, nil
}

// run is one test under way.
type run struct {
	plan *testplan.Plan
	dir  string
	cfg  Config
	log  *slog.Logger

	logFile *os.File
	env     *environment
	host    *host.Watch
	logs    []*boundedLog
	started time.Time
	binary  nodeimage.Binary
	files   machineSets

	cluster   machines.Cluster
	nodes     *nodes
	loader    *loader
	converged *convergence
	clock     clock
	mono      int64        // clock.now() when the history began: its times count from here
	loadBegan atomic.Int64 // clock.now(); 0: not yet

	prompting sync.WaitGroup // nodes.keepPrompt, until the storm's context ends

	sight    chan struct{} // closed when a violation was seen for which the test is to stop
	gone     chan struct{} // closed when the machines can no longer be reached
	goneOnce sync.Once
	stopOnce sync.Once     // of the mark that the test was stopped
	stopText func() string // what it says; nil: stoppedAfter

	mu       sync.Mutex
	recorder *history.Recorder       // nil until the machines are there
	failure  error                   // the first thing that went wrong with the machines
	cancel   context.CancelCauseFunc // ends the storm, once it has begun
	serving  bool                    // a first leader was seen: from here on a crash is the server's own
	observe  func(history.NodeEvent) // is told of every event, once it is recorded; nil: nobody
	closing  bool                    // the machines are being taken down: their ends are no failures
}

func newRun(plan *testplan.Plan, dir string, cfg Config, ready prepared) (*run, error) {
	logFile, err := os.Create(filepath.Join(dir, LogFile))
	if err != nil {
		return nil, fmt.Errorf("make the run's log: %w", err)
	}
	r := &run{plan: plan, dir: dir, cfg: cfg, logFile: logFile, started: time.Now().Add(-ready.took), binary: ready.binary, files: ready.files,
		nodes: newNodes(), loader: newLoader(), gone: make(chan struct{}), sight: make(chan struct{}), converged: newConvergence(plan.Nodes)}
	r.log = runLogger(logFile, cfg.Log)
	r.env = newEnvironment(cfg.Version)
	r.env.mark("built", ready.took)
	r.host = host.Start(dir)
	return r, nil
}

// hold says in the run directory that the run goes on, until release.
func (r *run) hold() (release func()) {
	release, err := history.Hold(r.dir)
	if err != nil {
		r.log.Warn("squall serve will not show this run as running", "err", err)
		return func() {}
	}
	return release
}

// openHistory begins the history, when the machines are there and their clock
// is known: its times count from here. A test that never got so far has one
// that says why.
func (r *run) openHistory() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.recorder != nil {
		return nil
	}
	var err error
	r.mono = r.clock.now()
	r.recorder, err = history.Create(filepath.Join(r.dir, history.FileName), history.Header{
		Squall: r.cfg.Version, Test: r.plan.Test.Name, System: r.plan.Test.System, Workload: r.plan.Test.Workload,
		Functions: functionsOf(r.plan.Test.Workload), Nodes: r.plan.Nodes, Seed: r.plan.Test.Seed, Mono: r.mono, Wall: time.Now().UTC(),
	})
	return err
}

// earliest is the earliest time that the history takes, by the machines' clock, ns:
// that of its header, less the error with which the clocks were compared.
func (r *run) earliest() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.mono - r.clock.bound
}

// functionsOf are what the operations of a workload do. An experiment, which has no
// workload, has no operations either.
func functionsOf(workload string) history.Functions {
	w, err := catalogue.FindWorkload(workload)
	if err != nil {
		return nil
	}
	return w.Functions
}

// record is the history, nil before openHistory.
func (r *run) record() *history.Recorder {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.recorder
}

// fail notes the first failure of the machines and ends the storm.
func (r *run) fail(err error) {
	r.mu.Lock()
	first := !r.closing && r.failure == nil
	if first {
		r.failure = err
	}
	cancel := r.cancel
	r.mu.Unlock()
	if !first {
		return
	}
	r.log.Error("the test is invalid", "err", err)
	r.cfg.Progress.Phase("ending the test, it is invalid: " + err.Error())
	if cancel != nil {
		cancel(err)
	}
}

// noteRoles puts who played the roles when a fault began into the plan, so that
// a replay hits the same nodes, and how it struck the moment that it waited for.
func (r *run) noteRoles(p nemesis.Planned) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.plan.Schedule {
		if r.plan.Schedule[i].ID == p.ID {
			r.plan.Schedule[i].Roles, r.plan.Schedule[i].Aim = p.Roles, p.Aim
		}
	}
}

// writePlan writes the plan again, with what noteRoles noted.
func (r *run) writePlan() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return atomicfile.WriteJSON(filepath.Join(r.dir, testplan.PlanFile), r.plan)
}

// stopped reports whether the load was ended before its time.
func (r *run) stopped() bool {
	select {
	case <-r.cfg.Stop:
		return true
	case <-r.sight:
		return true
	default:
		return false
	}
}

// mark records a moment of the test.
func (r *run) mark(name, text string) { r.markAs(history.Mark{Name: name, Text: text}) }

// markAs records a mark as of now.
func (r *run) markAs(m history.Mark) {
	m.Time = r.clock.now()
	r.append(history.Record{Mark: &m})
	r.log.Info("mark", "name", m.Name, "text", m.Text)
	r.env.mark(m.Name, time.Since(r.started))
}

// append records what happened. What the history refuses makes the test invalid.
func (r *run) append(rec history.Record) {
	recorder := r.record()
	if recorder == nil {
		r.fail(errors.New("record: a machine told of something before the test had begun"))
		return
	}
	if err := recorder.Append(rec); err != nil {
		r.fail(fmt.Errorf("record: %w", err))
	}
}

// event takes what a node reports.
func (r *run) event(e history.NodeEvent) {
	r.append(history.Record{Node: &e})
	if r.nodes.leaders.see(e) {
		r.cfg.Progress.Leader(e.Node, e.Term)
	}
	if r.nodes.leaders.hear(e) {
		r.nodes.watch.Tell(r.nodes.leaders.leader(), r.clock.now())
	}
	r.converged.take(e)
	r.nodes.watch.Take(&e) // after who leads is known: it is asked for at the moment
	switch {
	case e.Kind == history.EventSilent:
		r.log.Error("a trace fell silent", "node", e.Node, "reason", e.Reason)
	case e.Kind != history.EventExit || history.OwnDoing(e.Reason):
	case history.Outside(e.Reason):
		r.fail(invalidEnd(e, int64(r.plan.Test.Memory)<<20))
	default:
		r.log.Error("a server ended by itself", "node", e.Node, "reason", e.Reason)
		r.crashed(e)
	}
	if r.observe != nil {
		r.observe(e)
	}
}

// crashed fails the test when a server ends before there was a first leader;
// later it is a finding, which the check of crashes reports.
func (r *run) crashed(e history.NodeEvent) {
	r.mu.Lock()
	serving := r.serving
	r.mu.Unlock()
	if !serving {
		log := filepath.Join(r.dir, nodesDir, e.Node, serverLog)
		r.fail(fmt.Errorf("the server of %s did not start: %s (its log: %s)%s", e.Node, e.Reason, log, lastLines(log)))
	}
}

// broken takes what could not be understood or kept.
func (r *run) broken(err error) { r.fail(err) }

// finish collects what is left in the machines and records how the storm ended.
func (r *run) finish(ctx context.Context, stormErr error) {
	r.mu.Lock()
	failure := r.failure
	r.closing = true
	r.mu.Unlock()
	r.prompting.Wait()
	if failure == nil {
		failure = stormErr
	}
	if err := r.openHistory(); err != nil {
		r.log.Error("there will be no history", "err", err)
		r.host.Stop()
		return
	}
	if r.stopped() || ctx.Err() != nil {
		r.stopping()
	}
	r.compareClocksAgain(ctx)
	r.collect(ctx)
	r.markOverload()
	switch {
	case ctx.Err() != nil:
		r.mark(history.MarkInvalid, "interrupted before it was over")
	case failure != nil:
		r.mark(history.MarkInvalid, failure.Error())
	}
	r.mark(history.MarkDone, "")
}

// markOverload ends the look at the computer, and records that it was overloaded,
// if it was.
func (r *run) markOverload() {
	seen := r.host.Stop()
	r.env.sawHost(seen)
	if seen.Overloaded != "" {
		r.mark(history.MarkOverloaded, seen.Overloaded)
	}
}

// close ends the recording. After it, nothing more can be recorded.
func (r *run) close() error {
	r.closeFullTraces()
	recorder := r.record()
	if recorder == nil {
		return fmt.Errorf("no history could be written in %s; see %s there", r.dir, LogFile)
	}
	if err := recorder.Close(); err != nil {
		return fmt.Errorf("close the history: %w", err)
	}
	return nil
}
