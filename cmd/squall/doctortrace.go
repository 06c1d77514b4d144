package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"squall/history"
	"squall/history/conformance"
	"squall/history/trace"
	"squall/internal/plain"
	"squall/workloads/systems"
)

// traceNeeds say what trace the servers of a system write, what it lacks, and which checks
// are off for that.
func traceNeeds(system systems.System, dir string, h *history.History) []need {
	if !systems.Traced(system) {
		return []need{{Name: "trace", OK: true, Found: "none: only what clients see is checked. Where the servers write one (docs/trace.md), say so with trace: true"}}
	}
	return []need{basicTrace(h), fullTrace(dir)}
}

// basicTrace says which events of version 1 came.
func basicTrace(h *history.History) need {
	kinds := []string{history.EventRole, history.EventVote, history.EventCommit, history.EventState}
	var told, missing []string
	for _, kind := range kinds {
		if slices.ContainsFunc(h.Nodes, func(e history.NodeEvent) bool { return e.Kind == kind }) {
			told = append(told, kind)
		} else {
			missing = append(missing, kind)
		}
	}
	n := need{Name: "trace", OK: len(told) > 0, Found: "version 1: it tells of " + strings.Join(told, ", ")}
	if len(missing) > 0 {
		n.Found += "; not of " + strings.Join(missing, ", ") + ", so the checks that need it are unknown"
	}
	if !n.OK {
		n.Found, n.Fix = "version 1: no event came", "let its servers write the trace to the file descriptor that SQUALL_TRACE_FD names (docs/trace.md)"
	}
	for _, e := range h.Nodes {
		if e.Kind == history.EventSilent {
			n.OK, n.Found, n.Fix = false, "version 1: "+plain.Text(e.Reason, 300), "compare what it writes with docs/trace.md"
		}
	}
	return n
}

// fullTrace says what of version 2 came, and which rules of conformance it leaves off.
func fullTrace(dir string) need {
	n := need{Name: "full trace", OK: true}
	report, lacks, err := judgeRun(dir)
	wrong := func(why string) need {
		return need{Name: n.Name, Found: "version 2: " + why, Fix: "compare what it writes to the file descriptor that SQUALL_TRACE2_FD names with docs/trace.md"}
	}
	switch {
	case err != nil:
		return wrong(err.Error())
	case len(report.Violations) > 0:
		v := report.Violations[0]
		return wrong(fmt.Sprintf("it breaks %s: %s", v.Rule.Name, v.Text))
	case silentThroughout(report):
		n.Found = "none: with --trace full, conformance is unknown. Version 2 of the trace (docs/trace.md) lets every step be checked"
		return n
	case len(report.Unsure) > 0:
		return wrong(plain.Text(report.Unsure[0].Why, 300))
	}
	n.Found = fmt.Sprintf("version 2: %d steps, lacking %s; %d of %d rules are on", report.Events, lacksText(lacks), len(report.Decided)-len(report.Off), len(report.Decided))
	for _, off := range offByReason(report) {
		n.Found += "; off, as " + off
	}
	return n
}

// silentThroughout says whether the node told nothing but that it is silent.
func silentThroughout(r *conformance.Report) bool {
	for _, d := range r.Decided {
		if d.Times > 0 {
			return false
		}
	}
	return r.Events <= int64(len(r.Nodes))
}

func lacksText(l trace.Lacks) string {
	if l == 0 {
		return "nothing"
	}
	e := trace.Event{Kind: trace.Start, Lacks: l}
	_, names, _ := strings.Cut(e.String(), "lacks=")
	return strings.ReplaceAll(names, ",", ", ")
}

// judgeRun holds the full traces of a run against the rules.
func judgeRun(dir string) (_ *conformance.Report, lacks trace.Lacks, err error) {
	merged, err := trace.Open(dir)
	if err != nil {
		return nil, 0, err
	}
	defer func() { err = errors.Join(err, merged.Close()) }()
	c := conformance.New()
	for {
		e, err := merged.Next()
		if errors.Is(err, io.EOF) {
			return c.Report(), lacks, nil
		}
		if err != nil {
			return nil, 0, err
		}
		lacks |= e.Lacks
		c.Event(e)
	}
}
