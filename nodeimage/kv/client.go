package kv

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"
)

// Dialer makes connections to servers. The zero value is ready to use.
type Dialer struct {
	// Timeout bounds each operation of the clients made (0: none beyond the
	// context's). It costs far less than a context with a deadline for every
	// operation, and is kept to within 20 ms or so.
	Timeout time.Duration
}

// clientWriteTimeout ends a connection whose other side takes nothing;
// clientAckTimeout one whose bytes are not even acknowledged.
const (
	clientWriteTimeout = 5 * time.Second
	clientAckTimeout   = 1 * time.Second
)

// Client is one connection to one server. Any number of goroutines may share
// it: their requests go out together and wait for their answers side by side.
// A client never retries and never reconnects: what an error means is for the
// caller to decide. A command may be sent again when it has a number in a
// [Session].
//
// The errors of its operations are [*Error]s; [Certain] tells those that had no
// effect from those with an unknown outcome. An operation whose context ends
// after its request was sent has an unknown outcome, unless it is a read.
type Client struct {
	mux     *mux
	timeout time.Duration
	calls   *sync.Pool // of *call
	once    *Once      // nil: its commands belong to no session
}

// Dial connects to the server at addr, which is "host:port".
func Dial(ctx context.Context, addr string) (*Client, error) {
	return Dialer{}.Dial(ctx, addr)
}

// Dial connects to the server at addr, which is "host:port". ctx bounds the
// connecting alone.
func (d Dialer) Dial(ctx context.Context, addr string) (*Client, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("connect to kv server: %w", err)
	}
	tuneConn(conn, clientAckTimeout)
	err = greet(ctx, conn, shortHello(clientMagic, 0), clientMagic)
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("connect to kv server %s: %w", addr, err)
	}
	calls := &sync.Pool{New: func() any { return &call{done: make(chan struct{}, 1)} }}
	return &Client{mux: newMux(conn, clientWriteTimeout, newPlainClock()), timeout: d.Timeout, calls: calls}, nil
}

// greet says hello and reads the answer, for as long as ctx allows.
func greet(ctx context.Context, conn net.Conn, hello []byte, magic [4]byte) error {
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	_, err := conn.Write(hello)
	if err == nil {
		err = readReply(conn, magic)
	}
	if !stop() { // the deadline was set, or is about to be
		return ctx.Err()
	}
	return err
}

// Close ends the connection and waits until every operation in flight has
// ended. It is idempotent.
func (c *Client) Close() error {
	c.mux.close(errOutboxClosed)
	<-c.mux.done
	return nil
}

// Done is closed when the connection has ended, whoever ended it.
func (c *Client) Done() <-chan struct{} { return c.mux.done }

// do sends a request, whose body encode appends, and waits for its answer.
func (c *Client) do(ctx context.Context, op Op, encode func(buf []byte) []byte) (response, error) {
	if c.once == nil || op.Reads() || op == OpRegister {
		return c.ask(ctx, op, encode)
	}
	return c.once.ask(ctx, c, op, encode)
}

func (c *Client) ask(ctx context.Context, op Op, encode func(buf []byte) []byte) (response, error) {
	buf, kerr := c.mux.begin(ctx, true)
	if kerr != nil {
		return response{}, kerr
	}
	k := c.calls.Get().(*call)
	k.op = op
	k.life = c.timeout
	if c.timeout > 0 {
		k.born = c.mux.clock.Now()
	}
	id := c.mux.commit(k, encode(buf))
	select {
	case <-k.done:
	case <-ctx.Done():
		if c.mux.abandon(id) {
			c.recycle(k)
			return response{}, contextError(ctx, op.Reads())
		}
		<-k.done // its end is already under way
	}
	resp, kerr := k.resp, k.err
	c.recycle(k)
	if kerr != nil {
		return response{}, kerr
	}
	switch resp.status {
	case statusFailed:
		return response{}, &Error{Certain: true, Code: resp.code, Text: resp.text}
	case statusUnknown:
		return response{}, &Error{Certain: op.Reads(), Code: resp.code, Text: resp.text}
	}
	return resp, nil
}

// recycle keeps a call that nobody else holds any more.
func (c *Client) recycle(k *call) {
	k.resp, k.err = response{}, nil
	c.calls.Put(k)
}
