package kv

import (
	"errors"
	"net"
	"runtime"
	"sync"
	"time"
)

// maxSpare is how large a buffer an outbox keeps for the next time, bytes.
const maxSpare = 1 << 20

// maxWrite is how much is handed to the kernel at once: what it has taken of a large
// buffer waits no longer, and makes room for more.
const maxWrite = 256 << 10

var errOutboxClosed = errors.New("connection closed")

// outbox collects the frames that go out on one connection. Any number of
// goroutines add frames, which never blocks on the network; one goroutine (run)
// writes whatever has come together with one system call.
//
// Its mutex is also that of the connection it belongs to, so that adding a
// frame and noting what the frame is about is one step.
type outbox struct {
	mu      sync.Mutex
	changed sync.Cond // bytes were written, or it was closed
	buf     []byte    // frames not yet handed to the kernel
	spare   []byte    // the buffer used in turn with buf
	writing int       // bytes of the buffer that is being written which are not written yet
	queued  uint64    // bytes ever added
	written uint64    // bytes the kernel ever took
	err     error     // set once: nothing more goes out
	finish  bool      // end when everything is out
	wake    chan struct{}
}

func (o *outbox) init() {
	o.changed.L = &o.mu
	o.wake = make(chan struct{}, 1)
}

// pending is the number of bytes not yet taken by the kernel; mu is held.
func (o *outbox) pending() int { return len(o.buf) + o.writing }

// commit stores the buffer after frames were appended to o.buf; mu is held. It
// reports whether the caller must call notify once it let go of mu.
func (o *outbox) commit(buf []byte) (mustNotify bool) {
	mustNotify = len(o.buf) == 0
	o.queued += uint64(len(buf) - len(o.buf))
	o.buf = buf
	return mustNotify
}

func (o *outbox) notify() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// close ends run, with what is still in the buffer unsent.
func (o *outbox) close(err error) {
	o.mu.Lock()
	if o.err == nil {
		o.err = err
	}
	o.changed.Broadcast()
	o.mu.Unlock()
	o.notify()
}

// closeAfterFlush ends run as soon as everything was written.
func (o *outbox) closeAfterFlush() {
	o.mu.Lock()
	o.finish = true
	o.mu.Unlock()
	o.notify()
}

// run writes until the outbox is closed or a write fails, which it reports. A
// write of maxWrite bytes that takes longer than writeTimeout fails. With idle > 0, ping is sent
// whenever nothing else was for that long.
func (o *outbox) run(conn net.Conn, writeTimeout, idle time.Duration, ping []byte) error {
	var quiet <-chan time.Time
	var timer *time.Timer
	if idle > 0 {
		timer = time.NewTimer(idle)
		defer timer.Stop()
		quiet = timer.C
	}
	for {
		select {
		case <-o.wake:
			// Others that are about to add a frame get to do so first: a few
			// microseconds here save most of the system calls under load.
			runtime.Gosched()
		case <-quiet:
			o.mu.Lock()
			o.commit(append(o.buf, ping...))
			o.mu.Unlock()
		}
		done, err := o.flush(conn, writeTimeout)
		if done || err != nil {
			return err
		}
		if timer != nil {
			timer.Reset(idle)
		}
	}
}

// flush writes what is in the buffer.
func (o *outbox) flush(conn net.Conn, writeTimeout time.Duration) (done bool, err error) {
	o.mu.Lock()
	if o.err != nil {
		err := o.err
		o.mu.Unlock()
		return true, err
	}
	out := o.buf
	finish := o.finish
	o.buf, o.spare = o.spare[:0], nil
	o.writing = len(out)
	o.mu.Unlock()

	for rest := out; len(rest) > 0 && err == nil; {
		var n int
		if err = conn.SetWriteDeadline(time.Now().Add(writeTimeout)); err == nil {
			n, err = conn.Write(rest[:min(len(rest), maxWrite)])
		}
		rest = rest[n:]
		o.wrote(n)
	}

	o.mu.Lock()
	defer o.mu.Unlock()
	o.writing = 0
	if cap(out) <= maxSpare {
		o.spare = out
	}
	if err != nil && o.err == nil {
		o.err = err
	}
	o.changed.Broadcast()
	if err != nil {
		err = o.err // who closed the connection knows better why the write failed
	}
	return finish && len(o.buf) == 0, err
}

// wrote notes that the kernel took n more bytes.
func (o *outbox) wrote(n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.written += uint64(n)
	o.writing -= n
	o.changed.Broadcast()
}
