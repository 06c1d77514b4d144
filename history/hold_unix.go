//go:build unix

package history

import (
	"errors"
	"os"
	"syscall"
)

// lock waits: somebody who looks whether it is locked has it for a moment.
func lock(f *os.File) error {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

func held(fd uintptr) bool {
	err := syscall.Flock(int(fd), syscall.LOCK_SH|syscall.LOCK_NB)
	if err == nil {
		_ = syscall.Flock(int(fd), syscall.LOCK_UN)
	}
	return errors.Is(err, syscall.EWOULDBLOCK)
}
