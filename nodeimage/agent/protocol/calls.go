package protocol

import (
	"context"
	"fmt"
	"io"
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

// PromptTrace has the agent forward full traces within a millisecond, or (the default)
// leave them to gather for some, which costs the machine much less.
func (c *Client) PromptTrace(ctx context.Context, prompt bool) error {
	return c.call(ctx, MethodPrompt, PromptParams{Prompt: prompt}, nil)
}

// Wipe empties the data directory of the machine's servers, and returns when nothing is
// left in it. While a server runs it is refused with ErrRunning.
func (c *Client) Wipe(ctx context.Context) (WipeResult, error) {
	var r WipeResult
	err := c.call(ctx, MethodWipe, nil, &r)
	return r, err
}

func (c *Client) state(ctx context.Context, method string, params any) (ProcState, error) {
	var s ProcState
	err := c.call(ctx, method, params, &s)
	return s, err
}

// Net makes this everything that the machine does to packets, in place of what
// was before, see NetState; the zero NetState removes every trace, and packets
// that are held back go out at once. A bad value is an error that names the
// field, and then all stays as it was. What the machine lacks for it is an
// error too, see Features.
func (c *Client) Net(ctx context.Context, state NetState) error {
	return c.call(ctx, MethodNet, state, nil)
}

// NetCounters asks what is set, and what it did to packets so far.
func (c *Client) NetCounters(ctx context.Context) (NetCounters, error) {
	var n NetCounters
	err := c.call(ctx, MethodNetCount, nil, &n)
	return n, err
}

// Features tries in the machine's kernel what Net needs. The keys are the
// Feature constants; the value is "" for what can be done, else why it cannot
// and what would fix that.
func (c *Client) Features(ctx context.Context) (map[string]string, error) {
	var f map[string]string
	err := c.call(ctx, MethodFeatures, nil, &f)
	return f, err
}

// FlowSend sends a flow of datagrams from inside the machine and waits for
// their echoes: Count times Interval, and up to Wait for the last echoes. The
// answer has an entry for each address, in the order of the spec.
func (c *Client) FlowSend(ctx context.Context, spec FlowSpec) ([]FlowSent, error) {
	var sent []FlowSent
	err := c.call(ctx, MethodFlowSend, spec, &sent)
	return sent, err
}

// FlowHeard is what this machine received of the flow with this nonce, sorted
// by source. A machine remembers the 64 flows of which it heard last.
func (c *Client) FlowHeard(ctx context.Context, nonce uint64) ([]FlowHeard, error) {
	var heard []FlowHeard
	err := c.call(ctx, MethodFlowHeard, ProbeParams{Nonce: nonce}, &heard)
	return heard, err
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
// when it worked, else why it did not: "connection refused" or "connection
// reset" when the other end said so, "i/o timeout" when nothing came back.
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

// Shutdown makes the agent kill the server, leave packets alone again and exit
// with status 0, which ends the machine. It returns before the machine ended.
func (c *Client) Shutdown(ctx context.Context) error {
	return c.call(ctx, MethodShutdown, nil, nil)
}

// DiskStatus is how squall's file system on the data directory is. Where there is none, this and the other calls of
// it fail.
func (c *Client) DiskStatus(ctx context.Context) (DiskStatus, error) {
	var s DiskStatus
	err := c.call(ctx, MethodDiskStatus, nil, &s)
	return s, err
}

// DiskRules makes the disk do these things wrong, in place of those before.
func (c *Client) DiskRules(ctx context.Context, rules []DiskRule) error {
	return c.call(ctx, MethodDiskRules, DiskRules{Rules: rules}, nil)
}

// DiskCut does to the disk what a power cut does, see DiskCut. The machine is of no further use.
func (c *Client) DiskCut(ctx context.Context, cut DiskCut) (DiskLoss, error) {
	var l DiskLoss
	err := c.call(ctx, MethodDiskCut, cut, &l)
	return l, err
}

// DiskSettle makes all that is on the disk durable: no later cut takes it. It is for who lays files out before a server starts.
func (c *Client) DiskSettle(ctx context.Context) error {
	return c.call(ctx, MethodDiskSettle, nil, nil)
}

// DiskDamage damages a file of the servers', silently.
func (c *Client) DiskDamage(ctx context.Context, d DiskDamage) (DiskDamaged, error) {
	var r DiskDamaged
	err := c.call(ctx, MethodDiskDamage, d, &r)
	return r, err
}

// DiskProbe writes, syncs and reads a file on the disk that no server sees.
func (c *Client) DiskProbe(ctx context.Context) (DiskProbe, error) {
	var p DiskProbe
	err := c.call(ctx, MethodDiskProbe, nil, &p)
	return p, err
}

// DiskJournal writes the journal of a life of the disk to w. Machines have journals that were asked
// for one (machines.MachineSpec).
func (c *Client) DiskJournal(ctx context.Context, life int, w io.Writer) (bytes int64, err error) {
	for {
		var part DiskJournalPart
		if err := c.call(ctx, MethodDiskJournal, DiskJournal{Life: life, Offset: bytes}, &part); err != nil {
			return bytes, err
		}
		if len(part.Data) == 0 {
			return bytes, nil
		}
		n, err := w.Write(part.Data)
		bytes += int64(n)
		if err != nil {
			return bytes, err
		}
	}
}
