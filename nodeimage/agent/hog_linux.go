package agent

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"squall/nodeimage/agent/protocol"
)

const (
	// hogStep is how much a hog takes at once, in bytes: little, so that it is
	// seen in time that the kernel has killed somebody. A large hog takes more.
	hogStep  = 1 << 20
	hogSteps = 1024
	// killFirst is the oom_score_adj of who is killed first: it counts as much
	// as all the memory there is. To raise it needs no right, nor does taking
	// it back to where it was.
	killFirst = "1000"
	// killNext is that of the decoys. For a moment the kernel takes a process
	// that it has killed for gone while its memory is not yet free, and kills
	// another. That shall not be the hog or, after it, the agent.
	killNext = "999"
	decoys   = 2
)

// hog is a helper that holds memory.
type hog struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	out   *bufio.Reader
	words bytes.Buffer
	ended chan struct{} // closed when it was reaped
}

// takeMemory has a helper hold memory, instead of the one before. Nobody waits
// for that one: it is killed, also when it is still growing.
func (s *squeezer) takeMemory(ctx context.Context, spec protocol.HogSpec) (protocol.HogState, error) {
	if spec.Bytes < 0 {
		return protocol.HogState{}, fmt.Errorf("%w: hog: %d bytes", errBadRequest, spec.Bytes)
	}
	s.letGo()
	s.hogging.Lock()
	defer s.hogging.Unlock()
	s.letGo() // of one that came in between
	if err := s.unmark(); err != nil || spec.Bytes == 0 {
		return protocol.HogState{}, err
	}
	var victim *process
	if spec.ServerFirst {
		var err error
		if victim, err = s.mark(); err != nil {
			return protocol.HogState{}, err
		}
		for range decoys {
			if err := s.newDecoy(ctx); err != nil {
				s.letGo()
				return protocol.HogState{}, errors.Join(fmt.Errorf("taking memory: %w", err), s.unmark())
			}
		}
	}
	h, err := s.newHog(ctx)
	if err != nil {
		s.letGo()
		return protocol.HogState{}, errors.Join(fmt.Errorf("taking memory: %w", err), s.unmark())
	}
	state, err := h.grow(spec.Bytes, victim)
	if err == nil {
		return state, nil
	}
	s.letGo()
	<-h.ended
	if victim != nil && victim.endsWithin(victimGrace) {
		// Memory was so short for a moment that the kernel took both.
		return protocol.HogState{ServerEnded: true}, nil
	}
	err = fmt.Errorf("taking memory: %d bytes were held, %d are wanted: the hog ended (%v)%s: "+
		"the machine has no more, or it was called off", state.Held, spec.Bytes, h.cmd.ProcessState, said(&h.words))
	return protocol.HogState{}, errors.Join(err, s.unmark())
}

// victimGrace is how long a process may take to be reaped that the kernel has
// killed.
const victimGrace = 2 * time.Second

func (p *process) endsWithin(limit time.Duration) bool {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-p.exited:
		return true
	case <-timer.C:
		return false
	}
}

// gone reports whether the process is dead, reaped or not yet.
func (p *process) gone() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reaped {
		return true
	}
	st, err := readStat(fmt.Sprintf("/proc/%d/stat", p.pid))
	return err != nil || st.state == 'Z' || st.state == 'X'
}

// newDecoy starts a hog that holds nothing and is there to be killed.
func (s *squeezer) newDecoy(ctx context.Context) error {
	h, err := s.newHog(ctx)
	if err != nil {
		return err
	}
	if err := os.WriteFile(oomScore(h.cmd.Process.Pid), []byte(killNext), 0); err != nil {
		return err
	}
	if _, err := h.ask(0); err != nil { // it runs
		<-h.ended
		return fmt.Errorf("a decoy ended at once (%v)%s", h.cmd.ProcessState, said(&h.words))
	}
	return nil
}

// newHog starts a hog that holds nothing yet. It lives until it is let go.
func (s *squeezer) newHog(ctx context.Context) (*hog, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errors.New("the agent is shutting down")
	}
	h := &hog{cmd: s.server.helper(context.WithoutCancel(ctx), hogArg), ended: make(chan struct{})}
	h.cmd.Stderr = &h.words
	in, err := h.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, theirs, err := os.Pipe() // not the command's own, which Wait would close too early
	if err != nil {
		return nil, err
	}
	h.in, h.out, h.cmd.Stdout = in, bufio.NewReader(out), theirs
	err = s.server.startHelper(h.cmd)
	theirs.Close()
	if err != nil {
		in.Close()
		out.Close()
		return nil, err
	}
	s.hogs = append(s.hogs, h)
	go func() {
		defer close(h.ended)
		_ = s.server.waitHelper(h.cmd) // the state tells more
		out.SetReadDeadline(past)      // in case something else holds its pipe
		out.Close()
	}()
	return h, nil
}

// grow has the hog take memory until it holds so much, or the victim is dead.
func (h *hog) grow(want int64, victim *process) (protocol.HogState, error) {
	step := max(hogStep, want/hogSteps)
	var state protocol.HogState
	for state.Held < want {
		if victim != nil && victim.gone() {
			state.ServerEnded = victim.endsWithin(victimGrace)
			return state, nil
		}
		next := min(want, state.Held+step)
		if held, err := h.ask(next); err != nil || held < next {
			return state, fmt.Errorf("the hog holds %d bytes instead of %d: %w", held, next, err)
		}
		state.Held = next
	}
	state.ServerEnded = victim != nil && victim.gone() && victim.endsWithin(victimGrace)
	return state, nil
}

// ask tells the hog how many bytes to hold, and gives how many it does.
func (h *hog) ask(want int64) (held int64, err error) {
	if _, err := fmt.Fprintln(h.in, want); err != nil {
		return 0, err
	}
	line, err := h.out.ReadString('\n')
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(strings.TrimSpace(line), 10, 64)
}

// letGo ends the hog, if there is one, and its decoys, and returns when their
// memory is free.
func (s *squeezer) letGo() {
	s.mu.Lock()
	hogs := s.hogs
	s.hogs = nil
	s.mu.Unlock()
	for _, h := range hogs {
		_ = h.cmd.Process.Kill() // the kernel may have done it
		<-h.ended
	}
}

// close lets go for good.
func (s *squeezer) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.letGo()
}

// mark makes the server the first to be killed when memory runs out.
func (s *squeezer) mark() (*process, error) {
	p, err := s.server.running()
	if err != nil {
		return nil, err
	}
	before, err := os.ReadFile(oomScore(p.pid))
	if err == nil {
		err = p.setOOMScore(killFirst)
	}
	if err != nil {
		return nil, fmt.Errorf("making the server the first to be killed: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.marked, s.before = p, strings.TrimSpace(string(before))
	return p, nil
}

// unmark takes back what mark did, unless the server is dead.
func (s *squeezer) unmark() error {
	s.mu.Lock()
	p, before := s.marked, s.before
	s.marked = nil
	s.mu.Unlock()
	if p == nil {
		return nil
	}
	if err := p.setOOMScore(before); err != nil && !errors.Is(err, protocol.ErrNotRunning) {
		return fmt.Errorf("making the server no longer the first to be killed: %w", err)
	}
	return nil
}

func oomScore(pid int) string { return fmt.Sprintf("/proc/%d/oom_score_adj", pid) }

// setOOMScore writes the oom_score_adj of every process of the server.
func (p *process) setOOMScore(score string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reaped {
		return protocol.ErrNotRunning
	}
	if err := p.writeScore(p.pid, score); err != nil {
		return deadOr(err)
	}
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil || pid == p.pid {
			continue
		}
		if group, err := unix.Getpgid(pid); err != nil || group != p.pid {
			continue
		}
		if err := p.writeScore(pid, score); err != nil && !isGone(err) {
			return err
		}
	}
	return nil
}

// writeScore writes the oom_score_adj of a process of the server. The file is
// of that process's user, or of process 1's if it wants no core dump.
func (p *process) writeScore(pid int, score string) error {
	write := func() error { return os.WriteFile(oomScore(pid), []byte(score), 0) }
	err := write()
	if errors.Is(err, os.ErrPermission) {
		return asUser(p.uid, write)
	}
	return err
}
