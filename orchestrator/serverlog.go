package orchestrator

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"squall/internal/regular"
)

// Bounds of the log of a machine, in bytes: its beginning and its end are kept.
const (
	maxLogHead = 63 << 20
	maxLogTail = 1 << 20
)

// boundedLog is the log of a machine, on disk. Beyond its head only the last that
// was written is kept, in memory until Close. One goroutine may use it at a time.
type boundedLog struct {
	f          *os.File
	head, tail int64  // bounds
	wrote      int64  // to the file
	last       []byte // a ring, once it has grown to the tail's bound
	next       int64  // where the ring goes on
	beyond     int64  // bytes that came after the head
	full       func() // is called once, when the head is full; may be nil
}

// newBoundedLog makes the log at path.
func newBoundedLog(path string, full func()) (*boundedLog, error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	return &boundedLog{f: f, head: maxLogHead, tail: maxLogTail, full: full}, nil
}

// Write never fails for want of room in the log.
func (l *boundedLog) Write(p []byte) (int, error) {
	n := len(p)
	if room := l.head - l.wrote; room > 0 {
		now := p[:min(int64(n), room)]
		wrote, err := l.f.Write(now)
		l.wrote += int64(wrote)
		if err != nil {
			return wrote, err
		}
		p = p[len(now):]
	}
	if len(p) > 0 {
		if l.beyond == 0 {
			if _, err := fmt.Fprintf(l.f, "\n[squall: the log is longer than %d MiB; of what follows only the end is kept]\n", l.head>>20); err != nil {
				return n - len(p), err
			}
			if l.full != nil {
				l.full()
			}
		}
		l.keep(p)
	}
	return n, nil
}

// keep puts what came last into the ring.
func (l *boundedLog) keep(p []byte) {
	l.beyond += int64(len(p))
	p = p[max(0, int64(len(p))-l.tail):]
	if grow := min(int64(len(p)), l.tail-int64(len(l.last))); grow > 0 {
		l.last = append(l.last, p[:grow]...)
		p = p[grow:]
	}
	for len(p) > 0 {
		n := copy(l.last[l.next:], p)
		p = p[n:]
		l.next = (l.next + int64(n)) % l.tail
	}
}

// Close writes the end of the log and closes the file.
func (l *boundedLog) Close() error {
	var err error
	if l.beyond > 0 {
		if left := l.beyond - int64(len(l.last)); left > 0 {
			_, err = fmt.Fprintf(l.f, "[squall: %d bytes of log left out]\n", left)
		}
		for _, part := range [][]byte{l.last[l.next:], l.last[:l.next]} {
			if err == nil {
				_, err = l.f.Write(part)
			}
		}
		l.beyond, l.last = 0, nil
	}
	return errors.Join(err, l.f.Close())
}

// lastLines are the end of a log, to be added to an error: each on a line of
// its own, "" when there are none.
func lastLines(path string) string {
	const lines, bytes = 10, 4 << 10
	f, err := regular.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil {
		_, _ = f.Seek(max(0, info.Size()-bytes), io.SeekStart) // else from the beginning
	}
	text, err := io.ReadAll(io.LimitReader(f, bytes))
	if err != nil {
		return ""
	}
	end := strings.TrimSpace(strings.ToValidUTF8(string(text), "?"))
	if end == "" {
		return ""
	}
	all := strings.Split(end, "\n")
	return "; its last lines:\n" + strings.Join(all[max(0, len(all)-lines):], "\n")
}
