package program

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"sync"
	"time"

	"squall/workloads/systems"
)

const (
	// silentTicks is for how many seconds a program may owe the answer to a ping and
	// write nothing.
	silentTicks = 10
	// helloLimit is how many of them it has until its first line.
	helloLimit = 10
	// endGrace is how long a program may go on when its input has ended.
	endGrace = time.Second
	// maxPending bounds the requests that a program has not read, in bytes.
	maxPending = 64 << 20
	// maxOwed bounds the answers that nobody waits for any more.
	maxOwed = 1 << 20
)

// process is a program that runs.
type process struct {
	cmd   *exec.Cmd
	kill  context.CancelFunc
	stdin io.WriteCloser
	opt   Options
	said  *tail // the last lines of its standard error

	wake   chan struct{} // there is something to write
	hello  chan struct{} // closed when it has said hello
	failed chan struct{} // closed with err
	done   chan struct{} // closed when nothing of it is left
	hand   func(line []byte) error

	mu      sync.Mutex
	out     []byte // requests that were not written yet
	calls   map[uint64]chan reply
	owed    map[uint64]bool // answers that nobody waits for any more
	lastID  uint64
	lastCon uint64
	heard   bool  // it wrote something since the last tick
	ending  bool  // its input has ended, or is about to
	err     error // why it failed; nil: it did not
}

// startProcess starts the program and greets it.
func startProcess(program systems.Program, opt Options, log *logWriter) (*process, error) {
	ctx, cancel := context.WithCancel(context.Background())
	p := &process{cmd: exec.CommandContext(ctx, program.Argv[0], program.Argv[1:]...), kill: cancel, opt: opt,
		wake: make(chan struct{}, 1), hello: make(chan struct{}), failed: make(chan struct{}), done: make(chan struct{}),
		calls: map[uint64]chan reply{}, owed: map[uint64]bool{}}
	p.hand = p.takeHello
	p.said = &tail{to: log, flood: func() { p.fail(fmt.Errorf("it wrote more than %d MiB to its standard error", maxStderr>>20)) }}
	p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr, p.cmd.WaitDelay = program.Env, &answers{p: p}, p.said, endGrace
	var err error
	if p.stdin, err = p.cmd.StdinPipe(); err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		cancel()
		return nil, fmt.Errorf("it could not be started: %w", err)
	}
	p.out = appendHello(nil, opt)
	p.poke()
	return p, nil
}

// wait returns when nothing of the process is left, and why it ended.
func (p *process) wait() error {
	var helpers sync.WaitGroup
	helpers.Go(p.write)
	helpers.Go(p.watch)
	err := p.cmd.Wait()
	why := "it ended"
	if err != nil {
		why = "it ended: " + err.Error()
	}
	p.fail(errors.New(why))
	_ = p.stdin.Close()
	helpers.Wait()
	close(p.done)
	p.mu.Lock()
	defer p.mu.Unlock()
	if last := p.said.text(); last != "" {
		return fmt.Errorf("%w; its last lines: %s", p.err, last)
	}
	return p.err
}

// fail kills the process, unless it has failed before, and ends all that waits for it.
func (p *process) fail(err error) {
	p.mu.Lock()
	if p.err != nil {
		p.mu.Unlock()
		return
	}
	p.err = err
	calls := p.calls
	p.calls = nil
	close(p.failed)
	p.mu.Unlock()
	for _, c := range calls {
		close(c)
	}
	p.kill()
}

// failure is why it failed.
func (p *process) failure() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// end lets the process end by itself, for a moment.
func (p *process) end() {
	p.mu.Lock()
	p.ending = true
	p.mu.Unlock()
	p.poke()
	patience := time.NewTimer(endGrace)
	defer patience.Stop()
	select {
	case <-p.done:
	case <-patience.C:
		p.fail(errors.New("it did not end when its input did"))
	}
}

func (p *process) poke() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// write writes requests as they come.
func (p *process) write() {
	var spare []byte
	for {
		select {
		case <-p.failed:
			return
		case <-p.wake:
		}
		p.mu.Lock()
		lines, ending := p.out, p.ending
		p.out = spare[:0]
		p.mu.Unlock()
		if len(lines) > 0 {
			if _, err := p.stdin.Write(lines); err != nil {
				return // it has ended, or is about to: wait tells why
			}
		}
		if ending {
			_ = p.stdin.Close()
			return
		}
		spare = lines
	}
}

// watch finds a program that hangs. Its silence is counted in ticks and not by a
// clock: the time in which the driver itself had no turn has none.
func (p *process) watch() {
	ticks, stop := p.opt.Tick()
	defer stop()
	silent, limit := 0, helloLimit
	var pong <-chan reply
	for {
		select {
		case <-p.failed:
			return
		case <-pong:
			pong = nil
			continue
		case <-ticks:
		}
		if p.wasHeard() {
			silent = 0
		}
		select {
		case <-p.hello:
			limit = silentTicks
			if pong == nil {
				_, pong = p.ask(func(buf []byte, id uint64) []byte { return appendControl(buf, id, "ping", 0) })
				silent = 0
			}
		default:
		}
		if silent++; silent > limit {
			p.fail(fmt.Errorf("it has written nothing for %d s, not even the answer to a ping: it hangs", limit))
			return
		}
	}
}

func (p *process) wasHeard() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	was := p.heard
	p.heard = false
	return was
}

// awaitHello returns when the program has said hello.
func (p *process) awaitHello(ctx context.Context) error {
	select {
	case <-p.hello:
		return nil
	case <-p.failed:
		return p.failure()
	case <-ctx.Done():
		return fmt.Errorf("the client program has not said hello: %w", context.Cause(ctx))
	}
}

// ask sends a request, and returns where its answer comes. That is closed when the
// process fails.
func (p *process) ask(request func(buf []byte, id uint64) []byte) (uint64, <-chan reply) {
	answer := make(chan reply, 1)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil || p.ending {
		close(answer)
		return 0, answer
	}
	p.lastID++
	p.calls[p.lastID] = answer
	p.out = request(p.out, p.lastID)
	if len(p.out) > maxPending {
		go p.fail(fmt.Errorf("it has not read %d MiB of requests", maxPending>>20))
	}
	p.poke()
	return p.lastID, answer
}

// tell sends a request that has no answer.
func (p *process) tell(request func(buf []byte) []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil && !p.ending {
		p.out = request(p.out)
		p.poke()
	}
}

// abandon says that nobody waits for an answer any more.
func (p *process) abandon(id uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, open := p.calls[id]; !open {
		return
	}
	delete(p.calls, id)
	p.owed[id] = true
	if len(p.owed) > maxOwed {
		go p.fail(fmt.Errorf("it owes more than %d answers", maxOwed))
	}
}

// takeHello takes the first line.
func (p *process) takeHello(line []byte) error {
	if err := readHello(line); err != nil {
		return err
	}
	p.hand = p.takeReply
	close(p.hello)
	return nil
}

// takeReply takes an answer. An error says what is wrong with it.
func (p *process) takeReply(line []byte) error {
	id, r, err := readReply(line)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.heard = true
	answer, open := p.calls[id]
	switch {
	case open:
		delete(p.calls, id)
		answer <- r
	case p.owed[id]:
		delete(p.owed, id)
	case p.err != nil:
	case id > 0 && id <= p.lastID:
		return fmt.Errorf("it answered the request %d twice", id)
	default:
		return fmt.Errorf("it answered the request %d, which nobody made", id)
	}
	return nil
}
