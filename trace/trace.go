// Package trace writes the trace of a Raft node for squall: one JSON line per event to
// the file descriptor that squall gives every server. With it, squall knows who leads,
// measures elections, aims faults at leaders, and checks Raft's own invariants.
// docs/trace.md of squall specifies the format and the checks.
//
// A server may keep the tracer in production: without squall, [Open] returns a nil
// *Tracer, on which every method does nothing.
//
//	tracer, err := trace.Open()
//	...
//	tracer.Write(trace.Event{Kind: trace.Vote, Term: 7, Vote: "n2"})
//
// One rule makes a trace worth having: an event is written before anything that depends
// on it leaves the node, and not before what a crash could still undo is durable. A vote,
// for example, is written once it is on disk, and before the candidate is told.
//
// The packages etcdraft and hashiraft beside this one write the events for
// go.etcd.io/raft/v3 and github.com/hashicorp/raft. This one needs nothing but Go's
// standard library.
package trace

import (
	"errors"
	"io"
	"sync"

	"squall/trace/internal/pipe"
)

// FDVar is the environment variable by which squall names the file descriptor of the
// trace.
const FDVar = "SQUALL_TRACE_FD"

// atomicWrite is how much a pipe takes in one piece (PIPE_BUF of Linux, bytes). Longer
// writes could be cut by a kill, or mixed with others.
const atomicWrite = 4096

// Tracer writes events. A nil Tracer writes none. It is safe for concurrent use.
type Tracer struct {
	clock pipe.Clock

	mu  sync.Mutex
	w   io.Writer
	err error // why the trace ended
	buf []byte
}

// Open returns the tracer of this process, or nil where squall did not start it. It is
// an error if the variable names something that is not the pipe of a trace. Children of
// the process do not inherit the descriptor.
func Open() (*Tracer, error) {
	f, err := pipe.Open(FDVar, "trace")
	if f == nil {
		return nil, err
	}
	return New(f)
}

// New returns a tracer that writes to w. [Open] is for servers; this is for their tests.
func New(w io.Writer) (*Tracer, error) {
	if w == nil {
		return nil, errors.New("trace: no writer")
	}
	clock, err := pipe.NewClock()
	if err != nil {
		return nil, err
	}
	return &Tracer{clock: clock, w: w}, nil
}

// Write writes events, all of this moment, in their order. They have been written when
// it returns. If writing fails, the trace ends there, and squall sees that it did.
func (t *Tracer) Write(events ...Event) {
	if t == nil || len(events) == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.clock.Now()
	t.buf = t.buf[:0]
	for i := range events {
		before := len(t.buf)
		t.buf = events[i].appendLine(t.buf, now)
		if before > 0 && len(t.buf) > atomicWrite {
			t.flush(before)
		}
	}
	t.flush(len(t.buf))
}

// flush writes the first n bytes of the buffer, which are whole lines, and keeps the rest.
func (t *Tracer) flush(n int) {
	if t.err == nil && n > 0 {
		_, t.err = t.w.Write(t.buf[:n])
	}
	t.buf = t.buf[:copy(t.buf, t.buf[n:])]
}

// Err is why the trace ended; nil while it has not.
func (t *Tracer) Err() error {
	if t == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.err
}
