package files

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"squall/internal/regular"
)

// Held is a file that was taken.
type Held struct {
	Path string `json:"path"` // in the machine
	Exec bool   `json:"exec,omitempty"`
	Size int64  `json:"size"`   // bytes
	Hash string `json:"sha256"` // of the content
	// Kept is the copy on this computer. It does not change, and is not removed
	// within an hour; who needs it for longer makes a link to it.
	Kept string `json:"-"`
}

// Mode is that of the file in a machine: nobody can write to it.
func (h Held) Mode() os.FileMode {
	if h.Exec {
		return 0o555
	}
	return 0o444
}

// Open opens the copy. One that is not whole any more is an error.
func (h Held) Open() (*os.File, error) {
	f, err := regular.Open(h.Kept)
	if err != nil {
		return nil, fmt.Errorf("taking the copy of %s: %w", h.Path, err)
	}
	if info, err := f.Stat(); err != nil || info.Size() != h.Size {
		f.Close()
		return nil, h.Damaged()
	}
	return f, nil
}

// Damaged says that the copy is not what was taken, and removes it.
func (h Held) Damaged() error {
	err := fmt.Errorf("somebody changed squall's copy of %s, %s: run it again, and a new one is made", h.Path, h.Kept)
	return errors.Join(err, os.RemoveAll(filepath.Dir(h.Kept)))
}

// Set is files that were taken, for any number of machines. The nil Set has none.
type Set struct {
	arch  string
	files []Held // by path
	key   string
}

func newSet(arch string, held []Held) *Set {
	s := &Set{arch: arch, files: byPath(held, func(h Held) string { return h.Path })}
	sum := sha256.New()
	for _, f := range s.files {
		fmt.Fprintf(sum, "%s\x00%v %s\n", f.Path, f.Mode(), f.Hash)
	}
	s.key = hex.EncodeToString(sum.Sum(nil))[:20]
	return s
}

// Files are the files, by path. The list is not to be changed.
func (s *Set) Files() []Held {
	if s == nil {
		return nil
	}
	return s.files
}

// Key stands for what the machines hold: two sets of the same key have the same
// contents and modes at the same paths. It is short enough for a tag; "" is that
// of a set without files.
func (s *Set) Key() string {
	if s == nil || len(s.files) == 0 {
		return ""
	}
	return s.key
}

// Bytes is how large the files are together.
func (s *Set) Bytes() int64 {
	var n int64
	for _, f := range s.Files() {
		n += f.Size
	}
	return n
}

// For refuses a set that was taken for machines with another processor.
func (s *Set) For(arch string) error {
	if s.Key() == "" || s.arch == arch {
		return nil
	}
	return fmt.Errorf("the files were taken for linux/%s, but the machines are linux/%s: take them for that", s.arch, arch)
}
