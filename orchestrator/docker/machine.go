package docker

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"

	"squall/orchestrator"
)

// deathDelay is how long the engine may take to notice a death whose effect,
// the end of the attached streams, was seen already.
const deathDelay = 3 * time.Second

// lastLines is how many lines of stderr tell why a machine ended.
const lastLines = 10

// machine is one container.
type machine struct {
	runtime *Runtime
	spec    orchestrator.MachineSpec
	addr    netip.Addr
	id      string
	control *control
}

// Name is the machine's name, which also is its host name.
func (m *machine) Name() string { return m.spec.Name }

// Addr is its address in the cluster's network.
func (m *machine) Addr() netip.Addr { return m.addr }

// Control is stdin and stdout of process 1.
func (m *machine) Control() io.ReadWriteCloser { return m.control }

// Kill ends the container.
func (m *machine) Kill(ctx context.Context) error {
	r := m.runtime
	return r.within(ctx, r.limits.step, "killing the container of "+m.spec.Name, func(ctx context.Context) error {
		return r.api.ContainerKill(ctx, m.id, "KILL")
	})
}

// Death says how the container ended, with the last lines of its stderr.
func (m *machine) Death(ctx context.Context) string {
	if m.control.ended() {
		wait, cancel := context.WithTimeout(ctx, deathDelay)
		defer cancel()
		done, failed := m.runtime.api.ContainerWait(wait, m.id, container.WaitConditionNotRunning)
		select {
		case <-done:
		case <-failed: // inspecting will say why
		}
	}
	var info container.InspectResponse
	err := m.runtime.ask(ctx, "inspecting the container of "+m.spec.Name, func(ctx context.Context) (err error) {
		info, err = m.runtime.api.ContainerInspect(ctx, m.id)
		return err
	})
	switch {
	case errdefs.IsNotFound(err):
		return m.withLastWords("its container was removed")
	case err != nil:
		return fmt.Sprintf("why is not known: %v", err)
	case info.State.Running:
		return ""
	}
	return m.withLastWords(describe(info.State))
}

func describe(s *container.State) string {
	what := fmt.Sprintf("its container ended with exit code %d", s.ExitCode)
	switch {
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
	text := strings.TrimSpace(string(m.control.lastStderr()))
	if text == "" {
		return what
	}
	lines := strings.Split(text, "\n")
	return what + "; its last words: " + strings.Join(lines[max(0, len(lines)-lastLines):], "\n")
}
