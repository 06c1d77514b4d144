package files

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"strings"

	"squall/internal/regular"
)

// looked is a file that was looked at, and may be taken.
type looked struct {
	File
	info fs.FileInfo // of its Source; nil: it has none, but a Text
}

// size is how large it is, in bytes.
func (l looked) size() int64 {
	if l.info == nil {
		return int64(len(l.Text))
	}
	return l.info.Size()
}

// Check refuses a list of files that machines with this processor (by Go's
// names) cannot hold or use: paths that cannot be, a source that is not there or
// cannot be read, and, of what is to be run, whatever could not. It takes
// nothing, and makes nothing: of what has to be made only the description is
// looked at. What a file is to blame for is an *Error.
func Check(list []File, arch string) error {
	_, err := look(list, arch, func(f File) bool { return f.Source != "" || f.Text != "" })
	return err
}

// look looks at those files of a list that are there.
func look(list []File, arch string, there func(File) bool) ([]looked, error) {
	if err := cmp.Or(checkPaths(list), checkOrigins(list)); err != nil {
		return nil, err
	}
	var all []looked
	var bytes int64
	for _, f := range list {
		if !there(f) {
			continue
		}
		l, err := lookAt(f, list, arch)
		if err != nil {
			return nil, err
		}
		all = append(all, l)
		bytes += l.size()
	}
	if bytes > MaxBytes {
		largest := slices.MaxFunc(all, func(a, b looked) int { return int(min(max(a.size()-b.size(), -1), 1)) })
		return nil, refuse(largest.File, "it has %s, and the files of a machine together have %s: %s are possible; leave out what servers do not need (debugging symbols: strip)",
			mib(largest.size()), mib(bytes), mib(MaxBytes))
	}
	return all, nil
}

// mib writes a number of bytes.
func mib(bytes int64) string { return fmt.Sprintf("%.4g MiB", float64(bytes)/(1<<20)) }

// lookAt looks at one file of a list.
func lookAt(f File, list []File, arch string) (looked, error) {
	if f.Text != "" {
		return lookAtText(f, list, arch)
	}
	src, info, err := open(f)
	if err != nil {
		return looked{}, err
	}
	defer src.Close()
	if !f.Exec || info.Size() > MaxBytes { // too large is said of the list
		return looked{f, info}, nil
	}
	if runtime.GOOS != "windows" && info.Mode()&0o111 == 0 { // Windows has no such bit
		return looked{}, refuse(f, "it is to be run, but is not executable: chmod +x %s", f.Source)
	}
	if err := canRun(f, list, io.NewSectionReader(src, 0, info.Size()), arch); err != nil {
		return looked{}, err
	}
	return looked{f, info}, nil
}

// lookAtText looks at a file of a list that has a text.
func lookAtText(f File, list []File, arch string) (looked, error) {
	l := looked{File: f}
	if !f.Exec || l.size() > MaxBytes { // too large is said of the list
		return l, nil
	}
	return l, canRun(f, list, io.NewSectionReader(strings.NewReader(f.Text), 0, l.size()), arch)
}

// open opens the source of a file. It never waits, whatever has that name.
func open(f File) (*os.File, fs.FileInfo, error) {
	if f.Source == "" {
		return nil, nil, &Error{f, errNoOrigin}
	}
	src, err := regular.Open(f.Source)
	if err == nil {
		info, statErr := src.Stat()
		if statErr == nil {
			return src, info, nil
		}
		src.Close()
		err = statErr
	}
	var why *fs.PathError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil, refuse(f, "there is no such file: build it, or correct its name")
	case errors.Is(err, fs.ErrPermission):
		return nil, nil, refuse(f, "it cannot be read: permission denied: chmod +r %s, or run squall as its owner", f.Source)
	case errors.Is(err, regular.Err) && errors.As(err, &why):
		return nil, nil, refuse(f, "%s: name a file", strings.TrimPrefix(why.Err.Error(), regular.Err.Error()+": "))
	case errors.As(err, &why):
		err = why.Err
	}
	return nil, nil, refuse(f, "it cannot be read: %w", err)
}
