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
	// lineTimeout is how long a server may take to answer on a line, and
	// lineLook how often it is looked meanwhile whether it is paused.
	lineTimeout = 2 * time.Second
	lineLook    = 20 * time.Millisecond
	// reapTimeout is how soon a process whose end of the line is closed is
	// reaped, unless it lives on.
	reapTimeout = 300 * time.Millisecond
	// maxServerLine bounds a line of a server's, in bytes.
	maxServerLine = 16 << 10
)

// lineKind is what a line to a server is about.
type lineKind struct {
	name   string // "clock"
	silent error  // the server that runs does not answer
	closed error  // it closed its end
}

// serverLine is a line to one server, on which each request is answered by one
// line with its number, in order.
type serverLine struct {
	kind lineKind
	conn *os.File

	mu      sync.Mutex
	next    uint64
	waiting map[uint64]chan lineAnswer // each has room for its answer
	broken  error                      // why no answer comes any more
}

// lineAnswer is what a server said, and when that came.
type lineAnswer struct {
	said string
	at   int64 // CLOCK_MONOTONIC, ns
	err  error
}

// newServerLine makes a line to a server that is about to start, and says the
// first words on it. theirs is the server's end.
func newServerLine(kind lineKind, verb, rest string) (line *serverLine, theirs *os.File, err error) {
	fd, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("making the line to the server's %s: %w", kind.name, err)
	}
	theirs = os.NewFile(uintptr(fd[1]), kind.name)
	if err := unix.SetNonblock(fd[0], true); err != nil { // or closing would not end a read
		unix.Close(fd[0])
		theirs.Close()
		return nil, nil, fmt.Errorf("making the line to the server's %s: %w", kind.name, err)
	}
	line = &serverLine{kind: kind, conn: os.NewFile(uintptr(fd[0]), kind.name), waiting: make(map[uint64]chan lineAnswer)}
	if _, _, err := line.ask(verb, rest); err != nil {
		line.close()
		theirs.Close()
		return nil, nil, err
	}
	return line, theirs, nil
}

// ask sends a request. Its answer comes on the channel, unless forget is called.
func (l *serverLine) ask(verb, rest string) (answer <-chan lineAnswer, forget func(), err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.broken != nil {
		return nil, nil, l.broken
	}
	// A paused server takes nothing; its end holds hundreds of lines.
	if err := l.conn.SetWriteDeadline(time.Now().Add(lineTimeout)); err != nil {
		return nil, nil, fmt.Errorf("the line to the server's %s: %w", l.kind.name, err)
	}
	l.next++
	id, ch := l.next, make(chan lineAnswer, 1)
	if _, err := fmt.Fprintf(l.conn, "%s %d%s\n", verb, id, rest); err != nil {
		// Half a line may be out: nothing more can be said.
		l.broken = fmt.Errorf("the line to the server's %s is of no use any more: %w", l.kind.name, err)
		if errors.Is(err, unix.EPIPE) || errors.Is(err, unix.ECONNRESET) { // listen is about to find it
			l.broken = l.kind.closed
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
func (l *serverLine) listen() {
	lines := bufio.NewScanner(l.conn)
	lines.Buffer(nil, maxServerLine)
	why := l.kind.closed
	for lines.Scan() {
		at := mono()
		id, answer, err := l.kind.parse(lines.Text())
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
		ch <- lineAnswer{err: l.broken}
	}
	clear(l.waiting)
}

// parse reads "ok ID …" or "error ID TEXT".
func (k lineKind) parse(line string) (id uint64, a lineAnswer, err error) {
	word, rest, _ := strings.Cut(line, " ")
	number, rest, _ := strings.Cut(rest, " ")
	id, err = strconv.ParseUint(number, 10, 64)
	switch {
	case err != nil:
	case word == "ok":
		a.said = rest
	case word == "error":
		a.err = fmt.Errorf("the server says of its %s: %s", k.name, rest)
	default:
		err = errors.New("it is neither ok nor error")
	}
	if err != nil {
		err = k.misspoke(line, err)
	}
	return id, a, err
}

// misspoke is the error of an answer that is none.
func (k lineKind) misspoke(answer string, err error) error {
	return fmt.Errorf("the server answered %q for its %s: %w", answer, k.name, err)
}

// close ends the line of a server that has none or is gone.
func (l *serverLine) close() {
	if l != nil {
		l.conn.Close()
	}
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

// pausedServer says that a server does not answer because it is paused.
type pausedServer struct {
	pid    int
	silent error
}

func (e *pausedServer) Error() string {
	return fmt.Sprintf("%v: pid %d is paused; it answers when it continues", e.silent, e.pid)
}

func (e *pausedServer) Unwrap() error { return e.silent }

func (p *process) paused() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reaped {
		return false
	}
	state, err := pausedState(p.pid)
	return err == nil && state == 'T'
}

// await waits for the server's answer, for as long as one can come.
func (p *process) await(line *serverLine, answer <-chan lineAnswer) (lineAnswer, error) {
	look := time.NewTicker(lineLook)
	defer look.Stop()
	for deadline := time.Now().Add(lineTimeout); ; {
		select {
		case a := <-answer:
			if a.err != nil && p.unlessDead(a.err) == nil {
				return a, protocol.ErrNotRunning
			}
			return a, a.err
		case <-p.exited:
			return lineAnswer{}, protocol.ErrNotRunning
		case <-look.C:
		}
		if p.paused() {
			return lineAnswer{}, &pausedServer{p.pid, line.kind.silent}
		}
		if time.Now().After(deadline) {
			return lineAnswer{}, fmt.Errorf("%w: pid %d said nothing for %v", line.kind.silent, p.pid, lineTimeout)
		}
	}
}

// ask asks the server something on one of its lines and waits for the answer.
func (p *process) ask(line *serverLine, verb, rest string) (lineAnswer, error) {
	answer, forget, err := line.ask(verb, rest)
	if err != nil {
		if p.unlessDead(err) == nil {
			err = protocol.ErrNotRunning
		}
		return lineAnswer{}, err
	}
	defer forget()
	return p.await(line, answer)
}

// tell notes something that holds for the server that runs and for those to come,
// and tells the one that runs on one of its lines: lineOf, which is nil for a
// server that has none, and then none is the error. Requests take turns, so that
// servers hear the last one last. One that is paused hears it when it continues.
func (s *supervisor) tell(turn *sync.Mutex, lineOf func(*process) *serverLine, none error, note func() (verb, rest string)) error {
	p, answer, err := s.sayOn(turn, lineOf, none, note)
	if err != nil || p == nil {
		return err
	}
	_, err = p.await(lineOf(p), answer)
	var waits *pausedServer
	if errors.Is(err, protocol.ErrNotRunning) || errors.As(err, &waits) {
		return nil // it is on its way, or the next one begins with it
	}
	return err
}

// sayOn is tell without waiting for the answer. The process is nil when none runs.
func (s *supervisor) sayOn(turn *sync.Mutex, lineOf func(*process) *serverLine, none error, note func() (verb, rest string)) (*process, <-chan lineAnswer, error) {
	turn.Lock()
	defer turn.Unlock()
	s.mu.Lock()
	p := s.current
	if p != nil && p.dead() {
		p = nil
	}
	if p != nil && lineOf(p) == nil {
		s.mu.Unlock()
		return nil, nil, none
	}
	verb, rest := note()
	s.mu.Unlock()
	if p == nil {
		return nil, nil, nil
	}
	answer, _, err := lineOf(p).ask(verb, rest)
	if err != nil {
		return nil, nil, p.unlessDead(err)
	}
	return p, answer, nil
}
