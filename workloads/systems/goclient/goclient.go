// Package goclient is what clients that are programs of their own (docs/clients.md) have
// in common when they are written in Go: it reads requests, keeps connections, and writes
// answers. A system's client program adds how it connects and what it does with an
// operation.
//
// The package imports nothing but the standard library, and no other package of squall,
// because it is compiled in the modules of those programs: Module gives it to them.
package goclient

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

// Version is that of the protocol.
const Version = 1

// Hello is what squall says first.
type Hello struct {
	Workload string        // whose operations are asked for
	Timeout  time.Duration // after which nobody waits for the answer to an operation
	Nodes    []string      // the names of all nodes, as they were when the test began
}

// Node is where to connect to.
type Node struct {
	Name, Addr string
	Port       uint16 // 0: the system's own
}

// Op is an operation, as the workload has it.
type Op struct {
	Func, Key string
	In        []byte // JSON; empty: nothing
}

// Conn is a connection to one node. Its methods are called from many goroutines, and
// return soon after their context ends.
type Conn interface {
	// Do carries out an operation once, through that node and no other. out is
	// JSON; nil is none. An error that is no *Error leaves the outcome open.
	Do(ctx context.Context, op Op) (out []byte, err error)
	// Close ends the connection. It may be called while operations are under way.
	Close()
}

// Controller is a Conn that takes requests which are no operations, such as "leader":
// those that its system has declared.
type Controller interface {
	Control(ctx context.Context, do string, request []byte) (out []byte, err error)
}

// Error is an operation that got no result.
type Error struct {
	Certain bool // it had no effect and never will have
	Lost    bool // the connection is of no use any more
	Err     error
}

func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Fail is an error of an operation that had no effect and never will have.
func Fail(format string, args ...any) error {
	return &Error{Certain: true, Err: fmt.Errorf(format, args...)}
}

// maxLine bounds a request, in bytes.
const maxLine = 1 << 20

// Serve answers requests until there are no more. start is told the hello, and returns
// what connects to a node.
func Serve(in io.Reader, out io.Writer, start func(Hello) func(context.Context, Node) (Conn, error)) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 64<<10), maxLine)
	var hello struct {
		Squall    int
		Workload  string
		TimeoutMs int64
		Nodes     []string
	}
	if !lines.Scan() {
		return errors.Join(lines.Err(), errors.New("squall said nothing"))
	}
	if err := json.Unmarshal(lines.Bytes(), &hello); err != nil || hello.Squall != Version {
		return fmt.Errorf("squall said %q, and this program speaks version %d of its protocol", lines.Bytes(), Version)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s := &server{ctx: ctx, timeout: time.Duration(hello.TimeoutMs) * time.Millisecond, answers: newAnswers(out), conns: map[uint64]*slot{}, work: make(chan request)}
	defer s.answers.close()
	s.dial = start(Hello{hello.Workload, s.timeout, hello.Nodes})
	s.answers.write(fmt.Appendf(nil, "{\"squall\":%d}\n", Version))
	for lines.Scan() {
		if err := s.take(lines.Bytes()); err != nil {
			return err
		}
	}
	return lines.Err()
}

// server is what Serve works with.
type server struct {
	ctx     context.Context
	timeout time.Duration
	dial    func(context.Context, Node) (Conn, error)
	answers *answers
	work    chan request // to goroutines that have nothing to do

	mu    sync.Mutex
	conns map[uint64]*slot

	limitMu sync.Mutex
	limit   context.Context // of what begins now; nil: there is none yet
	renewAt time.Time
}

// limited ends when nobody waits any more for what begins now, or an eighth of that time
// later: all that begins within it shares a timer, which is dear for each.
func (s *server) limited() context.Context {
	s.limitMu.Lock()
	defer s.limitMu.Unlock()
	if now := time.Now(); s.limit == nil || now.After(s.renewAt) {
		step := s.timeout / 8
		s.renewAt = now.Add(step)
		limit, cancel := context.WithTimeout(s.ctx, s.timeout+step)
		context.AfterFunc(limit, cancel) // its time ends it, or the program's end
		s.limit = limit
	}
	return s.limit
}

// slot is a connection that was asked for.
type slot struct {
	opened chan struct{} // closed when it is there, or could not be made
	conn   Conn          // nil: it could not be made
}

// take takes a request. Nothing waits here: a node that does not answer delays nobody.
func (s *server) take(line []byte) error {
	r, ok := quickRequest(line)
	if !ok {
		var err error
		if r, err = readRequest(bytes.Clone(line)); err != nil {
			return err
		}
	}
	switch r.do {
	case "ping":
		s.answers.answer(r.id, nil, nil)
		return nil
	case "open":
		s.mu.Lock()
		s.conns[r.conn] = &slot{opened: make(chan struct{})}
		s.mu.Unlock()
	}
	select {
	case s.work <- r:
	default:
		go s.worker(r)
	}
	return nil
}

// worker deals with a request, and then with others. A goroutine for each would grow
// its stack anew each time.
func (s *server) worker(r request) {
	idle := time.NewTimer(time.Minute)
	defer idle.Stop()
	for {
		s.handle(r)
		idle.Reset(time.Minute)
		select {
		case r = <-s.work:
		case <-idle.C:
			return
		case <-s.ctx.Done():
			return
		}
	}
}

func (s *server) handle(r request) {
	s.mu.Lock()
	at := s.conns[r.conn]
	if r.do == "close" {
		delete(s.conns, r.conn)
	}
	s.mu.Unlock()
	if at == nil {
		if r.id != 0 {
			s.answers.answer(r.id, nil, &Error{Certain: true, Lost: true, Err: errors.New("there is no such connection")})
		}
		return
	}
	ctx := s.limited()
	switch r.do {
	case "open":
		conn, err := s.dial(ctx, r.node)
		if err != nil {
			err = &Error{Certain: true, Lost: true, Err: err}
		} else {
			at.conn = conn
		}
		close(at.opened)
		s.answers.answer(r.id, nil, err)
	case "close":
		<-at.opened // nobody asks for anything before that was answered
		if at.conn != nil {
			at.conn.Close()
		}
	default:
		out, err := s.do(ctx, at, r)
		s.answers.answer(r.id, out, err)
	}
}

func (s *server) do(ctx context.Context, at *slot, r request) ([]byte, error) {
	select {
	case <-at.opened:
	case <-ctx.Done():
	}
	conn := at.conn
	if ctx.Err() != nil || conn == nil {
		return nil, &Error{Certain: true, Lost: true, Err: errors.New("it is not connected")}
	}
	if r.do == "" {
		return conn.Do(ctx, r.op)
	}
	if c, ok := conn.(Controller); ok {
		return c.Control(ctx, r.do, r.line)
	}
	return nil, Fail("this program has no %q", r.do)
}
