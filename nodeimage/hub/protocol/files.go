package protocol

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
)

// FileSet is files that machines hold beside squall-node.
type FileSet struct {
	Key   string `json:"key"` // that a Machine names
	Files []File `json:"files"`
}

// File is one of them.
type File struct {
	Path string `json:"path"` // in the machine, absolute
	// From is the file on the host. It has the mode that it is to have in the
	// machine, and its content does not change.
	From string `json:"from"`
}

// setKey is what can be a directory's name.
var setKey = regexp.MustCompile(`^[a-z0-9]{1,64}$`)

func (c Config) validateFiles() error {
	known := map[string]bool{"": true}
	for _, set := range c.FileSets {
		if !setKey.MatchString(set.Key) || known[set.Key] {
			return fmt.Errorf("fileSets: %q cannot be a key, or is there twice", set.Key)
		}
		known[set.Key] = true
		for _, f := range set.Files {
			for _, path := range []string{f.Path, f.From} {
				if !filepath.IsAbs(path) || filepath.Clean(path) != path || path == "/" {
					return fmt.Errorf("fileSets: %q is not an absolute path", path)
				}
			}
		}
	}
	for _, m := range c.Machines {
		if !known[m.Files] {
			return fmt.Errorf("machine %q: there are no files %q", m.Name, m.Files)
		}
	}
	return nil
}

// Files is the directory of a set: the files with the directories that they are
// in, as machines see them below their root.
func (f Folder) Files(key string) string { return filepath.Join(f.allFiles(), key) }

func (f Folder) allFiles() string { return filepath.Join(string(f), "files") }

// Lay makes the directory of a set. The files in it are links where they can be:
// they stay as they are when somebody removes the ones that they were made from.
func (f Folder) Lay(set FileSet) error {
	root := f.Files(set.Key)
	if err := makeDirs(root); err != nil {
		return fmt.Errorf("laying out the machines' files: %w", err)
	}
	for _, file := range set.Files {
		to := filepath.Join(root, file.Path)
		err := makeDirs(filepath.Dir(to))
		if err == nil {
			err = linkOrCopy(file.From, to)
		}
		if err != nil {
			return fmt.Errorf("laying out %s of the machines: %w", file.Path, err)
		}
	}
	return nil
}

// makeDirs does not leave the mode to the umask.
func makeDirs(dir string) error {
	err := os.Mkdir(dir, 0o755)
	switch {
	case err == nil:
		return os.Chmod(dir, 0o755)
	case errors.Is(err, os.ErrExist):
		return nil
	case !errors.Is(err, os.ErrNotExist):
		return err
	}
	if err := makeDirs(filepath.Dir(dir)); err != nil {
		return err
	}
	return makeDirs(dir)
}

// linkOrCopy copies where no link can be made: from one disk to another, or where
// a file has as many links as it may have.
func linkOrCopy(from, to string) error {
	if os.Link(from, to) == nil {
		return nil
	}
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	info, err := src.Stat()
	if err != nil {
		return err
	}
	dst, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, src)
	return errors.Join(err, dst.Close(), os.Chmod(to, info.Mode().Perm()), os.Chtimes(to, info.ModTime(), info.ModTime()))
}
