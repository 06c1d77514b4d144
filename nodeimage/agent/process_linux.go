package agent

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"squall/nodeimage/agent/protocol"
)

// stopTimeout is how long a process may take to stop or to go on. It only
// takes long when a thread hangs in the kernel, as on a dead disk.
const stopTimeout = 5 * time.Second

// process is one run of the server. Its pid also is its process group, and
// signals go to the group: a server that is several processes is one server.
type process struct {
	pid, boot int
	uid       int // its user when it began; 0: the agent's
	proc      *os.Process
	stdin     *os.File
	clock     *serverLine // nil: it has no clock that could be bent
	messages  *serverLine // nil: it takes no rules for its messages
	oomKills  uint64      // that the machine's control group had counted when it began

	exited  chan struct{} // closed when it has been reaped
	drained chan struct{} // closed when all its output and its exit are queued

	// stopping makes pause and resume wait for each other.
	stopping sync.Mutex

	// mu guards the end of the process. Who holds it and sees !reaped may use
	// the pid: nobody else has it yet, be the process alive or a zombie.
	mu     sync.Mutex
	reaped bool
	ending bool // it was asked to end, or killed
	reason string
}

// supervisor runs one process at a time.
type supervisor struct {
	wrap []string
	hold isolation // of every server
	data string    // the servers' data directory; "": there is none
	out  *frameWriter
	emit func(protocol.Event)
	// oomKills is how often the kernel has killed in the machine for want of
	// memory; nil: nobody counts.
	oomKills func() uint64
	prompt   promptness // of forwarding full traces

	starting sync.Mutex // one start at a time

	// mu guards what follows. It is held while a child is being made, so that
	// the reaping of orphans cannot take the child for one.
	mu       sync.Mutex
	clock    machineClock
	messages machineMessages
	current  *process     // the running one, or the last
	helpers  map[int]bool // processes of the agent's own, by pid, which others reap
	boots    int
	closing  bool
}

func (s *supervisor) last() *process {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current
}

// running is the current process; ErrNotRunning when there is none alive.
func (s *supervisor) running() (*process, error) {
	p := s.last()
	if p == nil || p.dead() {
		return nil, protocol.ErrNotRunning
	}
	return p, nil
}

func (s *supervisor) start(spec protocol.StartSpec) (protocol.ProcInfo, error) {
	if len(spec.Argv) == 0 || spec.Argv[0] == "" {
		return protocol.ProcInfo{}, errors.New("no program to run was given")
	}
	s.starting.Lock()
	defer s.starting.Unlock()
	if p := s.last(); p != nil {
		if !p.dead() {
			return protocol.ProcInfo{}, fmt.Errorf("%w: pid %d, boot %d", protocol.ErrRunning, p.pid, p.boot)
		}
		<-p.drained // so that boots do not mix in the streams
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return protocol.ProcInfo{}, errors.New("the agent is shutting down")
	}
	pipes, err := newPipes(spec.FullTrace)
	if err != nil {
		return protocol.ProcInfo{}, err
	}
	clock, messages, err := s.linkLines(spec, pipes)
	if err != nil {
		pipes.closeTheirs()
		pipes.closeOurs()
		return protocol.ProcInfo{}, err
	}
	oomKills := s.killsForMemory()
	proc, err := launch(s.wrap, s.hold, spec, pipes)
	if err != nil {
		clock.close()
		messages.close()
		pipes.closeOurs()
		return protocol.ProcInfo{}, err
	}
	s.boots++
	if spec.Prompt {
		s.prompt.set(true)
	}
	p := &process{
		pid:      proc.Pid,
		boot:     s.boots,
		uid:      s.hold.uid,
		proc:     proc,
		stdin:    pipes.stdin,
		clock:    clock,
		messages: messages,
		exited:   make(chan struct{}),
		drained:  make(chan struct{}),

		oomKills: oomKills,
	}
	s.current = p
	s.emit(protocol.Event{Kind: protocol.EventStart, Boot: p.boot, PID: p.pid, Mono: mono()})
	go s.follow(p, pipes)
	return protocol.ProcInfo{Boot: p.boot, PID: p.pid}, nil
}

// linkLines makes the lines that a server is started with; its ends go to the pipes.
func (s *supervisor) linkLines(spec protocol.StartSpec, pipes *pipes) (clock, messages *serverLine, err error) {
	if spec.Clock {
		if clock, pipes.theirClock, err = s.clock.linkClock(); err != nil {
			return nil, nil, err
		}
	}
	if spec.Messages {
		if messages, pipes.theirMessages, err = s.messages.linkMessages(); err != nil {
			clock.close()
			return nil, nil, err
		}
	}
	return clock, messages, nil
}

// follow forwards what the process writes, reaps it and reports its end.
func (s *supervisor) follow(p *process, pipes *pipes) {
	defer close(p.drained)
	logs := &logKeeper{out: s.out, boot: p.boot}
	var pumps sync.WaitGroup
	pumps.Go(func() {
		pump(pipes.log, logs.forward)
		logs.finish()
	})
	pumps.Go(func() {
		pump(pipes.trace, s.forwardTrace(protocol.StreamTrace, p.boot))
		s.tellSilence(p, protocol.EventSilent, traceFD)
	})
	if pipes.full != nil {
		pumps.Go(func() {
			pumpQuiet(pipes.full, p.exited, s.prompt.pace, s.forwardTrace(protocol.StreamFull, p.boot))
			s.tellSilence(p, protocol.EventFullSilent, fullFD)
		})
	}
	for _, line := range []*serverLine{p.clock, p.messages} {
		if line != nil {
			pumps.Go(line.listen)
		}
	}

	reason, at := p.reap()
	p.stdin.Close()
	p.clock.close()
	p.messages.close()
	stopPump(pipes.log)
	stopPump(pipes.trace)
	pumps.Wait()
	if reason != "signal: killed" { // that one was somebody else's decision
		if words := lastLine(logs.tail); words != "" {
			reason += ": " + words
		}
	}
	p.mu.Lock()
	p.reason = reason
	p.mu.Unlock()
	s.emit(protocol.Event{Kind: protocol.EventExit, Boot: p.boot, PID: p.pid, Mono: at, Reason: reason,
		OOM: s.killsForMemory() > p.oomKills})
	reapOrphans(s)
}

// forwardTrace sends on what comes out of a trace.
func (s *supervisor) forwardTrace(id protocol.StreamID, boot int) func(frame []byte) {
	return func(frame []byte) {
		protocol.PutStreamHead(frame, id, boot)
		s.out.trace(id, frame) // it fails only when nobody is left to read it
	}
}

// reap waits for the process to end. It says how it ended and when.
func (p *process) reap() (reason string, at int64) {
	// First only wait, so that the pid goes away under the lock.
	for {
		err := unix.Waitid(unix.P_PID, p.pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if err != unix.EINTR {
			break // an error too: then Wait below waits
		}
	}
	at = mono()
	p.mu.Lock()
	defer p.mu.Unlock()
	state, err := p.proc.Wait()
	if err != nil {
		reason = err.Error()
	} else {
		reason = state.String()
	}
	p.reaped, p.reason = true, reason
	close(p.exited)
	return reason, at
}

func (p *process) dead() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.reaped
}

func (p *process) signal(sig syscall.Signal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reaped {
		return protocol.ErrNotRunning
	}
	// Before it is sent: the server may close its trace at once.
	p.ending = p.ending || sig == unix.SIGTERM || sig == unix.SIGKILL
	if err := unix.Kill(-p.pid, sig); err != nil {
		return fmt.Errorf("sending %s to pid %d: %w", unix.SignalName(sig), p.pid, err)
	}
	return nil
}

// kill ends the process that runs, if any, and returns when it is reaped.
// tailTime is how long a kill waits for what the process wrote last; others may hold
// its pipes open for as long as they like.
const tailTime = time.Second

// kill ends the process, and returns when what it had written is queued, so that a machine
// that is switched off after it takes nothing of that along.
func (s *supervisor) kill() error {
	p := s.last()
	if p == nil {
		return nil
	}
	if err := p.signal(unix.SIGKILL); err != nil {
		if errors.Is(err, protocol.ErrNotRunning) {
			return nil
		}
		return err
	}
	<-p.exited
	timer := time.NewTimer(tailTime)
	defer timer.Stop()
	select {
	case <-p.drained:
	case <-timer.C:
	}
	return nil
}

func (s *supervisor) terminate(grace time.Duration) error {
	p, err := s.running()
	if err != nil {
		return nil
	}
	if err := p.signal(unix.SIGTERM); err != nil && !errors.Is(err, protocol.ErrNotRunning) {
		return err
	}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-p.exited:
		return nil
	case <-timer.C:
		return s.kill()
	}
}

// close kills the process and lets no other start. It returns when the output
// is queued, or nobody can take it.
func (s *supervisor) close() error {
	s.mu.Lock()
	s.closing = true
	s.mu.Unlock()
	return s.kill()
}

// drain waits until the last process's output and exit are queued.
func (s *supervisor) drain() {
	if p := s.last(); p != nil {
		<-p.drained
	}
}

func (s *supervisor) pause() error {
	return s.turn(unix.SIGSTOP, true, protocol.EventPause)
}

func (s *supervisor) resume() error {
	return s.turn(unix.SIGCONT, false, protocol.EventResume)
}

// turn stops the process or lets it go on, and waits until it did.
func (s *supervisor) turn(sig syscall.Signal, wantPaused bool, event string) error {
	p, err := s.running()
	if err != nil {
		return err
	}
	p.stopping.Lock()
	defer p.stopping.Unlock()
	state, err := pausedState(p.pid)
	if err != nil || (state == 'T') == wantPaused {
		return err
	}
	if err := p.signal(sig); err != nil {
		return err
	}
	deadline := time.Now().Add(stopTimeout)
	for wait := 100 * time.Microsecond; ; wait = min(2*wait, 5*time.Millisecond) {
		state, err := pausedState(p.pid)
		if err != nil {
			return err
		}
		if (state == 'T') == wantPaused {
			s.emit(protocol.Event{Kind: event, Boot: p.boot, PID: p.pid, Mono: mono()})
			return nil
		}
		if time.Now().After(deadline) {
			// A fault that did not take effect must not do so later on.
			p.signal(unix.SIGCONT)
			return fmt.Errorf("pid %d did not %s within %v: a thread is in state %c", p.pid, event, stopTimeout, state)
		}
		time.Sleep(wait)
	}
}

func (s *supervisor) write(data []byte) error {
	p, err := s.running()
	if err != nil {
		return err
	}
	if _, err := p.stdin.Write(data); err != nil {
		if p.dead() {
			return protocol.ErrNotRunning
		}
		return fmt.Errorf("writing to the server's stdin: %w", err)
	}
	return nil
}

func (s *supervisor) closeStdin() error {
	p, err := s.running()
	if err != nil {
		return err
	}
	if err := p.stdin.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		return err
	}
	return nil
}

func (s *supervisor) state() (protocol.ProcState, error) {
	p := s.last()
	if p == nil {
		return protocol.ProcState{}, nil
	}
	// While the lock is held, the pid is this process's and no other's.
	p.mu.Lock()
	defer p.mu.Unlock()
	st := protocol.ProcState{PID: p.pid, Boot: p.boot, Running: !p.reaped, ExitReason: p.reason}
	if p.reaped {
		return st, nil
	}
	state, err := pausedState(p.pid)
	if errors.Is(err, protocol.ErrNotRunning) {
		state = 'Z' // dead, to be reaped any moment
	} else if err != nil {
		return st, err
	}
	st.State = string(state)
	pid := strconv.Itoa(p.pid)
	if st.CapEff, err = statusField(pid, "CapEff"); err != nil {
		return st, err
	}
	st.CapPrm, err = statusField(pid, "CapPrm")
	return st, err
}
