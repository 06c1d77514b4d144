package history

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// The lock is on one byte far behind the end of the file, which nobody reads.
const lockAt = 1 << 30

// lock waits: somebody who looks whether it is locked has it for a moment.
func lock(f *os.File) error {
	return windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK, 0, 1, 0, &windows.Overlapped{Offset: lockAt})
}

func held(f *os.File) bool {
	at := windows.Overlapped{Offset: lockAt}
	err := windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, &at)
	if err == nil {
		_ = windows.UnlockFileEx(windows.Handle(f.Fd()), 0, 1, 0, &at)
	}
	return errors.Is(err, windows.ERROR_LOCK_VIOLATION)
}
