package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

const (
	stderrKept = 64 << 10 // bytes of what an agent says for itself: its end
	lastLines  = 10       // how many of its lines tell why a machine ended
)

// machine is one machine of a hub.
type machine struct {
	name    string
	addr    netip.Addr
	hub     *hub
	control *control
	exited  chan struct{} // closed when process 1 ended, or the hub did

	mu     sync.Mutex
	why    string // set before exited is closed
	stderr []byte
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

// Write writes to stdin.
func (c *control) Write(p []byte) (int, error) { return c.in.Write(p) }

// Close ends the agent's stdin, and with it the agent.
func (c *control) Close() error { return errors.Join(c.in.Close(), c.out.Close()) }

// ended reports whether reading came to an end.
func (c *control) ended() bool { return c.end.Load() }

// Name is the machine's name, which also is its host name.
func (m *machine) Name() string { return m.name }

// Addr is its address in the cluster's network.
func (m *machine) Addr() netip.Addr { return m.addr }

// Control is stdin and stdout of process 1.
func (m *machine) Control() io.ReadWriteCloser { return m.control }

// Kill ends process 1 with SIGKILL, and so every process of the machine.
func (m *machine) Kill(ctx context.Context) error {
	if err := m.hub.kill(m.name); err != nil {
		return fmt.Errorf("killing the machine %s: %w", m.name, err)
	}
	select {
	case <-m.exited:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("killing the machine %s: %w", m.name, ctx.Err())
	}
}

// Death says how process 1 ended, with the last lines of its stderr.
func (m *machine) Death(ctx context.Context) string {
	if m.control.ended() {
		select { // the hub tells how any moment now
		case <-m.exited:
		case <-ctx.Done():
		}
	}
	select {
	case <-m.exited:
	default:
		return ""
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	text := strings.TrimSpace(string(m.stderr))
	if text == "" {
		return m.why
	}
	lines := strings.Split(text, "\n")
	return m.why + "; its last words: " + strings.Join(lines[max(0, len(lines)-lastLines):], "\n")
}

// end notes how process 1 ended; the first word counts.
func (m *machine) end(why string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.why == "" {
		m.why = why
		close(m.exited)
	}
}

// keepWords reads what the agent says for itself.
func (m *machine) keepWords(stderr *os.File) {
	defer stderr.Close()
	buf := make([]byte, 4<<10)
	for {
		n, err := stderr.Read(buf)
		m.mu.Lock()
		m.stderr = append(m.stderr, buf[:n]...)
		if extra := len(m.stderr) - stderrKept; extra > 0 {
			m.stderr = slices.Delete(m.stderr, 0, extra)
		}
		m.mu.Unlock()
		if err != nil {
			return
		}
	}
}
