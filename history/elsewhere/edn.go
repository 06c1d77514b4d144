package elsewhere

import (
	"bufio"
	"errors"
	"io"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"squall/internal/plain"
)

// Bounds on what is read. Real histories are far below them.
const (
	mostBytes  = 1 << 30 // of a file
	mostDepth  = 64      // of collections within each other
	mostToken  = 1 << 20 // bytes of a string, a symbol, a number
	mostDigits = 1000    // of a number
	mostValues = 1 << 20 // in one operation, or one line
)

// kind is what an EDN value is.
type kind uint8

const (
	kindNil kind = iota
	kindBool
	kindInt   // text: digits, with a minus where it has one
	kindOther // another number or a character; text: as it was written
	kindString
	kindKeyword // text: with its colon
	kindSymbol
	kindVector // and lists, which equal vectors of the same elements
	kindSet
	kindMap // list: key, value, key, value, …
)

// value is an EDN value. Tags are left out: #inst "…" is the string.
type value struct {
	kind kind
	line int32
	text string
	list []value
}

func (v *value) isNil() bool { return v.kind == kindNil }

// ednReader reads EDN values one by one.
type ednReader struct {
	r      *bufio.Reader
	line   int // of the next byte
	bytes  int64
	values int // in the value at hand
	began  int // its line
	peeked int // a byte, or -1 for none, -2 at the end
}

func newEDN(r io.Reader) *ednReader {
	size := 64 << 10
	if s, short := r.(*strings.Reader); short {
		size = min(size, s.Len()+1)
	}
	return &ednReader{r: bufio.NewReaderSize(r, size), line: 1, peeked: -1}
}

const ended = -2

// peek is the next byte, or ended.
func (e *ednReader) peek() (int, error) {
	if e.peeked != -1 {
		return e.peeked, nil
	}
	b, err := e.r.ReadByte()
	switch {
	case err == io.EOF:
		e.peeked = ended
	case err != nil:
		return 0, err
	default:
		if e.bytes++; e.bytes > mostBytes {
			return 0, damaged(e.line, "the file is larger than %d MiB", mostBytes>>20)
		}
		e.peeked = int(b)
	}
	return e.peeked, nil
}

// take goes past the byte that peek gave.
func (e *ednReader) take() {
	if e.peeked == '\n' {
		e.line++
	}
	if e.peeked != ended {
		e.peeked = -1
	}
}

func (e *ednReader) cut(in string) error {
	return damaged(e.line, "the file ends within %s, which begins on line %d: it was cut off", in, e.began)
}

// blanks goes past what stands between values.
func (e *ednReader) blanks() (next int, err error) {
	for {
		c, err := e.peek()
		switch {
		case err != nil:
			return 0, err
		case c == ';':
			for c != '\n' && c != ended {
				e.take()
				if c, err = e.peek(); err != nil {
					return 0, err
				}
			}
		case c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == ',' || c == '\f':
			e.take()
		default:
			return c, nil
		}
	}
}

// errNothing says that there are no more values.
var errNothing = errors.New("no more values")

// next reads a value that stands in no other one; errNothing at the end.
func (e *ednReader) next() (value, error) {
	for {
		c, err := e.blanks()
		if err != nil {
			return value{}, err
		}
		if c == ended {
			return value{}, errNothing
		}
		e.values, e.began = 0, e.line
		v, skipped, err := e.value(0)
		if err != nil || !skipped {
			return v, err
		}
	}
}

// value reads the value that begins here. skipped says that it was to be left out: #_ 1.
func (e *ednReader) value(depth int) (v value, skipped bool, err error) {
	if e.values++; e.values > mostValues {
		return v, false, damaged(e.line, "more than %d values in one, which begins on line %d", mostValues, e.began)
	}
	if depth > mostDepth {
		return v, false, damaged(e.line, "values stand more than %d deep in each other", mostDepth)
	}
	v.line = int32(e.line)
	c, err := e.peek()
	if err != nil {
		return v, false, err
	}
	switch c {
	case ended:
		return v, false, e.cut("a value")
	case '"':
		v.kind = kindString
		v.text, err = e.str()
	case '[':
		v.kind = kindVector
		v.list, err = e.until(']', depth)
	case '(':
		v.kind = kindVector
		v.list, err = e.until(')', depth)
	case '{':
		v.kind = kindMap
		if v.list, err = e.until('}', depth); err == nil && len(v.list)%2 != 0 {
			err = damaged(int(v.line), "a map has a key without a value")
		}
	case '#':
		e.take()
		return e.dispatch(v, depth)
	case ')', ']', '}':
		err = damaged(e.line, "there is a %q that nothing opened", rune(c))
	default:
		return e.token(v)
	}
	return v, false, err
}

// dispatch reads what follows a #.
func (e *ednReader) dispatch(v value, depth int) (value, bool, error) {
	c, err := e.peek()
	if err != nil {
		return v, false, err
	}
	switch c {
	case '{':
		v.kind = kindSet
		v.list, err = e.until('}', depth)
		return v, false, err
	case '#': // ##NaN
		e.take()
		v.kind = kindOther
		word, err := e.word()
		if v.text = "##" + word; err == nil && word != "NaN" && word != "Inf" && word != "-Inf" {
			err = damaged(int(v.line), "there is no number %s", plain.Excerpt([]byte(v.text)))
		}
		return v, false, err
	}
	skips := c == '_'
	if skips {
		e.take()
	} else if tag, err := e.word(); err != nil || tag == "" {
		if err == nil {
			err = damaged(e.line, "a # without a tag")
		}
		return v, false, err
	}
	for {
		if c, err := e.blanks(); err != nil {
			return v, false, err
		} else if c == ended {
			return v, false, e.cut("a tagged value")
		}
		tagged, skipped, err := e.value(depth + 1)
		if err != nil || !skipped {
			return tagged, skips, err
		}
	}
}

// until reads the values of a collection.
func (e *ednReader) until(end int, depth int) (list []value, err error) {
	begin := e.line
	e.take()
	for {
		c, err := e.blanks()
		switch {
		case err != nil:
			return nil, err
		case c == ended:
			return nil, damaged(e.line, "the file ends within a collection that begins on line %d: it was cut off", begin)
		case c == end:
			e.take()
			return list, nil
		}
		v, skipped, err := e.value(depth + 1)
		if err != nil {
			return nil, err
		}
		if !skipped {
			list = append(list, v)
		}
	}
}

// str reads a string.
func (e *ednReader) str() (string, error) {
	begin := e.line
	var b strings.Builder
	high := rune(0) // the first half of a pair that was just read
	for e.take(); ; e.take() {
		c, err := e.peek()
		switch {
		case err != nil:
			return "", err
		case c == ended:
			return "", damaged(e.line, "the file ends within a string that begins on line %d: it was cut off", begin)
		case b.Len() >= mostToken:
			return "", damaged(begin, "a string of more than %d bytes", mostToken)
		}
		if c == '\\' {
			e.take()
			if high, err = e.escape(&b, high); err != nil {
				return "", err
			}
			continue
		}
		if high != 0 {
			b.WriteRune(utf8.RuneError) // half of a pair is no character
			high = 0
		}
		if c == '"' {
			e.take()
			return b.String(), nil
		}
		b.WriteByte(byte(c))
	}
}

// escape reads what follows a backslash in a string, all but its last byte. high is the first
// half of a pair of \u that stands before it; 0: none.
func (e *ednReader) escape(b *strings.Builder, high rune) (rune, error) {
	c, err := e.peek()
	if err != nil {
		return 0, err
	}
	r := rune(0)
	if c == 'u' {
		if r, err = e.hex(); err != nil {
			return 0, err
		}
	}
	if pair := utf16.DecodeRune(high, r); high != 0 && pair != utf8.RuneError {
		b.WriteRune(pair)
		return 0, nil
	}
	if high != 0 {
		b.WriteRune(utf8.RuneError)
	}
	at := strings.IndexByte(`tnrbf\"/'`, byte(c))
	switch {
	case c == 'u' && r >= 0xd800 && r < 0xdc00:
		return r, nil
	case c == 'u' && r >= 0xdc80 && r <= 0xdcff: // a byte that is not UTF-8, as quoteEDN writes it
		b.WriteByte(byte(r))
	case c == 'u':
		b.WriteRune(r)
	case c >= 0 && at >= 0:
		b.WriteByte("\t\n\r\b\f\\\"/'"[at])
	default:
		return 0, damaged(e.line, "a string has a backslash before something that it cannot stand before")
	}
	return 0, nil
}

// hex reads the four digits of \uXXXX, all but the last.
func (e *ednReader) hex() (r rune, err error) {
	for range 4 {
		e.take()
		c, err := e.peek()
		if err != nil {
			return 0, err
		}
		digit := strings.IndexByte("0123456789abcdef0123456789ABCDEF", byte(c))
		if c < 0 || digit < 0 {
			return 0, damaged(e.line, `a string has a \u without four hexadecimal digits`)
		}
		r = r<<4 | rune(digit%16)
	}
	return r, nil
}

// word reads the characters of a symbol, a keyword or a number.
func (e *ednReader) word() (string, error) {
	var b strings.Builder
	for {
		c, err := e.peek()
		if err != nil {
			return "", err
		}
		if c < 0 || strings.IndexByte(" \t\n\r\f,;\"()[]{}", byte(c)) >= 0 {
			break
		}
		if b.Len() >= mostToken {
			return "", damaged(e.line, "a word of more than %d bytes", mostToken)
		}
		b.WriteByte(byte(c))
		e.take()
	}
	if w := b.String(); utf8.ValidString(w) {
		return w, nil
	}
	return "", damaged(e.line, "a word that is not UTF-8: %s", plain.Excerpt([]byte(b.String())))
}

// token reads a word and says what it is.
func (e *ednReader) token(v value) (value, bool, error) {
	if e.peeked == '\\' { // a character, which may be a bracket
		e.take()
		c, err := e.peek()
		if err != nil {
			return v, false, err
		}
		if c < 0 {
			return v, false, e.cut("a character")
		}
		e.take()
		rest, err := e.word()
		v.kind, v.text = kindOther, `\`+string([]byte{byte(c)})+rest
		if err == nil && !utf8.ValidString(v.text) {
			err = damaged(int(v.line), "a character that is not UTF-8")
		}
		return v, false, err
	}
	w, err := e.word()
	if err != nil {
		return v, false, err
	}
	v.text = w
	switch {
	case w == "nil":
		v.kind, v.text = kindNil, ""
	case w == "true" || w == "false":
		v.kind = kindBool
	case w[0] == ':':
		if v.kind = kindKeyword; len(w) == 1 {
			err = damaged(int(v.line), "a keyword without a name")
		}
	case beginsNumber(w):
		var fine bool
		if v.kind, v.text, fine = number(w); !fine {
			err = damaged(int(v.line), "%s begins like a number, and is none", plain.Excerpt([]byte(w)))
		}
	default:
		v.kind = kindSymbol
	}
	return v, false, err
}
