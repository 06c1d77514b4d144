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
	"squall/orchestrator/machines"
)

// hub is the process that holds a cluster's machines.
type hub struct {
	cmd      *exec.Cmd
	machines map[string]*machine
	stderr   bytes.Buffer  // complete when done is closed
	up       chan error    // takes one: nil when the machines are up
	done     chan struct{} // closed when it has ended and said its last

	mu       sync.Mutex
	stdin    io.WriteCloser
	handover protocol.Handover // of the files of machines that are started again
	asked    uint64            // how many commands with an answer were given
	waiting  map[uint64]chan protocol.Event
	last     protocol.Event // complete when done is closed
}

// startHub starts a hub in namespaces of its own and tells it what to make. It
// fills machines, whose agents' ends of pipes go to the hub.
func startHub(binary string, config protocol.Config, machines map[string]*machine, unprivileged bool) (*hub, error) {
	h := &hub{machines: machines, up: make(chan error, 1), done: make(chan struct{}),
		waiting: map[uint64]chan protocol.Event{}}
	h.cmd = exec.Command(binary, "hub")
	h.cmd.Env = []string{}
	h.cmd.Stderr = &h.stderr
	h.cmd.SysProcAttr = inNamespaces(unprivileged)
	theirs, err := h.connect(config)
	defer closeAll(theirs)
	if err == nil {
		err = closeInherited()
	}
	if err == nil {
		err = h.start(config)
	}
	if err != nil {
		for _, m := range machines {
			m.now().close()
		}
		return nil, err
	}
	for _, m := range machines {
		go m.now().keepWords()
	}
	return h, nil
}

// connect makes the handover and the pipes to the machines' agents. The hub
// finds its ends in this order, as protocol.HandoverFD and FirstFD say.
func (h *hub) connect(config protocol.Config) (theirs []*os.File, err error) {
	ours, hubs, err := protocol.NewHandover()
	if err != nil {
		return nil, err
	}
	h.handover = ours
	theirs = append(theirs, hubs)
	for _, spec := range config.Machines {
		life, agents, err := newLife(1)
		theirs = append(theirs, agents...)
		if err != nil {
			return theirs, fmt.Errorf("making pipes to the machine %s: %w", spec.Name, err)
		}
		h.machines[spec.Name] = &machine{spec: spec, hub: h, turn: machines.NewTurn(), life: life}
	}
	h.cmd.ExtraFiles = theirs
	return theirs, nil
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
			h.machines[e.Machine].end(e.Life, "its process 1 ended: "+e.Why)
		case protocol.EventDone:
			h.answered(e)
		case protocol.EventFailed, protocol.EventDown:
			h.last = e
		}
	}
	err := h.cmd.Wait()
	end := h.epitaph(err)
	for _, m := range h.machines {
		m.end(anyLife, end)
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
		text += "; its last output: " + telling(words)
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
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.write(message)
}

// write is tell, with the lock held.
func (h *hub) write(message any) error {
	text, err := json.Marshal(message)
	if err == nil {
		_, err = h.stdin.Write(append(text, '\n'))
	}
	return err
}

func (h *hub) kill(machine string) error {
	return h.tell(protocol.Command{Verb: protocol.VerbKill, Machine: machine})
}

var errHubEnded = errors.New("the hub of the machines has ended: they were taken down, or lost")

// ask gives the hub a command and waits for its answer. Files are handed over
// with it.
func (h *hub) ask(ctx context.Context, c protocol.Command, files []*os.File) error {
	answer, err := h.askFor(&c, files)
	if err != nil {
		return err
	}
	select {
	case e := <-answer:
		if e.InUse {
			return fmt.Errorf("%s: %w", e.Why, machines.ErrMemoryInUse)
		}
		if e.Why != "" {
			return errors.New(e.Why)
		}
		return nil
	case <-h.done:
		return errHubEnded
	case <-ctx.Done():
		h.mu.Lock()
		delete(h.waiting, c.ID)
		h.mu.Unlock()
		return ctx.Err()
	}
}

// askFor gives the command. What is handed over must be in the order of the
// commands.
func (h *hub) askFor(c *protocol.Command, files []*os.File) (<-chan protocol.Event, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	select {
	case <-h.done:
		return nil, errHubEnded
	default:
	}
	h.asked++
	c.ID = h.asked
	if len(files) > 0 {
		if err := h.handover.Send(c.Machine, files); err != nil {
			return nil, err
		}
	}
	if err := h.write(c); err != nil {
		return nil, fmt.Errorf("%w: %w", errHubEnded, err)
	}
	answer := make(chan protocol.Event, 1)
	h.waiting[c.ID] = answer
	return answer, nil
}

// answered hands an answer to the one who waits for it, if anyone still does.
func (h *hub) answered(e protocol.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if answer := h.waiting[e.ID]; answer != nil {
		answer <- e // has room for the one answer
	}
	delete(h.waiting, e.ID)
}

// leave has the hub end its machines and itself. The error says that it ended
// in another way; the machines are gone then too.
func (h *hub) leave(ctx context.Context, verb string) error {
	_ = h.tell(protocol.Command{Verb: verb}) // where it is gone already, done tells
	h.mu.Lock()
	h.stdin.Close()
	h.mu.Unlock()
	defer h.handover.Close()
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
