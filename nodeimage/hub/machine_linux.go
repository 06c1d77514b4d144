package hub

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"squall/nodeimage/hub/protocol"
)

// machine is one machine as the hub sees it. It may live more than once.
type machine struct {
	spec protocol.Machine
	port int // on the cluster's switch

	mu   sync.Mutex
	cmd  *exec.Cmd     // process 1 of this life or the last; nil: it never ran
	done chan struct{} // closed when that has been reaped, or never ran
	over bool          // it is not to live again
}

func newMachine(spec protocol.Machine, port int) *machine {
	never := make(chan struct{})
	close(never)
	return &machine{spec: spec, port: port, done: never}
}

// agentFiles is how many files an agent has of the orchestrator: stdin, stdout
// and stderr.
const agentFiles = 3

// Where the process inside a machine finds what the hub has to say: after
// stdin, stdout and stderr, which are the agent's.
const (
	wiredFD  = 3 // ends when the network is there and the limits hold
	reportFD = 4 // takes an error; it ends when the agent runs
)

// boot lets a machine begin a life and returns when its agent runs. The agent's
// files are closed here in any case.
func (h *hub) boot(m *machine, life int, agent []*os.File) (err error) {
	defer closeAll(agent...)
	wired, tellWired, err := os.Pipe()
	if err != nil {
		return err
	}
	defer tellWired.Close()
	report, tellReport, err := os.Pipe()
	if err != nil {
		wired.Close()
		return err
	}
	defer report.Close()
	cmd, err := h.inside(m.spec, agent, wired, tellReport)
	if err == nil {
		err = h.begin(m, life, cmd)
	}
	wired.Close()
	tellReport.Close()
	if err != nil {
		return err
	}
	if err := h.limits.hold(m.spec, cmd.Process.Pid); err != nil {
		return err
	}
	if err := plug(h.bridge, m, cmd.Process.Pid); err != nil {
		return err
	}
	tellWired.Close()
	why, err := io.ReadAll(io.LimitReader(report, 4<<10))
	if err == nil && len(why) > 0 {
		err = errors.New(string(why))
	}
	return err
}

// begin starts process 1 of a life, unless the machine lives, or is not to live
// again.
func (h *hub) begin(m *machine, life int, cmd *exec.Cmd) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	select {
	case <-m.done:
	default:
		return errors.New("it runs")
	}
	if m.over {
		return errors.New("the machines are being taken down")
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting a process in namespaces of its own: %w", err)
	}
	done := make(chan struct{})
	m.cmd, m.done = cmd, done
	h.lives.Go(func() { h.follow(m.spec.Name, life, cmd, done) })
	return nil
}

// inheritedFiles are the agent's stdin, stdout and stderr in the first life,
// which the orchestrator has handed down.
func inheritedFiles(i int) ([]*os.File, error) {
	var files []*os.File
	for fd := protocol.FirstFD(i); fd < protocol.FirstFD(i+1); fd++ {
		f := os.NewFile(uintptr(fd), "agent")
		if _, err := f.Stat(); err != nil {
			return nil, fmt.Errorf("file descriptor %d, which is to be the agent's, is not open: %w", fd, err)
		}
		files = append(files, f)
	}
	return files, nil
}

// guardFiles keeps every agent's files from the other machines, which begin at
// the same time: held by another, they would not end with their own.
func guardFiles(machines int) {
	for fd := protocol.FirstFD(0); fd < protocol.FirstFD(machines); fd++ {
		unix.CloseOnExec(fd)
	}
}

func closeAll(files ...*os.File) {
	for _, f := range files {
		f.Close()
	}
}

// inside is the command that becomes the machine, see Inside.
func (h *hub) inside(spec protocol.Machine, agent []*os.File, wired, report *os.File) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(insideConfig{Config: h.config, Machine: spec, Binary: self, Groups: h.limits.mounts(spec.Name)})
	if err != nil {
		return nil, err
	}
	cmd := exec.Command("/proc/self/exe", "machine", string(text))
	cmd.Env = []string{}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = agent[0], agent[1], agent[2]
	cmd.ExtraFiles = []*os.File{wiredFD - 3: wired, reportFD - 3: report}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWNET | unix.CLONE_NEWPID | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC,
		Setsid:     true,
	}
	return cmd, nil
}

// follow reports how a life ended.
func (h *hub) follow(machine string, life int, cmd *exec.Cmd, done chan<- struct{}) {
	_ = cmd.Wait() // the state tells more
	close(done)
	h.say(protocol.Event{Kind: protocol.EventExit, Machine: machine, Life: life, Why: cmd.ProcessState.String()})
}

// kill ends the machine: with process 1 the kernel kills all others in it.
func (m *machine) kill() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.cmd != nil {
		_ = m.cmd.Process.Kill() // it may have ended by itself
	}
}

// endForGood kills the machine and lets it begin no other life.
func (m *machine) endForGood() {
	m.mu.Lock()
	m.over = true
	m.mu.Unlock()
	m.kill()
}

// await returns when the machine does not live.
func (m *machine) await() {
	m.mu.Lock()
	done := m.done
	m.mu.Unlock()
	<-done
}
