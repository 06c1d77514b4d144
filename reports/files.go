package reports

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// batch is files that are written beside those that they replace, and take
// their places together at the end: a disk that fills up in the middle costs
// none of what was there before.
type batch struct {
	dir    string
	staged []staged
	gone   []string // names of files that are removed
	create func(dir, name string) (tempFile, error)
}

type staged struct{ temp, name string }

// tempFile is what a file is written to until it is whole.
type tempFile interface {
	io.Writer
	Name() string
	Chmod(fs.FileMode) error
	Close() error
}

func newBatch(dir string) *batch {
	return &batch{dir: dir, create: func(dir, name string) (tempFile, error) {
		return os.CreateTemp(dir, "."+name+"-*")
	}}
}

// stage writes a file beside the one that it is to replace.
func (b *batch) stage(name string, write func(io.Writer) error) error {
	temp, err := b.create(b.dir, name)
	if err != nil {
		return b.explain(name, err)
	}
	b.staged = append(b.staged, staged{temp.Name(), name})
	w := bufio.NewWriterSize(temp, 1<<16)
	if err = write(w); err == nil {
		err = w.Flush()
	}
	if err = errors.Join(err, temp.Chmod(0o644), temp.Close()); err != nil {
		return b.explain(name, err)
	}
	return nil
}

// stageBytes is stage of what is in memory.
func (b *batch) stageBytes(name string, content []byte) error {
	return b.stage(name, func(w io.Writer) error {
		_, err := w.Write(content)
		return err
	})
}

// remove has a file removed with the commit.
func (b *batch) remove(name string) { b.gone = append(b.gone, name) }

// commit puts the files in their places.
func (b *batch) commit() error {
	for len(b.staged) > 0 {
		s := b.staged[0]
		if err := os.Rename(s.temp, filepath.Join(b.dir, s.name)); err != nil {
			return b.explain(s.name, err)
		}
		b.staged = b.staged[1:]
	}
	for _, name := range b.gone {
		if err := os.Remove(filepath.Join(b.dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return b.explain(name, err)
		}
	}
	return nil
}

// discard removes what was staged and did not come to its place.
func (b *batch) discard() error {
	var errs []error
	for _, s := range b.staged {
		errs = append(errs, os.Remove(s.temp))
	}
	b.staged = nil
	return errors.Join(errs...)
}

// explain says which file could not be written, how to fix it, and what is not
// lost.
func (b *batch) explain(name string, err error) error {
	fix := "make the folder writable"
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		fix = "free some space on its disk"
	}
	return fmt.Errorf("write %s: %w; %s, then `squall report %s` writes it again (the verdict is in %s, and an earlier report is unchanged)",
		filepath.Join(b.dir, name), err, fix, b.dir, resultsFile)
}
