package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"

	"squall/history"
	"squall/internal/plain"
	"squall/orchestrator"
	"squall/orchestrator/testplan"
)

// quietEvery is the distance of progress lines where there is no terminal.
const quietEvery = 10 * time.Second

// progress shows how a run goes: on a terminal a bar with the events above it,
// elsewhere every event as a line and a line of counts every ten seconds.
type progress struct {
	out   io.Writer
	begun time.Time
	bars  *mpb.Progress // nil: no terminal

	mu     sync.Mutex
	bar    *mpb.Bar
	last   time.Time // of the last line of counts
	faults map[int]string
	load   orchestrator.LoadStats
}

var _ orchestrator.Progress = (*progress)(nil)

func newProgress(out io.Writer) *progress {
	return &progress{out: out, begun: time.Now(), faults: map[int]string{}, bars: newBars(out)}
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
func (p *progress) Leader(node string, term uint64) { p.line("leader %s, term %d", node, term) }

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
		p.faults[f.ID] = name
	} else {
		delete(p.faults, f.ID)
	}
	p.mu.Unlock()
	switch {
	case f.Err != "":
		p.line("FAULT %d %s%s: %s failed: %s", f.ID, name, aimed, f.Phase, f.Err)
	case f.Lapsed != "":
		p.line("FAULT %d %s: stopped taking effect before its end: %s; healed (verified in %v)", f.ID, name, f.Lapsed, took)
	case f.Phase == history.Inject:
		p.line("fault %d %s%s: %s (verified in %v)", f.ID, name, aimed, f.Detail, took)
	default:
		p.line("fault %d %s: healed (verified in %v)", f.ID, name, took)
	}
}

// Load takes the counts of the clients.
func (p *progress) Load(s orchestrator.LoadStats) {
	p.mu.Lock()
	p.load = s
	due := p.bars == nil && time.Since(p.last) >= quietEvery
	if due {
		p.last = time.Now()
	}
	if p.bars != nil {
		p.advance(s)
	}
	p.mu.Unlock()
	if due {
		p.line("%s", counts(s))
	}
}

// advance moves the bar, which stands from the first counts on.
func (p *progress) advance(s orchestrator.LoadStats) {
	if p.bar == nil {
		p.bar = newBar(p.bars, s.Total.Milliseconds(), p.status)
	}
	p.bar.SetCurrent(min(s.Elapsed.Milliseconds(), s.Total.Milliseconds()-1))
}

// status is what stands behind the bar.
func (p *progress) status() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	holding := ""
	for _, name := range p.faults {
		holding += "  ⚡ " + name
	}
	return counts(p.load) + holding
}

func counts(s orchestrator.LoadStats) string {
	rate := 0.0
	if s.Elapsed > 0 {
		rate = float64(s.OK) / s.Elapsed.Seconds()
	}
	return fmt.Sprintf("%v of %v: %d ok (%.0f/s), %d failed, %d unknown",
		s.Elapsed.Round(time.Second), s.Total, s.OK, rate, s.Fail, s.Info)
}

// line prints one line, with the time since the begin, above the bar if there
// is one.
func (p *progress) line(format string, args ...any) {
	text := fmt.Sprintf("%6.1fs  ", time.Since(p.begun).Seconds()) + strings.TrimRight(plain.Sprintf(format, args...), "\n") + "\n"
	if p.bars != nil {
		if _, err := p.bars.Write([]byte(text)); err == nil {
			return
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprint(p.out, text)
}

// end takes the bar away, before the verdict is printed.
func (p *progress) end() {
	p.mu.Lock()
	bar := p.bar
	p.mu.Unlock()
	endBars(p.bars, bar)
}

// nodesText is a number of nodes in words.
func nodesText(n int) string { return countOf(n, "node") }
