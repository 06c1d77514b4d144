package main

import (
	"fmt"
	"io"
	"sync"
	"time"

	"squall/history/ledger"
	"squall/internal/plain"
	"squall/orchestrator/campaign"
)

// campaignEvery is the distance of progress lines where there is no terminal.
const campaignEvery = 30 * time.Second

// campaignProgress shows how a campaign goes: a line for every cell that begins
// or ends, and on a terminal a bar below them, elsewhere a line every half minute.
type campaignProgress struct {
	*board
	begun time.Time
	quit  chan struct{}

	mu     sync.Mutex
	status campaign.Status
	at     time.Time // of status
}

var _ campaign.Progress = (*campaignProgress)(nil)

func newCampaignProgress(out io.Writer) *campaignProgress {
	return &campaignProgress{board: newBoard(out), begun: time.Now(), quit: make(chan struct{})}
}

// Begun prints what will be run.
func (p *campaignProgress) Begun(plan *campaign.Plan, dir string, done int) {
	p.line("campaign %s: %d cells, %d at once (%s)", plan.File.Name, len(plan.Cells), plan.Jobs, plan.JobsWhy)
	p.line("directory %s", dir)
	if done > 0 {
		p.line("resuming: %d cells are already done", done)
	}
	p.mu.Lock()
	p.status = campaign.Status{Done: done, Total: len(plan.Cells), Left: plan.Total()}
	p.at = time.Now()
	p.mu.Unlock()
	p.set(float64(done)/float64(len(plan.Cells)), p.state)
	if !p.hasBar() {
		go p.tick()
	}
}

func (p *campaignProgress) tick() {
	ticker := time.NewTicker(campaignEvery)
	defer ticker.Stop()
	for {
		select {
		case <-p.quit:
			return
		case <-ticker.C:
			p.line("%s", p.state())
		}
	}
}

// CellBegun prints the begin of a cell.
func (p *campaignProgress) CellBegun(c ledger.Cell, attempt int, s campaign.Status) {
	p.see(s)
	again := ""
	if attempt > 1 {
		again = fmt.Sprintf(" (run %d)", attempt)
	}
	p.line("… %s%s", c.ID, again)
}

// CellEnded prints what a cell came to.
func (p *campaignProgress) CellEnded(c ledger.Cell, again bool, s campaign.Status) {
	p.see(s)
	last := c.Last()
	verdict := string(last.Verdict)
	if last.Interrupted {
		verdict = "interrupted"
	}
	text := fmt.Sprintf("%s %s in %.1fs", c.ID, verdict, last.Ended.Sub(last.Began).Seconds())
	if last.Reason != "" {
		text += ": " + plain.Fit(firstLine(last.Reason), 200)
	}
	for _, missed := range last.Missed {
		text += "; threshold missed: " + missed
	}
	switch {
	case again:
		text += "; it is run again"
	case c.State != ledger.Done:
		text += "; it runs when the campaign resumes"
	}
	p.line("%s %s", symbol(last.Verdict), text)
	if !p.hasBar() {
		p.line("%s", p.state())
	}
}

// Note prints what went wrong beside the cells.
func (p *campaignProgress) Note(text string) { p.line("%s %s", plain.In("!", plain.Magenta), text) }

func (p *campaignProgress) see(s campaign.Status) {
	p.mu.Lock()
	p.status, p.at = s, time.Now()
	p.mu.Unlock()
	p.set(float64(s.Done)/float64(max(s.Total, 1)), p.state)
}

// state is how far the campaign is, in one line.
func (p *campaignProgress) state() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	left := max(0, p.status.Left-time.Since(p.at)).Round(time.Second)
	return fmt.Sprintf("%d of %d cells done (%s), %d running, about %v left", p.status.Done, p.status.Total, tally(p.status), p.status.Running, left)
}

// line prints one line, with the time since the begin.
func (p *campaignProgress) line(format string, args ...any) {
	p.print(stamped(p.begun, format, args))
}

// end takes the bar away.
func (p *campaignProgress) end() {
	close(p.quit)
	p.board.end()
}
