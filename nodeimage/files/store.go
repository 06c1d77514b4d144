package files

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Store keeps the contents of files on this computer, each once, by its hash.
// Several processes may use one at the same time.
//
// A content is in a folder of its own, whose name is its hash, with "-x" where it
// is to be run. The folder's time is when it was taken last: the file's own time
// is the same for every content, as a server may look at it.
type Store struct {
	Dir string // for this user alone; it need not be there yet
	now func() time.Time
}

const (
	contentName = "content"
	partial     = "part-" // begins the name of a folder that is being filled
)

func (s Store) time() time.Time {
	if s.now != nil {
		return s.now()
	}
	return time.Now()
}

// Take looks at a list of files as Check does, and keeps what machines with this
// processor will hold: it does not change any more, whatever becomes of the
// sources. What was read before, and has not changed since, is not read again.
// What a file is to blame for is an *Error; a file that changes meanwhile is. Each must
// have its Source or its Text by now.
func (s Store) Take(ctx context.Context, list []File, arch string) (*Set, error) {
	all, err := look(list, arch, func(File) bool { return true })
	if err != nil || len(all) == 0 {
		return nil, err
	}
	if err := os.MkdirAll(s.Dir, 0o700); err != nil { // what it keeps may be of a private file
		return nil, s.failed(err)
	}
	known := s.recall()
	var held []Held
	added := false
	for _, l := range all {
		h, fresh, err := s.take(ctx, l, known)
		if err != nil {
			return nil, err
		}
		held = append(held, h)
		added = added || fresh
	}
	if err := known.save(); err != nil {
		return nil, s.failed(err)
	}
	if added {
		s.prune()
	}
	return newSet(arch, held), nil
}

func (s Store) failed(err error) error {
	return fmt.Errorf("keeping files for machines in %s: %w: free some space there, or set XDG_CACHE_HOME to a folder that can be written", s.Dir, err)
}

// take keeps one file; fresh is whether it was not kept before.
func (s Store) take(ctx context.Context, l looked, known *memory) (h Held, fresh bool, err error) {
	h = Held{Path: l.Path, Exec: l.Exec, Size: l.size()}
	if h.Hash = known.hash(l); h.Hash != "" {
		if h.Kept = s.at(h); s.has(h) {
			return h, false, nil
		}
	}
	dir, hash, err := s.copyIn(ctx, l)
	if err != nil {
		return h, false, err
	}
	defer os.RemoveAll(dir) // unless it is where it belongs
	h.Hash = hash
	h.Kept = s.at(h)
	known.remember(l, hash, s.time())
	if s.has(h) {
		return h, false, nil
	}
	home := filepath.Dir(h.Kept)
	_ = os.RemoveAll(home) // of one that is there something is missing
	err = os.Rename(dir, home)
	if s.has(h) { // where it could not be put, another process was quicker
		return h, true, nil
	}
	return h, false, s.failed(cmp.Or(err, fs.ErrNotExist))
}

// at is where a content is kept.
func (s Store) at(h Held) string {
	name := h.Hash
	if h.Exec {
		name += "-x"
	}
	return filepath.Join(s.Dir, name, contentName)
}

// has reports whether a content is kept, whole as far as its size tells, and
// marks it as used.
func (s Store) has(h Held) bool {
	info, err := os.Lstat(h.Kept)
	if err != nil || !info.Mode().IsRegular() || info.Size() != h.Size {
		return false
	}
	now := s.time()
	return os.Chtimes(filepath.Dir(h.Kept), now, now) == nil
}

// copyIn copies a file's content into a folder of its own within the store.
func (s Store) copyIn(ctx context.Context, l looked) (dir, hash string, err error) {
	tmp, err := os.MkdirTemp(s.Dir, partial)
	if err != nil {
		return "", "", s.failed(err)
	}
	defer func() {
		if err != nil {
			_ = os.RemoveAll(tmp)
		}
	}()
	to, err := os.OpenFile(filepath.Join(tmp, contentName), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", "", s.failed(err)
	}
	hash, err = s.fill(ctx, to, l)
	if closeErr := to.Close(); err == nil && closeErr != nil {
		err = s.failed(closeErr)
	}
	if err != nil {
		return "", "", err
	}
	mode := Held{Exec: l.Exec}.Mode()
	err = errors.Join(os.Chtimes(to.Name(), time.Unix(0, 0), time.Unix(0, 0)), os.Chmod(to.Name(), mode))
	if err != nil {
		return "", "", s.failed(err)
	}
	return tmp, hash, nil
}

// fill copies what was looked at, and nothing else that has its name by now.
func (s Store) fill(ctx context.Context, to *os.File, l looked) (hash string, err error) {
	sum := sha256.New()
	if l.info == nil {
		if _, err := io.WriteString(tee{to, sum}, l.Text); err != nil {
			return "", s.failed(err)
		}
		return s.filled(to, sum)
	}
	src, before, err := open(l.File)
	if err != nil {
		return "", err
	}
	defer src.Close()
	n, err := io.Copy(tee{to, sum}, &until{ctx, io.LimitReader(src, l.info.Size()+1)})
	var failed *writeError
	switch {
	case ctx.Err() != nil:
		return "", fmt.Errorf("taking %s for the machines: %w", l.Source, context.Cause(ctx))
	case errors.As(err, &failed):
		return "", s.failed(failed.err)
	case err != nil:
		return "", refuse(l.File, "it cannot be read: %w", err)
	}
	after, err := src.Stat()
	if err != nil {
		return "", refuse(l.File, "it cannot be read: %w", err)
	}
	if !same(l.info, before) || !same(before, after) || n != before.Size() {
		return "", refuse(l.File, "it changed while it was read: wait until whatever writes it is done")
	}
	return s.filled(to, sum)
}

// filled ends a copy, and says what its hash is.
func (s Store) filled(to *os.File, sum hash.Hash) (string, error) {
	if err := to.Sync(); err != nil { // a copy that a power cut spoils would be found by its name all the same
		return "", s.failed(err)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// same reports whether a file has not changed, as far as it shows.
func same(a, b fs.FileInfo) bool {
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime()) && changed(a) == changed(b)
}

// tee writes to both; an error of the file is a *writeError, so that it is told
// from one of reading.
type tee struct {
	file *os.File
	sum  io.Writer
}

type writeError struct{ err error }

func (e *writeError) Error() string { return e.err.Error() }

func (t tee) Write(p []byte) (int, error) {
	n, err := t.file.Write(p)
	if err != nil {
		return n, &writeError{err}
	}
	return t.sum.Write(p)
}

// until reads until a context ends.
type until struct {
	ctx context.Context
	io.Reader
}

func (u *until) Read(p []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.Reader.Read(p)
}
