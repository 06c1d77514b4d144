package elsewhere

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"squall/history"
	"squall/internal/plain"
	"squall/internal/regular"
)

// Recognise says by its contents how the history at path is written. A file that is none is
// a *Damage.
func Recognise(path string) (Format, error) {
	f, err := regular.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	return recogniseFile(f)
}

var (
	zstdFrame     = []byte{0x28, 0xb5, 0x2f, 0xfd}
	skippable     = []byte{0x2a, 0x4d, 0x18} // of a skippable frame, behind its first byte
	squallHeader  = regexp.MustCompile(`^\{[^\n]*"format"\s*:\s*"squall-history"`)
	jsonObjects   = regexp.MustCompile(`^\[\s*(\{\s*"|\])`)
	textHistory   = regexp.MustCompile(`(?m)^(\d+|:nemesis)\s*:(invoke|ok|fail|info)\s`)
	logLine       = regexp.MustCompile(`(?m)^.*\bjepsen\.util\b.*$`)
	looksLikeALog = regexp.MustCompile(`(?m)^(INFO|WARN|ERROR|DEBUG|\d{4}-\d\d-\d\d|\[?\w+ \d)`)
)

// recogniseFile looks at the beginning of a file, and leaves it at its begin.
func recogniseFile(f *os.File) (Format, error) {
	head := make([]byte, 256<<10)
	n, err := io.ReadFull(f, head)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return "", err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	head = head[:n]
	if bytes.HasPrefix(head, zstdFrame) || len(head) > 4 && head[0]&0xf0 == 0x50 && bytes.Equal(head[1:4], skippable) {
		return FormatSquall, nil
	}
	text := bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\ufeff")), " \t\r\n,")
	switch {
	case len(text) == 0:
		return "", damaged(0, "it is empty")
	case bytes.HasPrefix(text, []byte("JEPSEN")):
		return "", damaged(0, "it is Jepsen's own binary file; check the history.edn or history.txt beside it")
	case squallHeader.Match(text):
		return FormatSquall, nil
	case jsonObjects.Match(text):
		return FormatPorcupine, nil
	case textHistory.Match(text) && (isDigit(text[0]) || text[0] == ':'):
		return FormatText, nil
	}
	switch first(text) {
	case '{', '#':
		return FormatEDN, nil
	case '[', '(':
		if !looksLikeALog.Match(text) {
			return FormatEDNVector, nil
		}
	}
	if logLine.Match(text) || looksLikeALog.Match(text) {
		return FormatLog, nil
	}
	return "", damaged(1, "it is no history that squall knows: %s", plain.Excerpt(text))
}

// first is the byte with which EDN begins, behind comments.
func first(text []byte) byte {
	for len(text) > 0 && text[0] == ';' {
		_, rest, _ := bytes.Cut(text, []byte("\n"))
		text = bytes.TrimLeft(rest, " \t\r\n,")
	}
	if len(text) == 0 {
		return '{'
	}
	return text[0]
}

// How says in which format the history is, and whose it is where that can be seen.
func (m *Imported) How() string {
	if m.Format == FormatEDN || m.Format == FormatEDNVector {
		switch m.Object {
		case KV:
			return "porcupine's key-value test data (" + string(m.Format) + ")"
		case ListAppend:
			return "Elle's list append (" + string(m.Format) + ")"
		}
	}
	return string(m.Format)
}

// Read reads the history at path, in any format but squall's own. What is wrong with it is a
// *Damage, what must be said of it a *ChoiceError.
func Read(path string, opts Options) (*Imported, error) {
	f, err := regular.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	format, err := recogniseFile(f)
	if err != nil {
		return nil, err
	}
	return read(f, format, opts)
}

func read(r io.Reader, format Format, opts Options) (*Imported, error) {
	m := &Imported{Format: format, lines: map[place]int{}}
	if opts.Object != "" {
		name, err := ObjectNamed(opts.Object)
		if err != nil {
			return nil, err
		}
		opts.Object = name
	}
	var in events
	switch format {
	case FormatPorcupine:
		return m, m.readPorcupine(r, opts)
	case FormatEDN, FormatEDNVector:
		edn, err := newMapEvents(r)
		if err != nil {
			return nil, err
		}
		in = edn
	case FormatLog, FormatText:
		in = newLineEvents(r, format == FormatLog)
	default:
		return nil, fmt.Errorf("a %s is not read like those from elsewhere", format)
	}
	p, err := readPairs(in)
	if err != nil {
		return nil, err
	}
	m.Events, m.Nemesis, m.Timed, m.Renumbered = len(p.moments), len(p.faults), p.timed, p.renumber()
	return m, m.build(p, opts)
}

// build makes a history of operations.
func (m *Imported) build(p *pairs, opts Options) error {
	if err := m.splitKeys(p.calls); err != nil {
		return err
	}
	o := find(opts.Object)
	if opts.Object == "" {
		var err error
		if o, err = recognise(p.calls); err != nil {
			return err
		}
	}
	m.Object = o.name
	t := &translator{nilUnknown: opts.NilUnknown}
	var err error
	if t.initial, err = parseInitial(opts.Initial); err != nil {
		return err
	}
	h := m.begin(o)
	for _, c := range p.calls {
		if !slices.Contains(o.funcs, c.begin.f) {
			return choice("line %d: there is no operation %s of a %s, which has %s", c.begin.line, plain.Excerpt([]byte(c.begin.f)), o.name, strings.Join(o.funcs, ", "))
		}
		if !m.Keyed {
			c.key = o.name
		}
		op := history.Op{Process: c.process, Node: nodeOf(c.process), Key: c.key, Outcome: c.outcome, Call: c.at, Return: c.ret}
		if c.outcome != history.OK {
			op.Error = reasonOf(c)
		}
		switch err := o.translate(t, c, &op); {
		case errors.Is(err, errSilent):
			continue
		case err != nil:
			return err
		}
		if op.Outcome != history.OK {
			op.Out = ""
		}
		m.lines[place{op.Process, op.Call}] = int(c.begin.line)
		h.Ops = append(h.Ops, op)
	}
	m.Silent = t.silent
	h.Faults = faultsOf(p)
	return m.begins(o, t)
}

// begin makes the history's header.
func (m *Imported) begin(o object) *history.History {
	m.History = &history.History{Header: history.Header{
		Format: "squall-history", Version: history.FormatVersion, Test: "elsewhere", System: "elsewhere", Workload: o.name, Functions: o.functions(),
	}}
	if !m.Keyed {
		for i := range m.History.Functions {
			f := &m.History.Functions[i]
			f.Text = strings.Replace(f.Text, "({key})", "", 1)
		}
	}
	return m.History
}

// nodeOf is what stands for a node: nothing tells which one a client spoke to.
func nodeOf(process int64) string { return "p" + strconv.FormatInt(process, 10) }

// initialNode stands for the client that wrote what objects hold at first.
const initialNode = "initial"

// begins puts before the history what its objects hold at first.
func (m *Imported) begins(o object, t *translator) error {
	h := m.History
	sorted(h.Ops)
	if t.initial == nil {
		return nil
	}
	if o.initial == nil {
		return choice("--initial: what a %s holds at first cannot be said", o.name)
	}
	first, err := o.initial(t, t.initial)
	if err != nil {
		return err
	}
	var keys []string
	seen := map[string]bool{}
	for i := range h.Ops {
		if key := h.Ops[i].Key; !seen[key] {
			seen[key] = true
			keys = append(keys, key)
		}
	}
	process := int64(0)
	for i := range h.Ops {
		process = max(process, h.Ops[i].Process+1)
	}
	var ops []history.Op
	for _, key := range keys {
		for i, op := range first { // in this order, for what keeps one
			at := int64(2 * (i + 1 - len(first)))
			op.Process, op.Node, op.Key, op.Outcome, op.Call, op.Return = process, initialNode, key, history.OK, at, at+1
			ops = append(ops, op)
			process++
		}
	}
	h.Ops = append(ops, h.Ops...)
	return nil
}

// parseInitial reads what objects hold at first; nil for nothing.
func parseInitial(text string) (*value, error) {
	if text == "" {
		return nil, nil
	}
	edn := newEDN(strings.NewReader(text))
	v, err := edn.next()
	if err == nil {
		if _, more := edn.next(); more != errNothing {
			err = errors.New("more than one value")
		}
	}
	if wrong := new(Damage); errors.As(err, &wrong) {
		err = wrong.Err
	}
	if err != nil {
		return nil, choice("--initial: expected a value in EDN, such as 0, \"a\" or {:x 0, :y 0}: %w", err)
	}
	return &v, nil
}

// reasonOf is why an operation failed, or why its outcome is unknown.
func reasonOf(c *call) string {
	const most = 200
	switch {
	case c.end == nil:
		return history.ErrorUnderWay
	case c.end.err != nil:
		return plain.Clip(c.end.err.String(), most)
	case c.end.typ == typeInfo && c.out != nil && c.out.kind == kindKeyword: // of a log: :info :write :timed-out
		return plain.Clip(c.out.text[1:], most)
	}
	return ""
}

// faultsOf are the faults that the nemesis made, of start and stop: from the first event of
// either. What else it does is not known to have an end, and is left out.
func faultsOf(p *pairs) (out []history.Fault) {
	open := map[string]int{} // place in out of a fault in force
	for _, e := range p.faults {
		name, starts := strings.CutPrefix(e.f, "start")
		stopped, stops := strings.CutPrefix(e.f, "stop")
		switch {
		case starts:
			name = strings.Trim("nemesis"+name, "-")
			if _, is := open[name]; is {
				continue // the second event of the same
			}
			open[name] = len(out)
			out = append(out, history.Fault{Name: name, ID: len(out) + 1, Phase: history.Inject, Begin: e.at, End: e.at, Detail: detail(e.value)})
		case stops:
			name = strings.Trim("nemesis"+stopped, "-")
			begun, is := open[name]
			if !is {
				continue
			}
			delete(open, name)
			out = append(out, history.Fault{Name: name, ID: out[begun].ID, Phase: history.Heal, Begin: e.at, End: e.at})
		}
	}
	return out
}

func detail(v *value) string {
	if v == nil || v.isNil() {
		return ""
	}
	return plain.Clip(v.String(), 200)
}
