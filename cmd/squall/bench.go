package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"squall/history/check"
	"squall/history/check/checkbench"
	"squall/internal/number"
	"squall/internal/plain"
	"squall/internal/suggest"
)

// benchFlags are those of squall bench check.
type benchFlags struct {
	only    []string
	repeat  int
	scale   float64
	rival   time.Duration // that porcupine is given
	memory  int           // that it is given, MB
	measure string        // a case, measured by this process
	by      string        // who judges it there
}

func (a *app) benchCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "bench", Short: "Measure squall itself", Args: noArgs, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.AddCommand(a.benchCheckCommand())
	return cmd
}

func (a *app) benchCheckCommand() *cobra.Command {
	var flags benchFlags
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Measure the checks on long histories, beside porcupine",
		Long: `Measure how long the checks take on long histories that are right, and how much
memory, beside porcupine where that judges the same. Each measurement is a process
of its own, which makes its history first; "processor" is all that it took. The table is Markdown; the one for two
quiet cores is in docs/BENCHMARKS.md.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.runBenchCheck(cmd.Context(), &flags) },
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringSliceVar(&flags.only, "only", nil, "only these histories, by name or how it begins: "+strings.Join(caseNames(), ", "))
	f.IntVar(&flags.repeat, "repeat", 3, "measurements of each, of which the median is shown")
	f.Float64Var(&flags.scale, "scale", 1, "times as many operations")
	f.DurationVar(&flags.rival, "porcupine", 30*time.Second, "how long porcupine may take; 0s: it is left out")
	f.IntVar(&flags.memory, "porcupine-memory", 4096, "memory that porcupine may take, in MB")
	f.StringVar(&flags.measure, "measure", "", "measure one history in this process, and print JSON")
	f.StringVar(&flags.by, "by", "", "who judges it: porcupine, or (default) squall")
	for _, name := range []string{"measure", "by"} {
		_ = f.MarkHidden(name)
	}
	return cmd
}

func caseNames() (names []string) {
	for _, c := range checkbench.Cases() {
		names = append(names, c.Name)
	}
	return names
}

func (a *app) runBenchCheck(ctx context.Context, flags *benchFlags) error {
	if flags.repeat < 1 || flags.scale <= 0 {
		return usageError(errors.New("--repeat and --scale: expected a number above 0"))
	}
	if flags.measure != "" {
		return a.benchOne(ctx, flags)
	}
	cases, err := flags.choose()
	if err != nil {
		return usageError(err)
	}
	plain.Fprintf(a.out, "| history | operations | squall, processor | peak memory, of it the history | porcupine | times as long | aim |\n|---|---|---|---|---|---|---|\n")
	wrong := false
	for _, c := range cases {
		row, err := a.benchCase(ctx, c, flags)
		if err != nil {
			return err
		}
		wrong = wrong || row.wrong != ""
		plain.Fprintf(a.out, "%s\n", row.text)
		if row.wrong != "" {
			plain.Fprintf(a.errOut, "squall: %s: %s\n", c.Name, row.wrong)
		}
	}
	if wrong {
		return &exitError{code: exitUnknown}
	}
	return nil
}

// choose are the cases that were asked for.
func (f *benchFlags) choose() ([]checkbench.Case, error) {
	all := checkbench.Cases()
	for _, name := range f.only {
		if !slices.ContainsFunc(all, func(c checkbench.Case) bool { return strings.HasPrefix(c.Name, name) }) {
			return nil, fmt.Errorf("--only: there is no history %q; %s", name, suggest.Among(name, caseNames()))
		}
	}
	return slices.DeleteFunc(all, func(c checkbench.Case) bool {
		return len(f.only) > 0 && !slices.ContainsFunc(f.only, func(name string) bool { return strings.HasPrefix(c.Name, name) })
	}), nil
}

// benchRow is a line of the table. wrong says that something did not pass.
type benchRow struct{ text, wrong string }

func (a *app) benchCase(ctx context.Context, c checkbench.Case, flags *benchFlags) (row benchRow, err error) {
	ours, err := a.benchMedian(ctx, c.Name, "squall", flags)
	if err != nil {
		return row, err
	}
	if ours.Verdict != check.Pass {
		row.wrong = fmt.Sprintf("%s: %s", ours.Verdict, ours.Summary)
	}
	rival, ratio := "–", ""
	if c.Rival() && flags.rival > 0 {
		theirs, err := a.benchMedian(ctx, c.Name, "porcupine", flags)
		switch {
		case err != nil:
			return row, err
		case theirs.Over != "":
			rival = "not within " + theirs.Over
		case theirs.Verdict != check.Pass:
			row.wrong = "porcupine says " + string(theirs.Verdict)
		default:
			rival = fmt.Sprintf("%s s, %s MB", number.Digits(theirs.Seconds, 2), number.Digits(theirs.PeakMB, 2))
			ratio = number.Digits(theirs.Seconds/ours.Seconds, 2)
		}
	}
	row.text = fmt.Sprintf("| %s | %s | %s s, %s s | %s MB, %s MB | %s | %s | %s |", c.Doc, number.Count(int64(float64(c.Ops)*flags.scale)),
		number.Digits(ours.Seconds, 2), number.Digits(ours.Processor, 2), number.Digits(ours.PeakMB, 3), number.Digits(ours.HistoryMB, 2), rival, ratio, aimText(c))
	return row, nil
}

func aimText(c checkbench.Case) string {
	var aims []string
	if c.AimSeconds > 0 {
		aims = append(aims, fmt.Sprintf("%g s", c.AimSeconds))
	}
	if c.AimMB > 0 {
		aims = append(aims, fmt.Sprintf("%g MB", c.AimMB))
	}
	return strings.Join(aims, ", ")
}

// benchMedian measures a case as often as was asked for, and returns the measurement of median
// time. One that reached a limit stands for all.
func (a *app) benchMedian(ctx context.Context, name, by string, flags *benchFlags) (checkbench.Reading, error) {
	var all []checkbench.Reading
	for range flags.repeat {
		r, err := a.benchProcess(ctx, name, by, flags)
		if err != nil || r.Over != "" || r.Verdict != check.Pass {
			return r, err
		}
		all = append(all, r)
	}
	slices.SortFunc(all, func(x, y checkbench.Reading) int { return int((x.Seconds - y.Seconds) * 1e9) })
	return all[len(all)/2], nil
}

// benchProcess measures a case once, in a process of its own.
func (a *app) benchProcess(ctx context.Context, name, by string, flags *benchFlags) (r checkbench.Reading, err error) {
	program, err := os.Executable()
	if err != nil {
		return r, fmt.Errorf("measure %s: %w", name, err)
	}
	var out, said bytes.Buffer
	cmd := exec.CommandContext(ctx, program, "bench", "check", "--measure", name, "--by", by, "--scale", strconv.FormatFloat(flags.scale, 'g', -1, 64),
		"--porcupine", flags.rival.String(), "--porcupine-memory", strconv.Itoa(flags.memory))
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		return r, fmt.Errorf("measure %s by %s: %w: %s", name, by, err, plain.Excerpt(said.Bytes()))
	}
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		return r, fmt.Errorf("measure %s by %s: it printed %s", name, by, plain.Excerpt(out.Bytes()))
	}
	r.Processor = (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()
	return r, nil
}

// benchOne measures a case in this process and prints what it came to. Porcupine knows no
// limit of memory, and what it has begun cannot be stopped: at a limit the process ends.
func (a *app) benchOne(ctx context.Context, flags *benchFlags) error {
	cases := checkbench.Cases()
	i := slices.IndexFunc(cases, func(c checkbench.Case) bool { return c.Name == flags.measure })
	if i < 0 {
		return usageError(fmt.Errorf("--measure: there is no history %q", flags.measure))
	}
	done := make(chan checkbench.Reading, 1)
	rival := flags.by == "porcupine"
	go func() { done <- cases[i].Measure(ctx, flags.scale, rival) }()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for begin := time.Now(); ; {
		select {
		case r := <-done:
			return printJSON(a.out, r)
		case <-tick.C:
		}
		if over := flags.over(time.Since(begin), checkbench.PeakMB()); rival && over != "" {
			return printJSON(a.out, checkbench.Reading{Over: over})
		}
	}
}

// over says which of porcupine's limits is reached; "": none.
func (f *benchFlags) over(took time.Duration, mb float64) string {
	switch {
	case took > f.rival:
		return number.Digits(f.rival.Seconds(), 3) + " s"
	case mb > float64(f.memory):
		return number.Count(int64(f.memory)) + " MB"
	}
	return ""
}
