package campaign

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"squall/history"
	"squall/history/check"
	"squall/history/ledger"
	"squall/history/measure"
	"squall/orchestrator"
	"squall/orchestrator/testplan"
)

// lab runs campaigns whose tests are not run: what each comes to is said by
// verdict. Everything around them is real.
type lab struct {
	t       *testing.T
	out     string
	stop    chan struct{}
	verdict func(id string, attempt int) check.Verdict // nil: pass
	during  func(dir string)                           // called in the middle of a run
	report  func(ctx context.Context, c *check.Checked) error
	checked *check.Results // what checking a history again finds

	mu       sync.Mutex
	runs     map[string]int // of each cell
	at, most int            // runs at once
	cleaned  []string
	notes    []string
}

func newLab(t *testing.T) *lab {
	return &lab{t: t, out: t.TempDir(), stop: make(chan struct{}), runs: map[string]int{}}
}

func (l *lab) config() Config {
	return Config{Out: l.out, Run: l.run, Stop: l.stop, Progress: l, Report: l.report,
		Clean: func(_ context.Context, _ testplan.Test, run string) error {
			l.cleaned = append(l.cleaned, run)
			return nil
		},
		Check: func(_ context.Context, dir string) (*check.Checked, error) {
			if l.checked == nil {
				return nil, errors.New("nothing to check")
			}
			return &check.Checked{Dir: dir, Results: l.checked}, nil
		},
	}
}

func (l *lab) Begun(*Plan, string, int)                             {}
func (l *lab) CellBegun(ledger.Cell, int, Status)                   {}
func (l *lab) CellEnded(ledger.Cell, bool, Status)                  {}
func (l *lab) Note(text string)                                     { l.notes = append(l.notes, text) }
func (l *lab) start(ctx context.Context, p *Plan) (*Outcome, error) { return Run(ctx, p, l.config()) }

func (l *lab) count(id string, by int) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if by > 0 {
		l.runs[id]++
	}
	l.at += by
	l.most = max(l.most, l.at)
	return l.runs[id]
}

// run is a test that takes the time it says, or is stopped before.
func (l *lab) run(ctx context.Context, p *testplan.Plan, progress orchestrator.Progress, stop <-chan struct{}) (*orchestrator.Outcome, error) {
	attempt := l.count(p.Test.Name, 1)
	defer l.count(p.Test.Name, -1)
	dir := filepath.Join(p.Test.Out, p.Test.Name, fmt.Sprintf("%s-%d", time.Now().UTC().Format("20060102T150405Z"), p.Test.Seed))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, history.FileName), nil, 0o644); err != nil {
		return nil, err
	}
	progress.Planned(p, dir)
	if l.during != nil {
		l.during(dir)
	}
	begun, interrupted := time.Now(), false
	select {
	case <-time.After(time.Duration(p.Test.Time)):
	case <-stop:
		interrupted = true
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	results := resultsOf(check.Pass, time.Since(begun))
	if l.verdict != nil {
		results.Verdict = l.verdict(p.Test.Name, attempt)
	}
	if results.Verdict != check.Pass {
		results.Reasons = []string{"so it was said"}
	}
	return &orchestrator.Outcome{Checked: &check.Checked{Dir: dir, Results: results}, Plan: p, Interrupted: interrupted}, check.WriteResults(dir, results)
}

func resultsOf(v check.Verdict, load time.Duration) *check.Results {
	return &check.Results{SchemaVersion: check.SchemaVersion, Verdict: v, Ops: measure.Ops{LoadSeconds: load.Seconds()}}
}

// states are the cells of a record in short: state, and the verdicts of its
// attempts.
func states(c *ledger.Campaign) string {
	var all []string
	for _, cell := range c.Cells {
		text := fmt.Sprintf("%s:%s", cell.ID, cell.State)
		for _, a := range cell.Attempts {
			text += "," + string(a.Verdict)
			if a.Interrupted {
				text += "(interrupted)"
			}
		}
		all = append(all, text)
	}
	return strings.Join(all, " ")
}

// inBubble runs a test whose clock jumps.
func inBubble(t *testing.T, test func(t *testing.T, l *lab)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, newLab(t)) })
}

const twoByTwo = "test: {nemesis: none, time: 10s}\nmatrix: {nodes: [3, 5]}\nseeds: 2\njobs: 1\nname: c\n"

func TestEveryCellIsRunAndRecorded(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lab) {
		l.verdict = func(id string, attempt int) check.Verdict {
			switch id {
			case "nodes-5_s1":
				return check.Violation
			case "nodes-3_s2":
				return check.Unknown
			}
			return check.Pass
		}
		o, err := l.start(t.Context(), mustPlan(t, twoByTwo))
		if err != nil {
			t.Fatal(err)
		}
		want := "nodes-3_s1:done,pass nodes-5_s1:done,violation nodes-3_s2:done,unknown nodes-5_s2:done,pass"
		if got := states(o.Record); got != want || l.most != 1 {
			t.Errorf("%d at once: %s\nwant %s", l.most, got, want)
		}
		written, err := ledger.Read(o.Dir)
		if err != nil || states(written) != want || written.Ended.IsZero() || written.Stopped != "" {
			t.Errorf("the record is %+v, %v", written, err)
		}
		for id, n := range l.runs {
			if n != 1 {
				t.Errorf("%s was run %d times", id, n)
			}
		}
		if link, err := filepath.EvalSymlinks(filepath.Join(l.out, Folder, "latest")); err != nil || !strings.HasSuffix(o.Dir, filepath.Base(link)) {
			t.Errorf("latest is %s, %v", link, err)
		}
		if _, err := os.Stat(filepath.Join(l.out, "latest")); err == nil {
			t.Error("the user's latest run was moved")
		}
		if a := o.Record.Cells[0].Last(); a.Dir == "" || o.Record.Cells[1].Last().Reason != "so it was said" {
			t.Errorf("attempt %+v", a)
		}
	})
}

func TestOnlyAnInvalidCellIsRunAgain(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lab) {
		l.verdict = func(id string, attempt int) check.Verdict {
			switch {
			case id == "nodes-3_s1" && attempt == 1, id == "nodes-3_s2":
				return check.Invalid
			case id == "nodes-5_s1":
				return []check.Verdict{check.Invalid, check.Violation, check.Pass}[attempt-1]
			}
			return check.Violation
		}
		o, err := l.start(t.Context(), mustPlan(t, twoByTwo))
		if err != nil {
			t.Fatal(err)
		}
		want := "nodes-3_s1:done,invalid,violation nodes-5_s1:done,invalid,violation nodes-3_s2:done,invalid,invalid nodes-5_s2:done,violation"
		if got := states(o.Record); got != want {
			t.Errorf("%s\nwant %s", got, want)
		}
		if n := o.Record.Cells[2].InvalidAttempts(); n != 2 {
			t.Errorf("%d invalid attempts are counted", n)
		}
	})
}

func TestCellsAtOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lab) {
		begun := time.Now()
		o, err := l.start(t.Context(), mustPlan(t, "test: {nemesis: none, time: 10s}\nrepeats: 6\njobs: 3\n"))
		if err != nil {
			t.Fatal(err)
		}
		if l.most != 3 || time.Since(begun) > 25*time.Second {
			t.Errorf("%d at once, %v in all", l.most, time.Since(begun))
		}
		names := map[string]bool{}
		for _, c := range o.Record.Cells { // all have one seed
			names[filepath.Base(c.Last().Dir)] = true
		}
		if len(names) != 6 {
			t.Errorf("two runs have one name: %v", names)
		}
	})
}

func TestBudgetLeavesCellsWaiting(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lab) {
		plan := mustPlan(t, twoByTwo+"budget: 15s\n")
		o, err := l.start(t.Context(), plan)
		if err != nil {
			t.Fatal(err)
		}
		want := "nodes-3_s1:done,pass nodes-5_s1:done,pass nodes-3_s2:waiting nodes-5_s2:waiting"
		if got := states(o.Record); got != want || o.Record.Stopped != "the time budget of 15s was used up" || o.Interrupted {
			t.Errorf("%s, stopped %q\nwant %s", got, o.Record.Stopped, want)
		}
		again, err := l.start(t.Context(), plan)
		if err != nil || !again.Record.Finished() || again.Dir != o.Dir || again.Record.Stopped != "" {
			t.Errorf("it did not go on: %s in %s, %v", states(again.Record), again.Dir, err)
		}
		if len(l.runs) != 4 || l.runs["nodes-3_s1"] != 1 {
			t.Errorf("runs %v", l.runs)
		}
		fresh, err := l.start(t.Context(), plan)
		if err != nil || fresh.Dir == o.Dir {
			t.Errorf("a finished campaign was gone on with: %s, %v", fresh.Dir, err)
		}
	})
}

func TestFirstInterruptEndsTheCellAndTheRestWaits(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lab) {
		plan := mustPlan(t, twoByTwo)
		stop := time.AfterFunc(14*time.Second, func() { close(l.stop) })
		defer stop.Stop()
		o, err := l.start(t.Context(), plan)
		if err != nil {
			t.Fatal(err)
		}
		want := "nodes-3_s1:done,pass nodes-5_s1:waiting,invalid(interrupted) nodes-3_s2:waiting nodes-5_s2:waiting"
		if got := states(o.Record); got != want || !o.Interrupted || o.Record.Stopped != "interrupted" {
			t.Errorf("%s, interrupted %v, stopped %q\nwant %s", got, o.Interrupted, o.Record.Stopped, want)
		}
		l.stop = make(chan struct{})
		if o, err = l.start(t.Context(), plan); err != nil {
			t.Fatal(err)
		}
		want = "nodes-3_s1:done,pass nodes-5_s1:done,invalid(interrupted),pass nodes-3_s2:done,pass nodes-5_s2:done,pass"
		if got := states(o.Record); got != want || o.Record.Cells[1].InvalidAttempts() != 0 {
			t.Errorf("%s\nwant %s", got, want)
		}
	})
}

func TestAViolationOfAnInterruptedCellStands(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lab) {
		l.verdict = func(string, int) check.Verdict { return check.Violation }
		time.AfterFunc(4*time.Second, func() { close(l.stop) })
		o, err := l.start(t.Context(), mustPlan(t, twoByTwo))
		want := "nodes-3_s1:done,violation nodes-5_s1:waiting nodes-3_s2:waiting nodes-5_s2:waiting"
		if got := states(o.Record); err != nil || got != want {
			t.Errorf("%s, %v\nwant %s", got, err, want)
		}
	})
}

// TestKilledInTheMiddle: squall is killed, as kill -9 does, while the second
// cell runs; then the same campaign goes on.
func TestKilledInTheMiddle(t *testing.T) {
	const marker = "SQUALL_TEST_CAMPAIGN_OUT"
	text := strings.Replace(twoByTwo, "10s", "1s", 1)
	if out := os.Getenv(marker); out != "" {
		l := newLab(t)
		l.out = out
		l.during = func(dir string) {
			if strings.Contains(dir, "nodes-5_s1") {
				self, err := os.FindProcess(os.Getpid())
				if err != nil {
					t.Error(err)
				}
				_ = self.Kill()
				select {}
			}
		}
		_, err := l.start(t.Context(), mustPlan(t, text))
		t.Fatalf("it was not killed: %v", err)
	}
	out := t.TempDir()
	self := exec.Command(os.Args[0], "-test.run=^TestKilledInTheMiddle$")
	self.Env = append(os.Environ(), marker+"="+out)
	if err := self.Run(); err == nil {
		t.Fatal("it was not killed")
	}
	synctest.Test(t, func(t *testing.T) { goOnAfterTheKill(t, out, mustPlan(t, text)) })
}

func goOnAfterTheKill(t *testing.T, out string, plan *Plan) {
	l := newLab(t)
	l.out = out
	o, err := l.start(t.Context(), plan)
	if err != nil {
		t.Fatal(err)
	}
	want := "nodes-3_s1:done,pass nodes-5_s1:done,invalid(interrupted),pass nodes-3_s2:done,pass nodes-5_s2:done,pass"
	if got := states(o.Record); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	dead := o.Record.Cells[1].Attempts[0]
	if dead.Reason != killed || len(l.cleaned) != 1 || l.cleaned[0] != filepath.Base(dead.Dir) {
		t.Errorf("attempt %+v, cleaned %v", dead, l.cleaned)
	}
	if l.runs["nodes-3_s1"] != 0 || l.runs["nodes-5_s1"] != 1 {
		t.Errorf("runs after the kill: %v", l.runs)
	}
}

// leave runs a campaign that is left at once while its first cell runs.
func (l *lab) leave(t *testing.T, plan *Plan, before func(dir string)) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	l.during = func(dir string) {
		before(dir)
		cancel()
	}
	o, err := l.start(ctx, plan)
	if !errors.Is(err, context.Canceled) || o.Record.Cells[0].State != ledger.Running {
		t.Fatalf("%v, %s", err, states(o.Record))
	}
	l.during = nil
}

func TestWhatWasFoundBeforeSquallEndedStands(t *testing.T) {
	for _, tc := range []struct {
		name    string
		written *check.Results // results.json of the run
		checked *check.Results // what its history shows
		want    string
	}{
		{"nothing", nil, nil, "done,invalid(interrupted),pass"},
		{"a pass", resultsOf(check.Pass, 10*time.Second), nil, "done,pass"},
		{"a pass of half the time", resultsOf(check.Pass, 5*time.Second), nil, "done,invalid(interrupted),pass"},
		{"a violation of half the time", resultsOf(check.Violation, 5*time.Second), nil, "done,violation"},
		{"a history that shows a violation", nil, resultsOf(check.Violation, time.Second), "done,violation"},
		{"a history that shows nothing", nil, resultsOf(check.Pass, 10*time.Second), "done,invalid(interrupted),pass"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, l *lab) {
				plan := mustPlan(t, "test: {nemesis: none, time: 10s}\n")
				l.leave(t, plan, func(dir string) {
					if tc.written != nil {
						if err := check.WriteResults(dir, tc.written); err != nil {
							t.Error(err)
						}
					}
				})
				l.checked = tc.checked
				reported := 0
				l.report = func(context.Context, *check.Checked) error { reported++; return nil }
				o, err := l.start(t.Context(), plan)
				if err != nil {
					t.Fatal(err)
				}
				if got := states(o.Record); got != "s1:"+tc.want || len(l.cleaned) != 1 || reported != 1 {
					t.Errorf("%s, want s1:%s; cleaned %v, %d reports", got, tc.want, l.cleaned, reported)
				}
			})
		})
	}
}

func TestTwoSqualls(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lab) {
		plan := mustPlan(t, twoByTwo)
		var second error
		l.during = func(string) {
			if second == nil {
				_, second = l.start(t.Context(), plan)
			}
		}
		if _, err := l.start(t.Context(), plan); err != nil {
			t.Fatal(err)
		}
		if !errors.Is(second, ErrLocked) || !strings.Contains(second.Error(), "--new") {
			t.Errorf("the second squall said: %v", second)
		}
	})
}

func TestNewStartsAfresh(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lab) {
		plan := mustPlan(t, twoByTwo+"budget: 15s\n")
		o, err := l.start(t.Context(), plan)
		if err != nil {
			t.Fatal(err)
		}
		cfg := l.config()
		cfg.New = true
		fresh, err := Run(t.Context(), plan, cfg)
		if err != nil || fresh.Dir == o.Dir || l.runs["nodes-3_s1"] != 2 {
			t.Errorf("%s after %s, %v, runs %v", fresh.Dir, o.Dir, err, l.runs)
		}
	})
}

func TestAFullDiskEndsTheCampaignAndLosesNothing(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lab) {
		plan := mustPlan(t, twoByTwo)
		full := true
		cfg := l.config()
		cfg.Run = func(ctx context.Context, p *testplan.Plan, progress orchestrator.Progress, stop <-chan struct{}) (*orchestrator.Outcome, error) {
			if full && p.Test.Name == "nodes-5_s1" {
				return nil, fmt.Errorf("make the run's log: %w", syscall.ENOSPC)
			}
			return l.run(ctx, p, progress, stop)
		}
		o, err := Run(t.Context(), plan, cfg)
		if !errors.Is(err, errDiskFull) || !strings.Contains(err.Error(), "nodes-5_s1") {
			t.Fatalf("error %v", err)
		}
		written, readErr := ledger.Read(o.Dir)
		if readErr != nil || !strings.HasPrefix(states(written), "nodes-3_s1:done,pass nodes-5_s1:waiting,invalid(interrupted) nodes-3_s2:waiting") {
			t.Errorf("%s, %v", states(written), readErr)
		}
		full = false
		if o, err = Run(t.Context(), plan, cfg); err != nil || !o.Record.Finished() || l.runs["nodes-3_s1"] != 1 {
			t.Errorf("it did not go on: %v, %s", err, states(o.Record))
		}
	})
}

// TestARecordThatCannotBeWritten: the folder is gone, as with a disk that is
// pulled out.
func TestARecordThatCannotBeWritten(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lab) {
		l.during = func(dir string) { _ = os.RemoveAll(filepath.Join(l.out, Folder)) }
		_, err := l.start(t.Context(), mustPlan(t, twoByTwo))
		if err == nil || !strings.Contains(err.Error(), "the campaign cannot continue: write the campaign's record") {
			t.Errorf("error %v", err)
		}
		if len(l.runs) > 2 {
			t.Errorf("it went on all the same: %v", l.runs)
		}
	})
}

func TestFailingReportsLoseNothing(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lab) {
		l.report = func(context.Context, *check.Checked) error { return errors.New("no room for a picture") }
		cfg := l.config()
		written := 0
		cfg.Pages = func(_ context.Context, dir string) error {
			written++
			if _, err := ledger.Read(dir); err != nil {
				t.Error(err)
			}
			return syscall.ENOSPC
		}
		o, err := Run(t.Context(), mustPlan(t, twoByTwo), cfg)
		if err != nil || !o.Record.Finished() || !errors.Is(o.PagesErr, syscall.ENOSPC) || written < 3 {
			t.Errorf("%v, %s, pages %v after %d times", err, states(o.Record), o.PagesErr, written)
		}
		if len(l.notes) != 4 || !strings.Contains(l.notes[0], "its report could not be written: no room for a picture") {
			t.Errorf("notes %q", l.notes)
		}
	})
}

func TestADamagedRecordIsNotGoneOnWith(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lab) {
		plan := mustPlan(t, twoByTwo+"budget: 5s\n")
		o, err := l.start(t.Context(), plan)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(o.Dir, ledger.FileName), []byte("{"), 0o644); err != nil {
			t.Fatal(err)
		}
		again, err := l.start(t.Context(), plan)
		if err != nil || again.Dir == o.Dir || !slices.ContainsFunc(l.notes, func(n string) bool { return strings.Contains(n, "it is damaged") }) {
			t.Errorf("%v, %s, notes %q", err, again.Dir, l.notes)
		}
		o.Record.Cells = o.Record.Cells[:2]
		o.Record.Digest = plan.Digest
		if err := errors.Join(os.RemoveAll(again.Dir), ledger.Write(o.Dir, o.Record)); err != nil {
			t.Fatal(err)
		}
		if _, err := l.start(t.Context(), plan); err != nil && !strings.Contains(err.Error(), "start afresh with --new") {
			t.Errorf("error %v", err)
		}
	})
}

func TestTimeLeftIsMeasured(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lab) {
		var left []time.Duration
		cfg := l.config()
		cfg.Progress = &leftNoted{lab: l, left: &left}
		cfg.Report = func(context.Context, *check.Checked) error { time.Sleep(20 * time.Second); return nil } // far from what was guessed
		if _, err := Run(t.Context(), mustPlan(t, twoByTwo), cfg); err != nil {
			t.Fatal(err)
		}
		if want := []time.Duration{90 * time.Second, 60 * time.Second, 30 * time.Second, 0}; !slices.Equal(left, want) {
			t.Errorf("left %v, want %v", left, want)
		}
	})
}

type leftNoted struct {
	*lab
	left *[]time.Duration
}

func (n *leftNoted) CellEnded(_ ledger.Cell, _ bool, s Status) { *n.left = append(*n.left, s.Left) }

// Runs of a campaign are no runs of `squall run`.
func TestListRunsLeavesCampaignsOut(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lab) {
		o, err := l.start(t.Context(), mustPlan(t, twoByTwo))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(o.Dir, "cells", "nodes-3_s1", filepath.Base(o.Record.Cells[0].Last().Dir), testplan.PlanFile), []byte("{}"), 0o644); err != nil {
			t.Fatal(err)
		}
		if runs, err := testplan.ListRuns(l.out); err != nil || len(runs) != 0 {
			t.Errorf("runs %+v, %v", runs, err)
		}
	})
}
