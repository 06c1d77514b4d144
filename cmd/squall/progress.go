package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"squall/history"
	"squall/internal/number"
	"squall/internal/plain"
	"squall/orchestrator"
	"squall/orchestrator/testplan"
)

// quietEvery is the distance of progress lines where there is no terminal.
const quietEvery = 10 * time.Second

// progress shows how a run goes: on a terminal a bar with the events above it,
// elsewhere every event as a line and a line of counts every ten seconds.
type progress struct {
	*board
	begun time.Time

	mu     sync.Mutex
	last   time.Time // of the last line of counts
	faults map[int]string
	leader string
	load   orchestrator.LoadStats
	rate   float64 // answers a second, of late
}

var _ orchestrator.Progress = (*progress)(nil)

func newProgress(out io.Writer) *progress {
	return &progress{board: newBoard(out), begun: time.Now(), faults: map[int]string{}}
}

// Planned prints what will be run.
func (p *progress) Planned(plan *testplan.Plan, dir string) {
	t := plan.Test
	p.line("%s: %s, workload %s, %v, nemesis %s, seed %d", t.Name, nodesText(t.Nodes), t.WorkloadCall(),
		time.Duration(t.Time), t.Nemesis, t.Seed)
	for _, line := range plan.Omitted() {
		p.line("%s", line)
	}
	p.line("run directory %s", dir)
}

// Phase prints the begin of a phase.
func (p *progress) Phase(text string) { p.line("%s", text) }

// Leader prints an election.
func (p *progress) Leader(node string, term uint64) {
	p.mu.Lock()
	p.leader = plain.Sprintf("%s (term %d)", node, term)
	p.mu.Unlock()
	p.line("%s %s, term %d", plain.In("leader", plain.Cyan), node, term)
}

// Fault prints an injection or a heal.
func (p *progress) Fault(f history.Fault) {
	name := fmt.Sprintf("%s(%s)", f.Name, f.Variant)
	if f.Params != "" && f.Phase == history.Inject {
		name += " " + f.Params
	}
	aimed := ""
	if f.Aim != nil {
		aimed = " " + f.Aim.Text(f.Begin)
	}
	took := time.Duration(f.End - f.Begin).Round(time.Millisecond)
	p.mu.Lock()
	if f.Phase == history.Inject {
		p.faults[f.ID] = plain.Sprintf("%s(%s)", f.Name, f.Variant)
	} else {
		delete(p.faults, f.ID)
	}
	p.mu.Unlock()
	switch {
	case f.Err != "":
		p.line("%s %d %s%s: %s failed: %s", plain.In("FAULT", plain.Red, plain.Bold), f.ID, name, aimed, f.Phase, f.Err)
	case f.Lapsed != "":
		p.line("%s %d %s: stopped taking effect before its end: %s; healed (verified in %v)", plain.In("FAULT", plain.Red, plain.Bold), f.ID, name, f.Lapsed, took)
	case f.Phase == history.Inject:
		p.line("%s %d %s%s: %s (verified in %v)", plain.In("fault", plain.Yellow), f.ID, name, aimed, f.Detail, took)
	default:
		p.line("%s %d %s: healed (verified in %v)", plain.In("fault", plain.Green), f.ID, name, took)
	}
}

// Load takes the counts of the clients.
func (p *progress) Load(s orchestrator.LoadStats) {
	p.mu.Lock()
	if passed := (s.Elapsed - p.load.Elapsed).Seconds(); passed > 0 {
		p.rate = float64(s.OK-p.load.OK) / passed
	}
	p.load = s
	due := !p.hasBar() && time.Since(p.last) >= quietEvery
	if due {
		p.last = time.Now()
	}
	p.mu.Unlock()
	p.set(s.Elapsed.Seconds()/s.Total.Seconds(), p.status)
	if due {
		p.line("%s", counts(s))
	}
}

// status is what stands behind the bar: what a person who waits wants to know.
func (p *progress) status() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	parts := []string{fmt.Sprintf("%v left", max(0, p.load.Total-p.load.Elapsed).Round(time.Second)), number.Count(int(p.rate)) + " ops/s"}
	if p.leader != "" {
		parts = append(parts, "leader "+p.leader)
	}
	for _, id := range slices.Sorted(maps.Keys(p.faults)) {
		parts = append(parts, string(plain.In("⚡ "+p.faults[id], plain.Yellow)))
	}
	if p.load.Fail > 0 {
		parts = append(parts, number.Count(p.load.Fail)+" failed")
	}
	if p.load.Info > 0 {
		parts = append(parts, number.Count(p.load.Info)+" unknown")
	}
	return strings.Join(parts, "  ")
}

// counts is how far the load is, for a log.
func counts(s orchestrator.LoadStats) string {
	rate := 0.0
	if s.Elapsed > 0 {
		rate = float64(s.OK) / s.Elapsed.Seconds()
	}
	return fmt.Sprintf("%v of %v: %s ok (%s/s), %s failed, %s unknown",
		s.Elapsed.Round(time.Second), s.Total, number.Count(s.OK), number.Count(int(rate)), number.Count(s.Fail), number.Count(s.Info))
}

// line prints one line, with the time since the begin, above the bar if there
// is one.
func (p *progress) line(format string, args ...any) {
	p.print(stamped(p.begun, format, args))
}

// stamped is one line with the time since then.
func stamped(begun time.Time, format string, args []any) string {
	stamp := plain.In(fmt.Sprintf("%6.1fs", time.Since(begun).Seconds()), plain.Faint)
	return string(stamp) + "  " + strings.TrimRight(plain.Sprintf(format, args...), "\n") + "\n"
}

// nodesText is a number of nodes in words.
func nodesText(n int) string { return countOf(n, "node") }
