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
// caller to decide.
//
// The errors of its operations are [*Error]s; [Certain] tells those that had no
// effect from those with an unknown outcome. An operation whose context ends
// after its request was sent has an unknown outcome, unless it is a read.
type Client struct {
	mux     *mux
	timeout time.Duration
	calls   sync.Pool // of *call
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
	c := &Client{mux: newMux(conn, clientWriteTimeout, newPlainClock()), timeout: d.Timeout}
	c.calls.New = func() any { return &call{done: make(chan struct{}, 1)} }
	return c, nil
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

// Get reads a key. found is false when the key does not exist.
func (c *Client) Get(ctx context.Context, key string) (value string, found bool, err error) {
	r, err := c.do(ctx, OpGet, key, Value{}, "")
	return r.value.Data, r.value.Present, err
}

// Put stores a value.
func (c *Client) Put(ctx context.Context, key, value string) error {
	_, err := c.do(ctx, OpPut, key, Value{}, value)
	return err
}

// Delete removes a key; that it does not exist is no error.
func (c *Client) Delete(ctx context.Context, key string) error {
	_, err := c.do(ctx, OpDelete, key, Value{}, "")
	return err
}

// CAS stores value if the key holds what is expected, or is absent when that is
// expected. Otherwise it changes nothing, and swapped is false; then found is
// what the key holds.
func (c *Client) CAS(ctx context.Context, key string, expect Value, value string) (swapped bool, found Value, err error) {
	r, err := c.do(ctx, OpCAS, key, expect, value)
	return err == nil && r.status == statusOK, r.value, err
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

func (c *Client) do(ctx context.Context, op Op, key string, expect Value, value string) (response, error) {
	if len(key) > MaxKey || len(value) > MaxValue || len(expect.Data) > MaxValue {
		return response{}, &Error{Certain: true, Code: CodeTooLarge,
			Text: fmt.Sprintf("a key has at most %d bytes, a value %d", MaxKey, MaxValue)}
	}
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
	id := c.mux.commit(k, appendCommand(buf, op, key, expect, value))
	select {
	case <-k.done:
	case <-ctx.Done():
		if c.mux.abandon(id) {
			c.recycle(k)
			return response{}, contextError(ctx, op == OpGet)
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
		return response{}, &Error{Certain: op == OpGet, Code: resp.code, Text: resp.text}
	}
	return resp, nil
}

// recycle keeps a call that nobody else holds any more.
func (c *Client) recycle(k *call) {
	k.resp, k.err = response{}, nil
	c.calls.Put(k)
}
