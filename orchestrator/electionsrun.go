package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"squall/history"
	"squall/history/elections"
	"squall/nemesis"
	"squall/workloads/systems"
)

// How long the steps of a trial may take before something is wrong.
const (
	trialBegins = 20 * time.Second // until the leader has crashed, its followers caught up
	trialEnds   = 5 * time.Second  // until the end of a process is known
	// startWait is how long a server that was started waits for a leader. It is
	// longer than a leader takes to find it again, so that it disturbs nobody.
	startWait = time.Second
)

// experiment is trials of elections under way.
type experiment struct {
	*run
	what   Elections
	trials TrialsProgress
	system systems.System
	watch  *watch
	rng    *rand.Rand
	links  *nemesis.LinkLayers
	record *elections.Record
	done   int  // trials that count
	served bool // servers were started before
}

func newExperiment(r *run, e Elections, cfg ElectionsConfig) *experiment {
	x := &experiment{run: r, what: e, trials: cfg.Trials, watch: newWatch(), rng: rand.New(rand.NewPCG(e.Seed, 9)),
		links: nemesis.NewLinkLayers(r.nodes),
		record: &elections.Record{SchemaVersion: elections.SchemaVersion, Squall: cfg.Version, Command: e.Command, System: e.System,
			Nodes: r.plan.Nodes, Seed: e.Seed, Plain: e.Plain, PreVote: e.PreVote, Disk: e.Disk}}
	x.observe = x.look
	x.stopText = func() string {
		return fmt.Sprintf("stopped after %d of %d trials", x.done, x.what.Trials*len(x.what.Ranges))
	}
	return x
}

// look takes an event. A server that ends by itself ends the experiment: what
// comes after would be another one.
func (x *experiment) look(e history.NodeEvent) {
	x.watch.see(e)
	x.mu.Lock()
	serving := x.serving
	x.mu.Unlock()
	if serving && e.Kind == history.EventExit && !history.OwnDoing(e.Reason) {
		x.fail(fmt.Errorf("the server of %s ended by itself: %s", e.Node, e.Reason))
	}
}

// conduct is the experiment, from machines to the last trial. A stop is no
// error: what was measured by then stands.
func (x *experiment) conduct(ctx context.Context) (err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	x.mu.Lock()
	x.cancel = cancel
	x.mu.Unlock()
	defer x.cancelOnStop(ctx, cancel)()
	defer func() {
		if err = cause(ctx, err); errors.Is(err, errStopped) {
			x.record.Interrupted, err = true, nil
		}
	}()
	if x.system, err = systems.Find(x.what.System); err != nil {
		return err
	}
	if err := x.bringUp(ctx); err != nil {
		return err
	}
	x.record.Runtime = x.env.Runtime
	if err := x.tuneLinks(ctx); err != nil {
		return err
	}
	var spoilt []error
	for _, r := range x.what.Ranges {
		err := x.measureRange(ctx, r)
		if err != nil && !errors.Is(err, errTooManyInvalid) {
			return err
		}
		spoilt = append(spoilt, err)
	}
	return errors.Join(spoilt...)
}

// restart starts every server anew, with the timeouts of a range and on such a
// disk, and waits for a leader.
func (x *experiment) restart(ctx context.Context, r elections.Range, disk *elections.Spread) error {
	opt, err := x.serverOptions()
	if err != nil {
		return err
	}
	opt.Heartbeat, opt.ElectionMin, opt.ElectionMax = r.Heartbeat.Duration(), r.Min.Duration(), r.Max.Duration()
	opt.Seed = x.rng.Uint64() >> 1
	if x.system.Traits().Trials {
		opt.Trials = &systems.TrialOptions{PreVote: x.what.PreVote, StartWait: startWait}
		if disk != nil {
			opt.Trials.DiskMin, opt.Trials.DiskMax = disk.Min.Duration(), disk.Max.Duration()
		}
	}
	peers := x.peers()
	err = x.nodes.each(ctx, func(ctx context.Context, i int, n *node) error {
		start, err := x.system.Server(peers[i], peers, opt)
		if err != nil {
			return err
		}
		n.start = start
		return nil
	})
	if err != nil {
		return fmt.Errorf("prepare the servers: %w", err)
	}
	if err := x.endServers(ctx); err != nil {
		return err
	}
	if err := x.nodes.each(ctx, func(ctx context.Context, _ int, n *node) error { return n.Start(ctx) }); err != nil {
		return fmt.Errorf("start the servers: %w", err)
	}
	x.served = true
	if err := x.awaitElection(ctx); err != nil {
		return err
	}
	x.mu.Lock()
	x.serving = true
	x.mu.Unlock()
	x.mark(history.MarkLeader, x.nodes.Leader())
	return nil
}

// endServers kills the servers that run, and returns when their ends are known:
// until then one of them would seem to lead.
func (x *experiment) endServers(ctx context.Context) error {
	if !x.served {
		return nil
	}
	x.watch.forget()
	if err := x.nodes.each(ctx, func(ctx context.Context, _ int, n *node) error { return n.Kill(ctx) }); err != nil {
		return fmt.Errorf("end the servers: %w", err)
	}
	wait, cancel := context.WithTimeout(ctx, trialEnds)
	defer cancel()
	if err := x.watch.until(wait, allEnded(x.plan.Nodes)); err != nil {
		return fmt.Errorf("the ends of the servers are not known: %w", err)
	}
	return nil
}

// awaitElection waits for a leader, for as long as an election may take.
func (x *experiment) awaitElection(ctx context.Context) error {
	wait, cancel := context.WithTimeout(ctx, x.what.Limit)
	defer cancel()
	if err := x.nodes.leaders.wait(wait); err != nil && ctx.Err() == nil {
		return fmt.Errorf("no leader within %v: see nodes/*/server.log in the run directory", x.what.Limit)
	}
	return ctx.Err()
}

// tooManyInvalid is how many trials of a range may be invalid when so many are
// wanted. With timeouts as short as a broadcast a leader often loses its place
// before a trial has begun.
func tooManyInvalid(wanted int) int { return 20 + 2*wanted }

// errTooManyInvalid ends a range; others may still be measured.
var errTooManyInvalid = errors.New("too many trials were invalid")

// measureRange makes the trials of a range. One that was not the experiment is
// kept as such, and another made in its place, as long as those are not too many.
func (x *experiment) measureRange(ctx context.Context, r elections.Range) error {
	begun := time.Now()
	x.record.Ranges = append(x.record.Ranges, r)
	rg := &x.record.Ranges[len(x.record.Ranges)-1]
	defer func() { rg.Seconds = time.Since(begun).Seconds() }()
	x.trials.Phase(fmt.Sprintf("timeouts %s: %d trials", r.Name(), x.what.Trials))
	if err := x.restart(ctx, r, x.what.Disk); err != nil {
		return err
	}
	invalid := 0
	for valid := 0; valid < x.what.Trials; {
		t, err := x.try(ctx, r)
		if err != nil {
			return fmt.Errorf("timeouts %s: %w", r.Name(), err)
		}
		rg.Trials = append(rg.Trials, t)
		if t.Outcome == elections.Invalid {
			x.log.Warn("a trial is invalid", "range", r.Name(), "why", t.Why)
			if invalid++; invalid > tooManyInvalid(x.what.Trials) {
				return fmt.Errorf("timeouts %s: %w: %d, the last one because: %s", r.Name(), errTooManyInvalid, invalid, t.Why)
			}
		} else {
			valid++
			x.done++
		}
		x.trials.Trial(r, t, x.done, x.what.Trials*len(x.what.Ranges))
	}
	return nil
}

// try makes one trial, and makes the cluster whole again.
func (x *experiment) try(ctx context.Context, r elections.Range) (elections.Trial, error) {
	if err := x.awaitElection(ctx); err != nil {
		return elections.Trial{}, err
	}
	leader, term := x.nodes.leaders.leading()
	if leader == "" { // lost between two looks
		return elections.Trial{Outcome: elections.Invalid, Why: "the leader was lost before"}, nil
	}
	n := x.nodes.named(leader)
	t := elections.Trial{Leader: leader, Term: term}
	x.watch.forget()
	begin := x.clock.now()
	if err := x.crash(ctx, n, r, &t); err != nil {
		return t, err
	}
	began, cancel := context.WithTimeout(ctx, trialBegins)
	defer cancel()
	over := trialOver(leader, term, len(x.nodes.all)-1)
	err := x.watch.until(began, func(events []history.NodeEvent) bool { return ended(leader)(events) || over(events) })
	if err == nil {
		limit, cancel := context.WithTimeout(ctx, x.what.Limit)
		defer cancel()
		err = x.watch.until(limit, over)
	}
	if ctx.Err() != nil {
		return t, context.Cause(ctx)
	}
	start := x.mono
	t.Begin, t.End = begin-start, x.clock.now()-start
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return t, err
	}
	seen := x.watch.seen()
	x.record.Judge(&t, seen, start)
	if err == nil && !ended(leader)(seen) { // it was refused: nothing happened to the server
		n.forgetEnd(history.ReasonKilled)
		return t, nil
	}
	return t, x.bringBack(ctx, n)
}

// crash has the leader crash, and says in t how.
func (x *experiment) crash(ctx context.Context, n *node, r elections.Range, t *elections.Trial) error {
	n.expectEnd(history.ReasonKilled)
	if x.what.Plain {
		// At any moment between two heartbeats, whenever those are.
		wait := time.Duration(x.rng.Float64() * float64(r.Heartbeat.Duration()))
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(4*r.Heartbeat.Duration() + wait):
		}
		return n.Kill(ctx)
	}
	others := slices.DeleteFunc(slices.Clone(x.plan.Nodes), func(name string) bool { return name == n.Name() })
	x.rng.Shuffle(len(others), func(i, j int) { others[i], others[j] = others[j], others[i] })
	t.Behind = slices.Sorted(slices.Values(others[:len(others)/2]))
	after := time.Duration(x.rng.Float64() * float64(r.Heartbeat.Duration()))
	t.Asked = elections.MillisOf(int64(after))
	return x.order(ctx, n, after, t.Behind)
}

// order gives a node a trial.
func (x *experiment) order(ctx context.Context, n *node, after time.Duration, behind []string) error {
	line := fmt.Sprintf("trial %v %s\n", after, nodeIDs(x.plan.Nodes, behind))
	if err := n.agent().Write(ctx, []byte(line)); err != nil {
		return fmt.Errorf("order a trial of %s: %w", n.Name(), err)
	}
	return nil
}

// bringBack starts a server again whose end is known, or ends and starts one that did
// not do what it was told.
func (x *experiment) bringBack(ctx context.Context, n *node) error {
	if err := n.Kill(ctx); err != nil {
		return fmt.Errorf("%s: %w", n.Name(), err)
	}
	wait, cancel := context.WithTimeout(ctx, trialEnds)
	defer cancel()
	if err := x.watch.until(wait, ended(n.Name())); err != nil {
		return fmt.Errorf("the end of the server of %s is not known: %w", n.Name(), err)
	}
	if err := n.Start(ctx); err != nil {
		return fmt.Errorf("start the server of %s again: %w", n.Name(), err)
	}
	return nil
}
