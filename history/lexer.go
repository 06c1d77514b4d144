package history

import (
	"bytes"
	"math"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// lexer reads the JSON that this package writes: one object a line, without
// spaces. It gives up (ok=false) on anything else, and the caller then
// asks encoding/json, which either knows better or has the error message.
type lexer struct {
	b []byte
	i int
}

// key returns the next key and steps over its colon; more=false at the closing
// brace, after which nothing may follow.
func (l *lexer) key() (key []byte, more, ok bool) {
	if l.i >= len(l.b) {
		return nil, false, false
	}
	switch l.b[l.i] {
	case '}':
		return nil, false, l.i > 0 && l.i == len(l.b)-1
	case '{':
		if l.i != 0 {
			return nil, false, false
		}
	case ',':
		if l.i == 0 {
			return nil, false, false
		}
	default:
		return nil, false, false
	}
	l.i++
	key, escaped, ok := l.quoted()
	if !ok || escaped || l.i >= len(l.b) || l.b[l.i] != ':' {
		return nil, false, false
	}
	l.i++
	return key, true, true
}

// quoted returns the bytes between the quotes of the string that begins here.
func (l *lexer) quoted() (s []byte, escaped, ok bool) {
	if l.i >= len(l.b) || l.b[l.i] != '"' {
		return nil, false, false
	}
	l.i++
	for start := l.i; l.i < len(l.b); l.i++ {
		switch c := l.b[l.i]; {
		case c == '"':
			s = l.b[start:l.i]
			l.i++
			return s, escaped, true
		case c == '\\':
			escaped = true
			l.i++
		case c < 0x20:
			return nil, false, false
		}
	}
	return nil, false, false
}

// text returns the string that begins here, unescaped. The result may share
// the line's memory.
func (l *lexer) text() ([]byte, bool) {
	s, escaped, ok := l.quoted()
	if !ok || !escaped {
		return s, ok
	}
	return unescape(s)
}

// word steps over w if it stands here.
func (l *lexer) word(w string) bool {
	if len(l.b)-l.i < len(w) || string(l.b[l.i:l.i+len(w)]) != w {
		return false
	}
	l.i += len(w)
	return true
}

// digits returns the unsigned number that begins here.
func (l *lexer) digits() (n uint64, ok bool) {
	start := l.i
	for ; l.i < len(l.b); l.i++ {
		c := l.b[l.i] - '0'
		if c > 9 {
			break
		}
		if n > (math.MaxUint64-uint64(c))/10 {
			return 0, false
		}
		n = n*10 + uint64(c)
	}
	if l.i == start || (l.b[start] == '0' && l.i-start > 1) {
		return 0, false // JSON knows no leading zeros
	}
	return n, true
}

// integer returns the signed number that begins here.
func (l *lexer) integer() (int64, bool) {
	negative := l.word("-")
	n, ok := l.digits()
	switch {
	case !ok:
		return 0, false
	case negative && n <= 1<<63:
		return -int64(n), true // -2^63 included: its negation is itself
	case !negative && n <= math.MaxInt64:
		return int64(n), true
	}
	return 0, false
}

// data returns the text of the JSON value that begins here, in the form that Data
// has. The result may share the line's memory.
func (l *lexer) data() ([]byte, bool) {
	start := l.i
	if l.plain(0) {
		return l.b[start:l.i], true
	}
	l.i = start
	return l.canonical(nil, 0)
}

// plain steps over a value that is in the form that Data has, and in which that is
// seen at once: without escapes, and all of it ASCII.
func (l *lexer) plain(depth int) bool {
	if l.i >= len(l.b) {
		return false
	}
	switch c := l.b[l.i]; c {
	case '"':
		for i := l.i + 1; i < len(l.b); i++ {
			switch c := l.b[i]; {
			case c == '"':
				l.i = i + 1
				return true
			case c == '\\', c < 0x20, c >= utf8.RuneSelf:
				return false
			}
		}
		return false
	case '[', '{':
		end := c + 2 // of both kinds
		l.i++
		for first := true; !l.word(string(end)); first = false {
			if depth == maxNested || !first && !l.word(",") {
				return false
			}
			if c == '{' && !(l.i < len(l.b) && l.b[l.i] == '"' && l.plain(depth) && l.word(":")) {
				return false
			}
			if !l.plain(depth + 1) {
				return false
			}
		}
		return true
	}
	return l.word("null") || l.word("true") || l.word("false") || l.number()
}

// canonical appends the value that begins here, after spaces, in the form that Data has.
func (l *lexer) canonical(buf []byte, depth int) ([]byte, bool) {
	l.spaces()
	if l.i >= len(l.b) {
		return nil, false
	}
	start := l.i
	switch c := l.b[l.i]; c {
	case '"':
		s, ok := l.text()
		return appendString(buf, string(s)), ok
	case '[', '{':
		l.i++
		return l.nested(append(buf, c), c+2, depth+1)
	}
	ok := l.word("null") || l.word("true") || l.word("false") || l.number()
	return append(buf, l.b[start:l.i]...), ok
}

// nested appends what stands in a list or an object, up to its end.
func (l *lexer) nested(buf []byte, end byte, depth int) (_ []byte, ok bool) {
	for first := true; ; first = false {
		l.spaces()
		switch {
		case l.word(string(end)):
			return append(buf, end), true
		case depth > maxNested:
			return nil, false
		case first:
		case !l.word(","):
			return nil, false
		default:
			buf = append(buf, ',')
		}
		if end == '}' {
			l.spaces()
			s, ok := l.text()
			if !ok {
				return nil, false
			}
			buf = append(appendString(buf, string(s)), ':')
			if l.spaces(); !l.word(":") {
				return nil, false
			}
		}
		if buf, ok = l.canonical(buf, depth); !ok {
			return nil, false
		}
	}
}

func (l *lexer) spaces() {
	for l.i < len(l.b) && (l.b[l.i] == ' ' || l.b[l.i] == '\t' || l.b[l.i] == '\n' || l.b[l.i] == '\r') {
		l.i++
	}
}

// number steps over any number of JSON.
func (l *lexer) number() bool {
	l.word("-")
	whole := l.i
	if !l.decimals() || l.b[whole] == '0' && l.i-whole > 1 {
		return false
	}
	if l.word(".") && !l.decimals() {
		return false
	}
	if l.word("e") || l.word("E") {
		if !l.word("+") {
			l.word("-")
		}
		return l.decimals()
	}
	return true
}

// decimals steps over digits; false when there are none.
func (l *lexer) decimals() bool {
	start := l.i
	for l.i < len(l.b) && l.b[l.i]-'0' <= 9 {
		l.i++
	}
	return l.i > start
}

// unescape undoes the escapes of a JSON string. \udcXX on its own, with XX of
// 80 and above, is the byte XX; any other half of a surrogate pair that lacks
// its partner is U+FFFD, as in encoding/json.
func unescape(s []byte) ([]byte, bool) {
	out := make([]byte, 0, len(s))
	for {
		i := bytes.IndexByte(s, '\\')
		if i < 0 {
			return append(out, s...), true
		}
		out = append(out, s[:i]...)
		s = s[i+1:]
		if len(s) == 0 {
			return nil, false
		}
		c := s[0]
		s = s[1:]
		switch c {
		case '"', '\\', '/':
			out = append(out, c)
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'u':
			r, ok := hex4(s)
			if !ok {
				return nil, false
			}
			s = s[4:]
			if utf16.IsSurrogate(r) {
				out, s = unescapeSurrogate(out, s, r)
			} else {
				out = utf8.AppendRune(out, r)
			}
		default:
			return nil, false
		}
	}
}

// unescapeSurrogate appends what the surrogate r, followed by the still
// escaped s, stands for, and returns what is left of s.
func unescapeSurrogate(out, s []byte, r rune) (appended, rest []byte) {
	if r >= 0xdc80 && r <= 0xdcff {
		return append(out, byte(r)), s
	}
	if len(s) >= 6 && s[0] == '\\' && s[1] == 'u' {
		if low, ok := hex4(s[2:]); ok {
			if both := utf16.DecodeRune(r, low); both != utf8.RuneError {
				return utf8.AppendRune(out, both), s[6:]
			}
		}
	}
	return utf8.AppendRune(out, utf8.RuneError), s
}

func hex4(s []byte) (rune, bool) {
	if len(s) < 4 {
		return 0, false
	}
	n, err := strconv.ParseUint(string(s[:4]), 16, 16)
	return rune(n), err == nil
}
