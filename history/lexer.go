package history

import (
	"bytes"
	"math"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// lexer reads the JSON that this package writes: one flat object a line,
// without spaces. It gives up (ok=false) on anything else, and the caller then
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
	key, escaped, ok := l.raw()
	if !ok || escaped || l.i >= len(l.b) || l.b[l.i] != ':' {
		return nil, false, false
	}
	l.i++
	return key, true, true
}

// raw returns the bytes between the quotes of the string that begins here.
func (l *lexer) raw() (s []byte, escaped, ok bool) {
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
	s, escaped, ok := l.raw()
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
