package main

import (
	"fmt"
	"io"
	"math"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"squall/history/check"
	"squall/history/elections"
	"squall/internal/plain"
	experiment "squall/orchestrator/elections"
)

// repeatCommand is the command with the flags that were given and that decide
// what is measured.
func repeatCommand(cmd *cobra.Command, program string) string {
	words := []string{program, "elections"}
	for _, name := range []string{"timeouts", "trials", "broadcast", "disk", "pre-vote", "plain", "system", "nodes", "limit", "seed", "runtime"} {
		if flag := cmd.Flag(name); flag.Changed {
			words = append(words, fmt.Sprintf("--%s=%s", name, flag.Value))
		}
	}
	return strings.Join(words, " ")
}

// trialsProgress shows how trials go: on a terminal a line that is written over,
// elsewhere a line every ten seconds.
type trialsProgress struct {
	out      io.Writer
	terminal bool
	begun    time.Time

	mu     sync.Mutex
	first  time.Time // when the trials began
	last   time.Time // of the last line
	cursor bool      // a line stands that has no end
}

func newTrialsProgress(out io.Writer) *trialsProgress {
	f := terminal(out)
	if f != nil {
		out = f
	}
	return &trialsProgress{out: out, begun: time.Now(), terminal: f != nil}
}

// Phase prints the begin of a phase.
func (p *trialsProgress) Phase(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cursor {
		fmt.Fprintln(p.out)
		p.cursor = false
	}
	plain.Fprintf(p.out, "%6.1fs  %s\n", time.Since(p.begun).Seconds(), text)
}

// Trial prints how far the trials are, and how long they will still take.
func (p *trialsProgress) Trial(r elections.Range, t elections.Trial, done, all int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if p.first.IsZero() {
		p.first = now.Add(-t.NoLeader.Duration())
	}
	if !p.terminal && now.Sub(p.last) < quietEvery && done < all {
		return
	}
	p.last = now
	text := fmt.Sprintf("%s: %s, %.0f ms without a leader", r.Name(), t.Leader, t.NoLeader)
	if t.Outcome == elections.Invalid {
		text = fmt.Sprintf("%s: invalid: %s", r.Name(), t.Why)
	}
	if done > 0 {
		left := time.Duration(float64(now.Sub(p.first)) / float64(done) * float64(all-done))
		text = fmt.Sprintf("%d of %d trials, about %v left; %s", done, all, left.Round(time.Second), text)
	}
	if p.terminal {
		plain.Fprintf(p.out, "\r\x1b[K%6.1fs  %s", time.Since(p.begun).Seconds(), text)
		p.cursor = true
		return
	}
	plain.Fprintf(p.out, "%6.1fs  %s\n", time.Since(p.begun).Seconds(), text)
}

// printElections prints the table, and under it what one must know to read it.
func printElections(w io.Writer, o *experiment.Outcome, summaries []elections.Summary) {
	plain.Fprintf(w, "\ntime without a leader, ms\n")
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "range\ttrials\tmin\tp50\tmean\tp90\tp99\tmax\tp50 between\tpaper p50\tratio\tmodel p50\tsplit votes\trounds\toverhead\t")
	for _, s := range summaries {
		x := s.Times
		if x.N == 0 {
			plain.Fprintf(t, "%s\t0%s\n", s.Name, plain.Made(strings.Repeat("\t–", 13)+"\t"))
			continue
		}
		paper, ratio, between, model := "–", "–", "–", "–"
		if s.Model.N > 0 {
			model = whole(s.Model.P50)
		}
		if s.Paper != nil {
			paper, ratio = whole(s.Paper.P50), fmt.Sprintf("%.2f", s.Ratio)
		}
		if s.High > 0 {
			between = whole(s.Low) + "–" + whole(s.High)
		}
		plain.Fprintf(t, "%s\t%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%d\t%.2f\t%.2f s\t\n", s.Name, x.N,
			whole(x.Min), whole(x.P50), whole(x.Mean), whole(x.P90), whole(x.P99), whole(x.Max),
			between, paper, ratio, model, s.Split, s.Rounds, s.Overhead)
	}
	t.Flush()
	fmt.Fprintln(w)
	for _, line := range electionsNotes(o, summaries) {
		plain.Fprintln(w, line)
	}
	plain.Fprintf(w, "\nverdict  %s", o.Results.Verdict)
	for _, c := range o.Results.Checks { // the others' reasons follow from these
		if c.Verdict == o.Results.Verdict && c.Verdict != check.Pass {
			plain.Fprintf(w, "\n         %s: %s", c.Name, c.Summary)
		}
	}
	fmt.Fprintln(w)
}

func whole(m elections.Millis) string { return fmt.Sprintf("%.0f", math.Round(float64(m))) }

// electionsNotes say what was measured beside the times.
func electionsNotes(o *experiment.Outcome, summaries []elections.Summary) []string {
	r := o.Record
	notes := []string{"p50 between: where the median lies, with 95 % confidence. model: the same links and disks, and nothing else. " +
		"overhead: what a trial takes in addition to the time without a leader."}
	if n := r.Net; n.Broadcast.N > 0 {
		made := "links unchanged"
		if n.OneWay.Max > 0 {
			made = fmt.Sprintf("each packet late by %.1f to %.1f ms", n.OneWay.Min, n.OneWay.Max)
		}
		if r.Disk != nil {
			made += fmt.Sprintf(", each write to a disk by %g to %g ms", r.Disk.Min, r.Disk.Max)
		}
		notes = append(notes, fmt.Sprintf("broadcast to all: median %.1f ms, p90 %.1f (%s; %.1f before anything was slowed down). The paper: about %.0f.",
			n.Broadcast.P50, n.Broadcast.P90, made, n.Bare.P50, elections.PaperBroadcast))
	}
	if r.PreVote {
		notes = append(notes, "pre-vote was on, and votes against a live leader refused; the paper's servers did neither.")
	}
	for _, s := range summaries {
		if s.Times.N == 0 {
			continue
		}
		note := fmt.Sprintf("%s: crash to first candidate %.0f, winner's timeout until it is heard %.1f (medians); without split votes the mean would be %.0f",
			s.Name, s.Detection.P50, s.Won.P50, s.Simple)
		if !r.Plain {
			note += fmt.Sprintf("; timers late by %.2f (p99 %.1f), crashes by %.2f", s.Late.P50, s.Late.P99, s.Overshoot.P50)
		}
		if s.Invalid > 0 {
			note += fmt.Sprintf("; %d trials invalid, not counted", s.Invalid)
		}
		if s.Undecided > 0 {
			note += fmt.Sprintf("; %d undecided at the limit, counted with it", s.Undecided)
		}
		if why := s.Reason(); why != "" {
			note += "; " + why
		}
		notes = append(notes, note)
	}
	if r.Interrupted {
		notes = append(notes, "Stopped before all trials were done.")
	}
	return notes
}
