package history

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// lock takes the first byte, as flock does where there is only a range to lock.
// It waits: somebody who looks whether it is locked has it for a moment.
func lock(f *os.File) error {
	return windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK, 0, 1, 0, &windows.Overlapped{})
}

func held(fd uintptr) bool {
	at := windows.Overlapped{}
	err := windows.LockFileEx(windows.Handle(fd), windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, &at)
	if err == nil {
		_ = windows.UnlockFileEx(windows.Handle(fd), 0, 1, 0, &at)
	}
	return errors.Is(err, windows.ERROR_LOCK_VIOLATION)
}
