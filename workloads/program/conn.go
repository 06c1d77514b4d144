package program

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"

	"squall/history"
	"squall/internal/plain"
	"squall/workloads/systems"
)

var _ systems.Able = (*conn)(nil)

// conn is a connection to a node, through a program. What of it may be used, the
// program declares.
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
	return program.Limit(c), nil
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

// request sends a request that is no operation, about a node or not, and waits for its answer.
func (c *conn) request(ctx context.Context, do string, about *systems.Node, more ...field) (history.Data, error) {
	id, answer := c.p.ask(func(buf []byte, id uint64) []byte { return appendRequest(buf, id, do, c.id, about, more...) })
	return c.await(ctx, id, answer)
}

// Leader asks the node who leads.
func (c *conn) Leader(ctx context.Context) (string, error) {
	out, err := c.request(ctx, "leader", nil)
	name, _ := out.Text() // null, and whatever is no name: nobody
	return name, err
}

// Members asks the node who the members are.
func (c *conn) Members(ctx context.Context) (m systems.Members, err error) {
	out, err := c.request(ctx, "members", nil)
	if err != nil {
		return m, err
	}
	if err := readOut(out, &m); err != nil || len(m.Voters) == 0 {
		return m, c.odd("members", out, `{"voters":["n1"],"learners":[]} with at least one that votes`)
	}
	return m, nil
}

// Add asks the node to make another a member.
func (c *conn) Add(ctx context.Context, node systems.Node, learner bool) error {
	var more []field
	if learner {
		more = append(more, field{"learner", history.True})
	}
	_, err := c.request(ctx, "add", &node, more...)
	return err
}

// Promote asks the node to make a learner one that votes.
func (c *conn) Promote(ctx context.Context, node systems.Node) error {
	_, err := c.request(ctx, "promote", &node)
	return err
}

// Remove asks the node to end a membership.
func (c *conn) Remove(ctx context.Context, node systems.Node) error {
	_, err := c.request(ctx, "remove", &node)
	return err
}

// Transfer asks the node to hand the leadership to another.
func (c *conn) Transfer(ctx context.Context, to systems.Node) error {
	_, err := c.request(ctx, "transfer", &to)
	return err
}

// Position asks the node how far its copy of the state has come.
func (c *conn) Position(ctx context.Context) (at uint64, err error) {
	out, err := c.request(ctx, "replica", nil)
	if err != nil {
		return 0, err
	}
	if err := readOut(out, &at); err != nil || out == history.Null || at > maxPosition {
		return 0, c.odd("replica", out, "a whole number below 2^53")
	}
	return at, nil
}

// Digest asks the node for a sum of its copy at a position.
func (c *conn) Digest(ctx context.Context, at uint64) (systems.Digest, error) {
	out, err := c.request(ctx, "replica", nil, field{"at", history.Data(strconv.FormatUint(at, 10))})
	if err != nil {
		return systems.Digest{}, err
	}
	var d struct {
		At uint64 `json:"at"`
		systems.Digest
	}
	if err := readOut(out, &d); err != nil || d.At != at || d.Sum == "" || len(d.Sum)+len(d.Basis) > maxDigest {
		return systems.Digest{}, c.odd("replica", out, fmt.Sprintf(`{"at":%d,"digest":"…"} with a digest of at most %d bytes`, at, maxDigest))
	}
	return d.Digest, nil
}

// odd says that the answer to a request is not what the protocol has for it. Nothing was
// changed by such a request, so the connection is in order.
func (c *conn) odd(do string, out history.Data, want string) error {
	return &systems.Error{Certain: true, Err: fmt.Errorf("the client program answered %q with %s; expected %s", do, plain.Excerpt([]byte(out)), want)}
}

// Close tells the program that nobody uses the connection any more.
func (c *conn) Close() error {
	c.once.Do(func() {
		close(c.closed)
		c.p.tell(func(buf []byte) []byte { return appendControl(buf, 0, "close", c.id) })
	})
	return nil
}
