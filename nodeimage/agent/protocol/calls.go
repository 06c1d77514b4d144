package protocol

import (
	"context"
	"fmt"
	"net/netip"
	"time"
)

// maxWrite is how much of Write's data goes into one request. It grows by a
// third on the way, being base64, and must then fit a frame.
const maxWrite = 256 << 10

// Hello asks the agent who it is. An agent of another protocol version is an
// error.
func (c *Client) Hello(ctx context.Context) (Hello, error) {
	var h Hello
	if err := c.call(ctx, MethodHello, nil, &h); err != nil {
		return Hello{}, err
	}
	if h.Version != Version {
		return h, fmt.Errorf("the machine's agent speaks protocol version %d, this squall speaks %d: "+
			"its image was built from other sources; build it again", h.Version, Version)
	}
	return h, nil
}

// Start starts the server process, without capabilities. When it returns, the
// program itself runs (not just a fork of the agent); a program that cannot be
// run is an error. While one runs, another is refused with ErrRunning.
func (c *Client) Start(ctx context.Context, spec StartSpec) (ProcInfo, error) {
	var info ProcInfo
	err := c.call(ctx, MethodStart, spec, &info)
	return info, err
}

// Write writes data to the server process's stdin. When it returns, the data
// is in the pipe. The data of one call stays together only up to 256 KiB.
func (c *Client) Write(ctx context.Context, data []byte) error {
	for len(data) > 0 {
		n := min(len(data), maxWrite)
		if err := c.call(ctx, MethodWrite, WriteParams{Data: data[:n]}, nil); err != nil {
			return err
		}
		data = data[n:]
	}
	return nil
}

// CloseStdin closes the server process's stdin. Closing it twice is no error.
func (c *Client) CloseStdin(ctx context.Context) error {
	return c.call(ctx, MethodCloseStdin, nil, nil)
}

// Kill ends the server process, paused or not, with SIGKILL, and returns when
// it has been reaped; the state is the proof. When none runs it does nothing.
func (c *Client) Kill(ctx context.Context) (ProcState, error) {
	return c.state(ctx, MethodKill, nil)
}

// Terminate asks the server process to end with SIGTERM and kills it when it
// has not ended after grace. It returns when the process has been reaped. When
// none runs it does nothing. A paused process can only be killed.
func (c *Client) Terminate(ctx context.Context, grace time.Duration) (ProcState, error) {
	return c.state(ctx, MethodTerminate, TerminateParams{Grace: grace})
}

// Pause stops the server process with SIGSTOP and returns when all its threads
// stand still. Pausing a paused process does nothing; a process that does not
// run is ErrNotRunning.
func (c *Client) Pause(ctx context.Context) (ProcState, error) {
	return c.state(ctx, MethodPause, nil)
}

// Resume lets a paused server process go on with SIGCONT and returns when it
// does. Resuming a process that is not paused does nothing; a process that
// does not run is ErrNotRunning.
func (c *Client) Resume(ctx context.Context) (ProcState, error) {
	return c.state(ctx, MethodResume, nil)
}

// Process is the state of the server process.
func (c *Client) Process(ctx context.Context) (ProcState, error) {
	return c.state(ctx, MethodProcess, nil)
}

func (c *Client) state(ctx context.Context, method string, params any) (ProcState, error) {
	var s ProcState
	err := c.call(ctx, method, params, &s)
	return s, err
}

// Drop makes the machine drop every packet that comes from one of these
// addresses, and of no others: the set replaces the one before, in one step
// and with counters at zero. An empty set removes every trace of it. What the
// machine itself sends still leaves it.
func (c *Client) Drop(ctx context.Context, from []netip.Addr) error {
	return c.call(ctx, MethodDrop, DropParams{From: from}, nil)
}

// Dropped asks the kernel which sources are dropped, and what that hit so far.
// It is sorted by address.
func (c *Client) Dropped(ctx context.Context) ([]Dropped, error) {
	var d []Dropped
	err := c.call(ctx, MethodDropped, nil, &d)
	return d, err
}

// ProbeSend sends three small UDP datagrams with this nonce to each address.
// Port is the one on which the agents listen, ProbePort in a machine. Together
// with ProbeHeard at the other end it tells whether packets pass in this
// direction, whatever passes in the other.
func (c *Client) ProbeSend(ctx context.Context, nonce uint64, to []netip.Addr, port uint16) error {
	return c.call(ctx, MethodProbeSend, ProbeParams{Nonce: nonce, To: to, Port: port}, nil)
}

// ProbeHeard is from which addresses this machine received a datagram with
// this nonce in the last minute, sorted. A probe that was sent just now may
// take a moment to arrive.
func (c *Client) ProbeHeard(ctx context.Context, nonce uint64) ([]netip.Addr, error) {
	var from []netip.Addr
	err := c.call(ctx, MethodProbeHeard, ProbeParams{Nonce: nonce}, &from)
	return from, err
}

// Connect tries to open a TCP connection from inside the machine to each
// address, all at once. The answer has an entry for each of them, in order: ""
// when it worked, else why it did not.
func (c *Client) Connect(ctx context.Context, to []netip.AddrPort, timeout time.Duration) ([]string, error) {
	var errs []string
	err := c.call(ctx, MethodConnect, ConnectParams{To: to, Timeout: timeout}, &errs)
	if err == nil && len(errs) != len(to) {
		err = fmt.Errorf("agent: connect: %d answers for %d addresses", len(errs), len(to))
	}
	return errs, err
}

// Clock is the machine's CLOCK_MONOTONIC in nanoseconds.
func (c *Client) Clock(ctx context.Context) (int64, error) {
	var r ClockResult
	err := c.call(ctx, MethodClock, nil, &r)
	return r.Mono, err
}

// Shutdown makes the agent kill the server, remove its packet rules and exit
// with status 0, which ends the machine. It returns before the machine ended.
func (c *Client) Shutdown(ctx context.Context) error {
	return c.call(ctx, MethodShutdown, nil, nil)
}
