// Package program runs clients that are programs of their own, and connects to nodes
// through them: one JSON object a line, requests on the program's standard input and
// answers on its standard output. docs/clients.md describes the protocol for those who
// write such a program.
//
// Nothing that a program writes is trusted. One that hangs, ends, answers what nobody
// asked, answers twice or writes what is no answer is killed: the outcome of its
// operations under way is unknown, and it is started again. Past a limit it is given
// up, with its last words.
package program

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"squall/workloads/systems"
)

// Version is that of the protocol.
const Version = 1

// MostFailures is how often a program may fail in a test; with one more it is given up.
const MostFailures = 10

// restartAfter is how long a program that failed is not started again, times the
// number of failures.
const restartAfter = 100 * time.Millisecond

// Options are what a Pool needs to know beside its program.
type Options struct {
	Workload string        // whose operations it is to carry out
	Timeout  time.Duration // after which nobody waits for the answer to an operation
	Nodes    []string      // the names of all nodes, as they were when the test began
	Log      io.Writer     // takes what the program writes to its standard error
	// Tick, if it is not nil, stands for a tick of a second, for tests.
	Tick func() (ticks <-chan time.Time, stop func())
}

// Pool is a program that runs whenever somebody connects through it.
type Pool struct {
	program systems.Program
	opt     Options
	log     *logWriter

	mu       sync.Mutex
	current  *process // nil: none was started, or the last one failed
	failures int
	last     error // why the last one failed
	failedAt time.Time
	closed   bool
	givenUp  chan struct{} // closed with the failure that was one too many
	running  sync.WaitGroup
}

// New is a Pool of that program, which it does not start yet.
func New(program systems.Program, opt Options) *Pool {
	if opt.Tick == nil {
		opt.Tick = func() (<-chan time.Time, func()) {
			t := time.NewTicker(time.Second)
			return t.C, t.Stop
		}
	}
	return &Pool{program: program, opt: opt, log: &logWriter{w: opt.Log}, givenUp: make(chan struct{})}
}

// GivenUp is closed when the program has failed too often; Err then says how.
func (p *Pool) GivenUp() <-chan struct{} { return p.givenUp }

// Err is why the program was given up; nil: it was not.
func (p *Pool) Err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failures <= MostFailures {
		return nil
	}
	return fmt.Errorf("the client program %s failed %d times, the last time because %w", p.program.Argv[0], p.failures, p.last)
}

// Dial connects to a node. Its error is a *systems.Error.
func (p *Pool) Dial(ctx context.Context, node systems.Node) (systems.Client, error) {
	proc, err := p.process()
	if err == nil {
		err = proc.awaitHello(ctx)
	}
	if err != nil {
		return nil, &systems.Error{Certain: true, Lost: true, Err: err}
	}
	return proc.open(ctx, node, p.program)
}

// process is the one that runs. It starts one where none does.
func (p *Pool) process() (*process, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.closed:
		return nil, errors.New("the clients are ending")
	case p.current != nil:
		return p.current, nil
	case p.failures > MostFailures, p.failures > 0 && time.Since(p.failedAt) < time.Duration(p.failures)*restartAfter:
		return nil, fmt.Errorf("the client program is not running: %w", p.last)
	}
	proc, err := startProcess(p.program, p.opt, p.log)
	if err != nil {
		p.note(err)
		return nil, err
	}
	p.current = proc
	p.running.Go(func() {
		err := proc.wait()
		p.mu.Lock()
		defer p.mu.Unlock()
		p.current = nil
		if !p.closed {
			p.note(err)
		}
	})
	return proc, nil
}

// note takes a failure. The lock is held.
func (p *Pool) note(err error) {
	p.failures++
	p.last, p.failedAt = err, time.Now()
	if p.failures == MostFailures+1 {
		close(p.givenUp)
	}
	p.log.note(fmt.Sprintf("failure %d of the client program: %v", p.failures, err))
}

// Close ends the program: it is given a moment once its input has ended.
func (p *Pool) Close() {
	p.mu.Lock()
	p.closed = true
	current := p.current
	p.mu.Unlock()
	if current != nil {
		current.end()
	}
	p.running.Wait()
}
