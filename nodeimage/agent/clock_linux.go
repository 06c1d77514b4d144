package agent

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"squall/nodeimage/agent/protocol"
)

const (
	// clockEnv tells a server which file descriptor is the line to its clock:
	// clockFD, the one after stdin, stdout, stderr, the trace, and Exec's
	// report, which is closed by then.
	clockEnv = "SQUALL_CLOCK_FD"
	clockFD  = 5
	// clockTimeout is how long a server may take to answer for its clock, and
	// clockLook how often it is looked meanwhile whether it is paused.
	clockTimeout = 2 * time.Second
	clockLook    = 20 * time.Millisecond
	// reapTimeout is how soon a process whose end of the line is closed is
	// reaped, unless it lives on.
	reapTimeout = 300 * time.Millisecond
	// maxClockLine bounds a line of a server's, in bytes.
	maxClockLine = 4 << 10
)

// machineClock is how the machine's servers see time.
type machineClock struct {
	bending sync.Mutex // one bend after the other, so that servers hear the last one last

	// The supervisor's mutex guards these, so that no bend falls between a
	// server that is about to start and the one before.
	bend protocol.ClockBend
	line protocol.ClockLine
}

// clockLink is the line to the clock of one server. docs/clock-bending.md says
// what is spoken on it.
type clockLink struct {
	conn *os.File

	mu      sync.Mutex
	next    uint64
	waiting map[uint64]chan clockAnswer // each has room for its answer
	broken  error                       // why no answer comes any more
}

// clockAnswer is what a server said of its clock, and when that came.
type clockAnswer struct {
	shown int64
	at    int64 // CLOCK_MONOTONIC, ns
	err   error
}

// linkClock makes the line to a server that is about to start, and its first
// word: how the clock is bent. theirs is the server's end.
func (c *machineClock) linkClock() (link *clockLink, theirs *os.File, err error) {
	fd, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("making the line to the server's clock: %w", err)
	}
	theirs = os.NewFile(uintptr(fd[1]), "clock")
	if err := unix.SetNonblock(fd[0], true); err != nil { // or closing would not end a read
		unix.Close(fd[0])
		theirs.Close()
		return nil, nil, fmt.Errorf("making the line to the server's clock: %w", err)
	}
	link = &clockLink{conn: os.NewFile(uintptr(fd[0]), "clock"), waiting: make(map[uint64]chan clockAnswer)}
	if _, _, err := link.ask(bendWords(c.line)); err != nil {
		link.close()
		theirs.Close()
		return nil, nil, err
	}
	return link, theirs, nil
}

// bendWords tell a server to go by a line. 'g' with -1 writes the rate exactly.
func bendWords(l protocol.ClockLine) (verb, rest string) {
	return "bend", fmt.Sprintf(" %d %d %s", l.Mono, l.Clock, strconv.FormatFloat(l.Rate, 'g', -1, 64))
}

var errClockClosed = errors.New("the server closed the line to its clock")

// ask sends a request. Its answer comes on the channel, unless forget is called.
func (l *clockLink) ask(verb, rest string) (answer <-chan clockAnswer, forget func(), err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.broken != nil {
		return nil, nil, l.broken
	}
	// A paused server takes nothing; its end holds hundreds of lines.
	if err := l.conn.SetWriteDeadline(time.Now().Add(clockTimeout)); err != nil {
		return nil, nil, fmt.Errorf("the line to the server's clock: %w", err)
	}
	l.next++
	id, ch := l.next, make(chan clockAnswer, 1)
	if _, err := fmt.Fprintf(l.conn, "%s %d%s\n", verb, id, rest); err != nil {
		// Half a line may be out: nothing more can be said.
		l.broken = fmt.Errorf("the line to the server's clock is of no use any more: %w", err)
		if errors.Is(err, unix.EPIPE) || errors.Is(err, unix.ECONNRESET) { // listen is about to find it
			l.broken = errClockClosed
		}
		return nil, nil, l.broken
	}
	l.waiting[id] = ch
	return ch, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.waiting, id)
	}, nil
}

// listen takes the server's answers until there are no more.
func (l *clockLink) listen() {
	lines := bufio.NewScanner(l.conn)
	lines.Buffer(nil, maxClockLine)
	why := errClockClosed
	for lines.Scan() {
		at := mono()
		id, answer, err := parseClockAnswer(lines.Text())
		if err != nil {
			why = err
			break
		}
		answer.at = at
		l.mu.Lock()
		ch := l.waiting[id]
		delete(l.waiting, id)
		l.mu.Unlock()
		if ch != nil {
			ch <- answer
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.broken == nil {
		l.broken = why
	}
	for _, ch := range l.waiting {
		ch <- clockAnswer{err: l.broken}
	}
	clear(l.waiting)
}

// parseClockAnswer reads "ok ID SHOWN" or "error ID TEXT".
func parseClockAnswer(line string) (id uint64, a clockAnswer, err error) {
	word, rest, _ := strings.Cut(line, " ")
	number, rest, _ := strings.Cut(rest, " ")
	id, err = strconv.ParseUint(number, 10, 64)
	switch {
	case err != nil:
	case word == "ok":
		a.shown, err = strconv.ParseInt(rest, 10, 64)
	case word == "error":
		a.err = fmt.Errorf("the server says of its clock: %s", rest)
	default:
		err = errors.New("it is neither ok nor error")
	}
	if err != nil {
		err = fmt.Errorf("the server answered %q for its clock: %w", line, err)
	}
	return id, a, err
}

// close ends the line of a server that has none or is gone.
func (l *clockLink) close() {
	if l != nil {
		l.conn.Close()
	}
}

// performClock does what has to do with the server's clock.
func (s *supervisor) performClock(req protocol.Request) (any, error) {
	if req.Method == protocol.MethodClockRead {
		return s.readClock()
	}
	bend, err := params[protocol.ClockBend](req)
	if err != nil {
		return nil, err
	}
	if err := bend.Validate(); err != nil {
		return nil, fmt.Errorf("%w: %w", errBadRequest, err)
	}
	return nil, s.bendClock(bend)
}

// bendClock bends the clock of the server that runs, and of those to come.
func (s *supervisor) bendClock(bend protocol.ClockBend) error {
	p, answer, err := s.sendBend(bend)
	if err != nil || p == nil {
		return err
	}
	_, err = p.awaitClock(answer)
	var waits *pausedClock
	if errors.Is(err, protocol.ErrNotRunning) || errors.As(err, &waits) {
		return nil // it is on its way, or the next one begins with it
	}
	return err
}

// sendBend notes a bend and tells the server that runs, which is nil for none.
func (s *supervisor) sendBend(bend protocol.ClockBend) (*process, <-chan clockAnswer, error) {
	c := &s.clock
	c.bending.Lock()
	defer c.bending.Unlock()
	s.mu.Lock()
	p := s.current
	if p != nil && p.dead() {
		p = nil
	}
	if p != nil && p.clock == nil {
		s.mu.Unlock()
		return nil, nil, protocol.ErrNoClock
	}
	c.line = bend.Line(c.bend, c.line, mono())
	c.bend = bend
	line := c.line
	s.mu.Unlock()
	if p == nil {
		return nil, nil, nil
	}
	answer, _, err := p.clock.ask(bendWords(line))
	if err != nil {
		return nil, nil, p.unlessDead(err)
	}
	return p, answer, nil
}

// unlessDead is err, or nil when the process is about to be gone: then it is
// no wonder.
func (p *process) unlessDead(err error) error {
	select {
	case <-p.exited:
		return nil
	case <-time.After(reapTimeout):
		return err
	}
}

func (s *supervisor) readClock() (protocol.ClockReading, error) {
	p, err := s.running()
	if err != nil {
		return protocol.ClockReading{}, err
	}
	if p.clock == nil {
		return protocol.ClockReading{}, protocol.ErrNoClock
	}
	asked := mono()
	answer, forget, err := p.clock.ask("read", "")
	if err != nil {
		if p.unlessDead(err) == nil {
			err = protocol.ErrNotRunning
		}
		return protocol.ClockReading{}, err
	}
	defer forget()
	a, err := p.awaitClock(answer)
	if err != nil {
		return protocol.ClockReading{}, err
	}
	half := (a.at - asked + 1) / 2
	return protocol.ClockReading{Mono: asked + (a.at-asked)/2, Server: a.shown, Error: half}, nil
}

// pausedClock says that a server does not answer because it is paused.
type pausedClock struct{ pid int }

func (e *pausedClock) Error() string {
	return fmt.Sprintf("%v: pid %d is paused; it answers when it continues", protocol.ErrClockSilent, e.pid)
}

func (e *pausedClock) Unwrap() error { return protocol.ErrClockSilent }

func (p *process) paused() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reaped {
		return false
	}
	state, err := pausedState(p.pid)
	return err == nil && state == 'T'
}

// awaitClock waits for the server's answer, for as long as one can come.
func (p *process) awaitClock(answer <-chan clockAnswer) (clockAnswer, error) {
	look := time.NewTicker(clockLook)
	defer look.Stop()
	for deadline := time.Now().Add(clockTimeout); ; {
		select {
		case a := <-answer:
			if a.err != nil && p.unlessDead(a.err) == nil {
				return a, protocol.ErrNotRunning
			}
			return a, a.err
		case <-p.exited:
			return clockAnswer{}, protocol.ErrNotRunning
		case <-look.C:
		}
		if p.paused() {
			return clockAnswer{}, &pausedClock{p.pid}
		}
		if time.Now().After(deadline) {
			return clockAnswer{}, fmt.Errorf("%w: pid %d said nothing for %v", protocol.ErrClockSilent, p.pid, clockTimeout)
		}
	}
}
