// Package elections makes trials of elections, the experiment of Figure 16 of the
// Raft paper, on a cluster that the orchestrator runs: `squall elections`. What is
// recorded of them, and the figures, are in history/elections.
package elections

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"squall/history"
	"squall/history/check"
	"squall/history/check/traces"
	"squall/history/check/validity"
	"squall/history/elections"
	"squall/internal/declare"
	"squall/orchestrator"
	"squall/orchestrator/testplan"
	"squall/workloads/catalogue"
	"squall/workloads/systems"
)

// folder is that of the runs, and the name in their histories.
const folder = "elections"

// Settings say what trials to make.
type Settings struct {
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
func (e *Settings) Validate() error {
	system, err := catalogue.FindSystem(e.System)
	if err != nil {
		return err
	}
	traced := systems.Traced(system)
	_, takes := systems.As[systems.TrialTaker](system)
	switch {
	case !traced:
		return fmt.Errorf("system %s writes no trace: nothing would tell when a leader was elected", e.System)
	case !takes:
		return fmt.Errorf("system %s takes no trials of elections: its timeouts cannot be varied, nor its leaders be told to crash", e.System)
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
func (e *Settings) SetSystem(text string) error {
	d, given, err := declare.Choose(catalogue.SystemDeclarations(), text)
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

// Progress is told how the trials go.
type Progress interface {
	Phase(text string)
	// Trial is called after each: done of all trials of the whole experiment.
	Trial(r elections.Range, t elections.Trial, done, all int)
}

// Config is what the trials need beside what they are. Trials is told how they go,
// and not the Progress of a test.
type Config struct {
	orchestrator.Config
	Trials Progress
}

// Outcome is what they came to.
type Outcome struct {
	*check.Checked // the run directory; the results are of Raft's guarantees, over the whole history
	Record         *elections.Record
}

// Run makes the trials on one cluster and has their history checked. Stopped
// early, it returns what was measured by then. What goes wrong with machines is a
// verdict, invalid; an error means that there is no record.
func Run(ctx context.Context, e Settings, cfg Config) (*Outcome, error) {
	if err := e.Validate(); err != nil {
		return nil, err
	}
	if e.Seed == 0 {
		e.Seed = testplan.NewSeed()
		e.Command += fmt.Sprintf(" --seed %d", e.Seed)
	}
	cfg.Progress = onlyPhases{cfg.Trials}
	x := newExperiment(e, cfg)
	dir, err := orchestrator.RunExperiment(ctx, orchestrator.ExperimentSpec{
		Name: folder, System: e.System, SystemParams: e.SystemParams, Nodes: e.Nodes, Seed: e.Seed, Out: e.Out, Command: e.Command,
		Conduct: x.conduct, Observe: x.watch.see, StopText: x.stopText, Save: x.save,
	}, cfg.Config)
	if err != nil {
		return nil, err
	}
	checked, err := judge(ctx, dir)
	if err != nil {
		return nil, err
	}
	return &Outcome{checked, x.record}, checked.Write()
}

// judge holds the history of the trials in dir against what Raft guarantees.
func judge(ctx context.Context, dir string) (*check.Checked, error) {
	checkers := append(traces.Invariants(), validity.Crashes(), validity.Whole())
	return check.Judge(ctx, dir, checkers, check.Limits{Workers: runtime.GOMAXPROCS(0)}, 0)
}

// Load reads the trials in dir, and from their history, read once, it finds again
// what each took and checks it. It writes nothing: see Outcome.Write.
func Load(ctx context.Context, dir string) (*Outcome, error) {
	record, err := elections.Read(dir)
	if err != nil {
		return nil, err
	}
	checked, err := judge(ctx, dir)
	if err == nil && checked.Damage != nil {
		err = checked.Damage
	}
	if err != nil {
		return nil, fmt.Errorf("read the history of the trials: %w", err)
	}
	record.Recompute(checked.History)
	return &Outcome{checked, record}, nil
}

// Write writes the record and the results.
func (o *Outcome) Write() error {
	if err := o.Record.Write(o.Dir); err != nil {
		return err
	}
	return o.Checked.Write()
}

// onlyPhases is what of a run's progress is of interest in trials.
type onlyPhases struct{ p Progress }

var _ orchestrator.Progress = onlyPhases{}

func (onlyPhases) Planned(*testplan.Plan, string) {}
func (o onlyPhases) Phase(text string)            { o.p.Phase(text) }
func (onlyPhases) Load(orchestrator.LoadStats)    {}
func (onlyPhases) Fault(history.Fault)            {}
func (onlyPhases) Leader(string, uint64)          {}
