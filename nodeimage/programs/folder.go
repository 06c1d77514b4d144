package programs

import (
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
)

// buildLock is a file in the folder of a build that is locked for as long as the
// build goes on.
const buildLock = "lock"

// Folder makes the folder that a build goes on in, in a cache, until release.
func Folder(cache string) (dir string, release func(), err error) {
	dir, err = os.MkdirTemp(cache, "build-*")
	if err != nil {
		return "", nil, err
	}
	lock := flock.New(filepath.Join(dir, buildLock))
	_, _ = lock.TryLock() // where nothing can be locked, its age must do
	return dir, func() {
		_ = lock.Close()
		_ = os.RemoveAll(dir)
	}, nil
}

// youngBuild is how old a build may be that has no lock: it may just be about to
// take it.
const youngBuild = 10 * time.Minute

// Stale are the folders in a cache of builds that were killed.
func Stale(cache string) (stale []string, err error) {
	dirs, err := filepath.Glob(filepath.Join(cache, "build-*"))
	for _, dir := range dirs {
		info, err := os.Stat(dir)
		if err != nil {
			continue // it has ended meanwhile
		}
		path := filepath.Join(dir, buildLock)
		if _, err := os.Stat(path); err != nil {
			if time.Since(info.ModTime()) > youngBuild {
				stale = append(stale, dir)
			}
			continue
		}
		lock := flock.New(path)
		if ok, err := lock.TryRLock(); err == nil && ok {
			stale = append(stale, dir)
		}
		_ = lock.Close()
	}
	return stale, err
}

// Clean removes what builds in a cache left that were killed, and says how many.
func Clean(cache string) (int, error) {
	stale, err := Stale(cache)
	errs := []error{err}
	n := 0
	for _, dir := range stale {
		if err := os.RemoveAll(dir); err != nil {
			errs = append(errs, err)
			continue
		}
		n++
	}
	return n, errors.Join(errs...)
}
