package reports

import (
	"bytes"
	"cmp"
	"compress/flate"
	"encoding/base64"
	"encoding/binary"
	"html/template"
	"slices"
	"strconv"

	"squall/history"
	"squall/history/measure"
	"squall/internal/plain"
)

// maxOps is how many operations the page of operations holds: about 4 MB.
const maxOps = 300_000

// oplog is the operations on the page of operations, packed.
type oplog struct {
	Total   int       `json:"total"`
	Shown   int       `json:"shown"`
	One     int       `json:"one"` // of the operations that matter less, one in so many is here; 1: all
	Lanes   int       `json:"lanes"`
	Clients []int64   `json:"clients"` // of each lane; those of one stand together
	Funcs   []logFunc `json:"funcs"`
	chunks  []template.HTML
	strings template.HTML
}

// logFunc tells of a function: what stands before, between and after the data of an
// operation, and of its answer.
type logFunc struct {
	Text   []string    `json:"text"`
	Answer []string    `json:"answer"`
	names  [2][]string // of the data
}

func newLogFunc(f history.Function) logFunc {
	l := logFunc{}
	for i, text := range []string{f.Text, f.Answer} {
		literals, end := []string{}, ""
		for p := range history.Parts(text) {
			if p.Name == "" {
				end = p.Literal
				break
			}
			literals = append(literals, p.Literal)
			l.names[i] = append(l.names[i], p.Name)
		}
		literals = append(literals, end)
		if i == 0 {
			l.Text = literals
		} else {
			l.Answer = literals
		}
	}
	return l
}

// near is how long before and after a moment that matters every operation is
// kept, ns.
const near = int64(250e6)

// moments are the times around which no operation is left out.
func moments(r *run, fig *figures) []measure.Window {
	var ws []measure.Window
	add := func(from, to int64) { ws = append(ws, measure.Window{Begin: from - near, End: to + near}) }
	for _, c := range r.results.Checks {
		for _, w := range c.Witness {
			add(w.Call, w.Return)
		}
	}
	for _, l := range fig.elections.Losses {
		add(l.At, l.At+int64(float64(l.NoLeader)*1e6))
	}
	for _, f := range fig.faults {
		add(f.Begin, max(f.Bitten, f.Begin))
		if f.HealAt > 0 {
			add(f.HealAt, max(f.Healed, f.HealAt))
		}
	}
	slices.SortFunc(ws, func(a, b measure.Window) int { return cmp.Compare(a.Begin, b.Begin) })
	var merged []measure.Window
	for _, w := range ws {
		if n := len(merged); n > 0 && w.Begin <= merged[n-1].End {
			merged[n-1].End = max(merged[n-1].End, w.End)
		} else {
			merged = append(merged, w)
		}
	}
	return merged
}

// choose picks the operations for the page, by call: all of them, or all that
// did not succeed, all near a moment that matters, and one in so many of the
// rest. When those alone are too many they are thinned too.
func choose(in *history.History, matter []measure.Window, limit int) (picked []int32, one int) {
	special := make([]bool, len(in.Ops))
	specials := 0
	for i := range in.Ops {
		op := &in.Ops[i]
		if special[i] = op.Outcome != history.OK || inWindows(matter, op.Call-in.Header.Mono, op.Return-in.Header.Mono); special[i] {
			specials++
		}
	}
	stride := func(n, room int) int { return max((n+max(room, 1)-1)/max(room, 1), 1) }
	oneSpecial, one := stride(specials, limit*3/4), 1
	one = stride(len(in.Ops)-specials, limit-specials/oneSpecial)
	quiet, loud := 0, 0
	for i := range in.Ops {
		n, every := &quiet, one
		if special[i] {
			n, every = &loud, oneSpecial
		}
		if *n%every == 0 {
			picked = append(picked, int32(i))
		}
		*n++
	}
	slices.SortStableFunc(picked, func(a, b int32) int { return cmp.Compare(in.Ops[a].Call, in.Ops[b].Call) })
	return picked, one
}

// inWindows reports whether a time reaches into one of the windows, which are
// sorted and apart.
func inWindows(ws []measure.Window, from, to int64) bool {
	i, _ := slices.BinarySearchFunc(ws, from, func(w measure.Window, t int64) int { return cmp.Compare(w.End, t) })
	return i < len(ws) && ws[i].Begin <= to
}

// chunkOps is how many operations are packed together; the page draws after
// each.
const chunkOps = 65_536

// packer writes operations as numbers of few bytes, column by row: the picture
// needs times, texts are said when asked for.
type packer struct {
	log     *oplog
	does    history.Functions
	texts   map[string]uint64
	list    []string
	funcs   map[history.Func]int
	nodes   map[string]int
	sought  []sought
	buf     []byte
	data    []byte // of the operation at hand
	call    int64
	process int64
}

// pack makes the data of the page of operations.
func pack(in *history.History, matter []measure.Window, found []sought, limit int) (*oplog, error) {
	picked, one := choose(in, matter, limit)
	log := &oplog{Total: len(in.Ops), Shown: len(picked), One: one, Funcs: []logFunc{}}
	p := &packer{log: log, does: in.Header.Functions, texts: map[string]uint64{}, funcs: map[history.Func]int{}, nodes: map[string]int{}, sought: found}
	for i, n := range in.Header.Nodes {
		p.nodes[n] = i + 1
	}
	rows := newLanes(in, picked)
	log.Clients = rows.clients
	for n, i := range picked {
		p.op(&in.Ops[i], in.Header.Mono, rows.of[in.Ops[i].Process])
		if (n+1)%chunkOps == 0 || n == len(picked)-1 {
			chunk, err := deflate(p.buf)
			if err != nil {
				return nil, err
			}
			log.chunks = append(log.chunks, chunk)
			p.buf = p.buf[:0]
		}
	}
	log.Lanes = len(rows.clients)
	texts := make([]history.Data, len(p.list)) // keep bytes that are not UTF-8
	for i, s := range p.list {
		texts[i] = history.Text(s)
	}
	var err error
	log.strings, err = deflate([]byte(history.List(texts...)))
	return log, err
}

// op appends one operation. The script assets/timeline.js reads the same fields
// in the same order.
func (p *packer) op(op *history.Op, mono int64, row int) {
	call := (op.Call - mono) / 1000
	p.buf = binary.AppendVarint(p.buf, call-p.call)
	p.call = call
	p.buf = binary.AppendUvarint(p.buf, uint64(max(op.Return-op.Call, 0))/1000)
	p.buf = binary.AppendUvarint(p.buf, uint64(row))
	p.buf = binary.AppendVarint(p.buf, op.Process-p.process)
	p.process = op.Process
	flags := map[history.Outcome]byte{history.OK: 0, history.Fail: 1}
	look, known := flags[op.Outcome]
	if !known {
		look = 2
	}
	if op.Tells() {
		look |= 4
	}
	if op.Final {
		look |= 8
	}
	for i := range p.sought {
		if p.sought[i].holds(op, mono) {
			look |= soughtBit << i
		}
	}
	f := p.function(op.Func)
	p.buf = append(p.buf, look, byte(f))
	p.buf = binary.AppendUvarint(p.buf, uint64(p.nodes[op.Node]))
	p.buf = binary.AppendUvarint(p.buf, p.text(op.Error))
	p.data = p.data[:0]
	for i, names := range p.log.Funcs[f].names {
		if i == 1 && !op.Tells() {
			break
		}
		for _, name := range names {
			left := history.ShownValues
			p.put(op.Data(name), &left)
		}
	}
	p.buf = binary.AppendUvarint(p.buf, uint64(len(p.data)))
	p.buf = append(p.buf, p.data...)
}

// The kinds of data in the packed form. What is above is a string: its text more
// than packedText.
const (
	packedNone = iota
	packedNull
	packedTrue
	packedFalse
	packedNumber
	packedList
	packedObject
	packedText
)

// put appends a piece of data, of values in others no more than are left to be
// shown, and one that stands for the rest.
func (p *packer) put(d history.Data, left *int) {
	switch {
	case d == "":
		p.data = append(p.data, packedNone)
	case d == history.Null:
		p.data = append(p.data, packedNull)
	case d == history.True:
		p.data = append(p.data, packedTrue)
	case d == history.False:
		p.data = append(p.data, packedFalse)
	case d[0] == '"':
		s, _ := d.Text()
		p.data = binary.AppendUvarint(p.data, packedText+p.text(s))
	case d[0] == '[' || d[0] == '{':
		p.nested(d, left)
	default:
		p.data = binary.AppendUvarint(append(p.data, packedNumber), p.text(string(d)))
	}
}

// nested appends a list or an object: its kind, how many values are in it, and those.
func (p *packer) nested(d history.Data, left *int) {
	kind, n, at := byte(packedList), byte(0), len(p.data)+1
	p.data = append(p.data, 0, 0)
	more := func() bool {
		n++
		*left--
		return *left >= 0
	}
	for e := range d.Elements() {
		if !more() {
			p.data = append(p.data, packedNull)
			break
		}
		p.put(e, left)
	}
	if d[0] == '{' {
		kind = packedObject
	}
	for name, e := range d.Fields() {
		if !more() {
			p.data = append(p.data, 0, packedNull)
			break
		}
		p.data = binary.AppendUvarint(p.data, p.text(name))
		p.put(e, left)
	}
	p.data[at-1], p.data[at] = kind, n
}

// function is the number of a function; a history with too many has the rest
// under one name.
func (p *packer) function(f history.Func) int {
	const most = 200
	n, ok := p.funcs[f]
	switch {
	case ok:
		return n
	case len(p.log.Funcs) == most:
		p.log.Funcs = append(p.log.Funcs, newLogFunc(history.Function{Text: "other"}))
	case len(p.log.Funcs) > most:
		return most
	default:
		p.log.Funcs = append(p.log.Funcs, newLogFunc(p.does.Get(history.Func(plain.Clip(string(f), maxName)))))
	}
	p.funcs[f] = len(p.log.Funcs) - 1
	return p.funcs[f]
}

// text is twice a number, or twice the place of a text in the list and 1.
func (p *packer) text(s string) uint64 {
	if s != "" && '0' <= s[0] && s[0] <= '9' { // else each key costs an error that holds a copy of it
		if n, err := strconv.ParseUint(s, 10, 30); err == nil && strconv.FormatUint(n, 10) == s {
			return n << 1
		}
	}
	s = plain.Clip(s, maxName)
	n, ok := p.texts[s]
	if !ok {
		n = uint64(len(p.list))
		p.texts[s] = n
		p.list = append(p.list, s)
	}
	return n<<1 | 1
}

// deflate compresses for a DecompressionStream of the browser.
func deflate(data []byte) (template.HTML, error) {
	var out bytes.Buffer
	enc := base64.NewEncoder(base64.StdEncoding, &out)
	w, err := flate.NewWriter(enc, 5)
	if err != nil {
		return "", err
	}
	if _, err := w.Write(data); err != nil {
		return "", err
	}
	if err := w.Close(); err != nil {
		return "", err
	}
	err = enc.Close()
	return template.HTML(out.String()), err
}
