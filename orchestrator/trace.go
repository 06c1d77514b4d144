package orchestrator

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"squall/history"
	"squall/internal/plain"
)

// Bounds of what a server may write to its trace.
const (
	// maxTraceLine is the longest line, in bytes. One of ours has some hundred.
	maxTraceLine = 64 << 10
	// maxTraceText bounds a text in a line, in bytes.
	maxTraceText = 1 << 10
	// A trace may be traceBurst bytes, and traceRate bytes more for each second
	// that the server has run. A busy node of ours writes a quarter of a megabyte a
	// second.
	traceBurst = 64 << 20
	traceRate  = 8 << 20
	// traceSlack is how far in the future the time of an event may lie, for clocks
	// that are compared with an error.
	traceSlack = 5 * time.Second
	// unended is how old the beginning of a line must be, when its server ends, to
	// have been a line without an end, and not one that the end has cut.
	unended = 2 * time.Second
)

// tracer reads the trace of one node. A trace speaks for its own node and boot
// alone: whose it is, the agent knows. What is no trace makes the rest of that
// boot's unknown, and nothing else: see history.EventSilent.
type tracer struct {
	node   string
	named  func(string) bool // whether there is a node of that name; nil: of every name
	boot   int
	lines  lineCutter
	silent string // why the rest of this boot's trace is not read; "": it is
	begun  int64  // when the line that is open began, ns
	// floor: no event of this boot is earlier, ns. It is never before what the
	// history takes (see run.earliest), which would refuse the event.
	floor int64
	first int64 // when the first piece of this boot came, ns
	bytes int64 // of this boot's trace
}

// tracePiece is what came of a piece of a trace.
type tracePiece struct {
	events []history.NodeEvent
	silent string // why the trace is silent from now on; "" when it is not
}

// turn makes the tracer that of another boot. A line that the end of the one before
// has cut is never completed.
func (t *tracer) turn(boot int) {
	if boot != t.boot {
		t.boot, t.silent, t.first, t.bytes = boot, "", 0, 0
		t.lines.reset()
	}
}

// take reads a piece that came at the time now, ns.
func (t *tracer) take(boot int, data []byte, now int64) (p tracePiece) {
	t.turn(boot)
	if t.silent != "" {
		return p
	}
	if t.first == 0 {
		t.first = now
	}
	t.bytes += int64(len(data))
	if t.bytes > traceBurst+int64(float64(now-t.first)/1e9*traceRate) {
		return t.hush(p, fmt.Sprintf("it wrote %d MiB to its trace in %.1f s", t.bytes>>20, float64(now-t.first)/1e9))
	}
	t.lines.max = maxTraceLine
	wasOpen := t.lines.open()
	var bad error
	long := t.lines.take(data, func(line []byte) bool {
		wasOpen = false
		var e history.NodeEvent
		if e, bad = t.event(line, now); bad != nil {
			bad = fmt.Errorf("it wrote a line to its trace that is not an event: %w: %s", bad, plain.Excerpt(line))
			return false
		}
		p.events = append(p.events, e)
		return true
	})
	switch {
	case bad != nil:
		return t.hush(p, bad.Error())
	case long:
		return t.hush(p, fmt.Sprintf("it wrote a line of more than %d KiB to its trace", maxTraceLine>>10))
	}
	if !wasOpen {
		t.begun = now
	}
	return p
}

// end is told of the end of a boot, and says why its trace fell silent before, if
// that is only known now. The moment is then t.begun.
func (t *tracer) end(boot int, at int64) (silent string) {
	if boot != t.boot || t.silent != "" || !t.lines.open() || at-t.begun < int64(unended) {
		return ""
	}
	return t.hush(tracePiece{}, fmt.Sprintf("it wrote a line without an end to its trace: %s", plain.Excerpt(t.lines.part))).silent
}

// hush reads no more of this boot's trace.
func (t *tracer) hush(p tracePiece, why string) tracePiece {
	t.silent = why
	t.lines.reset()
	p.silent = why
	return p
}

// event reads a line.
func (t *tracer) event(line []byte, now int64) (history.NodeEvent, error) {
	var e history.NodeEvent
	if err := json.Unmarshal(line, &e); err != nil {
		return e, errors.New("not a JSON object with the keys of docs/trace.md")
	}
	switch {
	case e.Node != "" && e.Node != t.node:
		return e, errors.New("it names another node")
	case e.Boot != 0 && e.Boot != t.boot:
		return e, fmt.Errorf("it names boot %d, but belongs to boot %d", e.Boot, t.boot)
	case !e.OfTrace():
		return e, errors.New("a server cannot report such an event")
	case e.Time < t.floor || e.Time <= 0:
		return e, errors.New("its time lies before the server was started")
	case e.Time > now+int64(traceSlack):
		return e, errors.New("its time lies in the future")
	}
	if err := t.fields(&e); err != nil {
		return e, err
	}
	e.Node, e.Boot = t.node, t.boot
	// What a reader of histories would refuse must not get into one.
	return e, history.CheckEvent(&e)
}

// fields looks at what is more to ask of a server than of a history.
func (t *tracer) fields(e *history.NodeEvent) error {
	names := append([]string{e.Leader, e.Vote}, e.Members...)
	unknown := func(name string) bool { return name != "" && t.named != nil && !t.named(name) }
	switch {
	case e.Timeout < 0 || e.Late < 0:
		return errors.New("a duration in it is below zero")
	case len(e.Hash) > maxTraceText || len(e.Reason) > maxTraceText:
		return fmt.Errorf("a text in it is longer than %d bytes", maxTraceText)
	case slices.ContainsFunc(names, unknown):
		return errors.New("it names an unknown node")
	}
	return nil
}
