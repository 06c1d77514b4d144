// Package regular opens files that squall did not write, or that somebody may
// have changed since. Such a name can belong to anything: to a named pipe, of
// which opening and reading wait for ever, to a device, a socket or a folder, or
// to a file of many gigabytes. Here it is a regular file of a bounded size, or an
// error that says what it is.
package regular

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// Err is wrapped by every error about a file that is there and not regular.
var Err = errors.New("not a regular file")

// ErrTooLong is wrapped by every error about a file that is over its bound.
var ErrTooLong = errors.New("too long")

// Open opens the regular file of that path to read it. It never waits.
func Open(path string) (*os.File, error) {
	return open(path, os.Stat, os.OpenFile)
}

// OpenIn is Open for a name within a folder that may not be left.
func OpenIn(root *os.Root, name string) (*os.File, error) {
	return open(name, root.Stat, root.OpenFile)
}

// open looks twice: before, since opening some devices does something; and at
// what was opened, which need not be what was there before.
func open(path string, stat func(string) (fs.FileInfo, error), open func(string, int, fs.FileMode) (*os.File, error)) (*os.File, error) {
	info, err := stat(path)
	if err != nil {
		return nil, err
	}
	if err := check(path, info); err != nil {
		return nil, err
	}
	f, err := open(path, os.O_RDONLY|noWait, 0)
	if err != nil {
		return nil, err
	}
	info, err = f.Stat()
	if err == nil {
		err = check(path, info)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func check(path string, info fs.FileInfo) error {
	if info.Mode().IsRegular() {
		return nil
	}
	return &fs.PathError{Op: "open", Path: path, Err: fmt.Errorf("%w: it is %s", Err, kind(info.Mode()))}
}

func kind(m fs.FileMode) string {
	switch {
	case m.IsDir():
		return "a folder"
	case m&fs.ModeNamedPipe != 0:
		return "a named pipe"
	case m&fs.ModeSocket != 0:
		return "a socket"
	case m&fs.ModeDevice != 0:
		return "a device"
	}
	return "something else"
}

// ReadFile reads the regular file of that path, which may be most bytes long.
func ReadFile(path string, most int64) ([]byte, error) {
	f, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return ReadAll(f, most)
}

// ReadAll reads what is left of f, which may be most bytes.
func ReadAll(f *os.File, most int64) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(text)) > most {
		err = &fs.PathError{Op: "read", Path: f.Name(), Err: fmt.Errorf("%w: it has more than %d bytes", ErrTooLong, most)}
	}
	if err != nil {
		return nil, err
	}
	return text, nil
}

// MaxJSON is how long a recorded JSON file may be, bytes. The longest that squall
// writes, the results of a violation with many witnesses, has a few megabytes.
const MaxJSON = 64 << 20
