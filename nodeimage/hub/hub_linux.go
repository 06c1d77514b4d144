package hub

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"squall/nodeimage/hub/protocol"
)

// hub is the machines of one cluster.
type hub struct {
	config   protocol.Config
	folder   protocol.Folder
	lock     *os.File // held for as long as the hub lives
	handover protocol.Handover
	machines map[string]*machine
	bridge   int // the index of the machines' switch
	limits   *limits
	starts   sync.WaitGroup // of machines that begin another life
	lives    sync.WaitGroup // that are followed to their end

	mu  sync.Mutex
	out *json.Encoder
}

// Run is the hub. It returns when its machines and, unless they were to be
// kept, their disks are gone.
func Run(in io.Reader, out io.Writer) error {
	h := &hub{out: json.NewEncoder(out), machines: map[string]*machine{}, handover: protocol.InheritedHandover()}
	defer h.handover.Close()
	input := bufio.NewReader(in)
	err := protocol.ReadLine(input, &h.config)
	if err == nil {
		err = h.config.Validate()
	}
	if err != nil {
		return fmt.Errorf("read what machines to make: %w", err)
	}
	h.folder = protocol.Folder(h.config.Folder)
	if err := h.up(); err != nil {
		err = errors.Join(err, h.down(false))
		h.say(protocol.Event{Kind: protocol.EventFailed, Why: err.Error()})
		return err
	}
	h.say(protocol.Event{Kind: protocol.EventUp})
	keep := h.obey(input)
	err = h.down(keep)
	last := protocol.Event{Kind: protocol.EventDown}
	if err != nil {
		last.Why = err.Error()
	}
	h.say(last)
	return err
}

// say sends an event. Nobody may be left to take it, which the end of the
// input tells too.
func (h *hub) say(e protocol.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	_ = h.out.Encode(e)
}

// obey carries out commands until the last, or until the input ends, and
// reports whether the disks are to be kept.
func (h *hub) obey(input *bufio.Reader) (keep bool) {
	for {
		var c protocol.Command
		if err := protocol.ReadLine(input, &c); err != nil {
			return false
		}
		switch c.Verb {
		case protocol.VerbKill:
			if m := h.machines[c.Machine]; m != nil {
				m.kill() // its end is an event of its own
			}
		case protocol.VerbStart:
			h.start(c)
		case protocol.VerbLimit:
			h.answer(c, h.limit(c))
		case protocol.VerbKeep:
			return true
		case protocol.VerbDown:
			return false
		}
	}
}

// start lets a machine begin another life, while other commands are carried out.
func (h *hub) start(c protocol.Command) {
	name, files, err := h.handover.Receive()
	if err == nil && (name != c.Machine || len(files) != agentFiles) {
		err = fmt.Errorf("%d files of %q were handed over, %d of %q are wanted", len(files), name, agentFiles, c.Machine)
	}
	m := h.machines[c.Machine]
	if err == nil && m == nil {
		err = fmt.Errorf("there is no machine %q", c.Machine)
	}
	if err != nil {
		closeAll(files...)
		h.answer(c, err)
		return
	}
	h.starts.Go(func() {
		err := h.boot(m, c.Life, files)
		if err != nil {
			m.kill() // what did not come up as it should is down
			m.await()
		}
		h.answer(c, err)
	})
}

// limit holds a machine to other limits than before.
func (h *hub) limit(c protocol.Command) error {
	m := h.machines[c.Machine]
	if m == nil {
		return fmt.Errorf("there is no machine %q", c.Machine)
	}
	spec := m.spec
	spec.CPUs, spec.Memory = c.CPUs, c.Memory
	return h.limits.set(spec.Name, spec, true)
}

// answer says what came of a command.
func (h *hub) answer(c protocol.Command, err error) {
	done := protocol.Event{Kind: protocol.EventDone, Machine: c.Machine, ID: c.ID}
	if err != nil {
		var inUse *inUseError
		done.Why, done.InUse = err.Error(), errors.As(err, &inUse)
	}
	h.say(done)
}

// up makes everything. What it made in vain, down takes away.
func (h *hub) up() error {
	lock, err := h.folder.Create(h.config.Machines)
	h.lock = lock
	if err != nil {
		return err
	}
	// Nothing that is mounted from here on is seen outside.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("making the mounts private: %w", err)
	}
	for _, set := range h.config.FileSets {
		if err := h.folder.Lay(set); err != nil {
			return err
		}
	}
	h.config.FileSets = nil // they may be many, and machines need them no more
	if h.limits, err = makeLimits(h.folder, h.config); err != nil {
		return err
	}
	if h.bridge, err = makeBridge(); err != nil {
		return err
	}
	guardFiles(len(h.config.Machines))
	errs := make([]error, len(h.config.Machines))
	var all sync.WaitGroup
	for i, spec := range h.config.Machines {
		m := newMachine(spec, i)
		h.machines[spec.Name] = m
		all.Go(func() {
			agent, err := inheritedFiles(i)
			if err == nil {
				err = h.boot(m, 1, agent)
			}
			if err != nil {
				errs[i] = fmt.Errorf("machine %s: %w", spec.Name, err)
			}
		})
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return err // as a rule they all say the same
		}
	}
	return nil
}

// down ends every machine and removes what is theirs.
func (h *hub) down(keep bool) error {
	for _, m := range h.machines {
		m.endForGood()
	}
	h.starts.Wait()
	h.lives.Wait()
	switch {
	case h.lock == nil: // the folder is not ours
		return nil
	case keep:
		return h.folder.Keep()
	default:
		return h.folder.Remove()
	}
}
