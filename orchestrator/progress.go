package orchestrator

import (
	"time"

	"squall/history"
	"squall/orchestrator/testplan"
)

// Progress is told how a run goes, from several goroutines.
type Progress interface {
	// Planned is called once, when the run directory is there.
	Planned(p *testplan.Plan, dir string)
	// Phase is called when a phase begins; text is for people.
	Phase(text string)
	// Load is called about once a second while clients run.
	Load(s LoadStats)
	// Fault is called for every injection and heal.
	Fault(f history.Fault)
	// Leader is called when a node becomes leader.
	Leader(node string, term uint64)
}

// LoadStats are the driver's counts so far.
type LoadStats struct {
	Elapsed, Total time.Duration
	OK, Fail, Info int64
}
