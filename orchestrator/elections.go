package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"squall/history"
	"squall/history/check"
	"squall/history/elections"
	"squall/internal/declare"
	"squall/workloads/systems"
)

// electionsName is the folder of the runs, and the name in their histories.
const electionsName = "elections"

// Elections says what trials of elections to make; see package trials.
type Elections struct {
	System string
	// SystemParams are the parameters of the system, all of them; nil: the
	// defaults. Heartbeat and election timeouts are those of the ranges.
	SystemParams declare.Args
	Ranges       []elections.Range
	Trials       int // of each range
	Nodes        int // odd, from 3
	Seed         uint64
	Out          string
	// Broadcast is how long a broadcast is to take; 0 leaves the links alone.
	Broadcast time.Duration
	// Disk is what a write to the disk takes beside its own time; nil: nothing.
	Disk *elections.Spread
	// PreVote leaves on what the paper's servers did not have.
	PreVote bool
	// Plain kills leaders from outside, and holds no log back.
	Plain bool
	// Limit is how long a trial may go without a leader.
	Limit   time.Duration
	Command string // that repeats it
}

// Validate says which settings cannot work.
func (e *Elections) Validate() error {
	system, err := systems.Find(e.System)
	if err != nil {
		return err
	}
	traits := system.Traits()
	switch {
	case !traits.Trace:
		return fmt.Errorf("system %s writes no trace: nothing would tell when a leader was elected", e.System)
	case !traits.Trials && !e.Plain:
		return fmt.Errorf("system %s takes no trials: --plain kills its leaders from outside", e.System)
	case e.Plain && (e.Broadcast > 0 || e.Disk != nil) && !traits.Trials:
		return fmt.Errorf("system %s takes no trials, so a broadcast cannot be measured: leave out --broadcast and --disk", e.System)
	case e.Trials < 1 || e.Trials > 100_000:
		return fmt.Errorf("trials is %d; from 1 to 100000 are possible", e.Trials)
	case e.Nodes < 3 || e.Nodes > 9 || e.Nodes%2 == 0:
		return fmt.Errorf("nodes is %d; 3, 5, 7 and 9 are possible", e.Nodes)
	case e.Broadcast < 0 || e.Broadcast > time.Second:
		return fmt.Errorf("broadcast is %v; from 0 to 1s is possible", e.Broadcast)
	case e.Disk != nil && (e.Disk.Min < 0 || e.Disk.Max < e.Disk.Min || e.Disk.Max > 1000):
		return fmt.Errorf("disk is %g-%gms; it goes up, to 1000ms at most", e.Disk.Min, e.Disk.Max)
	case e.Limit < time.Second:
		return fmt.Errorf("limit is %v; at least 1s is needed", e.Limit)
	case len(e.Ranges) == 0:
		return errors.New("no range of timeouts is given")
	}
	return nil
}

// SetSystem reads a system with its parameters. Those that the ranges decide are
// refused.
func (e *Elections) SetSystem(text string) error {
	d, given, err := choose(systemOption(), text, false)
	if err != nil {
		return err
	}
	for _, p := range []string{"heartbeat", "election"} {
		if given[p] != "" {
			return fmt.Errorf("%s is what the trials vary: leave it out, and say --timeouts", p)
		}
	}
	e.System, e.SystemParams = d.Name, d.Params.Fill(given, nil)
	return nil
}

// TrialsProgress is told how the trials go.
type TrialsProgress interface {
	Phase(text string)
	// Trial is called after each: done of all trials of the whole experiment.
	Trial(r elections.Range, t elections.Trial, done, all int)
}

// ElectionsConfig is what the trials need beside what they are.
type ElectionsConfig struct {
	Config
	Trials TrialsProgress
}

// ElectionsOutcome is what they came to.
type ElectionsOutcome struct {
	Dir     string
	Record  *elections.Record
	Results *check.Results // of the guarantees of Raft, over the whole history
}

// RunElections makes the trials on one cluster and has their history checked.
// Stopped early, it returns what was measured by then. What goes wrong with
// machines is a verdict, invalid; an error means that there is no record.
func RunElections(ctx context.Context, e Elections, cfg ElectionsConfig) (*ElectionsOutcome, error) {
	if err := e.Validate(); err != nil {
		return nil, err
	}
	if e.Seed == 0 {
		e.Seed = newSeed()
		e.Command += fmt.Sprintf(" --seed %d", e.Seed)
	}
	cfg.Progress = onlyPhases{cfg.Trials}
	ready, err := prepare(ctx, e.plan().Test, nil, cfg.Config)
	if err != nil {
		return nil, err
	}
	dir, err := makeRunDir(e.Out, electionsName, e.Seed, time.Now())
	if err != nil {
		return nil, err
	}
	r, err := newRun(e.plan(), dir, cfg.Config, ready)
	if err != nil {
		return nil, err
	}
	defer r.hold()()
	cfg.Trials.Phase("run directory " + dir)
	x := newExperiment(r, e, cfg)
	stormErr := x.conduct(ctx)
	r.finish(ctx, stormErr)
	defer r.down() // whatever happens below
	writeErr := x.record.Write(dir)
	if err := errors.Join(writeErr, r.close()); err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, fmt.Errorf("interrupted; the trials up to now are in %s: %w", dir, context.Cause(ctx))
	}
	r.down()
	if err := r.env.write(dir); err != nil {
		return nil, err
	}
	results, err := CheckElections(ctx, dir)
	if err != nil {
		return nil, err
	}
	return &ElectionsOutcome{Dir: dir, Record: x.record, Results: results}, nil
}

// CheckElections holds the history of the trials in dir against what Raft
// guarantees, and writes results.json.
func CheckElections(ctx context.Context, dir string) (*check.Results, error) {
	checkers := append(check.Invariants(), check.Crashes(), check.Whole())
	return check.Run(ctx, dir, checkers, check.Limits{Workers: checkWorkers()})
}

// LoadElections reads the trials in dir and finds again, from their history,
// what each took.
func LoadElections(dir string) (*elections.Record, error) {
	record, err := elections.Read(dir)
	if err != nil {
		return nil, err
	}
	h, err := history.Load(filepath.Join(dir, history.FileName))
	if err != nil {
		return nil, fmt.Errorf("read the history of the trials: %w", err)
	}
	record.Recompute(h)
	return record, nil
}

// plan is what a run needs to know of it.
func (e *Elections) plan() *Plan {
	t := DefaultTest()
	t.Name, t.System, t.Workload, t.Nodes, t.Seed, t.Out = electionsName, e.System, electionsName, e.Nodes, e.Seed, e.Out
	if e.SystemParams != nil {
		t.SystemParams = e.SystemParams
	}
	return &Plan{Test: t, Nodes: NodeNames(e.Nodes), Command: e.Command}
}

// onlyPhases is what of a run's progress is of interest in trials.
type onlyPhases struct{ p TrialsProgress }

var _ Progress = onlyPhases{}

func (onlyPhases) Planned(*Plan, string) {}
func (o onlyPhases) Phase(text string)   { o.p.Phase(text) }
func (onlyPhases) Load(LoadStats)        {}
func (onlyPhases) Fault(history.Fault)   {}
func (onlyPhases) Leader(string, uint64) {}

// nodeIDs are the numbers of nodes as the system under test knows them.
func nodeIDs(all, some []string) string {
	if len(some) == 0 {
		return "-"
	}
	var ids []string
	for i, name := range all {
		for _, s := range some {
			if s == name {
				ids = append(ids, fmt.Sprint(i+1))
			}
		}
	}
	return strings.Join(ids, ",")
}
