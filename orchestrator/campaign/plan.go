package campaign

import (
	"fmt"
	"runtime"
	"slices"
	"time"

	"squall/history/check"
	"squall/history/gate"
	"squall/history/ledger"
	"squall/orchestrator/testplan"
)

// Plan is a campaign that was expanded: what will be run, and how.
type Plan struct {
	File    *File
	Version string // of squall
	Digest  string // of what is run
	Command string // repeats or resumes it
	Program string // how squall was called
	Jobs    int
	JobsWhy string // why so many at once
	Cells   []ledger.Cell
	tests   []testplan.Test // of the cells
}

// NewPlan expands a campaign file. The error is an *orchestrator.FileErrors, or
// about a flag.
func NewPlan(f *File, version, program, command string) (*Plan, error) {
	cells, tests, err := f.expand()
	if err != nil {
		return nil, err
	}
	if f.Baseline != "" {
		if err := gate.CheckBaseline(f.Baseline); err != nil {
			return nil, err
		}
	}
	p := &Plan{File: f, Version: version, Digest: digest(tests), Command: command, Program: program, Cells: cells, tests: tests}
	for i := range cells {
		alone := tests[i]
		alone.Name = testplan.DefaultName(alone) // its run goes where those of `squall run` go
		cells[i].Command = testplan.CommandFor(program, alone)
	}
	p.Jobs, p.JobsWhy = f.Jobs, "as asked for"
	if f.Jobs == 0 {
		p.Jobs, p.JobsWhy = DefaultJobs(tests, runtime.GOMAXPROCS(0), check.FreeMemory())
	}
	if p.Jobs > len(cells) {
		p.Jobs, p.JobsWhy = len(cells), fmt.Sprintf("there are no more cells than %d", len(cells))
	}
	return p, nil
}

// Runtimes are the names of the runtimes that its tests ask for.
func (p *Plan) Runtimes() []string {
	var names []string
	for i := range p.tests {
		if !slices.Contains(names, p.tests[i].Runtime) {
			names = append(names, p.tests[i].Runtime)
		}
	}
	return names
}

// Tests are those of the cells.
func (p *Plan) Tests() []testplan.Test { return slices.Clone(p.tests) }

// What a cell needs, so that its figures are the cluster's and not those of a
// machine that is too small: cores for servers, clients and the storm; memory of
// each node where no limit says so; memory for clients, history and check.
const (
	coresPerCell  = 2
	memoryPerNode = 128 << 20
	memoryBeside  = 1 << 30
)

// DefaultJobs is how many of some tests a computer with so many cores and free bytes of
// memory (0: not known) can run at once without one slowing down the other, and why.
func DefaultJobs(tests []testplan.Test, cores int, free uint64) (int, string) {
	need := uint64(0)
	for i := range tests {
		t := &tests[i]
		need = max(need, uint64(t.Nodes)*max(memoryPerNode, uint64(t.Memory)<<20)+memoryBeside)
	}
	byCores := max(1, cores/coresPerCell)
	why := fmt.Sprintf("%d cores, and a cell is given %d", cores, coresPerCell)
	if free == 0 { // not known
		return byCores, why
	}
	byMemory := max(1, int(free/need))
	if byMemory < byCores {
		return byMemory, fmt.Sprintf("%d MiB of memory are free, and a cell may need %d", free>>20, need>>20)
	}
	return byCores, why
}

// overheadGuess is what a cell takes beside its load, before the campaign has
// measured it: machines up and down, first leader, final reads, check, report.
const overheadGuess = 5 * time.Second

// CellTime is how long the i-th cell will take.
func (p *Plan) CellTime(i int) time.Duration { return time.Duration(p.tests[i].Time) + overheadGuess }

// Total is how long all cells will take, a few at once, and at most until the
// budget ends.
func (p *Plan) Total() time.Duration {
	var times []time.Duration
	for i := range p.Cells {
		times = append(times, p.CellTime(i))
	}
	return makespan(nil, times, p.Jobs)
}

// makespan is how long it takes to run these one after the other, a few at
// once; busy is how long each of those is busy yet that have begun.
func makespan(busy, waiting []time.Duration, jobs int) time.Duration {
	lanes := make([]time.Duration, max(jobs, 1, len(busy)))
	copy(lanes, busy)
	for _, d := range waiting {
		first := slices.Index(lanes, slices.Min(lanes))
		lanes[first] += d
	}
	return slices.Max(lanes)
}
