package campaign

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"time"

	"github.com/gofrs/flock"

	"squall/history"
	"squall/history/check"
	"squall/history/ledger"
	"squall/internal/regular"
	"squall/orchestrator/testplan"
)

// Folder is where campaigns are, below the folder of runs.
const Folder = "campaigns"

const (
	latest   = "latest" // the link to the newest, in Folder
	lockName = ".lock"
)

// ErrLocked says that another squall is running the campaign.
var ErrLocked = errors.New("another squall is running this campaign")

// place is the directory of a campaign, and the right to write there.
type place struct {
	dir    string
	record *ledger.Campaign
	lock   *flock.Flock
}

func (p *place) close() { _ = p.lock.Close() }

// open finds the campaign to go on with, or begins a new one.
func open(p *Plan, cfg Config) (*place, error) {
	out := filepath.Join(cfg.Out, Folder)
	if !cfg.New {
		old, err := unfinished(filepath.Join(out, p.File.Name), p.Digest, cfg.Progress.Note)
		if old != nil || err != nil {
			return old, err
		}
	}
	dir, err := newDir(filepath.Join(out, p.File.Name), time.Now())
	if err != nil {
		return nil, err
	}
	fresh, err := lock(dir)
	if err != nil {
		return nil, err
	}
	fresh.record = &ledger.Campaign{SchemaVersion: ledger.SchemaVersion, Squall: p.Version, Name: p.File.Name, File: p.File.Path,
		Digest: p.Digest, Command: p.Command, Label: cfg.Label, Began: time.Now().UTC(), Jobs: p.Jobs, Cells: slices.Clone(p.Cells)}
	if err := ledger.Write(dir, fresh.record); err != nil {
		fresh.close()
		return nil, err
	}
	if err := testplan.PointLatest(out, dir); err != nil {
		cfg.Progress.Note(err.Error())
	}
	return fresh, nil
}

// newDir makes the campaign's directory.
func newDir(of string, now time.Time) (string, error) {
	if err := os.MkdirAll(of, 0o755); err != nil {
		return "", fmt.Errorf("make the folder of campaigns (--out): %w", err)
	}
	base := filepath.Join(of, now.UTC().Format("20060102T150405Z"))
	dir := base
	for i := 2; ; i++ { // two within a second
		err := os.Mkdir(dir, 0o755)
		if err == nil {
			return dir, nil
		}
		if !errors.Is(err, fs.ErrExist) || i > 100 {
			return "", fmt.Errorf("make the campaign's directory (--out): %w", err)
		}
		dir = fmt.Sprintf("%s-%d", base, i)
	}
}

// lock takes the right to write in a campaign's directory. It ends with the
// process, however that ends.
func lock(dir string) (*place, error) {
	name := filepath.Join(dir, lockName)
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("lock the campaign's directory: %s is not a regular file: remove it, or start another with --new", name)
	}
	l := flock.New(name, flock.SetFlag(os.O_CREATE|os.O_RDONLY|regular.NoWait))
	ok, err := l.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock the campaign's directory %s: %w", dir, err)
	}
	if !ok {
		return nil, fmt.Errorf("%w (%s): wait for it, or start another with --new", ErrLocked, dir)
	}
	return &place{dir: dir, lock: l}, nil
}

// unfinished is the newest campaign of that digest, if it was cut short; nil
// when there is none to go on with.
func unfinished(of, digest string, note func(string)) (*place, error) {
	names, err := filepath.Glob(filepath.Join(globSafe(of), "*", ledger.FileName))
	if err != nil {
		return nil, fmt.Errorf("look for a campaign to resume: %w", err)
	}
	slices.Sort(names) // by time
	for _, name := range slices.Backward(names) {
		dir := filepath.Dir(name)
		record, err := ledger.Read(dir)
		switch {
		case err != nil:
			note(fmt.Sprintf("skipped, because it cannot be read: %v", err))
			continue
		case record.Digest != digest:
			continue
		case record.Finished():
			return nil, nil
		}
		p, err := lock(dir)
		if err != nil {
			return nil, err
		}
		if p.record, err = ledger.Read(dir); err != nil { // it may have changed before the lock was ours
			p.close()
			return nil, err
		}
		return p, nil
	}
	return nil, nil
}

// globSafe keeps a folder's name from being taken for a pattern.
func globSafe(dir string) string {
	var safe []rune
	for _, r := range dir {
		switch r {
		case '*', '?', '[':
			safe = append(safe, '[', r, ']')
		default:
			safe = append(safe, r)
		}
	}
	return string(safe)
}

// resume makes a record that was written by an earlier squall one to go on with.
func (r *runner) resume(ctx context.Context) error {
	if err := sameCells(r.record.Cells, r.plan.Cells); err != nil {
		return fmt.Errorf("%s is damaged: %w; start afresh with --new", filepath.Join(r.dir, ledger.FileName), err)
	}
	for i := range r.record.Cells {
		if r.record.Cells[i].State == ledger.Running {
			if err := r.recover(ctx, i); err != nil {
				return err
			}
		}
	}
	r.update(func(c *ledger.Campaign) {
		c.Thresholds, c.Baseline = nil, nil // of what was done by then
		c.Ended, c.Stopped, c.Jobs, c.Command, c.Squall = time.Time{}, "", r.plan.Jobs, r.plan.Command, r.plan.Version
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failure
}

// sameCells reports whether a record is of these cells; its digest says so, but
// it is a file that anybody can write to.
func sameCells(have, want []ledger.Cell) error {
	if len(have) != len(want) {
		return fmt.Errorf("it has %d cells, and its digest is that of %d", len(have), len(want))
	}
	for i := range have {
		if have[i].ID != want[i].ID || have[i].Seed != want[i].Seed {
			return fmt.Errorf("its cell %d is %s, and by its digest it is %s", i+1, have[i].ID, want[i].ID)
		}
	}
	return nil
}

// killed is why an attempt is invalid that squall did not live to see the end of.
const killed = "squall ended while it ran"

// recover looks after a cell that was running when squall ended: what it left
// of its machines is removed, and what it had found is kept. Without anything
// found it waits to be run again.
func (r *runner) recover(ctx context.Context, i int) error {
	cell := &r.record.Cells[i]
	a := cell.Last()
	if a == nil || a.Verdict != "" || a.Dir == "" { // between two steps: there are no machines
		r.update(func(*ledger.Campaign) { r.lapse(cell, a) })
		return nil
	}
	dir := filepath.Join(r.dir, filepath.FromSlash(a.Dir))
	if r.cfg.Clean != nil {
		if err := r.cfg.Clean(ctx, r.plan.tests[i], path.Base(a.Dir)); err != nil {
			return fmt.Errorf("remove what the run %s left behind when squall ended: %w", a.Dir, err)
		}
	}
	found := r.found(ctx, dir, r.plan.tests[i])
	if found != nil {
		r.report(ctx, cell.ID, found) // it may not have come to that
	}
	r.update(func(*ledger.Campaign) {
		if found == nil {
			r.lapse(cell, a)
			return
		}
		judge(a, found.Results)
		a.Ended = lastWritten(dir)
		cell.State = ledger.Done
	})
	return nil
}

// lastWritten is when a run's history ended, as near as can be told afterwards.
func lastWritten(dir string) time.Time {
	info, err := os.Stat(filepath.Join(dir, history.FileName))
	if err != nil {
		return time.Now().UTC()
	}
	return info.ModTime().UTC()
}

// lapse has a cell run again if its last attempt came to nothing.
func (r *runner) lapse(cell *ledger.Cell, a *ledger.Attempt) {
	if a != nil && a.Verdict == "" {
		a.Verdict, a.Reason, a.Interrupted, a.Ended = check.Invalid, killed, true, time.Now().UTC()
	}
	cell.State = ledger.Waiting
	if r.settled(cell) {
		cell.State = ledger.Done
	}
}

// found is what a run had found when squall ended: its results if they were
// written, and else a violation that its history shows as far as it goes. A
// violation is never run away, not even by killing squall; anything else is
// worth nothing without the rest of the test.
func (r *runner) found(ctx context.Context, dir string, t testplan.Test) *check.Checked {
	results, err := check.ReadResults(dir)
	found := &check.Checked{Dir: dir, Results: results}
	if err == nil && len(results.Thresholds) < len(t.Thresholds) && results.Verdict != check.Invalid {
		found, err = r.cfg.Check(ctx, dir) // an earlier squall ended before it judged the figures
	}
	if err == nil {
		if v := found.Results.Verdict; v == check.Violation || v != check.Invalid && whole(t, found.Results) {
			return found
		}
	}
	if _, err := os.Stat(filepath.Join(dir, history.FileName)); err != nil {
		return nil
	}
	found, err = r.cfg.Check(ctx, dir)
	if err != nil || found.Results.Verdict != check.Violation {
		return nil
	}
	return found
}
