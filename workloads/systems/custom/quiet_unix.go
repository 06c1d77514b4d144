//go:build unix

package custom

import (
	"errors"
	"net"
	"syscall"
)

// quiet reports whether a connection that waits for nothing is open, and nothing has
// come: a node that closed it would never answer, and what came would be taken for the
// answer to the next request.
func quiet(conn net.Conn) bool {
	sys, ok := conn.(syscall.Conn)
	if !ok {
		return true
	}
	raw, err := sys.SyscallConn()
	if err != nil {
		return false
	}
	open := false
	err = raw.Read(func(fd uintptr) bool {
		var one [1]byte
		_, err := syscall.Read(int(fd), one[:])
		open = errors.Is(err, syscall.EAGAIN)
		return true
	})
	return err == nil && open
}
