package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"

	"squall/history"
	"squall/history/check"
	"squall/internal/plain"
	"squall/orchestrator"
	"squall/orchestrator/campaign"
	"squall/orchestrator/hunt"
	"squall/orchestrator/testplan"
	"squall/reports"
)

// jobsUsage is the help of --jobs.
const jobsUsage = "tests at once; 0: from cores and memory"

// checkJobs refuses what --jobs cannot be.
func checkJobs(jobs int) error {
	if jobs < 0 || jobs > 256 {
		return usageError(fmt.Errorf("--jobs: expected a whole number from 1 to 256, found %d", jobs))
	}
	return nil
}

// place is where one test is run many times.
type place struct {
	app     *app
	runtime opened
	log     *slog.Logger
	jobs    int
	stop    <-chan struct{}
	build   builder
}

// openPlace opens the runtime of a test, and says so. jobs is as the user asked.
func (a *app) openPlace(ctx context.Context, t testplan.Test, jobs int, verbose bool, human io.Writer) (*place, error) {
	var log *slog.Logger
	if verbose {
		log = slog.New(slog.NewTextHandler(a.errOut, nil))
	}
	opened, err := a.open(ctx, t.Runtime, log)
	if err != nil {
		return nil, &exitError{exitInvalid, err}
	}
	fmt.Fprintln(human, opened.line(ctx))
	why := "as asked for"
	if jobs == 0 {
		jobs, why = campaign.DefaultJobs([]testplan.Test{t}, runtime.GOMAXPROCS(0), check.FreeMemory())
	}
	plain.Fprintf(human, "at once  %s (%s)\n", countOf(jobs, "test"), why)
	return &place{app: a, runtime: opened, log: log, jobs: jobs, build: buildOnce(a.build)}, nil
}

// trials runs tests there. Their reports are written where report is set.
func (p *place) trials(report bool, told func(hunt.Trial)) hunt.Trials {
	run := func(ctx context.Context, plan *testplan.Plan, stop <-chan struct{}) (*orchestrator.Outcome, error) {
		outcome, err := orchestrator.Run(ctx, plan, orchestrator.Config{Version: version, Runtime: p.runtime.Runtime, Build: p.build,
			CanBuild: canBuild, Images: openImages(p.log), Log: p.log, Progress: silent{}, Stop: stop, LeaderTimeout: p.app.leaderTimeout})
		if err == nil && report {
			if err := reports.WriteChecked(ctx, outcome.Checked); err != nil {
				plain.Fprintf(p.app.errOut, "squall: %s: its verdict stands, but its report could not be written: %v\n", outcome.Dir, err)
			}
		}
		return outcome, err
	}
	return hunt.Trials{Run: run, Jobs: p.jobs, Stop: p.stop, Told: told}
}

// silent is the progress of a test that is one of many.
type silent struct{}

func (silent) Planned(*testplan.Plan, string) {}
func (silent) Phase(string)                   {}
func (silent) Load(orchestrator.LoadStats)    {}
func (silent) Fault(history.Fault)            {}
func (silent) Leader(string, uint64)          {}

// trialProgress prints a line for each test that ended, and on a terminal a bar below them.
type trialProgress struct {
	out   io.Writer
	begun time.Time
	bars  *mpb.Progress // nil: no terminal

	mu    sync.Mutex
	bar   *mpb.Bar
	done  int
	found int
	total int
}

func newTrialProgress(out io.Writer, total int) *trialProgress {
	p := &trialProgress{out: out, begun: time.Now(), bars: newBars(out), total: total}
	if p.bars != nil {
		p.bar = newBar(p.bars, int64(total), p.status)
	}
	return p
}

// told prints a test that ended.
func (p *trialProgress) told(t hunt.Trial) {
	p.mu.Lock()
	p.done++
	if t.Verdict() == check.Violation {
		p.found++
	}
	p.mu.Unlock()
	where := "it could not begin"
	if t.Outcome != nil {
		where = t.Outcome.Dir
	}
	p.line("  %s %-9s  seed %-10d %s\n", symbol(t.Verdict()), t.Verdict(), t.Plan.Test.Seed, where)
	if p.bar != nil {
		p.bar.Increment()
	}
}

// line prints a line above the bar.
func (p *trialProgress) line(format string, args ...any) {
	text := plain.Sprintf(format, args...)
	if p.bars != nil {
		_, _ = io.WriteString(p.bars, text)
		return
	}
	_, _ = io.WriteString(p.out, text)
}

// status is the text behind the bar.
func (p *trialProgress) status() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return fmt.Sprintf("%d of %d, %s, %v", p.done, p.total, countOf(p.found, "violation"), time.Since(p.begun).Round(time.Second))
}

func (p *trialProgress) end() { endBars(p.bars, p.bar) }
