package nodeimage

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// CacheDir is where squall keeps what it may need again or cannot leave to a
// temporary directory: nodes that were built or unpacked, disks. Whoever
// has no home, as in a container from an empty image, gets a directory of
// their own among the temporary ones. XDG_CACHE_HOME counts on every system,
// so that the fix for a full disk is the same everywhere.
func CacheDir() (string, error) {
	if dir := os.Getenv("XDG_CACHE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "squall"), nil
	}
	if dir, err := os.UserCacheDir(); err == nil {
		return filepath.Join(dir, "squall"), nil
	}
	dir := filepath.Join(os.TempDir(), fmt.Sprintf("squall-%d", os.Getuid()))
	if err := privateDir(dir); err != nil {
		return "", cacheError(dir, err)
	}
	return dir, nil
}

// privateDir makes a directory that nobody else can put programs into. Its
// name can be guessed, so one that is there already must be ours alone.
func privateDir(dir string) error {
	err := os.Mkdir(dir, 0o700)
	if err == nil || !errors.Is(err, fs.ErrExist) {
		return err
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	if !info.IsDir() || !ownedAlone(info) {
		return errors.New("it must be a directory that belongs to this user alone (mode 0700)")
	}
	return nil
}

// cacheError says what to do about a cache that cannot be written.
func cacheError(path string, err error) error {
	return fmt.Errorf("keeping squall-node in %s: %w: free some space there, "+
		"or set XDG_CACHE_HOME to a folder that can be written", path, err)
}

// keep writes a program to path: whoever finds one there finds a whole one.
func keep(path string, program io.WriterTo) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".part-*") // what a kill leaves is pruned
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = f.Close()
			_ = os.Remove(f.Name())
		}
	}()
	if _, err := program.WriteTo(f); err != nil {
		return err
	}
	if err := f.Chmod(0o755); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
