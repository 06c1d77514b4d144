package main

import (
	"cmp"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"squall/history/check"
	"squall/history/measure"
	"squall/internal/number"
	"squall/internal/plain"
	"squall/nemesis"
	"squall/nemesis/faults"
	"squall/nemesis/schedule"
	"squall/orchestrator/testplan"
	"squall/reports"
)

// printVerdict prints every check, and what shows a violation.
func printVerdict(w io.Writer, r *check.Results) {
	fmt.Fprintln(w)
	folded(w, func(w io.Writer) {
		table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		for _, c := range r.Checks {
			plain.Fprintf(table, "  %s %s\t%s\t%s\n", symbol(c.Verdict), c.Name, c.Verdict, firstLine(c.Told()))
		}
		table.Flush()
	})
	for _, c := range r.Checks {
		if c.Verdict == check.Violation {
			printWitness(w, c)
		}
	}
	folded(w, func(w io.Writer) { printFigures(w, r) })
	printThresholds(w, r)
}

// printThresholds prints what was asked of the figures, and what came of it.
func printThresholds(w io.Writer, r *check.Results) {
	if len(r.Thresholds) == 0 {
		return
	}
	fmt.Fprintln(w)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, t := range r.Thresholds {
		sign := met()
		switch {
		case t.NoData:
			sign = without()
		case !t.Met:
			sign = missed()
		}
		plain.Fprintf(table, "  %s %s\t%s\t%s\n", sign, t.Text, t.Outcome(), firstLine(t.Why))
	}
	table.Flush()
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

// decisive leaves out what the checks could not decide for want of a test: the
// table of checks shows it, and the reason for that is the one to read.
func decisive(r *check.Results) []string {
	if r.Verdict != check.Invalid {
		return r.Reasons
	}
	return slices.DeleteFunc(slices.Clone(r.Reasons), func(reason string) bool {
		return slices.ContainsFunc(r.Checks, func(c check.Result) bool {
			return c.Verdict == check.Unknown && strings.HasSuffix(reason, ": "+c.Summary)
		})
	})
}

// inWords is a reason with the sentence that explains the violation, where there is one, in
// the place of what the check found.
func inWords(reason string, checks []check.Result) string {
	for _, c := range checks {
		if c.Verdict == check.Violation && c.Explanation != "" && reason == c.Name+": "+c.Told() {
			return fmt.Sprintf("%s: %s: %s", c.Name, cmp.Or(string(c.Kind), "violation"), c.Explanation)
		}
	}
	return reason
}

// shortened is a reason without the rest of a very long one, such as all that
// a compiler said.
func shortened(reason string) string {
	const most = 16
	lines := strings.Split(reason, "\n")
	if len(lines) > most {
		lines = append(lines[:most], fmt.Sprintf("… %d more lines in %s", len(lines)-most, check.ResultsName))
	}
	return strings.Join(lines, "\n")
}

// printWitness prints the few operations or events that show a violation.
func printWitness(w io.Writer, c check.Result) {
	plain.Fprintf(w, "\n%s: %s\n", c.Name, c.Told())
	if c.Explanation != "" {
		kind := ""
		if c.Kind != "" {
			kind = string(c.Kind) + ": "
		}
		plain.Fprintf(w, "  %s%s\n", kind, c.Explanation)
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if len(c.Witness) > 0 {
		fmt.Fprintln(table, "    call\treturn\tprocess\tnode\toperation\toutcome")
	}
	for _, op := range c.Witness {
		outcome := op.Outcome
		if op.Beside {
			outcome += " (not part of it, but explains it)"
		}
		plain.Fprintf(table, "    %s\t%s\t%d\t%s\t%s\t%s\n", seconds(op.Call), seconds(op.Return), op.Process, op.Node, op.Text, outcome)
	}
	for i, e := range c.Events {
		if i == 0 {
			fmt.Fprintln(table, "    node\tboot\tevent\tterm\trole\tvote\tindex\tentry term\thash\treason")
		}
		plain.Fprintf(table, "    %s\t%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", e.Node, e.Boot, e.Kind, unlessZero(e.Term),
			e.Role, e.Vote, unlessZero(e.Index), unlessZero(e.EntryTerm), e.Hash, firstLine(e.Reason))
	}
	table.Flush()
}

// unlessZero leaves out what an event does not tell.
func unlessZero(n uint64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatUint(n, 10)
}

func seconds(ns int64) string { return fmt.Sprintf("%.6fs", time.Duration(ns).Seconds()) }

// printFigures prints what happened, a subject a line.
func printFigures(w io.Writer, r *check.Results) {
	ops, el := r.Ops, r.Elections
	say := func(what, format string, args ...any) {
		plain.Fprintf(w, "  %s %s\n", plain.In(fmt.Sprintf("%-12s", what), plain.Faint), plain.Made(plain.Sprintf(format, args...)))
	}
	beside := ""
	if ops.Beside > 0 {
		beside = fmt.Sprintf("; %s more before and after the load", number.Count(ops.Beside))
	}
	fmt.Fprintln(w)
	say("operations", "%s in %.1f s: %s ok (%s), %s failed, %s unknown%s", number.Count(ops.Total), ops.LoadSeconds, number.Count(ops.OK),
		number.Rate(ops.Throughput), number.Count(ops.Fail), number.Count(ops.Info), beside)
	say("faults", "%s", faultsText(r.Faults))
	switch {
	case el.Logged != nil:
		say("leaders", "%s; no trace, so elections are not timed", el.Logged.Text())
	case el.NoTrace && ops.Total > 0:
		say("leaders", "no trace: who led is not known")
	case el.Lost() > 0:
		say("leaders", "%d elected, %d lost; without a leader: %s; clients without an answer: %s",
			el.Count, el.Lost(), medianText(el.NoLeaderMedian, el.NoLeaderMax, el.Lost()), medianText(el.UnavailableMedian, el.UnavailableMax, el.Lost()))
		if told := losesTold(el); told > 0 {
			say("elections", "noticed in %s; won in %s; split votes: %d",
				medianText(el.DetectionMedian, el.DetectionMax, told), medianText(el.ElectionMedian, el.ElectionMax, told), el.SplitVotes)
		}
	}
	if s := r.Situations; s != nil && s.Full {
		say("situations", "%d of %d reached", s.Reached, s.Visible)
	}
}

// faultsText is how many faults there were, and how many of them took effect as proven.
func faultsText(all []measure.FaultRun) string {
	if len(all) == 0 {
		return "none"
	}
	proven := 0
	for _, f := range all {
		if f.Verified {
			proven++
		}
	}
	if proven == len(all) {
		return fmt.Sprintf("%d, all proven to take effect", len(all))
	}
	return fmt.Sprintf("%d, %d of them proven to take effect", len(all), proven)
}

// medianText is "median 12 ms, at most 40 ms", or just "12 ms" where the figures
// are of one sample.
func medianText(median, most measure.Millis, samples int) string {
	if samples == 1 || median == most {
		return number.Millis(most)
	}
	return fmt.Sprintf("median %s, at most %s", number.Millis(median), number.Millis(most))
}

// losesTold is of how many lost leaders the history tells who stood and who won.
func losesTold(el measure.Elections) (told int) {
	for _, l := range el.Losses {
		if l.Candidate != "" && l.NewLeader != "" {
			told++
		}
	}
	return told
}

// printEnd prints where the report is, how to repeat the run and, as the last thing, the
// verdict with its reason.
func printEnd(w io.Writer, r *check.Results, dir, command string, reported bool) {
	if reported || command != "" {
		fmt.Fprintln(w)
	}
	if reported {
		plain.Fprintf(w, "report   %s\n", filepath.Join(dir, reports.ReportFile))
	}
	if command != "" {
		plain.Fprintf(w, "repeat   %s\n", command)
	}
	stopped := ""
	if r.Stopped != "" {
		stopped = ", " + firstLine(r.Stopped)
	}
	plain.Fprintf(w, "\nverdict  %s\n", loudVerdict(r.Verdict, stopped))
	folded(w, func(w io.Writer) {
		for _, reason := range decisive(r) {
			plain.Fprintf(w, "         %s\n", plain.Lines(shortened(inWords(reason, r.Checks)), "           "))
		}
	})
	if n := len(r.Missed()); n > 0 {
		plain.Fprintf(w, "         %s %d of %d thresholds missed\n", missed(), n, len(r.Thresholds))
	}
	if n := len(r.WithoutData()); n > 0 {
		plain.Fprintf(w, "         %s %d of %d thresholds had no data\n", without(), n, len(r.Thresholds))
	}
}

// nonEmpty are those of some texts that are not empty.
func nonEmpty(texts ...string) []string {
	return slices.DeleteFunc(texts, func(s string) bool { return s == "" })
}

// printPlan prints a plan as a time line and a table of faults.
func printPlan(w io.Writer, p *testplan.Plan) {
	t := p.Test
	plain.Fprintf(w, "%s: %s of %s, workload %s for %v, seed %d\n", t.Name, nodesText(t.Nodes), t.SystemCall(), t.WorkloadCall(), time.Duration(t.Time), t.Seed)
	if t.Mutant != "" {
		plain.Fprintf(w, "with the planted bug %s\n", t.Mutant)
	}
	for _, line := range p.Omitted() {
		plain.Fprintf(w, "%s\n", line)
	}
	if len(p.Schedule) == 0 {
		plain.Fprintf(w, "\nno faults\n\nrepeat   %s\n", p.Command)
		return
	}
	fmt.Fprintln(w)
	schedule.Timeline(w, p.Schedule, time.Duration(t.Time), columns())
	fmt.Fprintln(w)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "   #\tbegins\theals\tfault\tparameters\tnodes, as drawn")
	catalogue := faults.All()
	for _, f := range p.Schedule {
		fault, _ := nemesis.Find(catalogue, f.Fault)
		plain.Fprintf(table, "%4d\t%.2fs\t%.2fs\t%s\t%s\t%s\n", f.ID, f.At().Seconds(), f.Ends().Seconds(),
			f.Name(), strings.Join(nonEmpty(f.Aim.Text(), fault.Params.String(f.Params)), ", "), strings.Join(f.Order, " "))
	}
	table.Flush()
	plain.Fprintf(w, "\nrepeat   %s\n", p.Command)
}
