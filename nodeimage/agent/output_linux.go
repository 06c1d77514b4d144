package agent

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"squall/internal/plain"
	"squall/nodeimage/agent/protocol"
)

const (
	// pipeSize is asked for the pipes of a server, so that it seldom waits for
	// the agent. It is four times the usual. More would soon use up what Linux
	// grants a user in all, and all machines of a host are one user's.
	pipeSize = 256 << 10
	// logTail is how much of the log is kept to explain an exit with.
	logTail = 16 << 10
	// maxReason bounds the line of the log in an exit's reason, in bytes.
	maxReason = 300
)

// newPipe makes a pipe between the agent and a server. Only the agent's end is
// non-blocking: the flag belongs to the end and not to the process, and a
// server need not be prepared for it.
func newPipe(agentReads bool) (ours, theirs *os.File, err error) {
	var fd [2]int
	if err := unix.Pipe2(fd[:], unix.O_CLOEXEC); err != nil {
		return nil, nil, fmt.Errorf("making a pipe: %w", err)
	}
	mine, other := fd[0], fd[1]
	if !agentReads {
		mine, other = other, mine
	}
	if err := unix.SetNonblock(mine, true); err != nil {
		unix.Close(mine)
		unix.Close(other)
		return nil, nil, fmt.Errorf("making a pipe: %w", err)
	}
	unix.FcntlInt(uintptr(mine), unix.F_SETPIPE_SZ, pipeSize) // or it stays smaller
	return os.NewFile(uintptr(mine), "pipe"), os.NewFile(uintptr(other), "pipe"), nil
}

// newQuietPipe makes a pipe that the agent reads and is not woken by: a file that waits
// when Go comes to know of it is not put where epoll would wake the agent at each write,
// even while nobody reads.
func newQuietPipe() (ours, theirs *os.File, err error) {
	var fd [2]int
	if err := unix.Pipe2(fd[:], unix.O_CLOEXEC); err != nil {
		return nil, nil, fmt.Errorf("making a pipe: %w", err)
	}
	ours, theirs = os.NewFile(uintptr(fd[0]), "pipe"), os.NewFile(uintptr(fd[1]), "pipe")
	if err := unix.SetNonblock(fd[0], true); err != nil {
		closeAll(ours, theirs)
		return nil, nil, fmt.Errorf("making a pipe: %w", err)
	}
	unix.FcntlInt(uintptr(fd[0]), unix.F_SETPIPE_SZ, pipeSize) // or it stays smaller
	return ours, theirs, nil
}

// pump hands what comes out of r to forward, as frames whose first
// StreamOverhead bytes are free, until the end of the pipe.
//
// Once the process has been reaped (stopPump), everything it wrote is in the
// pipe, and pump takes no more than the pipe holds: children of the process
// may keep it open, and may write for ever.
func pump(r *os.File, forward func(frame []byte)) {
	defer r.Close()
	buf := make([]byte, protocol.StreamOverhead+protocol.MaxChunk)
	ending, left := false, 0
	for {
		if ending {
			r.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
		}
		n, err := r.Read(buf[protocol.StreamOverhead:])
		if n > 0 {
			left -= n
			if frame := buf[:protocol.StreamOverhead+n]; n > protocol.MaxChunk/2 {
				forward(frame)
				buf = make([]byte, len(buf))
			} else {
				forward(slices.Clone(frame))
			}
		}
		switch {
		case !ending && errors.Is(err, os.ErrDeadlineExceeded):
			ending, left = true, pipeSize
		case err != nil || ending && left <= 0:
			return
		}
	}
}

// stopPump tells the pump of r that the process is dead.
func stopPump(r *os.File) { r.SetReadDeadline(time.Unix(1, 0)) }

// logKeeper forwards a log and keeps its tail. When the one who reads is too
// slow, it leaves log out, and says how much in the log itself.
type logKeeper struct {
	out     *frameWriter
	boot    int
	tail    []byte
	leftOut int
}

func (k *logKeeper) forward(frame []byte) {
	text := frame[protocol.StreamOverhead:]
	k.tail = append(k.tail, text...)
	if extra := len(k.tail) - logTail; extra > 0 {
		k.tail = append(k.tail[:0], k.tail[extra:]...)
	}
	if k.leftOut > 0 && !k.note() {
		k.leftOut += len(text)
		return
	}
	protocol.PutStreamHead(frame, protocol.StreamLog, k.boot)
	if !k.out.log(frame) {
		k.leftOut += len(text)
	}
}

// note says in the log how much of it was left out, if there is room for that.
func (k *logKeeper) note() bool {
	note := fmt.Appendf(make([]byte, protocol.StreamOverhead), "\n[squall: %d bytes of log left out]\n", k.leftOut)
	protocol.PutStreamHead(note, protocol.StreamLog, k.boot)
	if !k.out.log(note) {
		return false
	}
	k.leftOut = 0
	return true
}

// finish says what is still to be said when the log has ended. It does so even
// where there is no room, because there is no later.
func (k *logKeeper) finish() {
	if k.leftOut > 0 && !k.note() {
		k.out.makeRoom(protocol.StreamLog)
		k.note()
	}
}

// lastLine is the line of the log that says best why a process ended: that of
// a Go panic, or else the last one.
func lastLine(tail []byte) string {
	best := ""
	for line := range bytes.Lines(tail) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			continue
		}
		best = string(line)
		if bytes.HasPrefix(line, []byte("panic: ")) || bytes.HasPrefix(line, []byte("fatal error: ")) {
			break
		}
	}
	return strings.ToValidUTF8(plain.Clip(best, maxReason), "?")
}
