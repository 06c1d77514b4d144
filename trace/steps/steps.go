// Package steps writes version 2 of the trace of a Raft node for squall: every step that
// the rules of Raft speak of, as binary frames, to the descriptor that squall gives to a
// server whose full trace it was asked for (squall run --trace full). docs/trace.md of
// squall is the contract: what each event means, and when it is written.
//
// Like package trace it may stay in production: without squall, [Open] returns a nil
// *Tracer, on which every method does nothing. Package etcdraft writes the steps of
// go.etcd.io/raft/v3.
package steps

import (
	"errors"
	"fmt"
	"io"
	"sync"

	"squall/trace/internal/pipe"
)

// FDVar is the environment variable by which squall names the file descriptor.
const FDVar = "SQUALL_TRACE2_FD"

// Tracer writes events. A nil Tracer writes none. It is safe for concurrent use.
type Tracer struct {
	clock pipe.Clock

	mu   sync.Mutex
	w    io.Writer
	last int64 // the time of the event before, ns
	err  error // why the trace ended
	buf  []byte
}

// Open returns the tracer of this process, or nil where squall does not ask for a full
// trace. Children of the process do not inherit the descriptor.
func Open() (*Tracer, error) {
	f, err := pipe.Open(FDVar, "steps")
	if f == nil {
		return nil, err
	}
	return New(f)
}

// New returns a tracer that writes to w. [Open] is for servers; this is for their tests.
func New(w io.Writer) (*Tracer, error) {
	if w == nil {
		return nil, errors.New("steps: no writer")
	}
	clock, err := pipe.NewClock()
	if err != nil {
		return nil, err
	}
	return &Tracer{clock: clock, w: w, buf: []byte(magic)}, nil
}

// Write writes events, all of this moment, in their order. They have been written when it
// returns. The first must be a Start. If writing fails, the trace ends there, and squall
// sees that it did.
func (t *Tracer) Write(events ...Event) {
	if t == nil || len(events) == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	now := int64(t.clock.Now())
	for i := range events {
		if len(events[i].Runs) > maxRuns {
			t.err = errors.Join(t.err, fmt.Errorf("steps: %d runs of entries, more than %d", len(events[i].Runs), maxRuns))
			return
		}
		t.buf = appendFrame(t.buf, &events[i], now-t.last)
		t.last = now
	}
	if t.err == nil {
		_, t.err = t.w.Write(t.buf)
	}
	t.buf = t.buf[:0]
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
