package agent

import (
	"errors"
	"os"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"squall/nodeimage/agent/protocol"
)

// How often the agent looks into the pipe of a full trace. A server writes to it far more
// often than anybody has to know of it, and to be woken by each write would cost the
// machine more than the trace costs the server.
const (
	fullPace = 20 * time.Millisecond
	// promptPace is for as long as somebody waits for a moment that this trace tells: the
	// agent rests that long after each look, and is woken by the next write.
	promptPace = time.Millisecond
	// fullPlenty is after how many bytes at one look the next comes soonPace later, so
	// that the server need not wait for room.
	fullPlenty = pipeSize / 4
	soonPace   = 2 * time.Millisecond
)

// promptness is whether full traces are to be forwarded promptly. The zero value is not.
type promptness struct {
	mu      sync.Mutex
	prompt  bool
	changed chan struct{} // closed when prompt changes; nil: nobody waits
}

func (p *promptness) set(prompt bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.prompt = prompt
	if p.changed != nil {
		close(p.changed)
		p.changed = nil
	}
}

// pace is how long to leave a pipe alone that had so many bytes at the last look, and
// what ends that sooner.
func (p *promptness) pace(had int) (time.Duration, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.changed == nil {
		p.changed = make(chan struct{})
	}
	switch {
	case p.prompt:
		return promptPace, p.changed
	case had >= fullPlenty:
		return soonPace, p.changed
	}
	return fullPace, p.changed
}

// pumpQuiet is pump for a quiet pipe, into which it looks from time to time, and once
// more when the process has been reaped (dead is closed). pace is [promptness.pace].
func pumpQuiet(r *os.File, dead <-chan struct{}, pace func(had int) (time.Duration, <-chan struct{}), forward func(frame []byte)) {
	defer r.Close()
	buf := make([]byte, protocol.StreamOverhead+protocol.MaxChunk)
	for ending := false; ; {
		had, open := drain(r, buf, forward)
		if !open || ending {
			return
		}
		wait, changed := pace(had)
		timer := time.NewTimer(wait)
		select {
		case <-dead:
			ending = true
		case <-changed:
		case <-timer.C:
			if wait == promptPace {
				awaitWrite(r)
			}
		}
		timer.Stop()
	}
}

// awaitWrite returns when there is something in the pipe, or not for fullPace. Only as long
// as it waits a write wakes the agent.
func awaitWrite(r *os.File) {
	fds := []unix.PollFd{{Fd: int32(r.Fd()), Events: unix.POLLIN}}
	unix.Poll(fds, int(fullPace.Milliseconds())) // after an error drain finds out what is wrong
}

// drain hands on what is in the pipe, and no more than it holds: who writes may never
// rest. It reports how much that was, and whether there may be more to come.
func drain(r *os.File, buf []byte, forward func(frame []byte)) (had int, open bool) {
	for had < pipeSize {
		n, err := unix.Read(int(r.Fd()), buf[protocol.StreamOverhead:])
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EAGAIN):
			return had, true
		case err != nil || n == 0:
			return had, false
		}
		had += n
		forward(slices.Clone(buf[:protocol.StreamOverhead+n]))
		if n < protocol.MaxChunk/2 {
			return had, true
		}
	}
	return had, true
}
