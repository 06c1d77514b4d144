package agent

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"squall/nodeimage/agent/protocol"
)

// lay puts files into the servers' data directory, while no server runs and none can be started.
func (s *supervisor) lay(p protocol.LayParams) error {
	if s.data == "" {
		return errors.New("laying out the data directory: the machine has none")
	}
	s.starting.Lock()
	defer s.starting.Unlock()
	if p := s.last(); p != nil && !p.dead() {
		return fmt.Errorf("laying out the data directory: %w: pid %d, boot %d", protocol.ErrRunning, p.pid, p.boot)
	}
	err := asUser(s.hold.uid, func() error { return layIn(s.data, p.Entries) })
	if err != nil {
		return fmt.Errorf("laying out the data directory: %w", err)
	}
	return nil
}

// layIn makes entries in a directory. Nothing outside of it is touched, whatever links are in it.
func layIn(dir string, entries []protocol.LayEntry) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	for i := range entries {
		if err := layOne(root, &entries[i]); err != nil {
			return err
		}
	}
	return nil
}

func layOne(root *os.Root, e *protocol.LayEntry) error {
	switch {
	case e.Dir:
		return root.Mkdir(e.Path, fs.FileMode(e.Perm).Perm()|0o700) // else nothing could be put into it
	case e.Target != "":
		return root.Symlink(e.Target, e.Path)
	case e.Same != "":
		return root.Link(e.Same, e.Path)
	}
	how := os.O_WRONLY | os.O_CREATE | os.O_EXCL
	if e.Again {
		how = os.O_WRONLY
	}
	f, err := root.OpenFile(e.Path, how, fs.FileMode(e.Perm).Perm()|0o200) // else no more pieces could
	if err != nil {
		return err
	}
	defer f.Close()
	for _, piece := range e.Pieces {
		if _, err := f.WriteAt(piece.Data, piece.At); err != nil {
			return err
		}
	}
	if !e.Again {
		if err := f.Truncate(e.Size); err != nil {
			return err
		}
	}
	return f.Close()
}
