package history

import (
	"iter"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// How much of data is shown.
const (
	shownBytes = 40 // of a string or a number
	// ShownValues is how many values in others are shown, all in all.
	ShownValues = 40
)

// Tell says what an operation was to do and, where it was answered, what came of
// it: "write(k) ← 17", "read(k) → 17". The outcome is not told.
func (fs Functions) Tell(op *Op) string {
	f := fs.Get(op.Func)
	text := fill(f.Text, op)
	if op.Tells() {
		text += fill(f.Answer, op)
	}
	return text
}

// Tells reports whether the answer of an operation says more than that it succeeded.
func (op *Op) Tells() bool { return op.Outcome == OK && op.Out != "" && op.Out != True }

// fill puts an operation's data into a template.
func fill(template string, op *Op) string {
	var b strings.Builder
	for p := range Parts(template) {
		b.WriteString(p.Literal)
		if p.Name != "" {
			b.WriteString(op.Data(p.Name).Show())
		}
	}
	return b.String()
}

// Part is a part of a template: what stands as it is, and then the data of a name,
// such as "key" or "in.0"; "" after the last.
type Part struct{ Literal, Name string }

// Parts are those of a template.
func Parts(template string) iter.Seq[Part] {
	return func(yield func(Part) bool) {
		for template != "" {
			literal, rest, _ := strings.Cut(template, "{")
			name, after, whole := strings.Cut(rest, "}")
			if !whole {
				literal, name, after = template, "", ""
			}
			if !yield(Part{literal, name}) {
				return
			}
			template = after
		}
	}
}

// Data is the operation's data of a name in a template; "" when it has none.
func (op *Op) Data(name string) Data {
	root, path, nested := strings.Cut(name, ".")
	var d Data
	switch root {
	case "key":
		return Text(op.Key)
	case "in":
		d = op.In
	case "out":
		d = op.Out
	}
	for step := ""; nested && d != ""; {
		step, path, nested = strings.Cut(path, ".")
		d = d.At(step)
	}
	return d
}

// Show gives data as people read it (assets/timeline.js of package reports does the same): strings as Show does, null and no data as
// "nothing", a list as its elements in brackets, an object as names and values.
func (d Data) Show() string {
	p := dataPrinter{left: ShownValues}
	p.data(d)
	return string(p.buf)
}

// dataPrinter writes data for people.
type dataPrinter struct {
	buf  []byte
	left int // how many more values are shown
}

func (p *dataPrinter) data(d Data) {
	if d == "" || d == Null {
		p.add("nothing")
		return
	}
	switch d[0] {
	case '"':
		text, _ := d.Text()
		p.add(Show(text))
	case '[':
		p.add("[")
		n := 0
		for e := range d.Elements() {
			if !p.next(&n, " ") {
				break
			}
			p.data(e)
		}
		p.add("]")
	case '{':
		n := 0
		for name, value := range d.Fields() {
			if !p.next(&n, ", ") {
				break
			}
			p.add(Show(name) + " ")
			p.data(value)
		}
		if n == 0 {
			p.add("{}")
		}
	default:
		if len(d) > shownBytes {
			d = d[:shownBytes] + "…"
		}
		p.add(string(d))
	}
}

func (p *dataPrinter) add(text string) { p.buf = append(p.buf, text...) }

// next comes before each of the values in another, the n-th, and is false when no more are
// shown.
func (p *dataPrinter) next(n *int, separator string) bool {
	if *n > 0 {
		p.add(separator)
	}
	*n++
	if p.left == 0 {
		p.add("…")
		return false
	}
	p.left--
	return true
}

// Show gives a key or a string as it is when that is plain and short, quoted and
// shortened when it is not.
func Show(s string) string {
	odd := func(r rune) bool {
		return r == utf8.RuneError || r == '"' || !unicode.IsGraphic(r) || unicode.IsSpace(r)
	}
	if len(s) > shownBytes {
		end := 0
		for {
			_, size := utf8.DecodeRuneInString(s[end:])
			if end+size > shownBytes {
				return strconv.Quote(s[:end]) + "…"
			}
			end += size
		}
	}
	if s != "" && s != "nothing" && strings.IndexFunc(s, odd) < 0 {
		return s
	}
	return strconv.Quote(s)
}
