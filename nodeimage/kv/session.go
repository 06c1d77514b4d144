package kv

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"
)

// Bounds of one connection to a client or to a forwarding node. Beyond them
// its next request is not read, so that the sender has to wait.
const (
	sessionMaxRequests = 4096
	sessionMaxPending  = 1 << 20 // bytes of answers not yet taken by the kernel
	// sessionMaxBacklog ends a connection: answers to requests that were read
	// already have piled up to this, because the client takes none.
	sessionMaxBacklog   = 64 << 20
	sessionWriteTimeout = 10 * time.Second
	helloTimeout        = 5 * time.Second
)

// request is one operation of a client under way.
type request struct {
	session *session
	id      uint64
	raw     []byte // the command, as it came and as it goes into the log
	cmd     command
	arrived time.Time // true time, for the metrics

	// Guarded by the session's mutex.
	born       time.Duration // when it arrived, by the node's clock
	answered   bool
	handed     bool // to the consensus or to another node: it may take effect
	prev, next *request
}

// forwarded reports whether another node sent the request on.
func (q *request) forwarded() bool { return q.session.fromNode }

// session is one accepted connection on which requests come in.
type session struct {
	out      outbox // its mutex guards everything below too
	conn     net.Conn
	fromNode bool // the other side is a node, not a client
	metrics  *metrics
	log      *slog.Logger
	clock    *Clock

	// The requests under way, oldest first. All have the same time to live,
	// so the next one to expire is always the first; even where the clock was
	// set meanwhile, for none is to outlive an older one by much.
	oldest, newest *request
	active         int
}

func newSession(conn net.Conn, fromNode bool, m *metrics, log *slog.Logger, clock *Clock) *session {
	s := &session{conn: conn, fromNode: fromNode, metrics: m, log: log, clock: clock}
	s.out.init()
	return s
}

// serve reads requests and hands them to route until the connection ends, which
// it logs when it was the client's fault or that of the network.
func (s *session) serve(route func(*request)) {
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := s.out.run(s.conn, sessionWriteTimeout, 0, nil); errors.Is(err, errSlowClient) {
			s.log.Warn("connection closed", "client", s.conn.RemoteAddr().String(), "err", err)
		}
		s.conn.Close()
	})
	err := s.readRequests(route)
	var malformed *frameError
	damaged := s.metrics.noteDamage(s.log, err, "client", s.conn.RemoteAddr().String())
	if !damaged && errors.As(err, &malformed) {
		s.log.Warn("connection closed", "client", s.conn.RemoteAddr().String(), "err", err)
	}
	if !s.draining() {
		s.out.close(err)
	}
	wg.Wait()
}

func (s *session) draining() bool {
	s.out.mu.Lock()
	defer s.out.mu.Unlock()
	return s.out.finish
}

var errSlowClient = errors.New("client takes no answers")

func (s *session) readRequests(route func(*request)) error {
	br := bufio.NewReaderSize(s.conn, muxBuffer)
	for {
		if err := s.awaitRoom(); err != nil {
			return err
		}
		id, raw, err := readRequest(br)
		if err != nil {
			return err
		}
		cmd, err := decodeCommand(raw)
		if err != nil {
			return &frameError{fmt.Errorf("request %d: %w", id, err)}
		}
		now := time.Now()
		q := &request{session: s, id: id, raw: raw, cmd: cmd, arrived: now, born: s.clock.at(now)}
		s.add(q)
		route(q)
	}
}

// awaitRoom waits until the client has taken enough of its answers.
func (s *session) awaitRoom() error {
	s.out.mu.Lock()
	defer s.out.mu.Unlock()
	for s.out.err == nil && (s.active >= sessionMaxRequests || s.out.pending() > sessionMaxPending) {
		s.out.changed.Wait()
	}
	if s.out.finish {
		return io.EOF
	}
	return s.out.err
}

func (s *session) add(q *request) {
	s.out.mu.Lock()
	defer s.out.mu.Unlock()
	q.prev = s.newest
	if q.prev != nil {
		q.prev.next = q
	} else {
		s.oldest = q
	}
	s.newest = q
	s.active++
}

// hand notes that from now on the request may take effect, and returns when it
// arrived. It reports false when the request has been answered already, and
// must not be carried out.
func (q *request) hand() (born time.Duration, ok bool) {
	mu := &q.session.out.mu
	mu.Lock()
	defer mu.Unlock()
	q.handed = true
	return q.born, !q.answered
}

// age is how long ago the request arrived, by the node's clock.
func (q *request) age() time.Duration {
	mu := &q.session.out.mu
	mu.Lock()
	defer mu.Unlock()
	return since(&q.born, q.session.clock.Now())
}

// takeBack notes that the request certainly has had no effect so far.
func (q *request) takeBack() {
	mu := &q.session.out.mu
	mu.Lock()
	q.handed = false
	mu.Unlock()
}

// answer sends the response. Only the first answer to a request counts.
func (q *request) answer(r response) {
	s := q.session
	s.out.mu.Lock()
	mustNotify := q.answerLocked(&r)
	s.out.mu.Unlock()
	if mustNotify {
		s.out.notify()
	}
}

func (q *request) answerLocked(r *response) (mustNotify bool) {
	s := q.session
	if q.answered {
		return false
	}
	q.answered = true
	if q.prev != nil {
		q.prev.next = q.next
	} else {
		s.oldest = q.next
	}
	if q.next != nil {
		q.next.prev = q.prev
	} else {
		s.newest = q.prev
	}
	q.prev, q.next = nil, nil
	if s.active == sessionMaxRequests {
		s.out.changed.Broadcast()
	}
	s.active--
	s.metrics.answered(q, r)
	if s.out.err != nil {
		return false // the client is gone
	}
	if s.out.pending() > sessionMaxBacklog {
		s.out.err = errSlowClient
		s.out.changed.Broadcast()
		s.conn.Close() // also ends a write under way
		return true
	}
	buf := appendResponse(beginFrame(s.out.buf, q.id), r)
	return s.out.commit(endFrame(buf, len(s.out.buf)))
}

// expire answers the requests that are older than life.
func (s *session) expire(life time.Duration) {
	s.out.mu.Lock()
	mustNotify, now := false, s.clock.Now()
	for q := s.oldest; q != nil && since(&q.born, now) > life; q = s.oldest {
		r := noEffect(CodeTimeout, "")
		if q.handed {
			r = uncertain(q.cmd.op, CodeTimeout, "no outcome in time")
		}
		mustNotify = q.answerLocked(&r) || mustNotify
	}
	s.out.mu.Unlock()
	if mustNotify {
		s.out.notify()
	}
}

// drain ends the connection once the answers given so far were sent. No further
// request is read.
func (s *session) drain() {
	s.out.closeAfterFlush()
	s.conn.SetReadDeadline(time.Unix(1, 0))
}
