package kv

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

const (
	// muxBuffer is the size of the buffer that answers are read through.
	muxBuffer = 64 << 10
	// muxMaxPending is how many bytes may wait to be sent before new requests
	// have to wait, or are refused.
	muxMaxPending = 4 << 20
)

// call is one request in flight.
type call struct {
	op     Op
	born   time.Duration // by the connection's clock
	life   time.Duration // how old it may become; 0: as old as it likes
	end    uint64        // where its frame ends in the stream of bytes sent
	resp   response
	err    *Error
	notify func(*call)   // called once with resp or err set; must not block
	done   chan struct{} // told instead when notify is nil
}

func (c *call) finish() {
	if c.notify != nil {
		c.notify(c)
		return
	}
	c.done <- struct{}{}
}

// mux is the asking side of a connection: many requests in flight, each of
// which ends exactly once.
type mux struct {
	out  outbox // its mutex guards everything below too
	conn net.Conn

	clock   *Clock
	pending map[uint64]*call
	lastID  uint64
	ended   bool          // no more requests are taken
	done    chan struct{} // closed when everything has ended
	reason  error         // why; valid once done is closed
}

// newMux starts the goroutines of a connection on which the hellos were said.
// A write that the kernel does not take within writeTimeout ends it. The life
// of a request is measured by the clock.
func newMux(conn net.Conn, writeTimeout time.Duration, clock *Clock) *mux {
	m := &mux{conn: conn, clock: clock, pending: make(map[uint64]*call), done: make(chan struct{})}
	m.out.init()
	stop := make(chan struct{})
	var wg sync.WaitGroup
	var readErr, writeErr error
	wg.Go(func() {
		readErr = m.readAnswers()
		m.out.close(readErr)
		close(stop)
	})
	wg.Go(func() {
		writeErr = m.out.run(conn, writeTimeout, 0, nil)
		conn.Close() // ends the reader
	})
	wg.Go(func() { m.expire(stop) })
	go func() {
		wg.Wait()
		m.reason = readErr
		if writeErr != nil && !errors.Is(writeErr, readErr) {
			m.reason = writeErr
		}
		m.failAll()
		close(m.done)
	}()
	return m
}

// close ends the connection; requests in flight end with an error.
func (m *mux) close(why error) {
	m.out.close(why)
	m.conn.Close()
}

// begin makes room for a request and returns, with the mutex held, the buffer
// to which the caller appends the request's body before it calls commit. When
// there is no room it waits, or else refuses. On an error, which is always
// certain, the mutex is not held.
func (m *mux) begin(ctx context.Context, wait bool) ([]byte, *Error) {
	m.out.mu.Lock()
	if m.out.pending() > muxMaxPending && m.out.err == nil {
		if !wait {
			m.out.mu.Unlock()
			return nil, &Error{Certain: true, Code: CodeBusy, Text: "too many bytes wait to be sent"}
		}
		stop := context.AfterFunc(ctx, func() {
			m.out.mu.Lock()
			m.out.changed.Broadcast()
			m.out.mu.Unlock()
		})
		for m.out.pending() > muxMaxPending && m.out.err == nil && ctx.Err() == nil {
			m.out.changed.Wait()
		}
		stop()
	}
	if ctx.Err() != nil {
		m.out.mu.Unlock()
		return nil, contextError(ctx, true)
	}
	if m.out.err != nil || m.ended {
		err := m.out.err
		m.out.mu.Unlock()
		return nil, notSent(err)
	}
	m.lastID++
	return beginFrame(m.out.buf, m.lastID), nil
}

// commit sends what the caller appended to the buffer that begin returned, and
// lets go of the mutex.
func (m *mux) commit(c *call, buf []byte) (id uint64) {
	buf = endFrame(buf, len(m.out.buf))
	id = m.lastID
	m.pending[id] = c
	mustNotify := m.out.commit(buf)
	c.end = m.out.queued
	m.out.mu.Unlock()
	if mustNotify {
		m.out.notify()
	}
	return id
}

// send sends an encoded command without waiting for room.
func (m *mux) send(c *call, body []byte) *Error {
	buf, err := m.begin(context.Background(), false)
	if err != nil {
		return err
	}
	m.commit(c, append(buf, body...))
	return nil
}

// abandon takes a request out of those in flight. It reports false when the
// request ended meanwhile, or is about to.
func (m *mux) abandon(id uint64) bool {
	m.out.mu.Lock()
	defer m.out.mu.Unlock()
	_, there := m.pending[id]
	delete(m.pending, id)
	return there
}

// abandonAll ends every request in flight; the connection stays.
func (m *mux) abandonAll(code Code) {
	m.out.mu.Lock()
	if len(m.pending) == 0 { // most often; the map stays in use, so it must not be looked at below
		m.out.mu.Unlock()
		return
	}
	lost := m.pending
	m.pending = make(map[uint64]*call)
	m.out.mu.Unlock()
	for _, c := range lost {
		c.err = &Error{Certain: c.op.Reads(), Code: code}
		c.finish()
	}
}

func (m *mux) readAnswers() error {
	br := bufio.NewReaderSize(m.conn, muxBuffer)
	for {
		id, resp, err := readResponse(br)
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = errors.New("the other side closed the connection")
			}
			return err
		}
		m.out.mu.Lock()
		c := m.pending[id]
		delete(m.pending, id)
		m.out.mu.Unlock()
		if c == nil {
			continue // it timed out before
		}
		c.resp = resp
		c.finish()
	}
}

// expire ends requests whose time is over. It looks only every so often, which
// is cheaper than a timer for each request.
func (m *mux) expire(stop <-chan struct{}) {
	ticker := time.NewTicker(expireEvery)
	defer ticker.Stop()
	var late []*call
	for {
		select {
		case <-stop:
			return
		case <-ticker.C:
			m.out.mu.Lock()
			now := m.clock.Now()
			for id, c := range m.pending {
				if c.life > 0 && since(&c.born, now) > c.life {
					delete(m.pending, id)
					late = append(late, c)
				}
			}
			m.out.mu.Unlock()
			for i, c := range late {
				c.err = &Error{Certain: c.op.Reads(), Code: CodeTimeout}
				c.finish()
				late[i] = nil
			}
			late = late[:0]
		}
	}
}

// expireEvery is the resolution of timeouts.
const expireEvery = 20 * time.Millisecond

// failAll ends what is in flight after the connection's goroutines are gone. A
// request of which the kernel took a part only cannot have been understood, so
// its failure is certain.
func (m *mux) failAll() {
	m.out.mu.Lock()
	m.ended = true
	written := m.out.written
	lost := m.pending
	m.pending = nil
	m.out.mu.Unlock()
	for _, c := range lost {
		if c.end > written {
			c.err = notSent(m.reason)
		} else {
			c.err = &Error{Certain: c.op.Reads(), Code: CodeConnLost, Text: fmt.Sprint(m.reason), cause: m.reason}
		}
		c.finish()
	}
}

func notSent(cause error) *Error {
	return &Error{Certain: true, Code: CodeNotSent, Text: fmt.Sprint(cause), cause: cause}
}

// contextError is the error of an operation that ended because ctx did.
func contextError(ctx context.Context, certain bool) *Error {
	code := CodeCanceled
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		code = CodeTimeout
	}
	return &Error{Certain: certain, Code: code, cause: ctx.Err()}
}
