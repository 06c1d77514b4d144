package trace

import (
	"errors"
	"fmt"
	"io"
)

// Damage is the error of a trace that cannot be read on. What was read before it holds.
type Damage struct {
	Offset int64 // where the frame begins that is damaged, bytes from the start
	Reason string
}

func (d *Damage) Error() string {
	return fmt.Sprintf("the trace is damaged at byte %d: %s", d.Offset, d.Reason)
}

// Reader reads the events of one trace.
type Reader struct {
	r       io.Reader
	dec     Decoder
	buf     []byte
	at, end int   // what is left of buf
	offset  int64 // of buf[at]
	event   Event
	err     error
	ended   error // r has no more
}

// readAhead is how much a Reader reads at a time, and at least a whole frame, bytes.
const readAhead = 2 * (MaxFrame + 16)

// NewReader reads what a server wrote.
func NewReader(r io.Reader) *Reader { return &Reader{r: r, buf: make([]byte, readAhead)} }

// NewFileReader reads the file of a run, once it is unpacked: the boots of one node.
func NewFileReader(r io.Reader) *Reader {
	f := NewReader(r)
	f.dec.File = true
	return f
}

// Next returns the next event, which is valid until the call after. The error is io.EOF
// at the end, a *Damage, or that of the underlying reader; it stays the same from there on.
func (r *Reader) Next() (*Event, error) {
	for r.err == nil {
		n, err := r.dec.Next(r.buf[r.at:r.end], &r.event)
		switch {
		case err != nil:
			r.err = &Damage{r.offset, err.Error()}
		case n == 0:
			r.fill()
		default:
			r.at += n
			r.offset += int64(n)
			if r.event.Kind != 0 {
				return &r.event, nil
			}
		}
	}
	return nil, r.err
}

// fill reads more into buf, of which the rest of a frame is kept.
func (r *Reader) fill() {
	if r.ended != nil {
		r.finish()
		return
	}
	r.end = copy(r.buf, r.buf[r.at:r.end])
	r.at = 0
	n, err := io.ReadAtLeast(r.r, r.buf[r.end:], 1)
	r.end += n
	if err != nil {
		r.ended = err
	}
}

func (r *Reader) finish() {
	left := r.end - r.at
	switch {
	case !errors.Is(r.ended, io.EOF):
		r.err = fmt.Errorf("read a trace: %w", r.ended)
	case left > 0:
		r.err = &Damage{r.offset, fmt.Sprintf("it ends within a frame, of which there are %d bytes", left)}
	case !r.dec.begun:
		r.err = &Damage{0, "it is empty"}
	default:
		r.err = io.EOF
	}
}
