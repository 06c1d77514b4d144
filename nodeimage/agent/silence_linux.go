package agent

import (
	"fmt"
	"time"

	"squall/nodeimage/agent/protocol"
)

const (
	// leavingTime is how long a process that is on its way out may take to be gone,
	// after its files were closed. It only takes long when a thread of it hangs in the
	// kernel.
	leavingTime = 10 * time.Second
	// closingTime is how long a process may go on after it closed its trace itself:
	// many servers close their files, say goodbye, and end.
	closingTime = 2 * time.Second
)

// tellSilence reports that a trace of a process has ended and the process has
// not. A process that ends closes its files before it can be reaped, so the end of
// the trace is seen first there too: the kernel is asked whether it is leaving. One
// that the agent ends itself is not waited for by the clock: after SIGTERM it may
// take all of its grace, and after that it is killed.
func (s *supervisor) tellSilence(p *process, event string, fd int) {
	at := mono()
	if p.asked() {
		<-p.exited
		return
	}
	patience := closingTime
	if p.leaving() {
		patience = leavingTime
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-p.exited:
		return
	case <-timer.C:
	}
	s.emit(protocol.Event{Kind: event, Boot: p.boot, PID: p.pid, Mono: at,
		Reason: fmt.Sprintf("the server closed its trace (file descriptor %d) and runs on", fd)})
}

// asked reports whether the agent has asked the process to end, or killed it.
func (p *process) asked() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ending
}

// leaving reports whether the process is about to end, or has ended.
func (p *process) leaving() bool {
	const exiting = 0x4 // PF_EXITING of the kernel
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reaped {
		return true
	}
	st, err := readStat(fmt.Sprintf("/proc/%d/stat", p.pid))
	return err != nil || st.state == 'Z' || st.state == 'X' || st.flags&exiting != 0
}

// killsForMemory is how often the kernel has killed in the machine for want of
// memory; 0 where nobody counts.
func (s *supervisor) killsForMemory() uint64 {
	if s.oomKills == nil {
		return 0
	}
	return s.oomKills()
}
