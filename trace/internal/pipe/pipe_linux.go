package pipe

import (
	"errors"
	"syscall"
	"time"
	"unsafe"
)

// claim looks whether a descriptor is a pipe, as a trace is, and keeps it from the
// children of the process.
func claim(fd int) error {
	var st syscall.Stat_t
	if err := syscall.Fstat(fd, &st); err != nil {
		return err
	}
	if st.Mode&syscall.S_IFMT != syscall.S_IFIFO {
		return errors.New("the descriptor is not a pipe")
	}
	syscall.CloseOnExec(fd)
	return nil
}

func monotonic() (time.Duration, error) {
	const clockMonotonic = 1
	var ts syscall.Timespec
	if _, _, errno := syscall.Syscall(syscall.SYS_CLOCK_GETTIME, clockMonotonic, uintptr(unsafe.Pointer(&ts)), 0); errno != 0 {
		return 0, errno
	}
	return time.Duration(ts.Nano()), nil
}
