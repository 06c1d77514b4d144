package programs

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Kept tells whether there is a program at path, whole as far as its size tells
// (unless size is 0, in bytes), and marks it as used, so that Prune leaves it.
func Kept(path string, size int64) bool {
	info, err := os.Stat(path)
	if err != nil || size > 0 && info.Size() != size {
		return false
	}
	now := time.Now()
	_ = os.Chtimes(path, now, now)
	return true
}

// contentName is a file in a folder of its own. What is kept that way is marked as used
// by the folder's time: whoever reads the file sees that it never changes.
const contentName = "content"

// Content is the file that is kept in a folder; kept is whether there is one, which is
// then marked as used.
func Content(folder string) (path string, kept bool) {
	path = filepath.Join(folder, contentName)
	if _, err := os.Stat(path); err != nil {
		return path, false
	}
	now := time.Now()
	_ = os.Chtimes(folder, now, now)
	return path, true
}

// Keep has write write a file, which is kept in that folder from then on: whoever finds
// one there finds a whole one.
func Keep(folder string, write func(path string) error) (path string, err error) {
	tmp, err := os.MkdirTemp(filepath.Dir(folder), "part-*") // what a kill leaves is pruned
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(tmp) // unless it is where it belongs
	if err := os.Chmod(tmp, 0o755); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return "", err
	}
	if err := write(filepath.Join(tmp, contentName)); err != nil {
		return "", err
	}
	err = os.Rename(tmp, folder)
	if path, kept := Content(folder); kept { // where it could not be put, another was quicker
		return path, nil
	}
	return "", cmp.Or(err, fs.ErrNotExist)
}

// What Prune leaves in any case.
const (
	keepNewest  = 24
	keepYounger = 24 * time.Hour
)

// Prune removes what matches a pattern of paths and was not used lately, but not
// what was just made. A cache that cannot be pruned only is too big.
func Prune(pattern, keep string) {
	paths, err := filepath.Glob(pattern)
	if err != nil || len(paths) <= keepNewest {
		return
	}
	for _, p := range oldestFirst(paths)[:len(paths)-keepNewest] {
		info, err := os.Stat(p)
		if err == nil && p != keep && time.Since(info.ModTime()) > keepYounger {
			os.RemoveAll(p)
		}
	}
}

// oldestFirst sorts files by when they were last used.
func oldestFirst(paths []string) []string {
	used := func(path string) time.Time {
		info, err := os.Stat(path)
		if err != nil {
			return time.Time{}
		}
		return info.ModTime()
	}
	paths = slices.Clone(paths)
	slices.SortFunc(paths, func(a, b string) int { return used(a).Compare(used(b)) })
	return paths
}

// keepStarting is how long what was used last is left by Clear.
const keepStarting = 10 * time.Minute

// Clear removes what is kept in a folder but for what was used just now, and says how
// many there were.
func Clear(folder string) (int, error) {
	paths, err := filepath.Glob(filepath.Join(folder, "*"))
	errs := []error{err}
	n := 0
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil || time.Since(info.ModTime()) < keepStarting {
			continue
		}
		if err := os.RemoveAll(path); err != nil {
			errs = append(errs, err)
		} else if filepath.Ext(path) != lockSuffix {
			n++
		}
	}
	return n, errors.Join(errs...)
}

// lockSuffix ends the name of the lock of a program that is built.
const lockSuffix = ".lock"
