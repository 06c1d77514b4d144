package local

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"

	"squall/nodeimage/hub/protocol"
)

// hub is the process that holds a cluster's machines.
type hub struct {
	cmd      *exec.Cmd
	machines map[string]*machine
	stderr   bytes.Buffer  // complete when done is closed
	up       chan error    // takes one: nil when the machines are up
	done     chan struct{} // closed when it has ended and said its last

	mu    sync.Mutex
	stdin io.WriteCloser
	last  protocol.Event // complete when done is closed
}

// startHub starts a hub in namespaces of its own and tells it what to make. It
// fills machines, whose agents' ends of pipes go to the hub.
func startHub(binary string, config protocol.Config, machines map[string]*machine, unprivileged bool) (*hub, error) {
	h := &hub{machines: machines, up: make(chan error, 1), done: make(chan struct{})}
	h.cmd = exec.Command(binary, "hub")
	h.cmd.Env = []string{}
	h.cmd.Stderr = &h.stderr
	h.cmd.SysProcAttr = inNamespaces(unprivileged)
	theirs, stderrs, err := h.connect(config)
	defer closeAll(theirs)
	if err == nil {
		err = h.start(config)
	}
	if err != nil {
		closeAll(stderrs)
		for _, m := range machines {
			m.control.Close()
		}
		return nil, err
	}
	for i, spec := range config.Machines {
		go machines[spec.Name].keepWords(stderrs[i])
	}
	return h, nil
}

// connect makes the pipes to the machines' agents. The hub finds its ends in
// this order, as protocol.FirstFD says.
func (h *hub) connect(config protocol.Config) (theirs, stderrs []*os.File, err error) {
	for _, spec := range config.Machines {
		var in, out, stderr pipe
		if err := errors.Join(in.open(), out.open(), stderr.open()); err != nil {
			return theirs, stderrs, fmt.Errorf("making pipes to the machine %s: %w", spec.Name, err)
		}
		enlarge(out.w)
		theirs = append(theirs, in.r, out.w, stderr.w)
		stderrs = append(stderrs, stderr.r)
		h.machines[spec.Name] = &machine{name: spec.Name, addr: spec.Addr, hub: h,
			control: &control{in: in.w, out: out.r}, exited: make(chan struct{})}
	}
	h.cmd.ExtraFiles = theirs
	return theirs, stderrs, nil
}

// pipe is a pipe with its two ends.
type pipe struct{ r, w *os.File }

func (p *pipe) open() (err error) {
	p.r, p.w, err = os.Pipe()
	return err
}

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}

func (h *hub) start(config protocol.Config) error {
	stdin, err := h.cmd.StdinPipe()
	if err != nil {
		return err
	}
	h.stdin = stdin
	stdout, err := h.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := h.cmd.Start(); err != nil {
		return fmt.Errorf("starting the hub of the machines: %w", err)
	}
	go h.listen(stdout)
	_ = h.tell(config) // one that cannot be told has died, which listen notices
	return nil
}

// listen takes the hub's events until it ends.
func (h *hub) listen(stdout io.Reader) {
	events := json.NewDecoder(stdout)
	for {
		var e protocol.Event
		if err := events.Decode(&e); err != nil {
			break
		}
		switch e.Kind {
		case protocol.EventUp:
			h.up <- nil
		case protocol.EventExit:
			h.machines[e.Machine].end("its process 1 ended: " + e.Why)
		case protocol.EventFailed, protocol.EventDown:
			h.last = e
		}
	}
	err := h.cmd.Wait()
	end := h.epitaph(err)
	for _, m := range h.machines {
		m.end(end)
	}
	if h.last.Kind == protocol.EventFailed {
		end = h.last.Why
	}
	select {
	case h.up <- errors.New(end):
	default: // it was up
	}
	close(h.done)
}

// epitaph says how the hub ended.
func (h *hub) epitaph(err error) string {
	text := "the hub of the machines ended"
	if err != nil {
		text += ": " + err.Error()
	}
	if words := strings.TrimSpace(h.stderr.String()); words != "" {
		lines := strings.Split(words, "\n")
		text += "; its last words: " + strings.Join(lines[max(0, len(lines)-lastLines):], "\n")
	}
	return text
}

// awaitUp returns when the machines are up.
func (h *hub) awaitUp(ctx context.Context) error {
	select {
	case err := <-h.up:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// tell sends the hub a line.
func (h *hub) tell(message any) error {
	text, err := json.Marshal(message)
	if err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	_, err = h.stdin.Write(append(text, '\n'))
	return err
}

func (h *hub) kill(machine string) error {
	return h.tell(protocol.Command{Verb: protocol.VerbKill, Machine: machine})
}

// leave has the hub end its machines and itself. The error says that it ended
// in another way; the machines are gone then too.
func (h *hub) leave(ctx context.Context, verb string) error {
	_ = h.tell(protocol.Command{Verb: verb}) // where it is gone already, done tells
	h.mu.Lock()
	h.stdin.Close()
	h.mu.Unlock()
	var late error
	select {
	case <-h.done:
	case <-ctx.Done():
		late = fmt.Errorf("it did not end in time: %w", ctx.Err())
		_ = h.cmd.Process.Kill()
		<-h.done
	}
	switch {
	case late != nil:
		return late
	case h.last.Kind == "":
		return errors.New(h.epitaph(nil))
	case h.last.Kind == protocol.EventDown && h.last.Why != "":
		return errors.New(h.last.Why)
	}
	return nil
}
