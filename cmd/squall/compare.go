package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"squall/history/gate"
	"squall/history/ledger"
	"squall/internal/number"
	"squall/internal/plain"
	"squall/orchestrator/testplan"
)

// compareFlags are the flags of `squall compare`.
type compareFlags struct {
	out       string
	tolerance string
	noGate    bool
	json      bool
}

func (a *app) compareCommand() *cobra.Command {
	var flags compareFlags
	cmd := &cobra.Command{
		Use:   "compare OLD NEW",
		Short: "Compare runs or campaigns with earlier ones, as benchstat does",
		Long: `Compare figures: medians with 95 % intervals, the change, and the p value of a
Mann-Whitney U test; ~ means no significant difference. OLD and NEW are runs (a
directory, a number from squall list runs, or latest), folders of runs,
results.json files, or campaigns, whose cells are compared group by group.
docs/metrics.md says what the samples are.

The exit code is 3 when something is significantly worse by more than the
tolerance.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 2 {
				return usageError(fmt.Errorf("expected two arguments, OLD and NEW, found %d: such as `squall compare 2 1`, the run before the last and the last "+
					"(`squall list runs` shows what there is)", len(args)))
			}
			return nil
		},
		ValidArgsFunction: completeRuns,
		RunE:              func(_ *cobra.Command, args []string) error { return a.compare(args[0], args[1], &flags) },
	}
	cmd.Flags().SortFlags = false
	cmd.Flags().StringVar(&flags.tolerance, "tolerance", percent(gate.DefaultTolerance), "share of the old median that may be lost: 5% or 0.05")
	cmd.Flags().BoolVar(&flags.noGate, "no-gate", false, "only print: do not exit with code 3 on a loss")
	cmd.Flags().BoolVar(&flags.json, "json", false, "print the rows as JSON")
	cmd.Flags().StringVar(&flags.out, "out", testplan.DefaultTest().Out, "folder of the run directories")
	return cmd
}

func (a *app) compare(oldName, newName string, flags *compareFlags) error {
	tolerance, err := gate.ParseTolerance(flags.tolerance)
	if err != nil {
		return usageError(fmt.Errorf("--tolerance: %w", err))
	}
	old, err := loadSide(flags.out, oldName)
	if err != nil {
		return usageError(err)
	}
	now, err := loadSide(flags.out, newName)
	if err != nil {
		return usageError(err)
	}
	b := &ledger.Baseline{Dir: old.Path, Tolerance: tolerance, Rows: gate.CompareSides(old, now, tolerance),
		Stopped: append(old.Stopped, now.Stopped...)}
	if flags.json {
		err = printJSON(a.out, compareOutput{Old: old.Path, New: now.Path, Tolerance: tolerance, Rows: b.Rows,
			Skipped: append(old.Skipped, now.Skipped...), Stopped: b.Stopped})
	} else {
		for _, side := range []*gate.Side{old, now} {
			for _, s := range side.Skipped {
				plain.Fprintf(a.errOut, "squall: left out: %s\n", firstLine(s))
			}
		}
		plain.Fprintf(a.out, "old  %s\nnew  %s\n", old.Path, now.Path)
		printComparison(a.out, b)
	}
	if err == nil && !flags.noGate && len(gate.Lost(b.Rows)) > 0 {
		err = &exitError{code: exitThreshold}
	}
	return err
}

// compareOutput is what `squall compare --json` prints.
type compareOutput struct {
	Old       string       `json:"old"`
	New       string       `json:"new"`
	Tolerance float64      `json:"tolerance"`
	Rows      []ledger.Row `json:"rows"`
	Skipped   []string     `json:"skipped,omitempty"`
	Stopped   []string     `json:"stopped,omitempty"` // runs that were stopped early
}

// loadSide reads a path, or else what a user may call a run.
func loadSide(out, name string) (*gate.Side, error) {
	if _, err := os.Stat(name); err == nil {
		return gate.Load(name)
	}
	dir, err := testplan.FindRun(out, name)
	if err != nil {
		return nil, err
	}
	return gate.Load(dir)
}

// printComparison prints a table for each group of cells.
func printComparison(w io.Writer, b *ledger.Baseline) {
	notes := map[string]int{}
	var order []string
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	group := "\x00"
	for _, r := range b.Rows {
		if r.Group != group {
			group = r.Group
			plain.Fprintf(table, "\n%s\told\tnew\tchange\n", cmp.Or(group, "metric"))
		}
		if r.Note != "" && notes[r.Note] == 0 {
			order = append(order, r.Note)
			notes[r.Note] = len(order)
		}
		plain.Fprintf(table, "  %s\t%s\t%s\t%s%s\n", cmp.Or(r.Metric, "–"), centerText(r.Old, r.Unit), centerText(r.New, r.Unit),
			changeText(r), mark(notes[r.Note]))
	}
	table.Flush()
	fmt.Fprintln(w)
	for i, note := range order {
		plain.Fprintf(w, "%s %s\n", strings.TrimSpace(mark(i+1)), note)
	}
	for _, s := range b.Stopped {
		plain.Fprintf(w, "! %s\n", firstLine(s))
	}
	printLosses(w, b)
}

func printLosses(w io.Writer, b *ledger.Baseline) {
	lost := gate.Lost(b.Rows)
	if len(lost) == 0 {
		plain.Fprintf(w, "%s nothing is significantly worse by more than %s\n", met(), percent(b.Tolerance))
		return
	}
	for _, r := range lost {
		name := r.Metric
		if r.Group != "" {
			name = r.Group + ": " + r.Metric
		}
		plain.Fprintf(w, "%s %s is significantly worse by more than %s: %s to %s (p=%.3f)\n", missed(), name, percent(b.Tolerance),
			gate.Format(r.Old.Median, r.Unit), gate.Format(r.New.Median, r.Unit), r.P)
	}
}

// centerText is a median and its interval as benchstat writes it: "5.1 ms ± 3%".
func centerText(c ledger.Center, unit string) string {
	switch {
	case c.Count == 0:
		return "–"
	case c.Range:
		return gate.Format(c.Median, unit) + " ± ∞"
	case c.Median == 0:
		return gate.Format(0, unit)
	}
	wide := max(c.High/c.Median-1, 1-c.Low/c.Median)
	return fmt.Sprintf("%s ± %.0f%%", gate.Format(c.Median, unit), 100*wide)
}

// changeText is the change with what it is worth: "+12.30% worse (p=0.000 n=30+30)".
func changeText(r ledger.Row) string {
	if r.Old.Count == 0 || r.New.Count == 0 {
		return "?"
	}
	text := "~"
	if r.Better || r.Worse {
		text = "?"
		if r.Old.Median != 0 {
			text = fmt.Sprintf("%+.2f%%", r.Delta)
		}
		word := " better"
		if r.Worse {
			word = " worse"
		}
		text += word
	}
	samples := strconv.Itoa(r.Old.Count)
	if r.New.Count != r.Old.Count {
		samples += "+" + strconv.Itoa(r.New.Count)
	}
	return fmt.Sprintf("%s (p=%.3f n=%s)", text, r.P, samples)
}

// mark refers to a note below the table; 0 is none.
func mark(n int) string {
	if n == 0 {
		return ""
	}
	digits := []rune("⁰¹²³⁴⁵⁶⁷⁸⁹")
	text := ""
	for _, d := range strconv.Itoa(n) {
		text += string(digits[d-'0'])
	}
	return " " + text
}

func percent(share float64) string { return number.Percent(100 * share) }
