package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"squall/history"
	"squall/history/trace"
	"squall/internal/plain"
	"squall/internal/suggest"
	"squall/orchestrator/testplan"
)

// traceFlags are the flags of `squall trace`.
type traceFlags struct {
	out          string
	nodes, kinds []string
	from, to     time.Duration
}

func (a *app) traceCommand() *cobra.Command {
	var flags traceFlags
	cmd := &cobra.Command{
		Use:   "trace [RUN]",
		Short: "Print the full trace of a run, one event a line",
		Long: `Print what the servers of a run wrote to their full traces (--trace full),
merged by time, as text: one event a line, with the time in seconds since the
test began. docs/trace.md tells what each event means.
RUN is a run directory, a number from squall list runs, or latest (default).`,
		Example:           "  squall trace --node n1,n2 --kind grant,role --from 3s --to 4s",
		Args:              oneArg,
		RunE:              func(cmd *cobra.Command, args []string) error { return a.printTrace(args, &flags) },
		ValidArgsFunction: completeRuns,
	}
	cmd.Flags().StringVar(&flags.out, "out", testplan.DefaultTest().Out, "folder of the run directories")
	cmd.Flags().StringSliceVar(&flags.nodes, "node", nil, "only these nodes")
	cmd.Flags().StringSliceVar(&flags.kinds, "kind", nil, "only events of these kinds: "+strings.Join(kindNames(), ", "))
	cmd.Flags().DurationVar(&flags.from, "from", 0, "only from this time on, since the test began")
	cmd.Flags().DurationVar(&flags.to, "to", 0, "only before this time; 0: to the end")
	cmd.AddCommand(a.traceCheckCommand())
	return cmd
}

func kindNames() []string {
	var names []string
	for _, k := range trace.Kinds() {
		names = append(names, k.String())
	}
	return names
}

// traceFilter is which events are printed.
type traceFilter struct {
	kinds    map[trace.Kind]bool // nil: all
	from, to int64               // ns since the test began; to 0: no end
}

func (f *traceFilter) shows(e *trace.Event) bool {
	return (f.kinds == nil || f.kinds[e.Kind]) && e.Time >= f.from && (f.to == 0 || e.Time < f.to)
}

func (a *app) printTrace(args []string, flags *traceFlags) (err error) {
	filter := &traceFilter{from: int64(flags.from), to: int64(flags.to)}
	if filter.kinds, err = kindsOf(flags.kinds); err != nil {
		return usageError(err)
	}
	dir, err := findRun(flags.out, args)
	if err != nil {
		return err
	}
	merged, err := trace.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s has no full trace: run the test with --trace full", dir)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, merged.Close()) }()
	for _, name := range flags.nodes {
		if !slices.Contains(merged.Nodes(), name) {
			return usageError(fmt.Errorf("--node: there is no trace of %q; there are %s", name, strings.Join(merged.Nodes(), ", ")))
		}
	}
	begun, err := beganAt(dir)
	if err != nil {
		return err
	}
	if err := copyTrace(a.out, merged, filter, flags.nodes, begun); err != nil {
		return err
	}
	for _, why := range merged.Damaged() {
		plain.Fprintf(a.errOut, "squall: the trace of %s\n", why)
	}
	return nil
}

func kindsOf(names []string) (map[trace.Kind]bool, error) {
	if len(names) == 0 {
		return nil, nil
	}
	kinds := map[trace.Kind]bool{}
	for _, name := range names {
		kind, ok := trace.KindNamed(name)
		if !ok {
			return nil, fmt.Errorf("--kind: there is no kind of event %q%s", name, suggest.Hint(name, kindNames()))
		}
		kinds[kind] = true
	}
	return kinds, nil
}

// beganAt is when the test began, CLOCK_MONOTONIC in ns; its history's times count from
// there.
func beganAt(dir string) (int64, error) {
	h, err := history.Open(filepath.Join(dir, history.FileName))
	if err != nil {
		return 0, err
	}
	return h.Header().Mono, h.Close()
}

func copyTrace(to io.Writer, merged *trace.Merged, filter *traceFilter, nodes []string, begun int64) error {
	w := bufio.NewWriterSize(to, 64<<10)
	var line []byte
	for {
		e, err := merged.Next()
		if err == io.EOF {
			return w.Flush()
		}
		if err != nil {
			return err
		}
		if len(nodes) > 0 && !slices.Contains(nodes, merged.Name(e.Node)) {
			continue
		}
		e.Time = max(e.Time-begun, 0)
		if !filter.shows(e) {
			continue
		}
		line = append(trace.AppendText(line[:0], e), '\n')
		if _, err := w.Write(line); err != nil {
			return err
		}
	}
}
