package kv

import (
	"fmt"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// tuneConn sets a connection up for a network that may fall silent: bytes that
// stay unacknowledged for ackTimeout end it, instead of being sent again at
// ever longer intervals, and so does a silent peer that answers no probes.
// After a partition heals, both sides are thus free to connect anew at once.
func tuneConn(conn net.Conn, ackTimeout time.Duration) {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return
	}
	// Failures are ignored: an untuned connection is slower to recover, but
	// right. TCP_NODELAY is Go's default.
	_ = tcp.SetKeepAliveConfig(net.KeepAliveConfig{
		Enable: true, Idle: time.Second, Interval: time.Second, Count: 3})
	raw, err := tcp.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(ackTimeout.Milliseconds()))
	})
}

// monotonic is CLOCK_MONOTONIC.
func monotonic() (time.Duration, error) {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		return 0, err
	}
	return time.Duration(ts.Nano()), nil
}

// inherit opens a file descriptor that the one who started this process left
// open for it, and keeps it from going further on.
func inherit(fd int, name string) (*os.File, error) {
	if fd < 0 {
		return nil, fmt.Errorf("file descriptor %d cannot be", fd)
	}
	unix.CloseOnExec(fd)
	if err := unix.SetNonblock(fd, true); err != nil { // or closing would not end a read
		return nil, fmt.Errorf("file descriptor %d is not open: %w", fd, err)
	}
	return os.NewFile(uintptr(fd), name), nil
}

// die ends this process as SIGKILL does: nothing is cleaned up, and nobody has a
// last word.
func die() {
	_ = unix.Kill(unix.Getpid(), unix.SIGKILL)
	select {} // until it arrives
}
