package protocol

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
)

// ErrAgentGone says that the connection to the agent is lost, which as a rule
// means that its machine is.
var ErrAgentGone = errors.New("the machine's agent is gone")

// errClosed is why the agent is gone when it was Client.Close.
var errClosed = errors.New("closed by this side")

// creditAt is after how many frames that the handler has had the agent is given
// credit for them.
const creditAt = Window / 4

// Handler takes what a machine sends unasked. Its methods are called one at a
// time, in the order in which the agent sent, and never after Client.Done. A
// slow handler slows the server down, because no trace is thrown away; calls it
// does not slow down.
type Handler interface {
	// Stream takes a piece of a server process's output. Pieces end anywhere,
	// not only after whole lines. The data is the handler's to keep.
	Stream(id StreamID, boot int, data []byte)
	Event(Event)
}

// Client commands one agent. Its methods may be called from many goroutines.
// Those that take a context give up waiting when it ends; the agent may still
// do what it was asked.
type Client struct {
	conn    io.ReadWriteCloser
	handler Handler

	out    chan []byte
	inbox  chan delivery
	closed chan struct{} // Close was called: nobody wants the inbox any more
	gone   chan struct{} // the connection is lost: calls fail
	done   chan struct{} // and the handler has had everything

	closeOnce sync.Once
	mu        sync.Mutex
	next      uint64
	pending   map[uint64]chan Reply
	err       error // why gone is closed
}

// delivery is a frame on its way to the handler: an event, or else a stream's.
type delivery struct {
	event *Event
	id    StreamID
	boot  int
	data  []byte
}

// NewClient speaks to the agent at the other end of conn, which it closes in
// the end. It starts goroutines; they end with the connection.
func NewClient(conn io.ReadWriteCloser, h Handler) *Client {
	c := &Client{
		conn:    conn,
		handler: h,
		out:     make(chan []byte),
		inbox:   make(chan delivery, Window),
		closed:  make(chan struct{}),
		gone:    make(chan struct{}),
		done:    make(chan struct{}),
		pending: make(map[uint64]chan Reply),
	}
	var workers sync.WaitGroup
	workers.Go(c.readLoop)
	workers.Go(c.writeLoop)
	workers.Go(c.handleLoop)
	go func() {
		workers.Wait()
		close(c.done)
	}()
	return c
}

// Done is closed when the connection has ended and the handler has been given
// everything that had arrived.
func (c *Client) Done() <-chan struct{} { return c.done }

// Err is why the connection ended, wrapping ErrAgentGone, and nil before.
func (c *Client) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Close ends the connection and waits until the handler's last call returned.
// What the handler had not been given by then is thrown away. An agent whose
// connection ends kills its server and exits.
func (c *Client) Close() error {
	c.fail(errClosed)
	c.closeOnce.Do(func() { close(c.closed) })
	<-c.done
	return nil
}

// fail ends the connection; the first reason stays.
func (c *Client) fail(why error) {
	c.mu.Lock()
	first := c.err == nil
	if first {
		c.err = fmt.Errorf("%w: %w", ErrAgentGone, why)
		close(c.gone)
	}
	c.mu.Unlock()
	if first {
		c.conn.Close() // its error says nothing beyond why
	}
}

func (c *Client) readLoop() {
	defer close(c.inbox)
	r := bufio.NewReaderSize(c.conn, MaxChunk)
	for {
		kind, payload, err := ReadFrame(r)
		if err == nil {
			err = c.take(kind, payload)
		}
		if err != nil {
			if err == io.EOF {
				err = errors.New("its connection ended")
			}
			c.fail(err)
			return
		}
	}
}

func (c *Client) take(kind Kind, payload []byte) error {
	var d delivery
	switch kind {
	case KindReply:
		var reply Reply
		if err := json.Unmarshal(payload, &reply); err != nil {
			return fmt.Errorf("%w: bad reply: %w", ErrFrame, err)
		}
		c.deliver(reply)
		return nil
	case KindStream:
		var err error
		if d.id, d.boot, d.data, err = parseStream(payload); err != nil {
			return err
		}
	case KindEvent:
		if len(payload) > MaxChunk {
			return fmt.Errorf("%w: an event of %d bytes", ErrFrame, len(payload))
		}
		d.event = new(Event)
		if err := json.Unmarshal(payload, d.event); err != nil {
			return fmt.Errorf("%w: bad event: %w", ErrFrame, err)
		}
	default:
		return fmt.Errorf("%w: kind %d does not come from an agent", ErrFrame, kind)
	}
	select {
	case c.inbox <- d:
		return nil
	case <-c.closed:
		return nil
	default:
		return fmt.Errorf("%w: the agent sent more than %d frames of streams and events without credit", ErrFrame, Window)
	}
}

// deliver hands a reply to its call. A call that gave up has left nothing
// behind to hand it to.
func (c *Client) deliver(reply Reply) {
	c.mu.Lock()
	answer := c.pending[reply.ID]
	delete(c.pending, reply.ID)
	c.mu.Unlock()
	if answer != nil {
		answer <- reply // has room for the one reply
	}
}

func (c *Client) writeLoop() {
	for {
		select {
		case frame := <-c.out:
			if _, err := c.conn.Write(frame); err != nil {
				c.fail(err)
				return
			}
		case <-c.gone:
			return
		}
	}
}

func (c *Client) handleLoop() {
	handled := 0
	for d := range c.inbox {
		select {
		case <-c.closed:
			continue
		default:
		}
		if d.event != nil {
			c.handler.Event(*d.event)
		} else {
			c.handler.Stream(d.id, d.boot, d.data)
		}
		if handled++; handled == creditAt {
			c.credit(handled)
			handled = 0
		}
	}
}

// credit lets the agent send so many frames more.
func (c *Client) credit(frames int) {
	select {
	case c.out <- AppendCredit(nil, frames):
	case <-c.gone:
	}
}

// call asks the agent for method and waits for the answer. The result may be
// nil for a method that has none.
func (c *Client) call(ctx context.Context, method string, params, result any) error {
	if err := c.exchange(ctx, method, params, result); err != nil {
		return fmt.Errorf("agent: %s: %w", method, err)
	}
	return nil
}

func (c *Client) exchange(ctx context.Context, method string, params, result any) error {
	req := Request{Method: method}
	if params != nil {
		p, err := json.Marshal(params)
		if err != nil {
			return err
		}
		req.Params = p
	}
	id, answer := c.register()
	defer c.forget(id)
	req.ID = id
	payload, err := json.Marshal(req)
	if err != nil {
		return err
	}
	frame, err := AppendFrame(nil, KindRequest, payload)
	if err != nil {
		return err
	}
	select {
	case c.out <- frame:
	case <-c.gone:
		return c.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case reply := <-answer:
		return reply.into(result)
	case <-ctx.Done():
		return ctx.Err()
	case <-c.gone:
	}
	// An answer that came before the end is still an answer, such as the one
	// to Shutdown.
	select {
	case reply := <-answer:
		return reply.into(result)
	default:
		return c.Err()
	}
}

func (c *Client) register() (uint64, chan Reply) {
	answer := make(chan Reply, 1)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.next++
	c.pending[c.next] = answer
	return c.next, answer
}

func (c *Client) forget(id uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.pending, id)
}

func (r Reply) into(result any) error {
	if r.Error != nil {
		return r.Error
	}
	if result == nil {
		return nil
	}
	return json.Unmarshal(r.Result, result)
}
