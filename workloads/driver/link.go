package driver

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"squall/workloads"
	"squall/workloads/systems"
)

// redialAfter is how long a failed attempt to connect answers for all clients
// of the link, so that a hundred of them do not make a hundred attempts.
const redialAfter = 15 * time.Millisecond

// errConnect marks an operation that never left, because there was no
// connection.
var errConnect = errors.New("connect")

// dialer makes connections to nodes.
type dialer interface {
	Dial(ctx context.Context, node systems.Node) (systems.Client, error)
}

// link is one connection to a node, shared by clients and made anew when it is
// lost.
type link struct {
	dialer  dialer
	node    systems.Node
	clock   clock
	timeout time.Duration // for one attempt to connect
	work    workloads.Workload
	silence time.Duration // after which a connection that answers nothing is given up

	current atomic.Pointer[connection]

	mu      sync.Mutex
	dialing chan struct{} // closed when the attempt under way has ended; nil: none is
	cancel  func()        // ends that attempt
	err     error         // of the last attempt
	tried   int64         // when it ended
	closed  bool
}

// connection is one dialled client.
type connection struct {
	client  systems.Client
	perform workloads.Performer
	heard   atomic.Int64 // when it last answered, or was made
}

// get returns the connection, and makes one if there is none.
func (l *link) get(ctx context.Context) (*connection, error) {
	if c := l.current.Load(); c != nil {
		return c, nil
	}
	for {
		l.mu.Lock()
		c, wait := l.current.Load(), l.dialing
		switch {
		case c != nil:
			l.mu.Unlock()
			return c, nil
		case l.closed:
			l.mu.Unlock()
			return nil, fmt.Errorf("%w: the driver is stopping", errConnect)
		case wait == nil && l.err != nil && l.clock.now()-l.tried < int64(redialAfter):
			err := l.err
			l.mu.Unlock()
			return nil, err
		case wait == nil:
			wait = l.dial(ctx)
		}
		l.mu.Unlock()
		select {
		case <-wait:
			if err := l.lastError(); err != nil {
				return nil, err
			}
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %w", errConnect, ctx.Err())
		}
	}
}

func (l *link) lastError() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// dial begins one attempt, on behalf of all who wait for it, so it does not end with the
// one who happened to need it first: it has its own time, and close ends it. The lock is
// held.
func (l *link) dial(ctx context.Context) (ended chan struct{}) {
	done := make(chan struct{})
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.timeout)
	l.dialing, l.cancel = done, cancel
	go func() {
		defer close(done)
		client, err := l.dialer.Dial(ctx, l.node)
		cancel()
		l.dialled(client, err)
	}()
	return done
}

// dialled takes what an attempt came to.
func (l *link) dialled(client systems.Client, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dialing = nil
	l.tried = l.clock.now()
	l.err = nil
	switch {
	case err != nil:
		l.err = fmt.Errorf("%w: %w", errConnect, err)
	case l.closed:
		_ = client.Close() // nobody has used it
	default:
		c := &connection{client: client, perform: l.work.Bind(client)}
		c.heard.Store(l.tried)
		l.current.Store(c)
	}
}

// answered notes that the connection is alive.
func (c *connection) answered(now int64) { c.heard.Store(now) }

// failed looks at an operation's error and gives the connection up when it is
// lost, or has been silent for long: TCP may take minutes to notice that the
// path works again, and to a fresh connection it is obvious.
func (l *link) failed(c *connection, err error, now int64) {
	silent := errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
	if systems.Lost(err) || silent && now-c.heard.Load() > int64(l.silence) {
		l.drop(c)
	}
}

func (l *link) drop(c *connection) {
	if l.current.CompareAndSwap(c, nil) {
		// Its operations under way return errors; that is all there is to it.
		_ = c.client.Close()
	}
}

// close ends the connection for good, and an attempt to make one.
func (l *link) close() {
	l.mu.Lock()
	l.closed = true
	dialing, cancel := l.dialing, l.cancel
	l.mu.Unlock()
	if dialing != nil {
		cancel()
		<-dialing
	}
	if c := l.current.Load(); c != nil {
		l.drop(c)
	}
}
