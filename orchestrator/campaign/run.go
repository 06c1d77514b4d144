package campaign

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"squall/history/check"
	"squall/history/ledger"
	"squall/orchestrator"
	"squall/orchestrator/testplan"
)

// Config is what a campaign needs beside its plan.
type Config struct {
	Out string // folder of runs; the campaign goes below it
	New bool   // do not go on with one that was cut short
	// Label is what a new campaign is called, such as the commit under test; "": nothing.
	Label string
	// Run carries out one test: orchestrator.Run, with a runtime.
	Run func(ctx context.Context, p *testplan.Plan, progress orchestrator.Progress, stop <-chan struct{}) (*orchestrator.Outcome, error)
	// Check checks a run directory: orchestrator.Check.
	Check func(ctx context.Context, dir string) (*check.Checked, error)
	// Clean removes the machines that a run left behind when squall was killed;
	// run is the name of its directory, t what it tested.
	Clean func(ctx context.Context, t testplan.Test, run string) error
	// Report writes the report of a run, Pages those of the campaign. When they
	// fail, that is noted and nothing else.
	Report   func(ctx context.Context, c *check.Checked) error
	Pages    func(ctx context.Context, dir string) error
	Progress Progress
	// Stop, when closed, lets no more cells begin and ends those that run early.
	Stop <-chan struct{}
}

// Outcome is what a campaign came to, up to now.
type Outcome struct {
	Dir         string
	Record      *ledger.Campaign
	Interrupted bool  // it was stopped by the user
	PagesErr    error // its pages are missing, or not the newest
}

// Run runs a campaign, or what is left of one that was cut short. What goes
// wrong with a cell is not an error but its verdict. An error means that the
// campaign could not go on: its record could not be kept, or ctx has ended. The
// outcome is there then too, once there is a directory.
func Run(ctx context.Context, p *Plan, cfg Config) (*Outcome, error) {
	place, err := open(p, cfg)
	if err != nil {
		return nil, err
	}
	defer place.close()
	r := &runner{plan: p, cfg: cfg, dir: place.dir, record: place.record, halt: make(chan struct{}), begun: time.Now(),
		pages: newPages(ctx, place.dir, cfg.Pages)}
	if err := r.resume(ctx); err != nil {
		r.pages.end(false)
		return r.outcome(), err
	}
	cfg.Progress.Begun(p, r.dir, Count(r.record).Done)
	r.pages.write()
	err = r.cells(ctx)
	if err == nil {
		err = r.finish()
	}
	r.pagesErr = r.pages.end(ctx.Err() == nil)
	return r.outcome(), err
}

// runner is one campaign under way.
type runner struct {
	plan  *Plan
	cfg   Config
	dir   string
	begun time.Time // by this squall
	pages *pages

	halt     chan struct{} // closed when nothing more may begin, and what runs is to end
	haltOnce sync.Once
	pagesErr error

	mu        sync.Mutex
	record    *ledger.Campaign
	failure   error     // why the campaign cannot go on
	lastBegan time.Time // of the newest run
	beside    time.Duration
	measured  int // cells that beside was measured in
}

func (r *runner) outcome() *Outcome {
	r.mu.Lock()
	defer r.mu.Unlock()
	return &Outcome{Dir: r.dir, Record: r.record, Interrupted: r.interrupted() && !r.record.Finished(), PagesErr: r.pagesErr}
}

func (r *runner) interrupted() bool {
	select {
	case <-r.cfg.Stop:
		return true
	default:
		return false
	}
}

// cells runs the cells that wait, a few at once.
func (r *runner) cells(ctx context.Context) error {
	ended := make(chan struct{})
	defer close(ended)
	go func() {
		select {
		case <-r.cfg.Stop:
			r.stop()
		case <-ended:
		}
	}()
	var group errgroup.Group
	for range r.plan.Jobs {
		group.Go(func() error {
			for {
				i, ok := r.take(ctx)
				if !ok {
					return nil
				}
				r.cell(ctx, i)
			}
		})
	}
	_ = group.Wait()
	if ctx.Err() != nil {
		return fmt.Errorf("the campaign was interrupted; the same command resumes it (%s): %w", r.dir, context.Cause(ctx))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failure
}

// stop lets nothing more begin and ends what runs.
func (r *runner) stop() { r.haltOnce.Do(func() { close(r.halt) }) }

// fail ends the campaign: its record cannot be kept, or no cell could be run.
// It is called with the lock held.
func (r *runner) fail(err error) {
	if r.failure == nil {
		r.failure = err
	}
	r.stop()
}

// take is the next cell that waits, if one may begin.
func (r *runner) take(ctx context.Context) (int, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.mayBegin(ctx) {
		return 0, false
	}
	for i := range r.record.Cells {
		if r.record.Cells[i].State == ledger.Waiting {
			r.record.Cells[i].State = ledger.Running
			return i, true
		}
	}
	return 0, false
}

// mayBegin reports whether a run may still begin.
func (r *runner) mayBegin(ctx context.Context) bool {
	select {
	case <-r.halt:
		return false
	default:
		return ctx.Err() == nil && !r.interrupted() && !r.overBudget()
	}
}

func (r *runner) overBudget() bool {
	return r.plan.File.Budget > 0 && time.Since(r.begun) >= r.plan.File.Budget
}

// update changes the record, and writes it.
func (r *runner) update(change func(c *ledger.Campaign)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(r.record)
	if err := ledger.Write(r.dir, r.record); err != nil {
		r.fail(fmt.Errorf("the campaign cannot continue: %w; finished cells are kept, and the same command resumes it (%s)", err, r.dir))
	}
}

// finish says in the record how the campaign ended, and judges it as a whole.
func (r *runner) finish() error {
	r.update(r.ended)
	err := r.weigh()
	r.mu.Lock()
	defer r.mu.Unlock()
	return errors.Join(r.failure, err)
}

// ended is when the campaign ended, and why before all cells were run.
func (r *runner) ended(c *ledger.Campaign) {
	c.Ended = time.Now().UTC()
	switch {
	case c.Finished():
		c.Stopped = ""
	case r.interrupted():
		c.Stopped = "interrupted"
	default:
		c.Stopped = fmt.Sprintf("the time budget of %v was used up", r.plan.File.Budget)
	}
}

// status is how far it is; it is called with the lock held.
func (r *runner) status() Status {
	s := Count(r.record)
	beside := overheadGuess
	if r.measured > 0 {
		beside = r.beside / time.Duration(r.measured)
	}
	var busy, waiting []time.Duration
	for i := range r.record.Cells {
		cell := &r.record.Cells[i]
		whole := time.Duration(r.plan.tests[i].Time) + beside
		switch last := cell.Last(); cell.State {
		case ledger.Waiting:
			waiting = append(waiting, whole)
		case ledger.Running:
			if last != nil && last.Verdict == "" {
				whole -= time.Since(last.Began)
			}
			busy = append(busy, max(0, whole))
		}
	}
	s.Left = makespan(busy, waiting, r.plan.Jobs)
	if budget := r.plan.File.Budget; budget > 0 && len(waiting) > 0 { // those that have begun by then end
		s.Left = min(s.Left, max(0, budget-time.Since(r.begun))+time.Duration(r.plan.tests[0].Time)+beside)
	}
	return s
}

// cellsDir is the folder of the cells' runs.
func (r *runner) cellsDir() string { return filepath.Join(r.dir, ledger.CellsFolder) }

// errDiskFull ends a campaign whose cells could not be recorded any more.
var errDiskFull = errors.New("the disk is full: make room and run the same command again, which resumes the campaign")
