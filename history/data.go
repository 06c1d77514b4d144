package history

import (
	"fmt"
	"iter"
	"strings"
	"unicode/utf8"

	"squall/internal/plain"
)

// Data is one JSON value as its text; "" is none.
//
// The text has one form: no space between its parts, strings escaped as AppendOp
// does it, with bytes that are not UTF-8 written as \udcXX. So two strings are
// equal when their texts are. Numbers keep their digits, and objects the order of
// their keys.
type Data string

// The values that JSON has a word for.
const (
	Null  Data = "null"
	True  Data = "true"
	False Data = "false"
)

// maxNested is how deep lists and objects may stand in each other.
const maxNested = 32

// Text is a string as data.
func Text(s string) Data {
	var room [64]byte
	return Data(appendString(room[:0], s))
}

// List is a list of values as data.
func List(elements ...Data) Data {
	var room [64]byte
	buf := append(room[:0], '[')
	for i, e := range elements {
		if i > 0 {
			buf = append(buf, ',')
		}
		buf = append(buf, e...)
	}
	return Data(append(buf, ']'))
}

// Valid reports whether d is one JSON value in the form that data has. None is not.
func (d Data) Valid() bool {
	if d.plainText() || d == Null || d == True {
		return true // nearly all are
	}
	l := lexer{b: []byte(d)}
	text, ok := l.data()
	return ok && l.i == len(l.b) && string(text) == string(d)
}

// ParseData reads one JSON value, in whatever form JSON has for it.
func ParseData(text []byte) (Data, error) {
	l := lexer{b: text}
	l.spaces()
	value, ok := l.data()
	l.spaces()
	if !ok || l.i != len(text) {
		return "", fmt.Errorf("not one JSON value, with lists and objects nested %d deep at most: %s", maxNested, plain.Excerpt(text))
	}
	return Data(value), nil
}

// plainText reports whether d is a string that is written as it is.
func (d Data) plainText() bool {
	end := len(d) - 1
	if end < 1 || d[0] != '"' || d[end] != '"' {
		return false
	}
	for i := 1; i < end; i++ {
		if c := d[i]; c < 0x20 || c >= utf8.RuneSelf || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// Text is the string that d is; false when it is none.
func (d Data) Text() (string, bool) {
	if len(d) < 2 || d[0] != '"' {
		return "", false
	}
	inner := string(d[1 : len(d)-1])
	if strings.IndexByte(inner, '\\') < 0 {
		return inner, true
	}
	s, ok := unescape([]byte(inner))
	return string(s), ok
}

// Elements are those of the list that d is.
func (d Data) Elements() iter.Seq[Data] {
	return func(yield func(Data) bool) {
		if len(d) < 2 || d[0] != '[' {
			return
		}
		for rest := d[1 : len(d)-1]; rest != ""; {
			e := rest.first()
			if !yield(e) {
				return
			}
			rest = rest[min(len(e)+1, len(rest)):] // and its comma
		}
	}
}

// Fields are those of the object that d is, in their order.
func (d Data) Fields() iter.Seq2[string, Data] {
	return func(yield func(string, Data) bool) {
		if len(d) < 2 || d[0] != '{' {
			return
		}
		for rest := d[1 : len(d)-1]; rest != ""; {
			key := rest.first()
			rest = rest[min(len(key)+1, len(rest)):]
			value := rest.first()
			rest = rest[min(len(value)+1, len(rest)):]
			if name, _ := key.Text(); !yield(name, value) {
				return
			}
		}
	}
}

// At is an element of a list, from 0 on, or a field of an object; none when there is no such.
func (d Data) At(name string) Data {
	for field, value := range d.Fields() {
		if field == name {
			return value
		}
	}
	at := decimal(name)
	for e := range d.Elements() {
		if at == 0 {
			return e
		}
		at--
	}
	return ""
}

// decimal is a place in a list; -1 for what is none.
func decimal(s string) int {
	l := lexer{b: []byte(s)}
	n, ok := l.digits()
	if !ok || l.i != len(s) || n > maxLine {
		return -1
	}
	return int(n)
}

// first is the value that d, several values with commas or colons between them,
// begins with.
func (d Data) first() Data {
	depth := 0
	for i := 0; i < len(d); i++ {
		switch d[i] {
		case '"':
			for i++; i < len(d) && d[i] != '"'; i++ {
				if d[i] == '\\' {
					i++
				}
			}
		case '[', '{':
			depth++
			continue
		case ']', '}':
			depth--
		case ',', ':':
			if depth == 0 {
				return d[:i]
			}
			continue
		default:
			continue
		}
		if depth <= 0 {
			return d[:min(i+1, len(d))]
		}
	}
	return d
}
