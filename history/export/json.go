package export

import (
	"bufio"
	"encoding/json"
	"io"

	"squall/history"
)

// operation is an Op in a JSON document. Times are ns since the start of the test.
type operation struct {
	Process  int64           `json:"process"`
	Node     string          `json:"node"`
	Function history.Func    `json:"function"`
	Key      string          `json:"key,omitempty"`
	In       json.RawMessage `json:"in,omitempty"`
	Out      json.RawMessage `json:"out,omitempty"`
	Outcome  history.Outcome `json:"outcome"`
	Error    string          `json:"error,omitempty"`
	Final    bool            `json:"final,omitempty"`
	Call     int64           `json:"call"`
	Return   int64           `json:"return"`
}

// JSON writes a history as one document: "history", its header; "operations", by time of
// call, one a line; and "faults", "nodes" and "marks" as the lines of history.jsonl.zst have
// them. All times are ns since the start of the test, which "start" has on the wall clock.
func JSON(w io.Writer, h *history.History) error {
	out := document{w: bufio.NewWriter(w)}
	out.raw(`{"start":`)
	out.value(wall(h, h.Mono))
	out.raw(",\n\"history\":")
	head := h.Header
	head.Mono = 0
	out.value(head)
	list(&out, "operations", h.Ops, func(op history.Op) any {
		return operation{op.Process, op.Node, op.Func, op.Key, json.RawMessage(op.In), json.RawMessage(op.Out), op.Outcome, op.Error, op.Final, since(h, op.Call), since(h, op.Return)}
	})
	list(&out, "faults", h.Faults, func(f history.Fault) any {
		f.Begin, f.End = since(h, f.Begin), since(h, f.End)
		if f.Aim != nil && f.Aim.Time != 0 {
			aim := *f.Aim
			aim.Time = since(h, aim.Time)
			f.Aim = &aim
		}
		return f
	})
	list(&out, "nodes", h.Nodes, func(e history.NodeEvent) any { e.Time = since(h, e.Time); return e })
	list(&out, "marks", h.Marks, func(m history.Mark) any { m.Time = since(h, m.Time); return m })
	out.raw("\n}\n")
	if out.err != nil {
		return out.err
	}
	return out.w.Flush()
}

// document writes JSON piece by piece; the first error stays.
type document struct {
	w   *bufio.Writer
	err error
}

func (d *document) raw(text string) {
	if d.err == nil {
		_, d.err = d.w.WriteString(text)
	}
}

func (d *document) value(v any) {
	text, err := json.Marshal(v)
	if d.err == nil {
		d.err = err
	}
	d.raw(string(text))
}

// list writes a field with a list, an element a line.
func list[T any](d *document, name string, of []T, show func(T) any) {
	d.raw(",\n\"" + name + "\":[")
	for i, e := range of {
		if i > 0 {
			d.raw(",")
		}
		d.raw("\n")
		d.value(show(e))
	}
	d.raw("]")
}
