package protocol

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Folder is the folder of a local run: the machines' disks and files, and what is
// needed to remove what a hub that was killed could not.
type Folder string

// Disk is the directory that a machine sees as its data directory.
func (f Folder) Disk(machine string) string { return filepath.Join(string(f), "disks", machine) }

// Root is an empty directory. Every machine, in a mount namespace of its own,
// puts its file system there.
func (f Folder) Root() string { return filepath.Join(string(f), "root") }

func (f Folder) lockFile() string { return filepath.Join(string(f), "lock") }

func (f Folder) cgroupsFile() string { return filepath.Join(string(f), "cgroups.json") }

// Create makes the folder with a disk for each machine, and locks it for as
// long as this process lives: a folder that is not locked belongs to no one.
// The lock must be kept open.
func (f Folder) Create(machines []Machine) (lock *os.File, err error) {
	if err := os.MkdirAll(filepath.Dir(string(f)), 0o700); err != nil {
		return nil, fmt.Errorf("making the folder of local runs: %w", err)
	}
	if err := os.Mkdir(string(f), 0o700); err != nil {
		return nil, fmt.Errorf("making the run's folder: %w", err)
	}
	if lock, err = takeLock(f.lockFile()); err != nil {
		return nil, errors.Join(fmt.Errorf("locking the run's folder: %w", err), os.RemoveAll(string(f)))
	}
	for _, m := range machines {
		if err := os.MkdirAll(f.Disk(m.Name), 0o755); err != nil {
			return lock, fmt.Errorf("making the disk of %s: %w", m.Name, err)
		}
	}
	if err := os.Mkdir(f.Root(), 0o755); err != nil {
		return lock, fmt.Errorf("making the run's folder: %w", err)
	}
	return lock, nil
}

// InUse reports whether the hub that made the folder still lives.
func (f Folder) InUse() bool { return locked(f.lockFile()) }

// NoteCgroups writes down which control groups belong to the run, before they
// are made; parents stand before their children.
func (f Folder) NoteCgroups(paths []string) error {
	text, err := json.Marshal(paths)
	if err == nil {
		err = os.WriteFile(f.cgroupsFile(), text, 0o600)
	}
	if err != nil {
		return fmt.Errorf("noting the run's control groups: %w", err)
	}
	return nil
}

// RemoveCgroups removes the run's control groups, whose processes must have
// been killed.
func (f Folder) RemoveCgroups() error {
	text, err := os.ReadFile(f.cgroupsFile())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var paths []string
	if err == nil {
		err = json.Unmarshal(text, &paths)
	}
	if err != nil {
		return fmt.Errorf("reading which control groups are the run's: %w", err)
	}
	for i := len(paths) - 1; i >= 0; i-- {
		if err := removeCgroup(paths[i]); err != nil {
			return fmt.Errorf("removing the control group: %w", err)
		}
	}
	return os.Remove(f.cgroupsFile())
}

// removeCgroup waits a little for processes that were killed but are not gone.
func removeCgroup(path string) error {
	var err error
	for range 200 {
		if err = os.Remove(path); err == nil || errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		time.Sleep(5 * time.Millisecond)
	}
	return err
}

// Keep leaves the disks, without a lock: the folder belongs to no one.
func (f Folder) Keep() error {
	return errors.Join(f.RemoveCgroups(), os.RemoveAll(f.allFiles()), os.Remove(f.lockFile()), os.Remove(f.Root()))
}

// Remove removes the folder with everything that it stands for. It is
// idempotent.
func (f Folder) Remove() error {
	if err := f.RemoveCgroups(); err != nil {
		return err
	}
	if err := removeAll(string(f)); err != nil {
		return fmt.Errorf("removing the run's folder: %w", err)
	}
	return nil
}

// removeAll removes a directory also when a server has left directories in it
// that nobody may look into, which only root could remove as they are.
func removeAll(path string) error {
	err := os.RemoveAll(path)
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	_ = filepath.WalkDir(path, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			_ = os.Chmod(path, 0o700) // before it is looked into
		}
		return nil
	})
	return os.RemoveAll(path)
}
