package agent

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"
	"time"

	"squall/nodeimage/agent/protocol"
)

// maxRequests is how many requests may be under way at once.
const maxRequests = 64

// How long the end of the agent may take: for the last frames to be written,
// and for the reading and writing to notice.
const (
	flushTimeout = 5 * time.Second
	leaveTimeout = 50 * time.Millisecond
)

// errShutdown ends the agent because it was asked to.
var errShutdown = errors.New("asked to shut down")

// agent serves one connection.
type agent struct {
	opts   Options
	out    *frameWriter
	server *supervisor
	probes *prober
	net    *network

	squeeze *squeezer
	disk    *dataDisk                                            // nil: none
	perform func(context.Context, protocol.Request) (any, error) // does what a request asks for
	hold    isolation                                            // of servers

	slots    chan struct{} // one for each request under way
	requests sync.WaitGroup
	stop     context.CancelCauseFunc
}

// Run is the agent. It returns nil when it was asked to shut down and when its
// input ended or nobody takes its output, after the server is dead; and an error when it cannot work, or
// ctx ended.
func Run(ctx context.Context, opts Options) error {
	opts = opts.withDefaults()
	hold := isolate(opts.Server)
	if err := protectSelf(opts.Server, hold.uid); err != nil {
		return err
	}
	probes, err := listenProbes(opts.ProbePort)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancelCause(ctx)
	out := newFrameWriter(opts.Out)
	a := &agent{
		opts:   opts,
		out:    out,
		probes: probes,
		net:    newNetwork(opts.Shaper),
		slots:  make(chan struct{}, maxRequests),
		stop:   stop,
		hold:   hold,
	}
	a.server = &supervisor{wrap: opts.Wrap, hold: hold, data: opts.Server.DataDir, out: out, emit: a.emit, clock: machineClock{line: protocol.TrueClock},
		oomKills: func() uint64 { return usage(cgroupRoot, selfCgroup).OOMKills }}
	a.squeeze = &squeezer{server: a.server}
	a.perform = a.carryOut
	if opts.Disk.On {
		if a.disk, err = a.mountDisk(opts.Disk); err != nil {
			probes.close()
			return err
		}
	}
	return a.run(ctx)
}

func (a *agent) run(ctx context.Context) error {
	var workers, inOut sync.WaitGroup
	inOut.Go(func() {
		if err := a.out.run(); err != nil {
			a.stop(fmt.Errorf("writing to the orchestrator: %w", err))
		}
	})
	inOut.Go(func() { a.stop(a.readRequests(ctx)) })
	workers.Go(func() { adoptOrphans(a.server, ctx.Done()) })
	if a.disk != nil {
		workers.Go(func() { a.disk.follow(a) })
	}

	<-ctx.Done()
	cause := context.Cause(ctx)
	if !errors.Is(cause, errShutdown) {
		fmt.Fprintf(a.opts.Log, "agent: %v: killing the server and leaving\n", cause)
		// Nobody may be left to take what is still queued.
		a.out.close()
	}
	a.disk.release()
	err := a.server.close()
	a.server.drain()
	atMost(flushTimeout, a.out.flush)
	a.out.close()
	a.opts.In.Close()
	a.probes.close()
	a.squeeze.close()
	a.disk.close()
	a.requests.Wait()
	if netErr := a.net.clear(); err == nil {
		err = netErr
	}
	workers.Wait()
	// A read or write of a file that blocks cannot be called off, except by
	// the end of this process, which follows.
	atMost(leaveTimeout, inOut.Wait)
	if err == nil && !endsWell(cause) {
		err = cause
	}
	return err
}

// endsWell reports whether an agent had nothing more to do. That nobody takes
// its output any more may be seen before the end of its input.
func endsWell(cause error) bool {
	return errors.Is(cause, errShutdown) || errors.Is(cause, io.EOF) || errors.Is(cause, syscall.EPIPE)
}

// atMost calls f and waits for it, but not for longer than this.
func atMost(limit time.Duration, f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	}
}

// readRequests reads requests until there are no more, and says why.
func (a *agent) readRequests(ctx context.Context) error {
	r := bufio.NewReader(a.opts.In)
	for {
		req, frames, err := nextRequest(r)
		if err != nil {
			return err
		}
		if req == nil {
			a.out.credit(frames)
			continue
		}
		select {
		case a.slots <- struct{}{}:
		default:
			a.answer(req.ID, nil, fmt.Errorf("%d requests are under way already", maxRequests))
			continue
		}
		// Each by itself: a kill must get through while a write to the
		// server's stdin waits.
		a.requests.Go(func() {
			defer func() { <-a.slots }()
			a.handle(ctx, *req)
		})
	}
}

// nextRequest reads a request, or, where that is nil, credit for so many frames.
func nextRequest(r io.Reader) (req *protocol.Request, credit int, err error) {
	kind, payload, err := protocol.ReadFrame(r)
	switch {
	case err != nil:
		return nil, 0, fmt.Errorf("the orchestrator's requests ended: %w", err)
	case kind == protocol.KindCredit:
		credit, err = protocol.ParseCredit(payload)
		return nil, credit, err
	case kind != protocol.KindRequest:
		return nil, 0, fmt.Errorf("%w: kind %d is not a request", protocol.ErrFrame, kind)
	}
	req = new(protocol.Request)
	if err := json.Unmarshal(payload, req); err != nil {
		return nil, 0, fmt.Errorf("%w: bad request: %w", protocol.ErrFrame, err)
	}
	return req, 0, nil
}

func (a *agent) handle(ctx context.Context, req protocol.Request) {
	result, err := a.perform(ctx, req)
	if req.Method == protocol.MethodShutdown && err == nil {
		a.server.drain() // the exit's event before the reply: the last of all
		a.answer(req.ID, result, nil)
		a.stop(errShutdown)
		return
	}
	a.answer(req.ID, result, err)
}

func (a *agent) answer(id uint64, result any, err error) {
	reply := protocol.Reply{ID: id}
	if err == nil && result != nil {
		reply.Result, err = json.Marshal(result)
	}
	if err != nil {
		reply = protocol.Reply{ID: id, Error: &protocol.Error{Code: code(err), Message: err.Error()}}
	}
	a.out.reply(a.frame(protocol.KindReply, reply))
}

func (a *agent) emit(e protocol.Event) { a.out.event(a.frame(protocol.KindEvent, e)) }

// frame encodes a message. The agent's own messages always can be; should one
// not, then it is answered by nothing, which the other side's deadline notices.
func (a *agent) frame(kind protocol.Kind, message any) []byte {
	payload, err := json.Marshal(message)
	if err == nil {
		var frame []byte
		if frame, err = protocol.AppendFrame(nil, kind, payload); err == nil {
			return frame
		}
	}
	fmt.Fprintf(a.opts.Log, "agent: encoding a message: %v\n", err)
	return nil
}

func code(err error) string {
	var bad *json.SyntaxError
	var badType *json.UnmarshalTypeError
	switch {
	case errors.Is(err, protocol.ErrNotRunning):
		return protocol.CodeNotRunning
	case errors.Is(err, protocol.ErrRunning):
		return protocol.CodeRunning
	case errors.Is(err, protocol.ErrNoClock):
		return protocol.CodeNoClock
	case errors.Is(err, protocol.ErrNoMessageRules):
		return protocol.CodeNoMessageRules
	case errors.Is(err, protocol.ErrMessagesSilent):
		return protocol.CodeMessagesSilent
	case errors.Is(err, protocol.ErrClockSilent):
		return protocol.CodeSilent
	case errors.As(err, &bad), errors.As(err, &badType), errors.Is(err, errBadRequest):
		return protocol.CodeBadRequest
	default:
		return protocol.CodeFailed
	}
}

func (is isolation) hello() (protocol.Hello, error) {
	caps, err := statusField("self", "CapEff")
	if err != nil {
		return protocol.Hello{}, err
	}
	names, err := capNames(caps)
	if err != nil {
		return protocol.Hello{}, err
	}
	host, err := os.Hostname()
	if err != nil {
		return protocol.Hello{}, err
	}
	return protocol.Hello{
		Version:      protocol.Version,
		PID:          os.Getpid(),
		Mono:         mono(),
		Capabilities: names,
		Hostname:     host,
		BootID:       bootID(),
		Isolation:    is.report(),
	}, nil
}
