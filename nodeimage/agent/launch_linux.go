package agent

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"squall/nodeimage/agent/protocol"
)

// pipes are the pipes between the agent and one server process.
type pipes struct {
	stdin, log, trace, report *os.File    // the agent's ends
	theirs                    [4]*os.File // the server's, in the same order
	theirClock                *os.File    // the server's end of the line to its clock; nil: none
	theirMessages             *os.File    // likewise, to the rules for its messages
	full, theirFull           *os.File    // of the full trace; nil: none is asked for
}

func newPipes(full bool) (*pipes, error) {
	p := new(pipes)
	for i, ours := range []**os.File{&p.stdin, &p.log, &p.trace, &p.report} {
		var err error
		if *ours, p.theirs[i], err = newPipe(i > 0); err != nil {
			p.closeTheirs()
			p.closeOurs()
			return nil, err
		}
	}
	if full {
		var err error
		if p.full, p.theirFull, err = newQuietPipe(); err != nil {
			p.closeTheirs()
			p.closeOurs()
			return nil, err
		}
	}
	return p, nil
}

func (p *pipes) closeOurs() { closeAll(p.stdin, p.log, p.trace, p.report, p.full) }

func (p *pipes) closeTheirs() {
	closeAll(p.theirs[:]...)
	closeAll(p.theirClock, p.theirMessages, p.theirFull)
}

func closeAll(files ...*os.File) {
	for _, f := range files {
		f.Close() // of a nil file it is an error and nothing more
	}
}

// Where Exec finds what comes after stdin, stdout and stderr: the server's trace, its
// full trace, the lines to its clock (clockFD) and to the rules for its messages
// (messagesFD), and the report pipe.
const (
	traceFD = 3
	// traceEnv tells a server which file descriptor is its trace, so that one
	// that runs elsewhere, too, knows that it has none there (docs/trace.md).
	traceEnv = "SQUALL_TRACE_FD"
	fullFD   = 4
	fullEnv  = "SQUALL_TRACE2_FD"
	reportFD = 7
)

// launch starts the server through Exec and returns when the server itself
// runs. It closes the server's ends of the pipes, and the report.
func launch(wrap []string, hold isolation, spec protocol.StartSpec, p *pipes) (*os.Process, error) {
	defer p.report.Close()
	defer p.closeTheirs()
	if spec.Dir != "" {
		// The error of a fork would name the program, not the directory.
		if info, err := os.Stat(spec.Dir); err != nil {
			return nil, fmt.Errorf("working directory: %w", err)
		} else if !info.IsDir() {
			return nil, fmt.Errorf("working directory: %s is not a directory", spec.Dir)
		}
	}
	var argv []string
	argv = append(argv, wrap...)
	kept := []int{traceFD}
	if p.theirFull != nil {
		kept = append(kept, fullFD)
	}
	if p.theirClock != nil {
		kept = append(kept, clockFD)
	}
	if p.theirMessages != nil {
		kept = append(kept, messagesFD)
	}
	argv = append(argv, "-report", strconv.Itoa(reportFD))
	argv = append(argv, hold.args(kept)...)
	argv = append(argv, "--")
	argv = append(argv, spec.Argv...)
	stdin, log, trace, report := p.theirs[0], p.theirs[1], p.theirs[2], p.theirs[3]
	env := append([]string{}, spec.Env...) // nil would be the agent's own
	env = append(env, traceEnv+"="+strconv.Itoa(traceFD))
	if p.theirFull != nil {
		env = append(env, fullEnv+"="+strconv.Itoa(fullFD))
	}
	if p.theirClock != nil {
		env = append(env, clockEnv+"="+strconv.Itoa(clockFD))
	}
	if p.theirMessages != nil {
		env = append(env, messagesEnv+"="+strconv.Itoa(messagesFD))
	}
	files := []*os.File{stdin, log, log, trace, p.theirFull, p.theirClock, p.theirMessages, report} // nil: closed there
	proc, err := os.StartProcess(argv[0], argv, &os.ProcAttr{
		Dir:   spec.Dir,
		Env:   env,
		Files: files,
		Sys:   &syscall.SysProcAttr{Setpgid: true},
	})
	if err != nil {
		return nil, fmt.Errorf("starting the server: %w", err)
	}
	// The report ends when Exec has become the server, or is dead. Now that
	// they are the server's, the ends here have to go first.
	p.closeTheirs()
	why, err := io.ReadAll(io.LimitReader(p.report, 4<<10))
	if err == nil && len(why) == 0 {
		return proc, nil
	}
	if err == nil {
		err = errors.New(string(why))
	}
	proc.Kill()
	proc.Wait()
	return nil, fmt.Errorf("starting the server: %w", err)
}

// adoptOrphans makes process 1 do its duty: children of a server that outlive
// it become children of process 1, which has to reap them. It ends with stop.
func adoptOrphans(s *supervisor, stop <-chan struct{}) {
	if os.Getpid() != 1 {
		return // they go to somebody else
	}
	dead := make(chan os.Signal, 1)
	signal.Notify(dead, unix.SIGCHLD)
	defer signal.Stop(dead)
	for {
		select {
		case <-dead:
			reapOrphans(s)
		case <-stop:
			return
		}
	}
}

// reapOrphans reaps the dead children of process 1, except for the server's
// process and the agent's own helpers: to reap those is their followers'.
func reapOrphans(s *supervisor) {
	if os.Getpid() != 1 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return
	}
	for _, path := range stats {
		st, err := readStat(path)
		if err != nil || st.ppid != 1 || st.state != 'Z' {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil || s.current != nil && pid == s.current.pid || s.helpers[pid] {
			continue
		}
		unix.Wait4(pid, nil, unix.WNOHANG, nil) // what is left over stays for the next time
	}
}
