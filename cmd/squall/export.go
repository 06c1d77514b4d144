package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"squall/history"
	"squall/history/check"
	"squall/history/elsewhere"
	"squall/history/export"
	"squall/internal/atomicfile"
	"squall/internal/plain"
	"squall/orchestrator/testplan"
)

// exportFlags are the flags of `squall export`.
type exportFlags struct {
	out, format, key, to string
}

// exportFormat is a format of `squall export`.
type exportFormat struct {
	name, doc string
	write     func(w io.Writer, h *history.History, x *elsewhere.Export, run string) error
}

// exportFormats are all of them: those of checkers first.
func exportFormats() []exportFormat {
	return []exportFormat{
		{"edn", "operations, for Knossos and Elle", func(w io.Writer, h *history.History, x *elsewhere.Export, _ string) error { return x.EDN(w, h) }},
		{"porcupine", "operations as JSON, for porcupine", func(w io.Writer, h *history.History, x *elsewhere.Export, _ string) error { return x.Porcupine(w, h) }},
		{"csv", "operations as a table", ofKey(func(w io.Writer, h *history.History, _ string) error { return export.CSV(w, h) })},
		{"json", "all that was recorded, as one document", ofKey(func(w io.Writer, h *history.History, _ string) error { return export.JSON(w, h) })},
		{"prometheus", "rates, latencies, faults and leaders in each second (OpenMetrics)", ofKey(func(w io.Writer, h *history.History, run string) error {
			return export.OpenMetrics(w, h, map[string]string{"run": run})
		})},
		{"otlp", "a trace for OpenTelemetry, with a span for each operation and fault", ofKey(export.OTLP)},
	}
}

// ofKey writes a history with the operations of the key alone that was chosen, if one was.
func ofKey(write func(io.Writer, *history.History, string) error) func(io.Writer, *history.History, *elsewhere.Export, string) error {
	return func(w io.Writer, h *history.History, x *elsewhere.Export, run string) error {
		if x.Key == nil {
			return write(w, h, run)
		}
		some := *h
		some.Ops = slices.DeleteFunc(slices.Clone(h.Ops), func(op history.Op) bool { return op.Key != *x.Key })
		if len(some.Ops) == 0 {
			return usageError(fmt.Errorf("--key: the history has no operation of the key %s", history.Show(*x.Key)))
		}
		return write(w, &some, run)
	}
}

func (a *app) exportCommand() *cobra.Command {
	var flags exportFlags
	cmd := &cobra.Command{
		Use:   "export [RUN|FILE]",
		Short: "Write a history for other checkers, or as CSV, JSON, metrics or a trace",
		Long: "Write a history for other tools, to stdout or to --to. RUN and FILE are those of\nsquall check. The formats:\n\n" + formatList() + `
In EDN keys are written as jepsen.independent does, in tuples [key value];
Knossos itself wants one key (--key).`,
		Example: `  squall export latest --key r3 > r3.edn
  squall export latest --format csv --to operations.csv
  squall export latest --format prometheus > run.om
  promtool tsdb create-blocks-from openmetrics run.om data/`,
		Args:              oneArg,
		RunE:              func(cmd *cobra.Command, args []string) error { return a.export(cmd, args, &flags) },
		ValidArgsFunction: completeRuns,
	}
	cmd.Flags().StringVar(&flags.out, "out", testplan.DefaultTest().Out, "folder of the run directories")
	cmd.Flags().StringVar(&flags.format, "format", "edn", "one of those above")
	cmd.Flags().StringVar(&flags.key, "key", "", "only the operations of this key, without its name")
	cmd.Flags().StringVar(&flags.to, "to", "", "the file to write, in place of stdout")
	// It fails only for flags that are not there, or that were given one before.
	_ = cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(strings.Split(formatNames(","), ","), cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func (a *app) export(cmd *cobra.Command, args []string, flags *exportFlags) error {
	var x elsewhere.Export
	if cmd.Flags().Changed("key") {
		x.Key = &flags.key
	}
	formats := exportFormats()
	at := slices.IndexFunc(formats, func(f exportFormat) bool { return f.name == flags.format })
	if at < 0 {
		return usageError(fmt.Errorf("--format: expected one of %s, found %q", formatNames(", "), flags.format))
	}
	h, run, err := a.historyOf(args, flags)
	if err != nil {
		return err
	}
	var text bytes.Buffer
	if err := formats[at].write(&text, h, &x, run); err != nil {
		if wrong := new(elsewhere.ChoiceError); errors.As(err, &wrong) {
			return usageError(err)
		}
		return err
	}
	if flags.to != "" {
		if err := atomicfile.Write(flags.to, text.Bytes(), 0o644); err != nil {
			return fmt.Errorf("--to: %w", err)
		}
		plain.Fprintln(a.out, flags.to)
	} else if _, err := behind(a.out).Write(text.Bytes()); err != nil { // it has no character that does more than show itself
		return err
	}
	if x.Left > 0 {
		plain.Fprintf(a.errOut, "squall: %s that certainly had no effect left out\n", check.Counted(x.Left, "operation", "operations"))
	}
	return nil
}

// formatNames are the names of the formats, with a text between them.
func formatNames(between string) string {
	var names []string
	for _, f := range exportFormats() {
		names = append(names, f.name)
	}
	return strings.Join(names, between)
}

// formatList tells what each format is, a line each.
func formatList() string {
	var b strings.Builder
	for _, f := range exportFormats() {
		fmt.Fprintf(&b, "  %-11s %s\n", f.name, f.doc)
	}
	return b.String()
}

// historyOf reads the history that the arguments name, and tells its name.
func (a *app) historyOf(args []string, flags *exportFlags) (h *history.History, name string, err error) {
	path, is := historyFile(args)
	if !is {
		dir, err := findRun(flags.out, args)
		if err != nil {
			return nil, "", err
		}
		h, err = history.Load(filepath.Join(dir, history.FileName))
		return h, filepath.Base(dir), err
	}
	name = filepath.Base(path)
	format, err := elsewhere.Recognise(path)
	if err != nil {
		return nil, "", err
	}
	if format != elsewhere.FormatSquall {
		m, err := elsewhere.Read(path, elsewhere.Options{})
		if wrong := new(elsewhere.ChoiceError); errors.As(err, &wrong) {
			return nil, "", usageError(err)
		}
		if err != nil {
			return nil, "", err
		}
		return m.History, name, nil
	}
	dir, err := os.MkdirTemp("", "squall-export-")
	if err != nil {
		return nil, "", err
	}
	defer os.RemoveAll(dir)
	if err := layOut(path, filepath.Join(dir, history.FileName)); err != nil {
		return nil, "", err
	}
	h, err = history.Load(filepath.Join(dir, history.FileName))
	return h, name, err
}
