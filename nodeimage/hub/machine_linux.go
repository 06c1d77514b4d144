package hub

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"

	"squall/nodeimage/hub/protocol"
)

// machine is one machine as the hub sees it.
type machine struct {
	spec protocol.Machine
	cmd  *exec.Cmd
	done chan struct{} // closed when process 1 has been reaped, or never ran
}

// Where the process inside a machine finds what the hub has to say: after
// stdin, stdout and stderr, which are the agent's.
const (
	wiredFD  = 3 // ends when the network is there and the limits hold
	reportFD = 4 // takes an error; it ends when the agent runs
)

// boot starts a machine and returns when its agent runs.
func (h *hub) boot(m *machine, i, bridge int, limits *limits) (err error) {
	started := false
	defer func() {
		if !started {
			close(m.done)
		}
	}()
	agent, err := agentFiles(i)
	if err != nil {
		return err
	}
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
	if m.cmd, err = inside(h.config, m.spec, agent, wired, tellReport); err != nil {
		return err
	}
	err = m.cmd.Start()
	wired.Close()
	tellReport.Close()
	if err != nil {
		return fmt.Errorf("starting a process in namespaces of its own: %w", err)
	}
	started = true
	go h.follow(m)
	if err := limits.hold(m.spec.Name, m.cmd.Process.Pid); err != nil {
		return err
	}
	if err := plug(bridge, i, m.cmd.Process.Pid); err != nil {
		return err
	}
	tellWired.Close()
	why, err := io.ReadAll(io.LimitReader(report, 4<<10))
	if err == nil && len(why) > 0 {
		err = errors.New(string(why))
	}
	return err
}

// agentFiles are the agent's stdin, stdout and stderr, which the orchestrator
// has handed down.
func agentFiles(i int) ([]*os.File, error) {
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
func inside(config protocol.Config, spec protocol.Machine, agent []*os.File, wired, report *os.File) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(insideConfig{Config: config, Machine: spec, Binary: self})
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

// follow reports how a machine ended.
func (h *hub) follow(m *machine) {
	defer close(m.done)
	_ = m.cmd.Wait() // the state tells more
	h.say(protocol.Event{Kind: protocol.EventExit, Machine: m.spec.Name, Why: m.cmd.ProcessState.String()})
}

// kill ends the machine: with process 1 the kernel kills all others in it.
func (m *machine) kill() {
	if m.cmd != nil && m.cmd.Process != nil {
		_ = m.cmd.Process.Kill() // it may have ended by itself
	}
}
