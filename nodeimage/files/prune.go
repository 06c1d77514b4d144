package files

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// What pruning leaves in a Store.
const (
	keepBytes   = 2 << 30            // in all
	keepFor     = 7 * 24 * time.Hour // since a content was taken last
	keepYounger = time.Hour          // in any case: machines that are being made need it
	// keepStarting is what Clear leaves.
	keepStarting = 10 * time.Minute
)

// kept is a content in a Store, or what a kill has left of one.
type kept struct {
	dir   string
	used  time.Time
	bytes int64
}

// contents are what a Store keeps, what was taken last first.
func (s Store) contents() ([]kept, error) {
	entries, err := os.ReadDir(s.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var all []kept
	for _, e := range entries {
		name, _ := strings.CutSuffix(e.Name(), "-x")
		if !isHash(name) && !isPartial(name) {
			continue
		}
		k := kept{dir: filepath.Join(s.Dir, e.Name())}
		info, err := e.Info()
		if err != nil {
			continue // somebody else was quicker
		}
		k.used = info.ModTime()
		if info, err := os.Stat(filepath.Join(k.dir, contentName)); err == nil {
			k.bytes = info.Size()
		}
		all = append(all, k)
	}
	slices.SortFunc(all, func(a, b kept) int { return b.used.Compare(a.used) })
	return all, err
}

// isPartial reports whether a name is that of what a kill has left: of a content,
// or of the memory, which atomicfile names.
func isPartial(name string) bool {
	return strings.HasPrefix(name, partial) || strings.HasPrefix(name, "."+memoryName)
}

// prune removes what was not taken for long, and what is too much. A store that
// cannot be pruned only is too big.
func (s Store) prune() {
	all, err := s.contents()
	if err != nil {
		return
	}
	var bytes int64
	for _, k := range all {
		unused := s.time().Sub(k.used)
		bytes += k.bytes
		left := isPartial(filepath.Base(k.dir))
		if unused > keepYounger && (left || unused > keepFor || bytes > keepBytes) {
			_ = os.RemoveAll(k.dir)
		}
	}
}

// Clear removes everything but what machines that are starting may need, and
// says how many files. Machines that run are not touched.
func (s Store) Clear() (int, error) {
	all, err := s.contents()
	errs := []error{err}
	n := 0
	for _, k := range all {
		if s.time().Sub(k.used) < keepStarting {
			continue
		}
		if err := os.RemoveAll(k.dir); err != nil {
			errs = append(errs, err)
			continue
		}
		n++
	}
	return n, errors.Join(errs...)
}
