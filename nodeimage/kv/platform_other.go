//go:build !linux

package kv

import (
	"errors"
	"net"
	"os"
	"time"
)

// tuneConn does what can be done everywhere; see its Linux version. Servers run
// on Linux; elsewhere only the client has a use.
func tuneConn(conn net.Conn, _ time.Duration) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetKeepAliveConfig(net.KeepAliveConfig{
			Enable: true, Idle: time.Second, Interval: time.Second, Count: 3})
	}
}

func monotonic() (time.Duration, error) {
	return 0, errors.New("the monotonic clock is read on Linux only")
}

func inherit(int, string) (*os.File, error) {
	return nil, errors.New("file descriptors are inherited on Linux only")
}

func die() { os.Exit(137) }
