package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"sync"
	"time"

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
	*board
	begun time.Time

	mu    sync.Mutex
	done  int
	found int
	total int
}

func newTrialProgress(out io.Writer, total int) *trialProgress {
	p := &trialProgress{board: newBoard(out), begun: time.Now(), total: total}
	p.set(0, p.status)
	return p
}

// told prints a test that ended.
func (p *trialProgress) told(t hunt.Trial) {
	p.mu.Lock()
	p.done++
	if t.Verdict() == check.Violation {
		p.found++
	}
	share := float64(p.done) / float64(max(p.total, 1))
	p.mu.Unlock()
	where := "it could not begin"
	if t.Outcome != nil {
		where = t.Outcome.Dir
	}
	p.print(plain.Sprintf("  %s %-9s  seed %-10d %s\n", symbol(t.Verdict()), t.Verdict(), t.Plan.Test.Seed, where))
	p.set(share, p.status)
}

// status is the text behind the bar.
func (p *trialProgress) status() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return fmt.Sprintf("%d of %d, %s, %v", p.done, p.total, countOf(p.found, "violation"), time.Since(p.begun).Round(time.Second))
}
