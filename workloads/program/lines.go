package program

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"
	"unicode"

	"squall/internal/plain"
)

// maxLine bounds an answer, in bytes: as much as the history takes of an operation.
const maxLine = 1 << 20

// answers takes a program's standard output and hands on its lines.
type answers struct {
	p    *process
	part []byte // of a line whose end has not come yet
}

// Write never fails: a program that writes nonsense is killed, and what it still
// writes is thrown away.
func (a *answers) Write(data []byte) (int, error) {
	n := len(data)
	for len(data) > 0 {
		end := bytes.IndexByte(data, '\n')
		if len(a.part)+max(end, 0) > maxLine || end < 0 && len(a.part)+len(data) > maxLine {
			a.part = nil
			a.p.fail(fmt.Errorf("it wrote a line of more than %d KiB", maxLine>>10))
			return n, nil
		}
		if end < 0 {
			a.part = append(a.part, data...)
			return n, nil
		}
		line := data[:end]
		if len(a.part) > 0 {
			line = append(a.part, line...)
		}
		data = data[end+1:]
		if a.p.failure() != nil {
			return n, nil
		}
		if err := a.p.hand(line); err != nil {
			a.p.fail(err)
			return n, nil
		}
		a.part = a.part[:0]
	}
	return n, nil
}

// What is kept of a program's standard error.
const (
	maxLogged  = 1 << 20 // bytes in all, in the driver's log
	maxLogLine = 1 << 10 // bytes of a line there
	lastLines  = 5       // lines that an error quotes
	lastBytes  = 200     // bytes of each
	// maxStderr is how much a process may write to it at all, in bytes.
	maxStderr = 64 << 20
)

// logWriter puts lines into the driver's log, as many as it can hold. Each begins with
// what no line of the driver itself begins with.
type logWriter struct {
	mu      sync.Mutex
	w       io.Writer // nil: nobody reads it
	written int
	full    bool
}

// line is a line of the program.
func (l *logWriter) line(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.full {
		return
	}
	if l.written += len(text); l.written > maxLogged {
		l.full, text = true, "(squall: the client program wrote more than is kept)"
	}
	l.write(text)
}

// note is a line of squall's own.
func (l *logWriter) note(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.write("(squall: " + text + ")")
}

func (l *logWriter) write(text string) {
	if l.w != nil {
		_, _ = fmt.Fprintf(l.w, "client: %s\n", text) // a log that cannot be kept ends no test
	}
}

// tail takes a program's standard error, hands its lines to a log, and keeps the last
// ones.
type tail struct {
	to    *logWriter
	flood func() // called when it is more than maxStderr

	mu   sync.Mutex
	n    int64
	part []byte
	last []string
}

func (t *tail) Write(data []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := len(data)
	if t.n += int64(n); t.n > maxStderr {
		t.flood()
		return n, nil
	}
	for {
		line, rest, whole := bytes.Cut(data, []byte{'\n'})
		if room := maxLogLine - len(t.part); room > 0 {
			t.part = append(t.part, line[:min(room, len(line))]...)
		}
		if !whole {
			return n, nil
		}
		t.keep()
		data = rest
	}
}

// keep ends the line that was begun.
func (t *tail) keep() {
	text := strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, strings.ToValidUTF8(string(t.part), "?"))
	t.part = t.part[:0]
	t.to.line(text)
	if text = strings.TrimSpace(text); text == "" {
		return
	}
	text = plain.Clip(text, lastBytes)
	if len(t.last) == lastLines {
		t.last = t.last[1:]
	}
	t.last = append(t.last, text)
}

// text is the last lines.
func (t *tail) text() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.part) > 0 {
		t.keep()
	}
	return strings.Join(t.last, " | ")
}
