package main

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"squall/history/check"
	"squall/internal/number"
	"squall/internal/plain"
	"squall/nodeimage/disk"
	"squall/orchestrator/crash"
	"squall/reports"
)

// crashProgress shows how the farm goes: a bar on a terminal, elsewhere a line every ten seconds.
type crashProgress struct {
	*board
	budget time.Duration
	states int

	mu   sync.Mutex
	last time.Time
	now  crash.Progress
	bad  int
}

func newCrashProgress(out io.Writer, flags *crashFlags) *crashProgress {
	return &crashProgress{board: newBoard(out), budget: flags.budget, states: flags.states, last: time.Now()}
}

// take takes how far the farm is.
func (p *crashProgress) take(s crash.Progress) {
	p.mu.Lock()
	p.now = s
	if s.Last.Verdict != check.Pass {
		p.bad++
	}
	due := !p.hasBar() && time.Since(p.last) >= quietEvery
	if due {
		p.last = time.Now()
	}
	share := p.share()
	p.mu.Unlock()
	p.set(share, p.status)
	if due {
		plain.Fprintf(p.out, "%s\n", p.status())
	}
}

// share is how far it is: by states or by time, whichever is further. The lock is held.
func (p *crashProgress) share() float64 {
	share := 0.0
	if p.states > 0 {
		share = float64(p.now.States) / float64(p.states)
	}
	if p.budget > 0 {
		share = max(share, p.now.Elapsed.Seconds()/p.budget.Seconds())
	}
	return share
}

func (p *crashProgress) status() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	text := fmt.Sprintf("%v: %s, %s an hour, %s left out as equal",
		p.now.Elapsed.Round(time.Second), countOf(p.now.States, "state"), number.Count(perHour(p.now.States, p.now.Elapsed)), number.Count(p.now.Equal))
	if p.bad > 0 {
		text += fmt.Sprintf(", %d not passed", p.bad)
	}
	return text
}

func perHour(n int, in time.Duration) int {
	if in <= 0 {
		return 0
	}
	return int(float64(n) / in.Hours())
}

// printCrash prints what the farm came to.
func printCrash(w io.Writer, o *crash.Outcome, dir, program string) {
	c := o.Cover
	plain.Fprintf(w, "\nverdict  %s\n", loudVerdict(o.Verdict, ""))
	if o.Reason != "" {
		plain.Fprintf(w, "         %s\n", o.Reason)
	}
	plain.Fprintf(w, "states   %s judged, %s distinct on disk, at %d of %s moments worth a try\n", number.Count(c.States), number.Count(c.Distinct), c.Moments, number.Count(c.Worth))
	plain.Fprintf(w, "         now %s in %v (%s an hour), %s left out as equal\n",
		number.Count(o.States), o.Elapsed.Round(time.Second), number.Count(perHour(o.States, o.Elapsed)), number.Count(c.Equal))
	var moments, disks []string
	for _, why := range crash.Whys() {
		if n := c.Whys[why]; n > 0 {
			moments = append(moments, fmt.Sprintf("%s %d", why, n))
		}
	}
	for _, how := range disk.Hows() {
		if n := c.Hows[how]; n > 0 {
			disks = append(disks, fmt.Sprintf("%s %d", how, n))
		}
	}
	plain.Fprintf(w, "moments  %s\ndisks    %s\n", strings.Join(moments, ", "), strings.Join(disks, ", "))
	if c.Refused > 0 {
		plain.Fprintf(w, "refused  in %s a node did not start, and named the file\n", countOf(c.Refused, "state"))
	}
	plain.Fprintf(w, "page     %s\n", filepath.Join(dir, reports.CrashFile))
	if o.Worst != nil {
		plain.Fprintf(w, "state    %s\nagain    %s crash %s --state %s%s\n", o.Folder, program, dir, filepath.Base(o.Folder), namesFlag(o))
		return
	}
	plain.Fprintf(w, "go on    %s crash %s%s\n", program, dir, namesFlag(o))
}

// printReplay prints what one state came to.
func printReplay(w io.Writer, r *crash.Replayed) {
	plain.Fprintf(w, "\nverdict  %s\n         %s\n", loudVerdict(r.Result.Verdict, ""), r.Reason)
	for _, e := range r.Seen.Ended {
		plain.Fprintf(w, "%s ended: %s\n%s\n", e.Node, e.Reason, e.Output)
	}
}
