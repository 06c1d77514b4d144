package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"squall/nodeimage/hub/protocol"
	"squall/orchestrator/machines"
)

const (
	stderrKept = 64 << 10 // bytes of what an agent says for itself: its end
	lastLines  = 10       // how many of its lines tell why a machine ended
)

// anyLife stands for whatever life a machine is in.
const anyLife = 0

// machine is one machine of a hub.
type machine struct {
	spec protocol.Machine
	hub  *hub
	turn machines.Turn // holds one while Start, Kill or Limit is at work

	mu   sync.Mutex
	life *life // this one, or the last
}

// life is a machine from one start to its end.
type life struct {
	number  int // from 1
	control *control
	words   *os.File      // what the agent says for itself
	exited  chan struct{} // closed when process 1 ended, or the hub did

	mu     sync.Mutex
	why    string // set before exited is closed
	stderr []byte
}

// newLife makes the pipes to an agent, and gives the agent's ends of them:
// stdin, stdout and stderr. Those are to be closed in any case.
func newLife(number int) (*life, []*os.File, error) {
	var in, out, stderr pipe
	err := errors.Join(in.open(), out.open(), stderr.open())
	theirs := []*os.File{in.r, out.w, stderr.w}
	l := &life{number: number, control: &control{in: in.w, out: out.r}, words: stderr.r, exited: make(chan struct{})}
	if err != nil {
		l.close()
		return nil, theirs, err
	}
	enlarge(out.w)
	return l, theirs, nil
}

// close gives up the pipes of a life that never began.
func (l *life) close() {
	l.control.Close()
	l.words.Close()
}

// control is the agent's stdin and stdout.
type control struct {
	in  *os.File // to write to
	out *os.File // to read from
	end atomic.Bool
}

// Read reads stdout.
func (c *control) Read(p []byte) (int, error) {
	n, err := c.out.Read(p)
	if err != nil {
		c.end.Store(true)
	}
	return n, err
}

// Write writes to stdin. Where nobody reads it any more, reading comes to its end, too.
func (c *control) Write(p []byte) (int, error) {
	n, err := c.in.Write(p)
	if errors.Is(err, syscall.EPIPE) {
		c.end.Store(true)
	}
	return n, err
}

// Close ends the agent's stdin, and with it the agent.
func (c *control) Close() error { return errors.Join(c.in.Close(), c.out.Close()) }

// ended reports whether the agent is seen to have ended.
func (c *control) ended() bool { return c.end.Load() }

// Name is the machine's name, which also is its host name.
func (m *machine) Name() string { return m.spec.Name }

// Addr is its address in the cluster's network.
func (m *machine) Addr() netip.Addr { return m.spec.Addr }

// Control is stdin and stdout of process 1.
func (m *machine) Control() io.ReadWriteCloser { return m.now().control }

// now is the life of the moment.
func (m *machine) now() *life {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.life
}

// Kill ends process 1 with SIGKILL, and so every process of the machine.
func (m *machine) Kill(ctx context.Context) error {
	release, err := m.turn.Take(ctx)
	if err != nil {
		return fmt.Errorf("killing the machine %s: %w", m.spec.Name, err)
	}
	defer release()
	l := m.now()
	if l.ended() {
		return nil
	}
	if err := m.hub.kill(m.spec.Name); err != nil && !l.ended() {
		return fmt.Errorf("killing the machine %s: %w", m.spec.Name, err)
	}
	select {
	case <-l.exited:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("killing the machine %s: %w", m.spec.Name, ctx.Err())
	}
}

// startTimeout is how long the hub may take to start a machine.
const startTimeout = 20 * time.Second

// Start lets the machine begin another life.
func (m *machine) Start(ctx context.Context) error {
	return m.turn.Do(ctx, "starting the machine "+m.spec.Name, m.start)
}

func (m *machine) start(ctx context.Context) error {
	old := m.now()
	old.settle(ctx)
	if !old.ended() {
		return machines.ErrMachineRuns
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	next, theirs, err := newLife(old.number + 1)
	defer closeAll(theirs)
	if err != nil {
		return fmt.Errorf("making pipes to it: %w", err)
	}
	old.control.Close()
	m.mu.Lock()
	m.life = next
	m.mu.Unlock()
	go next.keepWords()
	// It is not called off half way: the machine would start unseen.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), startTimeout)
	defer cancel()
	err = m.hub.ask(ctx, protocol.Command{Verb: protocol.VerbStart, Machine: m.spec.Name, Life: next.number}, theirs)
	if err != nil {
		next.end("it did not start: " + err.Error())
		_ = m.hub.kill(m.spec.Name) // one that starts late after all is not wanted
	}
	return err
}

// limitTimeout is how long the hub may take to set limits: the kernel may have
// memory to take back.
const limitTimeout = 10 * time.Second

// Limit sets what the machine may use.
func (m *machine) Limit(ctx context.Context, limits machines.Limits) error {
	return m.turn.Do(ctx, "limiting the machine "+m.spec.Name, func(ctx context.Context) error { return m.limit(ctx, limits) })
}

func (m *machine) limit(ctx context.Context, limits machines.Limits) error {
	if err := limits.Validate(); err != nil {
		return err
	}
	if all := float64(runtime.NumCPU()); limits.CPUs > all {
		return fmt.Errorf("cpus: %v is too much: this computer has %v", limits.CPUs, all)
	}
	limits = limits.Or(machines.MachineSpec{CPUs: m.spec.CPUs, Memory: m.spec.Memory})
	ctx, cancel := context.WithTimeout(ctx, limitTimeout)
	defer cancel()
	return m.hub.ask(ctx, protocol.Command{Verb: protocol.VerbLimit, Machine: m.spec.Name,
		CPUs: limits.CPUs, Memory: limits.Memory}, nil)
}

// Death says how process 1 ended, with the last lines of its stderr.
func (m *machine) Death(ctx context.Context) string {
	l := m.now()
	l.settle(ctx)
	if !l.ended() {
		return ""
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	text := strings.TrimSpace(string(l.stderr))
	if text == "" {
		return l.why
	}
	return l.why + "; its last output: " + telling(text)
}

// telling is what tells most of what a program wrote before it ended: its last
// lines, or, where it is a Go program that crashed, the reason, which comes before
// pages of stacks.
func telling(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, "fatal error: ") || strings.HasPrefix(line, "panic: ") {
			return strings.Join(lines[max(0, i-2):i+1], "\n")
		}
	}
	return strings.Join(lines[max(0, len(lines)-lastLines):], "\n")
}

// end notes how a life ended, if it is the one of the moment.
func (m *machine) end(life int, why string) {
	if l := m.now(); life == anyLife || life == l.number {
		l.end(why)
	}
}

// ended reports whether process 1 has ended.
func (l *life) ended() bool {
	select {
	case <-l.exited:
		return true
	default:
		return false
	}
}

// settle waits for the hub to say how process 1 ended, when it is seen to have:
// any moment now.
func (l *life) settle(ctx context.Context) {
	if !l.control.ended() {
		return
	}
	select {
	case <-l.exited:
	case <-ctx.Done():
	}
}

// end notes how process 1 ended; the first word counts.
func (l *life) end(why string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.why == "" {
		l.why = why
		close(l.exited)
	}
}

// keepWords reads what the agent says for itself.
func (l *life) keepWords() {
	defer l.words.Close()
	buf := make([]byte, 4<<10)
	for {
		n, err := l.words.Read(buf)
		l.mu.Lock()
		l.stderr = append(l.stderr, buf[:n]...)
		if extra := len(l.stderr) - stderrKept; extra > 0 {
			l.stderr = slices.Delete(l.stderr, 0, extra)
		}
		l.mu.Unlock()
		if err != nil {
			return
		}
	}
}
