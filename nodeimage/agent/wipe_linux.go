package agent

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"squall/nodeimage/agent/protocol"
)

// wipe empties the servers' data directory, while no server runs and none can be started.
func (s *supervisor) wipe() (protocol.WipeResult, error) {
	if s.data == "" {
		return protocol.WipeResult{}, errors.New("wiping the data directory: the machine has none")
	}
	s.starting.Lock()
	defer s.starting.Unlock()
	if p := s.last(); p != nil && !p.dead() {
		return protocol.WipeResult{}, fmt.Errorf("wiping the data directory: %w: pid %d, boot %d", protocol.ErrRunning, p.pid, p.boot)
	}
	var r protocol.WipeResult
	err := asUser(s.hold.uid, func() (err error) {
		if r.Files, err = empty(s.data); err == nil {
			err = syncDir(s.data) // a power cut brings nothing back
		}
		return err
	})
	if err != nil {
		return protocol.WipeResult{}, fmt.Errorf("wiping the data directory: %w", err)
	}
	return r, nil
}

// empty removes all that is in a directory, and says how many files and directories that
// were. Nothing outside of it is touched, whatever links are in it.
func empty(dir string) (n int, err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return 0, err
	}
	defer root.Close()
	err = fs.WalkDir(root.FS(), ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil || path == "." {
			return err
		}
		n++
		if e.IsDir() { // whatever its owner may do in it
			return root.Chmod(path, 0o700)
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	inside, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return 0, err
	}
	for _, e := range inside {
		if err := root.RemoveAll(e.Name()); err != nil {
			return 0, err
		}
	}
	return n, nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
