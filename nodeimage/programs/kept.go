package programs

import (
	"errors"
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

// What Prune leaves in any case.
const (
	keepNewest  = 24
	keepYounger = 24 * time.Hour
)

// Prune removes what matches a pattern of paths and was not used lately, except for
// what was just made. A cache that cannot be pruned only is too big.
func Prune(pattern, keep string) {
	paths, err := filepath.Glob(pattern)
	if err != nil || len(paths) <= keepNewest {
		return
	}
	for _, p := range oldestFirst(paths)[:len(paths)-keepNewest] {
		info, err := os.Stat(p)
		if err == nil && p != keep && time.Since(info.ModTime()) > keepYounger {
			os.Remove(p)
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
		if err := os.Remove(path); err != nil {
			errs = append(errs, err)
		} else if filepath.Ext(path) != lockSuffix {
			n++
		}
	}
	return n, errors.Join(errs...)
}

// lockSuffix ends the name of the lock of a program that is built.
const lockSuffix = ".lock"
