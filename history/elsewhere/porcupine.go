package elsewhere

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"

	"squall/history"
	"squall/internal/plain"
)

// porcupineOp is an operation as encoding/json writes a porcupine.Operation whose input and
// output are those of squall's histories.
type porcupineOp struct {
	ClientID int64           `json:"ClientId"`
	Input    porcupineInput  `json:"Input"`
	Call     int64           `json:"Call"`
	Output   porcupineOutput `json:"Output"`
	Return   int64           `json:"Return"`
}

// porcupineInput is what an operation asks for.
type porcupineInput struct {
	Func string          `json:"f"`
	Key  string          `json:"key"`
	In   json.RawMessage `json:"in,omitempty"`
}

// porcupineOutput is what it was answered. Outcome is ok, or info where that is not known:
// then it may take effect at any time after its call, or never, and Return is the latest
// time there is.
type porcupineOutput struct {
	Outcome string          `json:"outcome"`
	Out     json.RawMessage `json:"out,omitempty"`
}

// readPorcupine reads a list of operations. Their times are all there is of an order.
func (m *Imported) readPorcupine(r io.Reader, opts Options) error {
	const most = 256 << 20
	text, err := io.ReadAll(io.LimitReader(r, most+1))
	if err != nil {
		return err
	}
	if len(text) > most {
		return damaged(0, "the file is larger than %d MiB", most>>20)
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	lines := lineCounter{text: text}
	at := func() int { return lines.at(dec.InputOffset()) }
	if _, err := dec.Token(); err != nil {
		return damaged(at(), "%w", err)
	}
	var ops []porcupineOp
	var where []int
	for dec.More() {
		var op porcupineOp
		if err := dec.Decode(&op); err != nil {
			if err == io.ErrUnexpectedEOF || err == io.EOF {
				err = fmt.Errorf("the file ends within the list of operations: it was cut off")
			}
			return damaged(at(), "%w", err)
		}
		ops, where = append(ops, op), append(where, at())
	}
	if _, err := dec.Token(); err != nil {
		return damaged(at(), "the file ends within the list of operations: it was cut off")
	}
	if rest := bytes.TrimSpace(text[dec.InputOffset():]); len(rest) > 0 {
		return damaged(at(), "something stands behind the list of operations: %s", plain.Excerpt(rest))
	}
	if len(ops) == 0 {
		return damaged(0, "it holds no operations of clients")
	}
	return m.fromPorcupine(ops, where, opts)
}

// lineCounter tells the line of an offset; offsets grow.
type lineCounter struct {
	text []byte
	seen int64
	line int
}

func (l *lineCounter) at(offset int64) int {
	l.line += bytes.Count(l.text[l.seen:offset], []byte{'\n'})
	l.seen = offset
	return l.line + 1
}

func (m *Imported) fromPorcupine(list []porcupineOp, where []int, opts Options) error {
	last := int64(math.MinInt64)
	for i := range list {
		o := &list[i]
		for _, t := range []int64{o.Call, o.Return} {
			if t != math.MaxInt64 && (t > mostTime || t < -mostTime) {
				return damaged(where[i], "an operation at %d ns", t)
			}
		}
		switch {
		case o.Return < o.Call:
			return damaged(where[i], "an operation returned at %d ns, before its call at %d", o.Return, o.Call)
		case o.ClientID < 0:
			return damaged(where[i], "client %d; clients count from 0", o.ClientID)
		case o.Output.Outcome != typeOK && o.Output.Outcome != typeInfo:
			return damaged(where[i], "the outcome of an operation is %s, and can be ok or info", plain.Excerpt([]byte(o.Output.Outcome)))
		}
		last = max(last, o.Call)
		if o.Return != math.MaxInt64 {
			last = max(last, o.Return)
		}
	}
	var ops []history.Op
	for i := range list {
		o := &list[i]
		op := history.Op{Process: o.ClientID, Node: nodeOf(o.ClientID), Func: history.Func(o.Input.Func), Key: o.Input.Key,
			Outcome: history.Outcome(o.Output.Outcome), Call: o.Call, Return: min(o.Return, last)}
		var err error
		if op.In, err = rawData(o.Input.In); err == nil {
			op.Out, err = rawData(o.Output.Out)
		}
		if err != nil {
			return damaged(where[i], "%w", err)
		}
		m.Keyed = m.Keyed || op.Key != ""
		m.lines[place{op.Process, op.Call}] = where[i]
		ops = append(ops, op)
	}
	if err := m.clientsRunOneAtATime(sorted(ops)); err != nil {
		return err
	}
	o, err := objectOf(ops, opts)
	if err != nil {
		return err
	}
	m.Object, m.Events, m.Timed = o.name, 2*len(ops), true
	for i := range ops {
		if !m.Keyed {
			ops[i].Key = o.name
		}
		if !o.functions().Have(ops[i].Func) {
			return choice("line %d: there is no operation %s of a %s, which has %s", m.Line(ops[i].Process, ops[i].Call), plain.Excerpt([]byte(ops[i].Func)), o.name, o.functions())
		}
	}
	m.begin(o).Ops = ops
	t := &translator{}
	if t.initial, err = parseInitial(opts.Initial); err != nil {
		return err
	}
	return m.begins(o, t)
}

func rawData(raw json.RawMessage) (history.Data, error) {
	if raw == nil {
		return "", nil
	}
	return history.ParseData(raw)
}

// clientsRunOneAtATime refuses a client that runs two operations at once.
func (m *Imported) clientsRunOneAtATime(ops []history.Op) error {
	last := map[int64]*history.Op{}
	for i := range ops {
		op := &ops[i]
		if before := last[op.Process]; before != nil && (op.Call < before.Return || op.Call == before.Call || before.Outcome == history.Info) {
			return damaged(m.Line(op.Process, op.Call), "client %d calls an operation at %d ns, while the one that it called at %d is under way or of unknown outcome", op.Process, op.Call, before.Call)
		}
		last[op.Process] = op
	}
	return nil
}

// objectOf is the object of operations in squall's own form.
func objectOf(ops []history.Op, opts Options) (object, error) {
	var calls []*call
	for i := range ops {
		op := &ops[i]
		c := &call{begin: event{f: string(op.Func)}, outcome: op.Outcome}
		c.in, c.out = fromData(op.In), fromData(op.Out)
		calls = append(calls, c)
	}
	if opts.Object != "" {
		return find(opts.Object), nil
	}
	return recognise(calls)
}

// fromData is data as a value of EDN; nil for none.
func fromData(d history.Data) *value {
	if d == "" {
		return nil
	}
	v := &value{kind: kindNil}
	switch s, isText := d.Text(); {
	case isText:
		v.kind, v.text = kindString, s
	case d[0] == '[':
		v.kind = kindVector
		for e := range d.Elements() {
			v.list = append(v.list, *fromData(e))
		}
	case d[0] == '{':
		v.kind = kindMap
		for name, field := range d.Fields() {
			v.list = append(v.list, value{kind: kindKeyword, text: ":" + name}, *fromData(field))
		}
	case d == history.True || d == history.False:
		v.kind, v.text = kindBool, string(d)
	case d != history.Null:
		var fine bool
		if v.kind, v.text, fine = number(string(d)); !fine {
			v.kind, v.text = kindOther, string(d)
		}
	}
	return v
}
