package elsewhere

import (
	"bufio"
	"errors"
	"io"
	"regexp"
	"strings"

	"squall/internal/plain"
)

// lineEvents are the events of a text history ("0\t:invoke\t:read\tnil") or of a log that
// has such lines among others ("INFO  jepsen.util - 0 :invoke :read nil").
type lineEvents struct {
	scan  *bufio.Scanner
	names names
	line  int
	log   bool
	bytes int64
}

func newLineEvents(r io.Reader, log bool) *lineEvents {
	scan := bufio.NewScanner(r)
	scan.Buffer(make([]byte, 0, 64<<10), mostToken)
	return &lineEvents{scan: scan, names: names{}, log: log}
}

// logger is what stands before an operation in a log; with a time and a thread in newer ones:
// "INFO [2024-01-06 15:07:52,664] jepsen worker 0 - jepsen.util 0\t:invoke\t:read\tnil".
var logger = regexp.MustCompile(`\bjepsen\.util\b(?:\s+-)?\s*`)

// columns are process, type, function, and the rest: value and error.
var columns = regexp.MustCompile(`^(\d+|:nemesis)\s*(:\w+)\s+(:\S+)(.*)$`)

func (l *lineEvents) next() (event, error) {
	for l.scan.Scan() {
		l.line++
		if l.bytes += int64(len(l.scan.Bytes())); l.bytes > mostBytes {
			return event{}, damaged(l.line, "the file is larger than %d MiB", mostBytes>>20)
		}
		text := strings.TrimSpace(l.scan.Text())
		if l.log {
			at := logger.FindStringIndex(text)
			if at == nil {
				continue
			}
			// What else that logger says is no operation.
			if text = text[at[1]:]; text == "" || !isDigit(text[0]) && !strings.HasPrefix(text, ":nemesis") {
				continue
			}
		}
		if text == "" {
			continue
		}
		return l.event(text)
	}
	switch err := l.scan.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return event{}, damaged(l.line+1, "a line of more than %d bytes", mostToken)
	case err != nil:
		return event{}, err
	}
	return event{}, errNothing
}

func (l *lineEvents) event(text string) (event, error) {
	m := columns.FindStringSubmatch(text)
	if m == nil {
		return event{}, damaged(l.line, "this is no operation, which has a process, a type and a function: %s", plain.Excerpt([]byte(text)))
	}
	e := event{line: int32(l.line), typ: l.names.one(m[2][1:]), f: l.names.one(m[3][1:])}
	process := value{kind: kindKeyword, text: m[1]}
	if m[1] != ":nemesis" {
		var fine bool
		if process.kind, process.text, fine = number(m[1]); !fine {
			process.kind = kindOther
		}
	}
	if err := e.setProcess(&process); err != nil || e.nemesis {
		return e, err
	}
	edn := newEDN(strings.NewReader(m[4]))
	edn.line = l.line
	v, err := edn.next()
	switch {
	case err == errNothing:
		return e, nil
	case err != nil:
		if e.typ == typeInfo { // it may be the text of an error
			return e, nil
		}
		return e, err
	}
	e.value = &v
	if why, err := edn.next(); err == nil {
		e.err = &why
	}
	return e, nil
}
