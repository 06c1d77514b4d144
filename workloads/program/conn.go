package program

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"squall/history"
	"squall/workloads/systems"
)

var (
	_ systems.Caller       = (*conn)(nil)
	_ systems.LeaderTeller = leaderConn{}
)

// conn is a connection to a node, through a program.
type conn struct {
	systems.Program
	p      *process
	id     uint64
	once   sync.Once
	closed chan struct{}
}

// errClosed is for operations that were under way.
var errClosed = &systems.Error{Lost: true, Err: errors.New("the connection was closed")}

// open connects to a node.
func (p *process) open(ctx context.Context, node systems.Node, program systems.Program) (systems.Client, error) {
	p.mu.Lock()
	p.lastCon++
	c := &conn{Program: program, p: p, id: p.lastCon, closed: make(chan struct{})}
	p.mu.Unlock()
	id, answer := p.ask(func(buf []byte, id uint64) []byte { return appendOpen(buf, id, c.id, node) })
	if _, err := c.await(ctx, id, answer); err != nil {
		_ = c.Close()
		return nil, &systems.Error{Certain: true, Lost: true, Err: err}
	}
	if program.Leader {
		return leaderConn{c}, nil
	}
	return c, nil
}

// await waits for an answer, and returns what it says.
func (c *conn) await(ctx context.Context, id uint64, answer <-chan reply) (history.Data, error) {
	select {
	case r, ok := <-answer:
		if !ok {
			return "", &systems.Error{Lost: true, Err: fmt.Errorf("the client program failed: %w", c.p.failure())}
		}
		return r.out, r.err
	case <-ctx.Done():
		c.p.abandon(id)
		return "", ctx.Err()
	case <-c.closed:
		c.p.abandon(id)
		return "", errClosed
	}
}

// Call has the program carry out an operation.
func (c *conn) Call(ctx context.Context, op *history.Op) error {
	id, answer := c.p.ask(func(buf []byte, id uint64) []byte { return appendCall(buf, id, c.id, op) })
	out, err := c.await(ctx, id, answer)
	if err == nil {
		op.Out = out
	}
	return err
}

// leaderConn is a conn through a program that can tell who leads.
type leaderConn struct{ *conn }

// Leader asks the node who leads.
func (c leaderConn) Leader(ctx context.Context) (string, error) {
	id, answer := c.p.ask(func(buf []byte, id uint64) []byte { return appendControl(buf, id, "leader", c.id) })
	out, err := c.await(ctx, id, answer)
	name, _ := out.Text() // null, and whatever is no name: nobody
	return name, err
}

// Close tells the program that nobody uses the connection any more.
func (c *conn) Close() error {
	c.once.Do(func() {
		close(c.closed)
		c.p.tell(func(buf []byte) []byte { return appendControl(buf, 0, "close", c.id) })
	})
	return nil
}
