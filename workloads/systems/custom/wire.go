package custom

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"squall/workloads/systems"
)

// What of an answer is not its body, bytes.
const maxHeader = 256 << 10

// mostInterim is how many answers of status 1xx may come before the answer.
const mostInterim = 8

// connectTimeout bounds an attempt to connect.
const connectTimeout = time.Second

// wire is a TCP connection that carries one request at a time. Unlike net/http's
// transport it never sends a request twice, and knows whether any of one was sent.
type wire struct {
	conn  net.Conn
	in    *bufio.Reader
	left  int64 // bytes that may still be read of the answer under way
	wrote int64 // bytes of the request under way that were handed to the kernel
}

var errTooLong = errors.New("the answer is too long")

// Read reads from the connection, as long as the answer may be.
func (w *wire) Read(p []byte) (int, error) {
	if w.left <= 0 {
		return 0, errTooLong
	}
	n, err := w.conn.Read(p[:min(int64(len(p)), w.left)])
	w.left -= int64(n)
	return n, err
}

// Write writes to the connection.
func (w *wire) Write(p []byte) (int, error) {
	n, err := w.conn.Write(p)
	w.wrote += int64(n)
	return n, err
}

// pool is the connections to one address.
type pool struct {
	addr  string
	greet func(*wire) error // begins a connection; nil: nothing does

	mu     sync.Mutex
	idle   []*wire
	all    map[*wire]struct{}
	closed bool
}

var errClosed = &systems.Error{Lost: true, Err: errors.New("the connection was closed")}

// take is a connection that nobody uses: one that there is, or a new one. The error is
// a *systems.Error: nothing was sent.
func (p *pool) take(ctx context.Context) (*wire, error) {
	for {
		p.mu.Lock()
		if p.closed {
			p.mu.Unlock()
			return nil, errClosed
		}
		n := len(p.idle)
		if n == 0 {
			p.mu.Unlock()
			return p.dial(ctx)
		}
		w := p.idle[n-1]
		p.idle = p.idle[:n-1]
		p.mu.Unlock()
		if quiet(w.conn) {
			return w, nil
		}
		p.drop(w) // the node has closed it, or said something that nobody asked for
	}
}

// dial makes a connection.
func (p *pool) dial(ctx context.Context) (*wire, error) {
	dialer := net.Dialer{Timeout: connectTimeout}
	conn, err := dialer.DialContext(ctx, "tcp", p.addr)
	if err != nil {
		return nil, p.unconnected(plainDial(err))
	}
	w := &wire{conn: conn}
	w.in = bufio.NewReader(w)
	if p.greet != nil {
		release := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
		if err = p.greet(w); !release() && err == nil {
			err = ctx.Err()
		}
		if err != nil {
			_ = conn.Close() // nothing of an operation was sent
			return nil, p.unconnected(fmt.Errorf("connect: %w", err))
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		_ = conn.Close() // likewise
		return nil, errClosed
	}
	if p.all == nil {
		p.all = map[*wire]struct{}{}
	}
	p.all[w] = struct{}{}
	return w, nil
}

// unconnected is the error of a connection that was not made.
func (p *pool) unconnected(err error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return &systems.Error{Certain: true, Lost: len(p.all) == 0, Err: err}
}

// plainDial leaves out of an error what the history says already: which node it was.
func plainDial(err error) error {
	var op *net.OpError
	if errors.As(err, &op) && op.Err != nil {
		return fmt.Errorf("connect: %w", op.Err)
	}
	return fmt.Errorf("connect: %w", err)
}

// put gives a connection back.
func (p *pool) put(w *wire) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.idle = append(p.idle, w)
	}
}

// drop ends a connection.
func (p *pool) drop(w *wire) {
	_ = w.conn.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.all, w)
}

// close ends all connections; requests under way return errors.
func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for w := range p.all {
		_ = w.conn.Close()
	}
	p.all, p.idle = nil, nil
}

// exchange sends a request, once, and returns the answer, as use does.
func (p *pool) exchange(ctx context.Context, req *http.Request, maxBody int64) (a *answer, err error) {
	err = p.use(ctx, maxBody, func(w *wire) (keep bool, err error) {
		a, keep, err = w.exchange(req, maxBody)
		return keep, err
	})
	return a, err
}

// use does something on a connection that nobody else uses, until ctx ends. do says
// whether the connection may be used again. An error is a *systems.Error, or that of
// ctx; it is certain where nothing was sent.
func (p *pool) use(ctx context.Context, maxBody int64, do func(*wire) (keep bool, err error)) error {
	w, err := p.take(ctx)
	if err != nil {
		return err
	}
	release := context.AfterFunc(ctx, func() { _ = w.conn.SetDeadline(time.Unix(1, 0)) })
	keep, err := do(w)
	if !release() || err != nil || !keep {
		p.drop(w)
	} else {
		p.put(w)
	}
	switch {
	case err == nil:
		return nil
	case w.wrote == 0:
		return &systems.Error{Certain: true, Err: fmt.Errorf("nothing was sent: %w", err)}
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, errTooLong):
		err = fmt.Errorf("the answer is longer than %d KiB (max-body)", maxBody>>10)
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		err = errors.New("the node closed the connection before it had answered")
	}
	return &systems.Error{Err: err}
}

// exchange sends a request and reads the answer. keep is whether another request may
// follow.
func (w *wire) exchange(req *http.Request, maxBody int64) (a *answer, keep bool, err error) {
	w.wrote, w.left = 0, maxHeader+2*maxBody // a body in chunks is longer than what it says
	out := bufio.NewWriter(w)
	if err := req.Write(out); err != nil {
		return nil, false, err
	}
	if err := out.Flush(); err != nil {
		return nil, false, err
	}
	res, err := http.ReadResponse(w.in, req)
	for n := 0; err == nil && res.StatusCode < 200 && res.StatusCode != http.StatusSwitchingProtocols; n++ {
		if n == mostInterim {
			return nil, false, fmt.Errorf("more than %d interim answers", mostInterim)
		}
		res, err = http.ReadResponse(w.in, req)
	}
	if err != nil {
		return nil, false, err
	}
	defer res.Body.Close()
	var body bytes.Buffer
	n, err := io.Copy(&body, io.LimitReader(res.Body, maxBody+1))
	switch {
	case err != nil:
		return nil, false, err
	case n > maxBody:
		return nil, false, errTooLong
	}
	// What comes after the answer is none: nobody has asked for it.
	keep = !res.Close && w.in.Buffered() == 0 && res.StatusCode != http.StatusSwitchingProtocols
	return &answer{status: res.StatusCode, header: res.Header, body: body.Bytes()}, keep, nil
}
