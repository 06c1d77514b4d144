package export

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"squall/history"
	"squall/history/measure"
)

// Kinds of spans and codes of their status, of OpenTelemetry's trace.proto.
const (
	spanInternal = 1
	spanClient   = 3
	statusOK     = 1
	statusError  = 2
)

// span is a Span of OTLP as JSON has it: ids in hex, times as texts.
type span struct {
	TraceID    string      `json:"traceId"`
	SpanID     string      `json:"spanId"`
	Parent     string      `json:"parentSpanId,omitempty"`
	Name       string      `json:"name"`
	Kind       int         `json:"kind"`
	Begin      string      `json:"startTimeUnixNano"`
	End        string      `json:"endTimeUnixNano"`
	Attributes []attribute `json:"attributes,omitempty"`
	Events     []spanEvent `json:"events,omitempty"`
	Status     status      `json:"status"`
}

type spanEvent struct {
	Time       string      `json:"timeUnixNano"`
	Name       string      `json:"name"`
	Attributes []attribute `json:"attributes,omitempty"`
}

type status struct {
	Code    int    `json:"code,omitempty"`
	Message string `json:"message,omitempty"`
}

type attribute struct {
	Key   string `json:"key"`
	Value struct {
		Text string `json:"stringValue"`
	} `json:"value"`
}

func attr(key, value string) (a attribute) {
	a.Key, a.Value.Text = key, value
	return a
}

// OTLP writes a test as one trace in OTLP's JSON, as the OpenTelemetry collector reads it
// from a file: a span for the test, with what the nodes did as its events, and below it one
// for each fault and each operation. An operation of unknown outcome has no status.
func OTLP(w io.Writer, h *history.History, name string) error {
	id := sha256.Sum256(fmt.Append(nil, name, h.Wall.UnixNano(), h.Mono, h.Seed))
	t := tracer{document{w: bufio.NewWriter(w)}, h, hex.EncodeToString(id[:16]), 0}
	t.raw(`{"resourceSpans":[{"resource":{"attributes":`)
	t.value([]attribute{attr("service.name", "squall"), attr("service.version", h.Squall), attr("squall.run", name), attr("squall.test", h.Test),
		attr("squall.system", h.System), attr("squall.workload", h.Workload), attr("squall.seed", strconv.FormatUint(h.Seed, 10))})
	t.raw(`},"scopeSpans":[{"scope":{"name":"squall"},"spans":[` + "\n")
	end := measure.TestEnd(h)
	for i := range h.Ops {
		end = max(end, since(h, h.Ops[i].Return))
	}
	test := t.span("test "+h.Test, spanInternal, 0, end)
	test.Parent, test.Events = "", t.events()
	t.value(test)
	for _, f := range spells(h, end) {
		t.raw(",\n")
		t.value(t.fault(f))
	}
	for i := range h.Ops {
		t.raw(",\n")
		t.value(t.operation(&h.Ops[i]))
	}
	t.raw("\n]}]}]}\n")
	if t.err != nil {
		return t.err
	}
	return t.w.Flush()
}

type tracer struct {
	document
	h    *history.History
	id   string
	last uint64 // id of a span
}

// root is the id of the span of the test.
const root = 1

// span is the next one, below that of the test; times are ns since its start.
func (t *tracer) span(name string, kind int, begin, end int64) span {
	t.last++
	return span{TraceID: t.id, SpanID: spanID(t.last), Parent: spanID(root), Name: name, Kind: kind, Begin: t.time(begin), End: t.time(max(begin, end))}
}

func spanID(n uint64) string { return fmt.Sprintf("%016x", n) }

// time is a time of the test, ns since its start, in ns since 1970.
func (t *tracer) time(at int64) string {
	return strconv.FormatInt(wall(t.h, t.h.Mono+at).UnixNano(), 10)
}

func (t *tracer) events() (all []spanEvent) {
	for i := range t.h.Marks {
		m := &t.h.Marks[i]
		all = append(all, spanEvent{t.time(since(t.h, m.Time)), m.Name, nil})
	}
	for i := range t.h.Nodes {
		e := &t.h.Nodes[i]
		if e.Kind == history.EventCommit { // one for nearly every operation
			continue
		}
		event := spanEvent{t.time(since(t.h, e.Time)), e.Kind, []attribute{attr("squall.node", e.Node)}}
		for _, a := range []attribute{attr("squall.role", e.Role), attr("squall.leader", e.Leader), attr("squall.reason", e.Reason)} {
			if a.Value.Text != "" {
				event.Attributes = append(event.Attributes, a)
			}
		}
		if e.Term != 0 {
			event.Attributes = append(event.Attributes, attr("squall.term", strconv.FormatUint(e.Term, 10)))
		}
		all = append(all, event)
	}
	return all
}

func (t *tracer) fault(f spell) span {
	s := t.span("fault "+f.Name, spanInternal, f.Begin, f.End)
	s.Attributes = []attribute{attr("squall.fault.id", strconv.Itoa(f.ID)), attr("squall.fault.variant", f.Variant), attr("squall.fault.params", f.Params),
		attr("squall.fault.targets", strings.Join(f.Targets, " "))}
	return s
}

func (t *tracer) operation(op *history.Op) span {
	end := op.Return
	if end == math.MaxInt64 {
		end = op.Call
	}
	s := t.span(string(op.Func), spanClient, since(t.h, op.Call), since(t.h, end))
	s.Attributes = []attribute{attr("squall.process", strconv.FormatInt(op.Process, 10)), attr("squall.node", op.Node), attr("squall.outcome", string(op.Outcome))}
	for _, a := range []attribute{attr("squall.key", op.Key), attr("squall.in", string(op.In)), attr("squall.out", string(op.Out))} {
		if a.Value.Text != "" {
			s.Attributes = append(s.Attributes, a)
		}
	}
	switch op.Outcome {
	case history.OK:
		s.Status.Code = statusOK
	case history.Fail:
		s.Status = status{statusError, op.Error}
	default:
		s.Status.Message = op.Error
	}
	return s
}
