package plain

import (
	"bytes"
	"io"
	"os"
	"sync"
	"unicode/utf8"
)

// Writer is the last net before a terminal or a log: it lets texts, line ends and
// tabs through, shows the styles of In if there are to be any, and every other byte as an
// escape. A line that a runner of
// CI jobs would take for a command is broken up so that it is none:
//
//   - `::name …::` at the begin of a line, after any blanks (GitHub, Gitea)
//   - `##[name …]` and `##name[…` anywhere in a line (GitHub's older ones, Azure,
//     TeamCity)
//
// It is safe for use by several goroutines.
type Writer struct {
	to io.Writer

	mu      sync.Mutex
	color   bool   // styles are shown
	begun   bool   // the line at hand has more than blanks
	colon   bool   // the line at hand begins with one colon
	hashes  int    // how many # the line at hand ends with
	partial []byte // the begin of a character of which the rest is to come
}

// NewWriter is a Writer before to.
func NewWriter(to io.Writer) *Writer { return &Writer{to: to} }

// File is the file behind, nil when there is none: whether it is a terminal. What
// squall draws there with escape sequences of its own is written to it directly,
// of texts that were made safe before.
func (w *Writer) File() *os.File {
	f, _ := w.to.(*os.File)
	return f
}

// Under is what this writer writes to.
func (w *Writer) Under() io.Writer { return w.to }

// Write passes on what is safe of p.
func (w *Writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	text := p
	if len(w.partial) > 0 {
		text = append(w.partial, p...)
		w.partial = nil
	}
	var out bytes.Buffer
	for len(text) > 0 {
		if !utf8.FullRune(text) {
			w.partial = bytes.Clone(text)
			break
		}
		r, size := utf8.DecodeRune(text)
		w.one(&out, r, text[:size])
		text = text[size:]
	}
	if _, err := w.to.Write(out.Bytes()); err != nil {
		return 0, err
	}
	return len(p), nil
}

// one writes one character, given with its bytes.
func (w *Writer) one(out *bytes.Buffer, r rune, raw []byte) {
	if sequence, is := styled(r); is {
		if w.color {
			out.WriteString(sequence)
		}
		return
	}
	colon, hashes := w.colon, w.hashes
	w.colon, w.hashes = false, 0
	switch {
	case r == '\n':
		w.begun = false
	case r == '\t' || r == ' ':
	case r == utf8.RuneError && len(raw) == 1:
		w.begun = true
		writeHex(out, raw[0])
		return
	case !shows(r):
		w.begun = true
		out.WriteString(escape(r))
		return
	case r == ':' && colon:
		writeHex(out, ':')
		return
	case r == '#':
		w.begun, w.hashes = true, hashes+1
	case hashes >= 2 && beginsCommand(r):
		w.begun = true
		writeHex(out, raw[0])
		return
	default:
		w.colon = r == ':' && !w.begun
		w.begun = true
	}
	out.Write(raw)
}

// Block is s, of several lines that squall put together, as a Writer lets it
// through: for files that others print.
func Block(s string) string {
	var out bytes.Buffer
	w := NewWriter(&out)
	_, _ = w.Write([]byte(s)) // into memory, which takes it
	w.flush(&out)
	return out.String()
}

// flush shows the begin of a character whose rest never came.
func (w *Writer) flush(out *bytes.Buffer) {
	for _, b := range w.partial {
		writeHex(out, b)
	}
	w.partial = nil
}

func writeHex(out *bytes.Buffer, b byte) {
	const digits = "0123456789abcdef"
	out.WriteString(`\x`)
	out.WriteByte(digits[b>>4])
	out.WriteByte(digits[b&15])
}
