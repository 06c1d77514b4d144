package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/spf13/cobra"

	"squall/history"
	"squall/history/check"
	"squall/history/check/linearizable"
	"squall/history/check/sets"
	"squall/history/check/transactions"
	"squall/history/check/validity"
	"squall/history/elsewhere"
	"squall/internal/plain"
	"squall/internal/regular"
	"squall/orchestrator"
	"squall/orchestrator/testplan"
	"squall/reports"
	"squall/workloads/catalogue"
)

// fileFlags say what a history that is in no run directory does not say itself.
type fileFlags struct {
	model, workload, initial, nilMeans string
}

// What a read that was answered nil means.
const (
	nilAbsent  = "absent"
	nilUnknown = "unknown"
)

func (f *fileFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.model, "model", "", "of a FILE: what its operations act on, such as cas-register or mutex (squall list models; append for Elle's lists); usually recognised")
	cmd.Flags().StringVar(&f.workload, "workload", "", "of a FILE: judge it by the checks of this workload")
	cmd.Flags().StringVar(&f.initial, "initial", "", "of a FILE: what each object holds at first, in EDN, such as 0 or {:x 0, :y 0}")
	cmd.Flags().StringVar(&f.nilMeans, "nil", nilAbsent, "of a FILE: what a read that was answered nil tells: absent (nothing was ever written), or unknown (nothing, as in Knossos)")
	// It fails only for flags that are not there, or that were given one before.
	_ = cmd.RegisterFlagCompletionFunc("nil", cobra.FixedCompletions([]string{nilAbsent, nilUnknown}, cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc("model", cobra.FixedCompletions(append(elsewhere.Objects(), "cas-register"), cobra.ShellCompDirectiveNoFileComp))
}

// given are those that were given, for an error.
func (f *fileFlags) given(cmd *cobra.Command, others ...string) (names []string) {
	for _, name := range others {
		if cmd.Flags().Changed(name) {
			names = append(names, "--"+name)
		}
	}
	return names
}

// historyFile is the file that an argument names, in place of a run: one that is no run's
// history, or that of a folder in which Jepsen keeps a test.
func historyFile(args []string) (path string, is bool) {
	if len(args) != 1 || filepath.Base(args[0]) == history.FileName {
		return "", false
	}
	info, err := os.Stat(args[0])
	switch {
	case err != nil:
		return "", false
	case !info.IsDir():
		return args[0], true
	}
	for _, name := range []string{testplan.PlanFile, history.FileName} {
		if _, err := os.Stat(filepath.Join(args[0], name)); err == nil {
			return "", false
		}
	}
	for _, name := range []string{"history.edn", "history.txt", "jepsen.log"} {
		if path := filepath.Join(args[0], name); isRegular(path) {
			return path, true
		}
	}
	return "", false
}

func isRegular(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// judged is a history that is in no run directory, and what came of it.
type judged struct {
	path     string
	format   elsewhere.Format
	model    string // that it was judged by; "" for the checks of its workload
	imported *elsewhere.Imported
	results  *check.Results
}

// checkFile checks a history that is in no run directory.
func (a *app) checkFile(cmd *cobra.Command, path string, flags *checkFlags) error {
	if given := flags.file.given(cmd, "threshold", "baseline"); len(given) > 0 {
		return usageError(fmt.Errorf("%s: only a run directory has what thresholds and baselines judge, and %s is a file", given[0], path))
	}
	j, err := a.judgeFile(cmd.Context(), path, &flags.file)
	if err != nil {
		return err
	}
	human := a.out
	if flags.json {
		human = a.errOut
		if err := printJSON(a.out, j.output()); err != nil {
			return err
		}
	} else {
		j.print(a.out)
	}
	outputs, outputErr := reports.RunOutputs(filepath.Dir(path), filepath.Base(path), "", j.results, nil)
	if outputErr == nil {
		outputErr = flags.outputs.publish(human, outputs)
	}
	return afterwards(endOfRun(j.results, nil), nil, outputErr)
}

// judgeFile reads the history and judges it.
func (a *app) judgeFile(ctx context.Context, path string, flags *fileFlags) (*judged, error) {
	if err := flags.check(); err != nil {
		return nil, usageError(err)
	}
	j := &judged{path: path}
	var err error
	if j.format, err = elsewhere.Recognise(path); err != nil {
		return j.end(err)
	}
	if j.format == elsewhere.FormatSquall {
		return j, j.judgeOwn(ctx, flags)
	}
	return j.end(j.judgeImported(ctx, flags))
}

// end makes results of damage, and an error of usage of a wrong choice.
func (j *judged) end(err error) (*judged, error) {
	if wrong := new(elsewhere.Damage); errors.As(err, &wrong) {
		j.results = check.Damaged(wrong.Error() + "; so it says nothing about what it was recorded of")
		return j, nil
	}
	if wrong := new(elsewhere.ChoiceError); errors.As(err, &wrong) {
		return nil, usageError(err)
	}
	return j, err
}

func (f *fileFlags) check() error {
	switch {
	case f.nilMeans != nilAbsent && f.nilMeans != nilUnknown:
		return fmt.Errorf("--nil: expected %s or %s, found %q", nilAbsent, nilUnknown, f.nilMeans)
	case f.model != "" && f.workload != "":
		return errors.New("--model and --workload: a history is judged by one of them")
	case f.workload != "":
		_, err := catalogue.FindWorkload(f.workload)
		return err
	case f.model != "":
		_, err := elsewhere.ObjectNamed(f.model)
		return err
	}
	return nil
}

// fileLimits are those of a test that says none.
func fileLimits() check.Limits {
	t := testplan.DefaultTest()
	return check.Limits{Time: time.Duration(t.CheckTime), Memory: uint64(t.CheckMemory) << 20}
}

func (j *judged) judgeImported(ctx context.Context, flags *fileFlags) error {
	object := flags.model
	if flags.workload != "" {
		object = flags.workload // they are called alike
	}
	m, err := elsewhere.Read(j.path, elsewhere.Options{Object: object, Initial: flags.initial, NilUnknown: flags.nilMeans == nilUnknown})
	if err != nil {
		return err
	}
	j.imported, j.model = m, m.Object
	checkers, err := checkersOf(m.Object, flags.workload, flags.model == "")
	if err != nil {
		return err
	}
	if model, err := linearizable.FindModel(m.Object); err == nil {
		for i := range m.History.Ops {
			op := &m.History.Ops[i]
			if err := model.CheckOp(op); err != nil {
				return &elsewhere.Damage{Line: m.Line(op.Process, op.Call), Err: err}
			}
		}
	}
	j.results = check.JudgeHistory(ctx, m.History, append(checkers, validity.Observed()), fileLimits())
	if !m.Timed {
		// What is on line n is at n seconds: there are no rates to be told.
		j.results.Blocks, j.results.Effects = check.Results{}.Blocks, nil
	}
	return nil
}

// checkersOf are the checks of what operations act on: those of a workload that was named, all of
// them, or by its model alone.
func checkersOf(object, workload string, all bool) ([]check.Checker, error) {
	switch workload {
	case "rw":
		return []check.Checker{transactions.RW()}, nil
	case "mini":
		return []check.Checker{transactions.Mini()}, nil
	}
	if object == elsewhere.ListAppend {
		return []check.Checker{transactions.Append()}, nil
	}
	model, err := linearizable.FindModel(object)
	if err != nil {
		return nil, err
	}
	checkers := []check.Checker{linearizable.Checker(model)}
	if object == elsewhere.Set && all {
		checkers = append([]check.Checker{sets.Checker()}, checkers...)
	}
	return checkers, nil
}

// judgeOwn judges a history of squall's own, by what its header says or by what is asked for.
func (j *judged) judgeOwn(ctx context.Context, flags *fileFlags) (err error) {
	if flags.initial != "" {
		return usageError(errors.New("--initial: what objects of squall's histories hold at first is known: nothing"))
	}
	dir, err := os.MkdirTemp("", "squall-check-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := layOut(j.path, filepath.Join(dir, history.FileName)); err != nil {
		return err
	}
	if flags.model == "" && flags.workload == "" {
		checked, err := orchestrator.Check(ctx, dir)
		if err == nil {
			j.results = checked.Results
		}
		return err
	}
	var checkers []check.Checker
	if flags.model != "" {
		j.model, _ = elsewhere.ObjectNamed(flags.model) // it was checked
		if checkers, err = checkersOf(j.model, "", false); err != nil {
			return err
		}
		checkers = append(checkers, validity.Observed())
	} else {
		workload, err := catalogue.FindWorkload(flags.workload)
		if err != nil {
			return err
		}
		checkers = append(workload.Checkers(), validity.Activity(0))
	}
	checked, err := check.Judge(ctx, dir, checkers, fileLimits(), 0)
	if err == nil {
		j.results = checked.Results
	}
	return err
}

// layOut copies a history, and packs it where it is plain JSON lines. What is damaged in it
// is found by who reads it.
func layOut(from, to string) (err error) {
	in, err := regular.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	begin := make([]byte, 1)
	if _, err := io.ReadFull(in, begin); err != nil {
		return err
	}
	if _, err := in.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if begin[0] != '{' && !isBlank(begin[0]) {
		_, err = io.Copy(out, in)
		return err
	}
	return packLines(out, in)
}

func isBlank(b byte) bool { return strings.IndexByte(" \t\r\n", b) >= 0 }

// packLines writes whole lines as frames of a history.
func packLines(out io.Writer, in io.Reader) error {
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(true))
	if err != nil {
		return err
	}
	defer enc.Close()
	const frame = 1 << 20 // a line has no more
	buf, rest := make([]byte, 2*frame), 0
	for {
		n, err := io.ReadFull(in, buf[rest:])
		end := rest + n
		last := err == io.EOF || err == io.ErrUnexpectedEOF
		if err != nil && !last {
			return err
		}
		if last && end > 0 && buf[end-1] != '\n' {
			buf = append(buf[:end], '\n')
			end++
		}
		whole := end
		if !last {
			if whole = strings.LastIndexByte(string(buf[:end]), '\n') + 1; whole == 0 {
				whole = end // a line that is too long, which the reader refuses
			}
		}
		if whole > 0 {
			if _, err := out.Write(enc.EncodeAll(buf[:whole], nil)); err != nil {
				return err
			}
		}
		if last {
			return nil
		}
		rest = copy(buf, buf[whole:end])
	}
}

// fileOutput is what --json prints of a file.
type fileOutput struct {
	*check.Results
	File   string           `json:"file"`
	Format elsewhere.Format `json:"format"`
	Model  string           `json:"model,omitempty"`
	// Lines are those on which the operations of each witness are called, by check.
	Lines map[string][]int `json:"lines,omitempty"`
}

func (j *judged) output() fileOutput {
	out := fileOutput{Results: j.results, File: j.path, Format: j.format, Model: j.model}
	for i := range j.results.Checks {
		c := &j.results.Checks[i]
		for _, w := range c.Witness {
			if out.Lines == nil {
				out.Lines = map[string][]int{}
			}
			out.Lines[c.Name] = append(out.Lines[c.Name], j.line(w))
		}
	}
	return out
}

// line is the line on which an operation of a witness is called; 0 when it is on none.
func (j *judged) line(w check.WitnessOp) int {
	if j.imported == nil {
		return 0
	}
	return j.imported.Line(w.Process, w.Call+j.imported.History.Mono)
}

// print tells what was read, and what came of it.
func (j *judged) print(w io.Writer) {
	plain.Fprintf(w, "history  %s\n", j.path)
	folded(w, func(w io.Writer) {
		for _, line := range j.told() {
			plain.Fprintf(w, "         %s\n", line)
		}
	})
	if j.imported == nil && j.format == elsewhere.FormatSquall {
		printVerdict(w, j.results)
		printEnd(w, j.results, "", "", false)
		return
	}
	fmt.Fprintln(w)
	folded(w, func(w io.Writer) {
		table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		for _, c := range j.results.Checks {
			plain.Fprintf(table, "  %s %s\t%s\t%s\n", symbol(c.Verdict), c.Name, c.Verdict, firstLine(c.Summary))
		}
		table.Flush()
	})
	for i := range j.results.Checks {
		if c := &j.results.Checks[i]; c.Verdict == check.Violation {
			j.printWitness(w, c)
		}
	}
	printEnd(w, j.results, "", "", false)
}

// told are lines that say how the history was read.
func (j *judged) told() []string {
	m := j.imported
	if m == nil {
		lines := nonEmpty(string(j.format))
		if j.model != "" {
			lines = append(lines, "model "+j.model)
		}
		return lines
	}
	processes, ops := map[int64]bool{}, 0
	for i := range m.History.Ops {
		if op := &m.History.Ops[i]; m.Line(op.Process, op.Call) > 0 { // and not what is there at first
			processes[op.Process] = true
			ops++
		}
	}
	count := fmt.Sprintf("%s by %s", check.Counted(ops, "operation", "operations"), check.Counted(len(processes), "process", "processes"))
	if m.Nemesis > 0 {
		count += fmt.Sprintf(", and %s of the nemesis", check.Counted(m.Nemesis, "event", "events"))
	}
	model := "model " + m.Object
	switch {
	case m.Independent:
		model += ", with keys of their own (values are [key value])"
	case m.Keyed:
		model += ", with keys of their own"
	}
	lines := []string{m.How(), count, model}
	if !m.Timed {
		lines = append(lines, "it has no times: what is on line n is at n seconds here")
	}
	if m.Silent > 0 {
		lines = append(lines, "nothing is told by "+check.Counted(m.Silent, "read", "reads")+" answered nil (--nil unknown)")
	}
	if m.Renumbered > 0 {
		lines = append(lines, fmt.Sprintf("processes that went on after an unknown outcome have new numbers from there on: %s",
			check.Counted(m.Renumbered, "operation", "operations")))
	}
	return lines
}

// printWitness prints the few operations that show a violation, by their lines.
func (j *judged) printWitness(w io.Writer, c *check.Result) {
	folded(w, func(w io.Writer) {
		first := ""
		if j.imported.Timed && c.FirstAt != nil {
			first = "; " + c.FirstViolation()
		}
		plain.Fprintf(w, "\n%s: %s%s\n", c.Name, firstLine(c.Summary), first)
		if c.Explanation != "" {
			plain.Fprintf(w, "  %s\n", strings.Join(nonEmpty(string(c.Kind), c.Explanation), ": "))
		}
	})
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if len(c.Witness) > 0 {
		fmt.Fprintln(table, "    line\tcall\treturn\tprocess\toperation\toutcome")
	}
	explains := slices.ContainsFunc(c.Witness, func(op check.WitnessOp) bool { return op.Beside })
	for _, op := range c.Witness {
		line, outcome := "–", op.Outcome
		if n := j.line(op); n > 0 {
			line = fmt.Sprint(n)
		}
		if op.Beside {
			outcome += " *"
		}
		plain.Fprintf(table, "    %s\t%s\t%s\t%d\t%s\t%s\n", line, j.seconds(op.Call), j.seconds(op.Return), op.Process, op.Text, outcome)
	}
	table.Flush()
	if explains {
		plain.Fprintln(w, "    * not part of it, but explains it")
	}
}

// seconds is a time; where there are none, the line.
func (j *judged) seconds(ns int64) string {
	if j.imported.Timed {
		return seconds(ns)
	}
	return fmt.Sprintf("%.0fs", time.Duration(ns).Seconds())
}
