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
	shownBytes  = 40 // of a string or a number
	shownValues = 40 // of all that stand in one
)

// Tell says what an operation was to do and, where it was answered, what came of
// it: "write(k) ← 17", "read(k) → 17". The outcome is not told.
// assets/timeline.js of package reports tells the same.
func (fs Functions) Tell(op *Op) string {
	i := fs.Index(op.Func)
	if i < 0 {
		return string(op.Func) + "(" + Show(op.Key) + ")"
	}
	text := fill(fs[i].Text, op)
	if op.Outcome == OK && op.Out != "" && op.Out != True {
		text += fill(fs[i].Answer, op)
	}
	return text
}

// fill puts an operation's data into a template.
func fill(template string, op *Op) string {
	var b strings.Builder
	for literal, name := range parts(template) {
		b.WriteString(literal)
		if name == "" {
			continue
		}
		root, path, nested := strings.Cut(name, ".")
		var d Data
		switch root {
		case "key":
			b.WriteString(Show(op.Key))
			continue
		case "in":
			d = op.In
		case "out":
			d = op.Out
		}
		for step := ""; nested && d != ""; {
			step, path, nested = strings.Cut(path, ".")
			d = d.At(step)
		}
		b.WriteString(d.Show())
	}
	return b.String()
}

// parts are those of a template: what stands as it is, and the name in the braces
// that follow; "" after the last.
func parts(template string) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for template != "" {
			literal, rest, _ := strings.Cut(template, "{")
			name, after, whole := strings.Cut(rest, "}")
			if !whole {
				literal, name, after = template, "", ""
			}
			if !yield(literal, name) {
				return
			}
			template = after
		}
	}
}

// Show gives data as people read it: strings as Show does, null and no data as
// "nothing", a list as its elements in brackets, an object as names and values.
func (d Data) Show() string {
	s := shower{left: shownValues}
	s.data(d)
	return string(s.buf)
}

// shower writes data for people.
type shower struct {
	buf  []byte
	left int // how many more values are shown
}

func (s *shower) data(d Data) {
	if d == "" || d == Null {
		s.add("nothing")
		return
	}
	switch d[0] {
	case '"':
		text, _ := d.Text()
		s.add(Show(text))
	case '[':
		s.add("[")
		n := 0
		for e := range d.Elements() {
			if !s.next(&n, " ") {
				break
			}
			s.data(e)
		}
		s.add("]")
	case '{':
		n := 0
		for name, value := range d.Fields() {
			if !s.next(&n, ", ") {
				break
			}
			s.add(Show(name) + " ")
			s.data(value)
		}
		if n == 0 {
			s.add("{}")
		}
	default:
		if len(d) > shownBytes {
			d = d[:shownBytes] + "…"
		}
		s.add(string(d))
	}
}

func (s *shower) add(text string) { s.buf = append(s.buf, text...) }

// next comes before each of the values in another, the n-th, and is false when no more are
// shown.
func (s *shower) next(n *int, separator string) bool {
	if *n > 0 {
		s.add(separator)
	}
	*n++
	if s.left == 0 {
		s.add("…")
		return false
	}
	s.left--
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
