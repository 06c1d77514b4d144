package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"squall/history/check"
	"squall/history/conformance"
	"squall/history/etcdtla"
	"squall/history/trace"
	"squall/internal/plain"
	"squall/internal/regular"
)

func (a *app) traceCheckCommand() *cobra.Command {
	var steps bool
	cmd := &cobra.Command{
		Use:   "check FILE...",
		Short: "Check traces that go.etcd.io/raft wrote against Raft's rules",
		Long: `Read what go.etcd.io/raft/v3 writes where it is built with the tag with_tla (its
TraceLogger, as lines of JSON), follow all nodes together, and tell which rule of
Raft a step breaks. No run is needed.
A FILE holds the lines of one node or of several, and is a regular file, not a
pipe such as <(zcat n1.gz). One of them may be -, the standard input. Bring those
of all nodes: what a node received is compared with what was sent. Rules that need
what such a trace does not tell are listed as off. docs/trace.md tells how to write
one, docs/verdicts.md what each rule demands.
Exit codes: 0 no rule is broken, 1 one is, 2 the traces do not tell enough.`,
		Example: "  squall trace check n1.ndjson n2.ndjson n3.ndjson",
		Args:    cobra.MinimumNArgs(1),
		RunE:    func(cmd *cobra.Command, args []string) error { return a.checkTraces(cmd.InOrStdin(), args, steps) },
	}
	cmd.Flags().BoolVar(&steps, "steps", false, "print each step as it is understood, in the form of squall trace")
	return cmd
}

func (a *app) checkTraces(in io.Reader, paths []string, tell bool) error {
	files, closeAll, err := openTraces(in, paths)
	if err != nil {
		return err
	}
	defer closeAll()
	r := etcdtla.NewReader(files...)
	c := conformance.New()
	out := bufio.NewWriterSize(a.out, 64<<10)
	if err := judgeSteps(r, c, out, tell); err != nil {
		return errors.Join(err, out.Flush()) // the steps before it show where it is
	}
	c.Expect(r.Voters()...)
	report := c.Report()
	verdict := tellConformance(out, r, report)
	if err := out.Flush(); err != nil {
		return err
	}
	if code := exitOf(verdict); code != exitPass {
		return &exitError{code: code}
	}
	return nil
}

func openTraces(in io.Reader, paths []string) (files []etcdtla.File, closeAll func(), err error) {
	var open []io.Closer
	closeAll = func() {
		for _, c := range open {
			c.Close()
		}
	}
	for i, path := range paths {
		if path == "-" {
			if slices.Contains(paths[:i], "-") {
				closeAll()
				return nil, nil, usageError(errors.New("- is named twice, and the standard input can be read once only"))
			}
			files = append(files, etcdtla.File{Name: "standard input", From: in})
			continue
		}
		f, err := regular.Open(path)
		if err != nil {
			closeAll()
			return nil, nil, usageError(err)
		}
		open = append(open, f)
		files = append(files, etcdtla.File{Name: path, From: f})
	}
	return files, closeAll, nil
}

// judgeSteps feeds all steps to the rules, and prints them if it is to tell them.
func judgeSteps(r *etcdtla.Reader, c *conformance.Checker, out io.Writer, tell bool) error {
	var text []byte
	for {
		e, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		c.Event(e)
		if tell {
			text = append(trace.AppendText(text[:0], e), '\n')
			if _, err := out.Write(text); err != nil {
				return err
			}
		}
	}
}

// tellConformance prints what was found, and returns the verdict.
func tellConformance(out io.Writer, r *etcdtla.Reader, report *conformance.Report) check.Verdict {
	for _, v := range report.Violations {
		plain.Fprintf(out, "%s (%s): %s\n  %s\n", v.Rule.Name, v.Rule.Section, v.Text, v.Rule.Sentence)
		for i := range v.Events {
			plain.Fprintf(out, "  %s\n", v.Events[i].String())
		}
	}
	for _, why := range r.Damaged() {
		plain.Fprintf(out, "damaged: %s\n", why)
	}
	for _, u := range report.Unsure {
		plain.Fprintf(out, "unknown: n%d%s: %s\n", u.Node, sinceText(u.Time), u.Why)
	}
	for _, off := range offByReason(report) {
		plain.Fprintf(out, "off, as %s\n", off)
	}
	steps, foreign := r.Lines()
	if foreign > 0 {
		plain.Fprintf(out, "%s of no trace, and passed over\n", check.Counted(int(foreign), "line is", "lines are"))
	}
	decided := decidedRules(report)
	switch {
	case len(report.Violations) > 0:
		plain.Fprintf(out, "violation: %s broken\n", check.Counted(len(report.Violations), "rule is", "rules are"))
		return check.Violation
	case steps == 0:
		plain.Fprintf(out, "unknown: there is no line of a trace of go.etcd.io/raft\n")
		return check.Unknown
	case len(report.Unsure) > 0 || len(r.Damaged()) > 0 || report.Crowded:
		plain.Fprintf(out, "unknown: the steps that are known break no rule\n")
		return check.Unknown
	case decided == 0:
		plain.Fprintf(out, "unknown: no step came to any rule\n")
		return check.Unknown
	}
	plain.Fprintf(out, "pass: %s of %s break none of %s; off: %d\n", check.Counted(int(report.Events), "step", "steps"),
		check.Counted(len(report.Nodes), "node", "nodes"), check.Counted(decided, "rule", "rules"), len(report.Off))
	return check.Pass
}

func sinceText(time int64) string {
	if time == 0 {
		return ""
	}
	return fmt.Sprintf(" from @%d.%09d on", time/1e9, time%1e9)
}

func decidedRules(report *conformance.Report) (n int) {
	for _, d := range report.Decided {
		if d.Times > 0 {
			n++
		}
	}
	return n
}

// offByReason are the rules that are off, a line for each reason.
func offByReason(report *conformance.Report) (lines []string) {
	names, whys := map[string][]string{}, []string{}
	for _, o := range report.Off {
		why := o.Why
		if len(o.Nodes) < len(report.Nodes) {
			why += " of " + nodeNumbers(o.Nodes)
		}
		if names[why] == nil {
			whys = append(whys, why)
		}
		names[why] = append(names[why], o.Rule.Name)
	}
	for _, why := range whys {
		lines = append(lines, why+": "+strings.Join(names[why], ", "))
	}
	return lines
}

func nodeNumbers(ids []trace.NodeID) string {
	names := []string{}
	for _, id := range slices.Sorted(slices.Values(ids)) {
		names = append(names, fmt.Sprintf("n%d", id))
	}
	return strings.Join(names, ", ")
}
