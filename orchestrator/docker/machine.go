package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"

	"squall/orchestrator/machines"
)

// deathDelay is how long the engine may take to notice a death whose effect,
// the end of the attached streams, was seen already.
const deathDelay = 3 * time.Second

// lastLines is how many lines of stderr tell why a machine ended.
const lastLines = 10

// errTakenDown refuses to start a machine of a cluster that is no more.
var errTakenDown = errors.New("the machines were taken down")

// machine is one container.
type machine struct {
	runtime *Runtime
	spec    machines.MachineSpec
	index   int // among the cluster's, from 0
	addr    netip.Addr
	id      string
	turn    machines.Turn // holds one while Start, Kill or Limit is at work

	limits machines.Limits // that hold; whose turn it is may use them

	mu      sync.Mutex
	control *control // of this life, or the last
	killed  bool     // squall ended this life
	over    bool     // it is not to live again
}

// Name is the machine's name, which also is its host name.
func (m *machine) Name() string { return m.spec.Name }

// Addr is its address in the cluster's network.
func (m *machine) Addr() netip.Addr { return m.addr }

// Control is stdin and stdout of process 1.
func (m *machine) Control() io.ReadWriteCloser { return m.attached() }

func (m *machine) attached() *control {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.control
}

// newLife takes what process 1 of a new life will speak over. It is refused when
// there is to be no other life.
func (m *machine) newLife(c *control) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.over {
		c.Close()
		return false
	}
	if m.control != nil {
		m.control.Close()
	}
	m.control, m.killed = c, false
	return true
}

func (m *machine) noMoreLives() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.over = true
}

// hangUp ends the attachment.
func (m *machine) hangUp() {
	if c := m.attached(); c != nil {
		c.Close()
	}
}

// Kill ends the container.
func (m *machine) Kill(ctx context.Context) error {
	release, err := m.turn.Take(ctx)
	if err != nil {
		return fmt.Errorf("killing the machine %s: %w", m.spec.Name, err)
	}
	defer release()
	m.mu.Lock()
	m.killed = m.killed || !m.control.ended()
	m.mu.Unlock()
	r := m.runtime
	return r.patiently(ctx, "killing the container of "+m.spec.Name, func(ctx context.Context) error {
		err := r.api.ContainerKill(ctx, m.id, "KILL")
		if errdefs.IsConflict(err) { // so the engine says of one that does not run
			if state, inspectErr := m.state(ctx); inspectErr == nil && !state.Running {
				return nil
			}
		}
		return err
	})
}

// Start lets the container run again.
func (m *machine) Start(ctx context.Context) error {
	return m.turn.Do(ctx, "starting the machine "+m.spec.Name, m.start)
}

func (m *machine) start(ctx context.Context) error {
	m.settle(ctx)
	var state *container.State
	err := m.runtime.ask(ctx, "inspecting the container of "+m.spec.Name, func(ctx context.Context) (err error) {
		state, err = m.state(ctx)
		return err
	})
	if err != nil {
		return err
	}
	if state.Running {
		return machines.ErrMachineRuns
	}
	return m.begin(ctx)
}

func (m *machine) state(ctx context.Context) (*container.State, error) {
	info, err := m.runtime.api.ContainerInspect(ctx, m.id)
	if err != nil {
		return nil, err
	}
	return info.State, nil
}

// settle waits for the engine to notice that the container has ended, when the
// end of its streams was seen already.
func (m *machine) settle(ctx context.Context) {
	if !m.attached().ended() {
		return
	}
	wait, cancel := context.WithTimeout(ctx, deathDelay)
	defer cancel()
	done, failed := m.runtime.api.ContainerWait(wait, m.id, container.WaitConditionNotRunning)
	select {
	case <-done:
	case <-failed: // inspecting will say why
	}
}

// Death says how the container ended, with the last lines of its stderr.
func (m *machine) Death(ctx context.Context) string {
	m.settle(ctx)
	var state *container.State
	err := m.runtime.ask(ctx, "inspecting the container of "+m.spec.Name, func(ctx context.Context) (err error) {
		state, err = m.state(ctx)
		return err
	})
	m.mu.Lock()
	killed := m.killed
	m.mu.Unlock()
	switch {
	case errdefs.IsNotFound(err):
		return m.withLastWords("its container was removed")
	case err != nil:
		return fmt.Sprintf("why is not known: %v", err)
	case state.Running:
		return ""
	}
	return m.withLastWords(describe(state, killed))
}

// describe says how a container ended. The engine notes that memory ran out in
// it also when only the server was killed for that.
func describe(s *container.State, killed bool) string {
	what := fmt.Sprintf("its container ended with exit code %d", s.ExitCode)
	switch {
	case s.ExitCode == 128+9 && killed:
		what += " (it was killed by squall)"
	case s.OOMKilled:
		what += " (it ran out of memory and was killed)"
	case s.ExitCode == 128+9:
		what += " (it was killed)"
	}
	if s.Error != "" {
		what += ": " + s.Error
	}
	return what
}

func (m *machine) withLastWords(what string) string {
	text := strings.TrimSpace(string(m.attached().lastStderr()))
	if text == "" {
		return what
	}
	lines := strings.Split(text, "\n")
	return what + "; its last output: " + strings.Join(lines[max(0, len(lines)-lastLines):], "\n")
}
