package campaign

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"squall/history/check"
	"squall/history/ledger"
	"squall/internal/plain"
	"squall/orchestrator"
	"squall/orchestrator/testplan"
)

// cell runs a cell until its verdict stands. Only an invalid one is run again;
// what was found about the system under test is never run away.
func (r *runner) cell(ctx context.Context, i int) {
	for {
		if !r.awaitSecond(ctx) { // it was not begun
			r.update(func(c *ledger.Campaign) { c.Cells[i].State = ledger.Waiting })
			return
		}
		r.attempt(ctx, i)
		if ctx.Err() != nil {
			return // left: the record says that it was running
		}
		if !r.settle(ctx, i) {
			return
		}
	}
}

// attempt runs a cell once and notes what came of it.
func (r *runner) attempt(ctx context.Context, i int) {
	var begun ledger.Cell
	r.update(func(c *ledger.Campaign) {
		cell := &c.Cells[i]
		cell.Attempts = append(cell.Attempts, ledger.Attempt{Began: time.Now().UTC()})
		begun = snapshot(cell)
	})
	r.tell(func(s Status) { r.cfg.Progress.CellBegun(begun, len(begun.Attempts), s) })
	progress := watch{func(dir string) {
		r.update(func(c *ledger.Campaign) { c.Cells[i].Last().Dir = r.relative(dir) })
	}}
	outcome, err := r.run(ctx, i, progress)
	if ctx.Err() != nil {
		return
	}
	if outcome != nil {
		r.report(ctx, begun.ID, outcome.Checked)
	}
	r.update(func(c *ledger.Campaign) { r.conclude(&c.Cells[i], r.plan.tests[i], outcome, err) })
}

// report writes the report of a run.
func (r *runner) report(ctx context.Context, id string, c *check.Checked) {
	if r.cfg.Report == nil {
		return
	}
	if err := r.cfg.Report(ctx, c); err != nil {
		r.cfg.Progress.Note(fmt.Sprintf("%s: its verdict stands, but its report could not be written: %v", id, err))
	}
}

// snapshot is a cell that does not change any more.
func snapshot(c *ledger.Cell) ledger.Cell {
	s := *c
	s.Attempts = slices.Clone(c.Attempts)
	return s
}

// run carries out the test of a cell.
func (r *runner) run(ctx context.Context, i int, progress watch) (*orchestrator.Outcome, error) {
	t := r.plan.tests[i]
	t.Out = r.cellsDir()
	plan, err := testplan.NewPlan(t, r.plan.Version, r.plan.Program)
	if err != nil {
		return nil, err
	}
	plan.Command = r.plan.Cells[i].Command // alone, it goes where other runs go
	return r.cfg.Run(ctx, plan, progress, r.halt)
}

// conclude puts what a run came to into its attempt.
func (r *runner) conclude(cell *ledger.Cell, t testplan.Test, o *orchestrator.Outcome, err error) {
	a := cell.Last()
	a.Ended = time.Now().UTC()
	if err != nil {
		a.Verdict, a.Reason = check.Invalid, shorten(err.Error())
		if r.halted() { // it was ended before there was anything to check
			a.Interrupted = true
		}
		return
	}
	judge(a, o.Results)
	if o.Interrupted && a.Verdict != check.Violation && !whole(t, o.Results) {
		a.Verdict, a.Interrupted, a.Missed, a.Figures = check.Invalid, true, nil, nil
		a.Reason = shorten(fmt.Sprintf("stopped after %.1f s of its %v", o.Results.Ops.LoadSeconds, time.Duration(t.Time)))
		return
	}
	if a.Verdict != check.Invalid {
		r.beside += a.Ended.Sub(a.Began) - time.Duration(t.Time)
		r.measured++
	}
}

// whole reports whether clients put load on the cluster for as long as they
// should.
func whole(t testplan.Test, results *check.Results) bool {
	return results.Ops.LoadSeconds >= 0.99*time.Duration(t.Time).Seconds()
}

func (r *runner) halted() bool {
	select {
	case <-r.halt:
		return true
	default:
		return false
	}
}

// judge puts the results of a run into its attempt.
func judge(a *ledger.Attempt, results *check.Results) {
	a.Verdict, a.Stopped = results.Verdict, results.Stopped
	a.Reason = shorten(strings.Join(results.Reasons, "; "))
	a.Missed = nil
	for _, t := range results.Missed() {
		if a.Verdict == check.Invalid {
			break // its figures mean nothing
		}
		a.Missed = append(a.Missed, t.Text)
	}
	a.Figures = figures(results)
}

// settle decides what becomes of a cell after an attempt, and reports whether
// it is to be run again at once.
func (r *runner) settle(ctx context.Context, i int) (again bool) {
	r.mu.Lock()
	may := r.mayBegin(ctx)
	r.mu.Unlock()
	var ended ledger.Cell
	r.update(func(c *ledger.Campaign) {
		cell := &c.Cells[i]
		a := cell.Last()
		if a.Verdict == check.Invalid && diskFull(a.Reason) {
			a.Interrupted = true
			r.fail(fmt.Errorf("%w (%s: %s)", errDiskFull, cell.ID, a.Reason))
		}
		switch {
		case r.settled(cell):
			cell.State = ledger.Done
		case may && !a.Interrupted:
			again = true
		default: // it runs when the campaign goes on
			cell.State = ledger.Waiting
		}
		ended = snapshot(cell)
	})
	r.tell(func(s Status) { r.cfg.Progress.CellEnded(ended, again, s) })
	r.pages.write()
	return again
}

// settled reports whether the last attempt of a cell is the one that counts. A
// violation always is, and so is everything that was found out; an invalid one
// is when it was repeated often enough.
func (r *runner) settled(cell *ledger.Cell) bool {
	a := cell.Last()
	switch {
	case a == nil || a.Verdict == "" || a.Interrupted:
		return false
	case a.Verdict == check.Invalid:
		return cell.InvalidAttempts() > r.plan.File.InvalidRetries
	}
	return true
}

// tell hands the status on, without holding the lock while it is shown.
func (r *runner) tell(show func(s Status)) {
	r.mu.Lock()
	s := r.status()
	r.mu.Unlock()
	show(s)
}

// awaitSecond keeps two runs from beginning within the same second: with one
// seed they would be of one name, and what one of them leaves behind when
// squall is killed could not be told from the other's.
func (r *runner) awaitSecond(ctx context.Context) bool {
	for {
		r.mu.Lock()
		now := time.Now().Truncate(time.Second)
		free := now.After(r.lastBegan)
		if free {
			r.lastBegan = now
		}
		r.mu.Unlock()
		if free {
			return true
		}
		select {
		case <-time.After(time.Until(now.Add(time.Second))):
		case <-r.halt:
			return false
		case <-ctx.Done():
			return false
		}
	}
}

// relative is a run directory as the record names it.
func (r *runner) relative(dir string) string {
	rel, err := filepath.Rel(r.dir, dir)
	if err != nil {
		return ""
	}
	return filepath.ToSlash(rel)
}

// diskFull recognises what a run says that found no room, where the error has
// become a text.
func diskFull(reason string) bool { return strings.Contains(reason, syscall.ENOSPC.Error()) }

// maxReason bounds what the record keeps of a reason, in bytes; the run's
// results have it all.
const maxReason = 2000

func shorten(reason string) string { return plain.Clip(strings.ToValidUTF8(reason, "?"), maxReason) }
