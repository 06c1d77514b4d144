package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"squall/history/check"
	"squall/internal/atomicfile"
	"squall/internal/plain"
	"squall/internal/suggest"
	"squall/nodeimage/mutants"
	"squall/orchestrator/campaign"
	"squall/orchestrator/selftest"
	"squall/orchestrator/testplan"
)

// selftestFile is the record of a self-test, beside that of its campaign.
const selftestFile = "selftest.json"

// selftestFlags are the flags of `squall selftest`.
type selftestFlags struct {
	options  selftest.Options
	mutants  []string
	groups   []string
	budget   time.Duration
	out      string
	fresh    bool
	json     bool
	markdown string
	baseline string
	verbose  bool
}

func (a *app) selftestCommand() *cobra.Command {
	flags := selftestFlags{options: selftest.Default()}
	cmd := &cobra.Command{
		Use:   "selftest",
		Short: "Measure what a pass is worth: storm nodes with known bugs, and count what finds them",
		Long: `Storm squall's own node with each of its known bugs in turn, on several seeds,
and print which check found which bug, how often, and how soon. "Black box" counts
only the checks that see what clients see; "white box" counts all of them. The
correct node is stormed too: nothing may be found in it.

The same command goes on with a self-test that was cut short, by Ctrl-C or by its
budget. squall list mutants describes the bugs.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.runSelftest(cmd, &flags) },
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.DurationVar(&flags.budget, "budget", 0, "time after which no more storms begin; 0: until all are done")
	f.IntVar(&flags.options.Seeds, "seeds", flags.options.Seeds, "storms of each bug, with the seeds from 1 on")
	f.StringSliceVar(&flags.mutants, "mutant", nil, "only these bugs (default: all)")
	f.StringSliceVar(&flags.groups, "group", nil, "only the bugs of these groups: "+strings.Join(mutants.Groups(), ", "))
	f.StringVar(&flags.options.Profile, "profile", flags.options.Profile, fmt.Sprintf("a profile of squall run (the default runs for %v, one that is named for its own time): ", flags.options.Time)+strings.Join(testplan.ProfileNames(), ", "))
	f.StringVar(&flags.options.Nemesis, "nemesis", "", "the faults, as for squall run, without a profile unless one is named (default: the profile's)")
	f.DurationVar(&flags.options.Time, "time", flags.options.Time, "length of a storm")
	f.Float64Var(&flags.options.Rate, "rate", flags.options.Rate, "operations per second of all clients of a storm; 0: as many as are answered, which takes whole processors")
	f.StringVar(&flags.options.Runtime, "runtime", flags.options.Runtime, "where nodes run: auto, docker or local")
	f.IntVarP(&flags.options.Jobs, "jobs", "j", 0, "storms at once; 0: three for every two cores, or, where --rate does not limit their load, from cores and memory")
	f.StringVar(&flags.out, "out", testplan.DefaultTest().Out, "folder of runs; the self-test goes to campaigns/selftest/ below it")
	f.BoolVar(&flags.fresh, "new", false, "start afresh, even if an earlier self-test was cut short")
	f.BoolVar(&flags.json, "json", false, "print the table as JSON on stdout, everything else on stderr")
	f.StringVar(&flags.markdown, "markdown", "", "also write the table as Markdown to this file")
	f.StringVar(&flags.baseline, "baseline", "", selftestFile+" of an earlier self-test: say what it found and this one did not, and exit with 3 if there is any")
	f.BoolVarP(&flags.verbose, "verbose", "v", false, "log every step of every storm on stderr")
	return cmd
}

func (a *app) runSelftest(cmd *cobra.Command, flags *selftestFlags) error {
	if err := flags.check(cmd); err != nil {
		return usageError(err)
	}
	all, err := flags.choose()
	if err != nil {
		return usageError(err)
	}
	earlier, err := flags.earlier()
	if err != nil {
		return usageError(err)
	}
	plan, err := flags.plan(a.program, cmd)
	if err != nil {
		return err
	}
	human := a.out
	if flags.json {
		human = a.errOut
	}
	// No reports: squall report RUN makes that of a storm which somebody wants to see.
	outcome, err := a.runCells(cmd.Context(), plan, human, flags.verbose, campaign.Config{Out: flags.out, New: flags.fresh,
		Report: func(context.Context, *check.Checked) error { return nil }, Pages: func(context.Context, string) error { return nil }})
	if outcome == nil {
		return err
	}
	table, countErr := selftest.Count(outcome.Record, outcome.Dir, all)
	if countErr != nil {
		return &exitError{exitInvalid, countErr}
	}
	if writeErr := flags.write(table, outcome.Dir); writeErr != nil {
		return &exitError{exitInvalid, writeErr}
	}
	lost := a.tellSelftest(table, earlier, outcome.Dir, human, flags)
	switch {
	case err != nil:
		return &exitError{exitInvalid, err}
	case table.Correct.White.Storms > 0:
		return &exitError{code: exitViolation}
	case outcome.Interrupted:
		return &exitError{code: exitInterrupted}
	case lost:
		return &exitError{code: exitThreshold}
	}
	return nil
}

// check refuses flags whose values cannot be, and lets a profile that was asked for stand
// for the time that it names, and faults that were asked for stand without a profile.
func (f *selftestFlags) check(cmd *cobra.Command) error {
	switch {
	case f.options.Seeds < 1 || f.options.Seeds > 1000:
		return fmt.Errorf("--seeds: expected a whole number from 1 to 1000, found %d", f.options.Seeds)
	case f.options.Jobs < 0 || f.options.Jobs > 256:
		return fmt.Errorf("--jobs: expected a whole number from 1 to 256, found %d", f.options.Jobs)
	case f.budget < 0 || f.budget > 0 && f.budget < time.Second:
		return fmt.Errorf("--budget: expected a second or more, found %v", f.budget)
	case f.options.Rate < 0 || f.options.Rate > 1e6:
		return fmt.Errorf("--rate: expected a number from 0 to 1,000,000, found %v", f.options.Rate)
	case f.options.Time < time.Second:
		return fmt.Errorf("--time: expected a second or more, found %v", f.options.Time)
	}
	asked := cmd.Flags().Changed
	switch {
	case asked("profile") && !asked("time"):
		f.options.Time = 0
	case asked("nemesis") && !asked("profile"):
		f.options.Profile = ""
	}
	return nil
}

// choose fills in the bugs that are asked for, and returns all that there are.
func (f *selftestFlags) choose() ([]mutants.Mutant, error) {
	all, err := mutants.All()
	if err != nil {
		return nil, err
	}
	for _, name := range f.mutants {
		if _, err := mutants.Find(name); err != nil {
			return nil, fmt.Errorf("--mutant: %w", err)
		}
	}
	for _, group := range f.groups {
		if !slices.Contains(mutants.Groups(), group) {
			return nil, fmt.Errorf("--group: unknown group %q; %s", group, suggest.Among(group, mutants.Groups()))
		}
	}
	for _, m := range all {
		if (len(f.mutants) == 0 || slices.Contains(f.mutants, m.Name)) && (len(f.groups) == 0 || slices.Contains(f.groups, m.Group)) {
			f.options.Mutants = append(f.options.Mutants, m)
		}
	}
	if len(f.options.Mutants) == 0 {
		return nil, fmt.Errorf("none of the bugs of --mutant is in the groups of --group")
	}
	return all, nil
}

// earlier reads the self-test to compare with; nil for none.
func (f *selftestFlags) earlier() (*selftest.Table, error) {
	if f.baseline == "" {
		return nil, nil
	}
	table, err := selftest.Read(f.baseline)
	if err != nil {
		return nil, fmt.Errorf("--baseline: %w", err)
	}
	return table, nil
}

// plan writes the campaign file, and reads it as squall campaign would.
func (f *selftestFlags) plan(program string, cmd *cobra.Command) (*campaign.Plan, error) {
	text, err := f.options.File()
	if err != nil {
		return nil, err
	}
	folder := filepath.Join(f.out, campaign.Folder)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, &exitError{exitInvalid, err}
	}
	path := filepath.Join(folder, selftest.Name+".yaml")
	if err := atomicfile.Write(path, text, 0o644); err != nil {
		return nil, &exitError{exitInvalid, err}
	}
	file, err := campaign.Read(path, campaign.Overrides{Budget: f.budget, MaxCells: campaign.MostCells})
	if err != nil {
		return nil, usageError(err)
	}
	plan, err := campaign.NewPlan(file, version, program, f.command(program, cmd))
	if err != nil {
		return nil, usageError(err)
	}
	return plan, nil
}

// command repeats or resumes the self-test.
func (f *selftestFlags) command(program string, cmd *cobra.Command) string {
	words := []string{program, "selftest"}
	for _, name := range []string{"budget", "seeds", "mutant", "group", "nemesis", "time", "profile", "runtime", "jobs", "out"} {
		if flag := cmd.Flags().Lookup(name); flag.Changed {
			words = append(words, "--"+name, testplan.Quote(strings.Trim(flag.Value.String(), "[]")))
		}
	}
	return strings.Join(words, " ")
}

// write keeps the table beside the campaign's record, and as Markdown if asked to.
func (f *selftestFlags) write(table *selftest.Table, dir string) error {
	if err := atomicfile.WriteJSON(filepath.Join(dir, selftestFile), table); err != nil {
		return err
	}
	if f.markdown == "" {
		return nil
	}
	return atomicfile.Write(f.markdown, []byte(table.Markdown()), 0o644)
}

// tellSelftest prints the table and the comparison, and reports whether something
// that was found before was not found now.
func (a *app) tellSelftest(table, earlier *selftest.Table, dir string, human io.Writer, flags *selftestFlags) (lost bool) {
	if flags.json {
		_ = plain.JSON(a.out, table)
	}
	plain.Fprintln(human)
	table.Print(human)
	if earlier != nil {
		for _, line := range table.Compare(earlier) {
			plain.Fprintf(human, "%s\n", line)
			lost = lost || strings.HasPrefix(line, "lost")
		}
	}
	plain.Fprintf(human, "record     %s\n", filepath.Join(dir, selftestFile))
	verb := "repeat"
	if table.Storms < table.Planned {
		verb = "resume"
	}
	plain.Fprintf(human, "%-10s %s\n", verb, table.Command)
	return lost
}
