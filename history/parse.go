package history

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"squall/internal/plain"
)

// ParseLine decodes one line of a history, which must not be its header; a
// newline at its end is allowed. open says that the record is an operation
// still under way: it has no outcome yet (see AppendOp). The line is one of
// FormatVersion.
//
// Lines as this package writes them are decoded by hand. Any other JSON that
// means the same (spaces, another order of keys, unknown keys) is accepted too,
// by way of encoding/json.
func ParseLine(line []byte) (rec Record, open bool, err error) {
	return new(parser).line(line)
}

// parser decodes lines and remembers the strings that occur again and again,
// so that a million operations on a thousand keys hold a thousand key strings.
// The zero value remembers nothing.
type parser struct {
	strings map[string]string
	// scratch, if there is one, takes each operation in turn: a reader that copies
	// them away at once spares a million small pieces of memory.
	scratch *Op
	// version is that of the format, 0: FormatVersion.
	version int
	// funcs are the functions of the history.
	funcs []Func
}

// A history in which more than this many different keys, nodes and errors
// occur is unusual; forgetting them all then bounds the memory.
const maxInterned = 1 << 16

func newParser() *parser { return &parser{strings: make(map[string]string)} }

// begin makes it the parser of a history's lines.
func (p *parser) begin(h Header) {
	p.version = h.Version
	for _, f := range h.Functions {
		p.funcs = append(p.funcs, f.Name)
	}
}

// intern returns b as a string, the same one for the same bytes.
func (p *parser) intern(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	if p.strings == nil {
		return string(b)
	}
	if s, ok := p.strings[string(b)]; ok {
		return s
	}
	if len(p.strings) >= maxInterned {
		clear(p.strings)
	}
	s := string(b)
	p.strings[s] = s
	return s
}

func (p *parser) line(line []byte) (Record, bool, error) {
	line = bytes.TrimRight(line, "\r\n")
	switch {
	case bytes.HasPrefix(line, []byte(`{"op":`)):
		if op, open, ok := p.op(line); ok {
			return Record{Op: p.hold(op)}, open, nil
		}
	case bytes.HasPrefix(line, []byte(`{"node":`)):
		if e, ok := p.node(line); ok {
			return Record{Node: &e}, false, nil
		}
	}
	return p.slow(line)
}

// hold gives an operation a place in memory.
func (p *parser) hold(op Op) *Op {
	at := p.scratch
	if at == nil {
		at = new(Op)
	}
	*at = op
	return at
}

// op decodes an operation as AppendOp writes it.
func (p *parser) op(line []byte) (op Op, open, ok bool) {
	d := opDraft{version: p.version}
	l := lexer{b: line}
	for {
		key, more, ok := l.key()
		if !ok {
			return Op{}, false, false
		}
		if !more {
			break
		}
		if !p.opField(&d, &l, string(key)) {
			return Op{}, false, false
		}
	}
	op, open, err := d.finish()
	return op, open, err == nil
}

func (p *parser) opField(d *opDraft, l *lexer, key string) (ok bool) {
	var s []byte
	switch key {
	case "op":
		s, ok = l.text()
		d.outcome = outcomeString(s)
		return d.once(hasOutcome) && ok
	case "p":
		d.op.Process, ok = l.integer()
		return d.once(hasProcess) && ok
	case "n":
		s, ok = l.text()
		d.op.Node = p.intern(s)
		return d.once(hasNode) && ok
	case "f":
		s, ok = l.text()
		d.op.Func = p.function(s)
		return d.once(hasFunc) && ok
	case "k":
		s, ok = l.text()
		d.op.Key = p.intern(s)
		return d.once(hasKey) && ok
	case "i":
		d.op.In, ok = l.asData()
		return d.once(hasIn) && ok && d.version != 1
	case "o":
		d.op.Out, ok = l.asData()
		return d.once(hasOut) && ok && d.version != 1
	case "v", "x", "r":
		return d.version == 1 && d.fieldOf1(l, key)
	case "e":
		s, ok = l.text()
		d.op.Error = p.intern(s)
		return d.once(hasError) && ok
	case "t":
		d.op.Call, ok = l.integer()
		return d.once(hasCall) && ok
	case "d":
		d.length, ok = l.integer()
		return d.once(hasLength) && ok
	case "final":
		d.op.Final = l.word("true")
		return d.once(hasFinal) && d.op.Final
	}
	return false
}

// asData returns constants for what is common, so that nothing is allocated.
func (l *lexer) asData() (Data, bool) {
	text, ok := l.data()
	for _, d := range [...]Data{Null, True} {
		if string(text) == string(d) {
			return d, ok
		}
	}
	return Data(text), ok
}

// outcomeString and function return constants for what is common, so that
// nothing is allocated.
func outcomeString(b []byte) string {
	for _, o := range [...]Outcome{OK, Fail, Info, openOutcome} {
		if string(b) == string(o) {
			return string(o)
		}
	}
	return string(b)
}

func (p *parser) function(b []byte) Func {
	for _, f := range p.funcs {
		if string(b) == string(f) {
			return f
		}
	}
	return Func(p.intern(b))
}

// node decodes a node event as AppendNode writes it.
func (p *parser) node(line []byte) (e NodeEvent, ok bool) {
	l := lexer{b: line}
	var seen uint32 // keys, as bits
	for {
		key, more, ok := l.key()
		if !ok {
			return NodeEvent{}, false
		}
		if !more {
			return e, true
		}
		bit := nodeKey(string(key))
		if seen&bit != 0 || !p.nodeField(&e, &l, string(key)) {
			return NodeEvent{}, false
		}
		seen |= bit
	}
}

// nodeKey is a bit for each key of a node event, 0 for any other.
func nodeKey(key string) uint32 {
	switch key {
	case "node":
		return 1 << 0
	case "boot":
		return 1 << 1
	case "e":
		return 1 << 2
	case "t":
		return 1 << 3
	case "term":
		return 1 << 4
	case "role":
		return 1 << 5
	case "leader":
		return 1 << 6
	case "vote":
		return 1 << 7
	case "i":
		return 1 << 8
	case "et":
		return 1 << 9
	case "h":
		return 1 << 10
	case "members":
		return 1 << 11
	case "reason":
		return 1 << 12
	case "timeout":
		return 1 << 13
	case "late":
		return 1 << 14
	}
	return 0
}

func (p *parser) nodeField(e *NodeEvent, l *lexer, key string) (ok bool) {
	var n int64
	switch key {
	case "boot":
		n, ok = l.integer()
		e.Boot = int(n)
		return ok && int64(e.Boot) == n
	case "t":
		e.Time, ok = l.integer()
		return ok
	case "term":
		e.Term, ok = l.digits()
		return ok
	case "i":
		e.Index, ok = l.digits()
		return ok
	case "et":
		e.EntryTerm, ok = l.digits()
		return ok
	case "members":
		e.Members, ok = p.list(l)
		return ok
	case "timeout":
		e.Timeout, ok = l.integer()
		return ok
	case "late":
		e.Late, ok = l.integer()
		return ok
	}
	s, ok := l.text()
	switch key {
	case "node":
		e.Node = p.intern(s)
	case "e":
		e.Kind = p.intern(s)
	case "role":
		e.Role = p.intern(s)
	case "leader":
		e.Leader = p.intern(s)
	case "vote":
		e.Vote = p.intern(s)
	case "h":
		e.Hash = string(s) // rarely twice the same: not worth remembering
	case "reason":
		e.Reason = p.intern(s)
	default:
		return false
	}
	return ok
}

func (p *parser) list(l *lexer) (out []string, ok bool) {
	if !l.word("[") {
		return nil, false
	}
	if l.word("]") {
		return nil, true
	}
	for {
		s, ok := l.text()
		if !ok {
			return nil, false
		}
		out = append(out, p.intern(s))
		if l.word("]") {
			return out, true
		}
		if !l.word(",") {
			return nil, false
		}
	}
}

// field is one key of a line with its value.
type field struct {
	key string
	raw json.RawMessage
}

// fieldsOf takes a JSON object apart. A key that comes twice is an error, in
// whatever letters: encoding/json would quietly take the last.
func fieldsOf(line []byte) ([]field, error) {
	dec := json.NewDecoder(bytes.NewReader(line))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, errors.Join(errors.New("expected a JSON object"), err)
	}
	var fields []field
	seen := map[string]bool{}
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return nil, err
		}
		f := field{key: t.(string)} // JSON knows no other keys
		if err := dec.Decode(&f.raw); err != nil {
			return nil, err
		}
		if folded := strings.ToLower(f.key); seen[folded] {
			return nil, fmt.Errorf("the key %s occurs twice", plain.Excerpt([]byte(f.key)))
		} else {
			seen[folded] = true
		}
		fields = append(fields, f)
	}
	if _, err := dec.Token(); err != nil { // the closing brace
		return nil, err
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, errors.New("something follows the JSON object")
	}
	return fields, nil
}

// slow decodes a line of any kind with encoding/json.
func (p *parser) slow(line []byte) (rec Record, open bool, err error) {
	fields, err := fieldsOf(line)
	if err != nil {
		return Record{}, false, fmt.Errorf("not a line of a history: %w: %s", err, lineExcerpt(line))
	}
	kind := ""
	for _, f := range fields {
		if !slices.Contains([]string{"op", "fault", "node", "mark"}, f.key) {
			continue
		}
		if kind != "" {
			kind = ""
			break
		}
		kind = f.key
	}
	switch kind {
	case "op":
		var op Op
		if op, open, err = p.slowOp(fields); err != nil {
			return Record{}, false, fmt.Errorf("%w: %s", err, lineExcerpt(line))
		}
		rec.Op = &op
	case "fault":
		rec.Fault = new(Fault)
		err = json.Unmarshal(line, rec.Fault)
	case "node":
		rec.Node = new(NodeEvent)
		err = json.Unmarshal(line, rec.Node)
	case "mark":
		rec.Mark = new(Mark)
		err = json.Unmarshal(line, rec.Mark)
		if rec.Mark.Name == oldServing {
			rec.Mark.Name = MarkServing
		}
	default:
		return Record{}, false, fmt.Errorf(
			`a line of a history must have exactly one of the keys "op", "fault", "node", "mark": %s`, lineExcerpt(line))
	}
	if err != nil {
		return Record{}, false, fmt.Errorf("decode a line of a history: %w: %s", err, lineExcerpt(line))
	}
	return rec, open, nil
}

// oldServing is what earlier versions called MarkServing.
const oldServing = "leader"

// slowOp decodes an operation whose line is valid JSON but not in the form
// that AppendOp writes. The fields themselves still go through the lexer,
// because encoding/json would replace bytes that are not UTF-8. Keys that are not
// known are left out.
func (p *parser) slowOp(fields []field) (Op, bool, error) {
	known := []string{"op", "p", "n", "f", "k", "e", "t", "d", "final", "i", "o"}
	if p.version == 1 {
		known = append(known[:len(known)-2], "v", "x", "r")
	}
	d := opDraft{version: p.version}
	for _, f := range fields {
		if !slices.Contains(known, f.key) || (f.key == "final" && string(f.raw) == "false") {
			continue
		}
		l := lexer{b: f.raw}
		if !p.opField(&d, &l, f.key) || l.i != len(f.raw) {
			return Op{}, false, fmt.Errorf("bad value of %q: %s", f.key, plain.Excerpt(f.raw))
		}
	}
	return d.finish()
}
