package history

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// HoldName is the file in a run directory that the run holds locked for as long
// as it goes on, up to its results.
//
// A lock is a fact where the age of a file is a guess: the kernel lets go of it
// when the process ends, however it ends. A run that was killed leaves the file,
// but not the lock.
const HoldName = "running"

// Hold says that the run in dir goes on, until release. Where files cannot be
// locked (some network file systems), the error says so, and the run is merely
// taken for one that is not under way.
func Hold(dir string) (release func(), err error) {
	path := filepath.Join(dir, HoldName)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("mark the run as in progress: %w", err)
	}
	if err := lock(f); err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), f.Close(), os.Remove(path))
	}
	return func() {
		_ = os.Remove(path)
		_ = f.Close()
		_ = os.Remove(path) // Windows removes no file that is open
	}, nil
}

// Held reports whether somebody holds the lock on f, such as a run on its file
// HoldName.
func Held(f interface{ Fd() uintptr }) bool { return held(f.Fd()) }
