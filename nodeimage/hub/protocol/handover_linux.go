package protocol

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Handover is a socket on which open files are handed to the hub, for the agent
// of a machine that is to begin another life. A message has the machine's name,
// and its files. What was sent is there to be received: neither end waits.
type Handover struct{ socket *os.File }

// NewHandover makes both ends of a handover; theirs is for the hub to inherit.
func NewHandover() (ours Handover, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return Handover{}, nil, fmt.Errorf("making a socket to the hub: %w", err)
	}
	return Handover{os.NewFile(uintptr(fds[0]), "handover")}, os.NewFile(uintptr(fds[1]), "handover"), nil
}

// InheritedHandover is the hub's end.
func InheritedHandover() Handover {
	unix.CloseOnExec(HandoverFD)
	return Handover{os.NewFile(HandoverFD, "handover")}
}

// Send hands files over. The sender may close its own afterwards.
func (h Handover) Send(machine string, files []*os.File) error {
	fds := make([]int, len(files))
	for i, f := range files {
		fds[i] = int(f.Fd())
	}
	err := unix.Sendmsg(int(h.socket.Fd()), []byte(machine), unix.UnixRights(fds...), nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
	if err != nil {
		return fmt.Errorf("handing the hub the files of %s: %w", machine, err)
	}
	return nil
}

// Receive takes the files that were sent next.
func (h Handover) Receive() (machine string, files []*os.File, err error) {
	name, rights := make([]byte, 256), make([]byte, unix.CmsgSpace(16*4))
	n, rn, _, _, err := unix.Recvmsg(int(h.socket.Fd()), name, rights, unix.MSG_DONTWAIT|unix.MSG_CMSG_CLOEXEC)
	if err != nil {
		return "", nil, fmt.Errorf("taking the files that were handed over: %w", err)
	}
	messages, err := unix.ParseSocketControlMessage(rights[:rn])
	if err != nil {
		return "", nil, fmt.Errorf("taking the files that were handed over: %w", err)
	}
	for _, m := range messages {
		fds, rightsErr := unix.ParseUnixRights(&m)
		err = errors.Join(err, rightsErr)
		for _, fd := range fds {
			files = append(files, os.NewFile(uintptr(fd), "agent"))
		}
	}
	return string(name[:n]), files, err
}

// Close closes this end.
func (h Handover) Close() error { return h.socket.Close() }
