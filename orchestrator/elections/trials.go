package elections

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"squall/history"
	"squall/history/elections"
	"squall/internal/declare"
	"squall/nemesis"
	"squall/orchestrator"
	"squall/orchestrator/testplan"
	"squall/workloads/catalogue"
	"squall/workloads/systems"
)

const (
	// beginLimit is how long a trial may take from the order until the leader has
	// crashed, its followers caught up.
	beginLimit = 20 * time.Second
	// startWait is how long a server that was started waits for a leader. It is
	// longer than a leader takes to find it again, so that it disturbs nobody.
	startWait = time.Second
)

// experiment is trials of elections under way.
type experiment struct {
	*orchestrator.Experiment // from conduct on
	what                     Settings
	progress                 Progress
	system                   systems.TrialTaker
	watch                    *watch
	rng                      *rand.Rand
	links                    *nemesis.LinkLayers
	record                   *elections.Record
	done                     int // trials that count
}

func newExperiment(e Settings, cfg Config) *experiment {
	return &experiment{what: e, progress: cfg.Trials, watch: newWatch(), rng: rand.New(rand.NewPCG(e.Seed, 9)),
		record: &elections.Record{SchemaVersion: elections.SchemaVersion, Squall: cfg.Version, Command: e.Command, System: e.System,
			Nodes: testplan.NodeNames(e.Nodes), Seed: e.Seed, Plain: e.Plain, PreVote: e.PreVote, Disk: e.Disk}}
}

func (x *experiment) stopText() string {
	return fmt.Sprintf("stopped after %d of %d trials", x.done, x.what.Trials*len(x.what.Ranges))
}

// save writes the record.
func (x *experiment) save(dir string, stopped bool) error {
	x.record.Interrupted = stopped
	return x.record.Write(dir)
}

// conduct makes the trials, once the machines are up.
func (x *experiment) conduct(ctx context.Context, running *orchestrator.Experiment) error {
	x.Experiment, x.links = running, nemesis.NewLinkLayers(running.Cluster())
	x.record.Runtime = running.Runtime()
	system, err := catalogue.FindSystem(x.what.System)
	if err != nil {
		return err
	}
	var ok bool
	if x.system, ok = systems.As[systems.TrialTaker](system); !ok { // Validate refused it
		return fmt.Errorf("system %s takes no trials of elections", x.what.System)
	}
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
	t := systems.Trials{Heartbeat: r.Heartbeat.Duration(), ElectionMin: r.Min.Duration(), ElectionMax: r.Max.Duration(),
		PreVote: x.what.PreVote, StartWait: startWait}
	if disk != nil {
		t.DiskMin, t.DiskMax = disk.Min.Duration(), disk.Max.Duration()
	}
	return x.Restart(ctx, x.what.Limit, x.rng.Uint64()>>1, func(node systems.Node, cluster systems.Cluster, a declare.Args) (systems.Start, error) {
		return x.system.TrialServer(node, cluster, a, t)
	})
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
	x.progress.Phase(fmt.Sprintf("timeouts %s: %d trials", r.Name(), x.what.Trials))
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
			x.Log().Warn("a trial is invalid", "range", r.Name(), "why", t.Why)
			if invalid++; invalid > tooManyInvalid(x.what.Trials) {
				return fmt.Errorf("timeouts %s: %w: %d, the last one because: %s", r.Name(), errTooManyInvalid, invalid, t.Why)
			}
		} else {
			valid++
			x.done++
		}
		x.progress.Trial(r, t, x.done, x.what.Trials*len(x.what.Ranges))
	}
	return nil
}

// try makes one trial, and makes the cluster whole again.
func (x *experiment) try(ctx context.Context, r elections.Range) (elections.Trial, error) {
	if err := x.AwaitLeader(ctx, x.what.Limit); err != nil {
		return elections.Trial{}, err
	}
	leader, term := x.Leader()
	if leader == "" { // lost between two looks
		return elections.Trial{Outcome: elections.Invalid, Why: "the leader was lost before"}, nil
	}
	server := x.Server(leader)
	t := elections.Trial{Leader: leader, Term: term}
	x.watch.forget()
	begin := x.Now()
	if err := x.crash(ctx, server, r, &t); err != nil {
		return t, err
	}
	began, cancel := context.WithTimeout(ctx, beginLimit)
	defer cancel()
	over := trialOver(leader, term, len(x.record.Nodes)-1)
	err := x.watch.until(began, func(events []history.NodeEvent) bool { return ended(leader)(events) || over(events) })
	if err == nil {
		limit, cancel := context.WithTimeout(ctx, x.what.Limit)
		defer cancel()
		err = x.watch.until(limit, over)
	}
	if ctx.Err() != nil {
		return t, context.Cause(ctx)
	}
	start := x.Began()
	t.Begin, t.End = begin-start, x.Now()-start
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return t, err
	}
	seen := x.watch.seen()
	x.record.Reconstruct(&t, seen, start)
	if err == nil && !ended(leader)(seen) { // it was refused: nothing happened to the server
		server.ForgetKill()
		return t, nil
	}
	return t, x.bringBack(ctx, server)
}

// crash has the leader crash, and says in t how.
func (x *experiment) crash(ctx context.Context, server orchestrator.Server, r elections.Range, t *elections.Trial) error {
	server.ExpectKill()
	if x.what.Plain {
		// At any moment between two heartbeats, whenever those are.
		wait := time.Duration(x.rng.Float64() * float64(r.Heartbeat.Duration()))
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(4*r.Heartbeat.Duration() + wait):
		}
		return server.Kill(ctx)
	}
	others := slices.DeleteFunc(slices.Clone(x.record.Nodes), func(name string) bool { return name == server.Name() })
	x.rng.Shuffle(len(others), func(i, j int) { others[i], others[j] = others[j], others[i] })
	t.Behind = slices.Sorted(slices.Values(others[:len(others)/2]))
	after := time.Duration(x.rng.Float64() * float64(r.Heartbeat.Duration()))
	t.Asked = elections.MillisOf(int64(after))
	return x.order(ctx, server, after, t.Behind)
}

// order gives a node a trial.
func (x *experiment) order(ctx context.Context, server orchestrator.Server, after time.Duration, behind []string) error {
	if err := server.Tell(ctx, fmt.Sprintf("trial %v %s\n", after, x.nodeIDs(behind))); err != nil {
		return fmt.Errorf("order a trial of %s: %w", server.Name(), err)
	}
	return nil
}

// nodeIDs are the numbers of nodes as the system under test knows them.
func (x *experiment) nodeIDs(names []string) string {
	if len(names) == 0 {
		return "-"
	}
	var ids []string
	for i, name := range x.record.Nodes {
		if slices.Contains(names, name) {
			ids = append(ids, fmt.Sprint(i+1))
		}
	}
	return strings.Join(ids, ",")
}

// bringBack starts a server again whose end is known, or ends and starts one that did
// not do what it was told.
func (x *experiment) bringBack(ctx context.Context, server orchestrator.Server) error {
	if err := server.End(ctx); err != nil {
		return fmt.Errorf("end the server of %s: %w", server.Name(), err)
	}
	if err := server.Start(ctx); err != nil {
		return fmt.Errorf("start the server of %s again: %w", server.Name(), err)
	}
	return nil
}
