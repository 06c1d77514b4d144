package kv

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// Session is what a client registers so that its commands may be sent again. It
// belongs to no connection: any number of clients may use it, to any node.
//
// The servers keep the answers to a session's last [MaxAnswers] commands, and
// [MaxSessions] sessions. So a session should have far fewer commands under way
// at once, and a client that registers many sessions ends those of others.
type Session struct {
	id uint64

	mu   sync.Mutex
	next uint64   // the next command's number
	open []uint64 // the numbers whose answer has not arrived, in order
}

// Register registers a session. When its outcome is unknown, a session may be
// there that nobody uses; it is ended as any other.
func (c *Client) Register(ctx context.Context) (*Session, error) {
	r, err := c.do(ctx, OpRegister, func(buf []byte) []byte { return append(buf, byte(OpRegister)) })
	if err != nil {
		return nil, err
	}
	id, err := decodeID(r.value)
	if err != nil {
		return nil, badAnswer(OpRegister, err)
	}
	return &Session{id: id, next: 1}, nil
}

// ID is the session's id: the index in the log at which it was registered.
func (s *Session) ID() uint64 { return s.id }

// Begin gives the next command its number. Its End has to be called.
func (s *Session) Begin() *Once {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := &Once{session: s, number: s.next}
	s.open = append(s.open, s.next)
	s.next++
	return o
}

// answered is the number below which every answer has arrived.
func (s *Session) answered() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.open) > 0 {
		return s.open[0]
	}
	return s.next
}

// Once is one command of a session, however often it is sent.
type Once struct {
	session *Session
	number  uint64

	mu    sync.Mutex
	body  string // the command, once it was sent
	doubt bool   // it was sent, and the outcome is unknown
}

// Number is the command's number in its session.
func (o *Once) Number() uint64 { return o.number }

// End tells that the command is not sent any more. After a proper answer this
// lets the servers forget it. A command that was never applied never is, from
// when the servers hear of that: with the session's next command.
func (o *Once) End() {
	s := o.session
	s.mu.Lock()
	defer s.mu.Unlock()
	if at, found := slices.BinarySearch(s.open, o.number); found {
		s.open = slices.Delete(s.open, at, at+1)
	}
}

// With is this client for one command of a session. The same command may be
// sent again with the same o, on this client or another one, as long as its
// outcome is unknown: the servers apply it once, and answer each time as they
// did then. Another command with the same o fails with CodeReused. Reads are
// sent as they are. Closing it closes c.
//
// An error of such a command is certain only when no earlier attempt can have
// had an effect either.
func (c *Client) With(o *Once) *Client {
	with := *c
	with.once = o
	return &with
}

// ask sends the command with its number.
func (o *Once) ask(ctx context.Context, c *Client, op Op, encode func([]byte) []byte) (response, error) {
	body := encode(nil)
	if !o.claim(body) {
		return response{}, &Error{Certain: true, Code: CodeReused}
	}
	answered := min(o.session.answered(), o.number)
	r, err := c.ask(ctx, op, func(buf []byte) []byte {
		return append(appendSession(buf, o.session.id, o.number, answered), body...)
	})
	return r, o.conclude(err)
}

// claim reports whether the number is for that command.
func (o *Once) claim(body []byte) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.body == "" {
		o.body = string(body)
	}
	return o.body == string(body)
}

// conclude is what an attempt's error says about all attempts.
func (o *Once) conclude(err error) error {
	var e *Error
	if err == nil || !errors.As(err, &e) {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if !e.Certain {
		o.doubt = true
	}
	if !o.doubt || e.Code.applied() || !e.Certain {
		return err
	}
	whole := *e // this attempt had no effect, and another one may have had
	whole.Certain = false
	return &whole
}

// applied reports whether the code says that the command was applied, and could
// not do what it asks for: so it would be answered again.
func (c Code) applied() bool { return c == CodeWrongKind || c == CodeTooMany || c == CodeTooLarge }

// final reports whether to send the command again would be of no use.
func (c Code) final() bool {
	return c.applied() || c == CodeNoSession || c == CodeForgotten || c == CodeReused || c == CodeInternal
}

// retryPause is how long Retry waits before it sends a command again.
const retryPause = 10 * time.Millisecond

// Retry carries out one command of the session, once, and sends it again until
// its outcome is known, to send it again is of no use, or ctx ends. Each attempt
// is one call of op, which does one operation on the client that it is given;
// attempts count from 0. client returns the client of an attempt; its error is
// like a request that was not sent.
func (s *Session) Retry(ctx context.Context, client func(ctx context.Context, attempt int) (*Client, error), op func(ctx context.Context, c *Client) error) error {
	once := s.Begin()
	defer once.End()
	for attempt := 0; ; attempt++ {
		err := once.attempt(ctx, client, op, attempt)
		var e *Error
		if err == nil || errors.As(err, &e) && e.Code.final() {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(retryPause):
		}
	}
}

func (o *Once) attempt(ctx context.Context, client func(context.Context, int) (*Client, error), op func(context.Context, *Client) error, attempt int) error {
	c, err := client(ctx, attempt)
	if err != nil {
		return o.conclude(notSent(err))
	}
	return op(ctx, c.With(o))
}
