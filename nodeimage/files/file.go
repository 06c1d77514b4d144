// Package files is what machines hold beside squall-node: a system's programs,
// their settings, whatever its servers need. A list of files is looked at before
// anything starts, and refused by name where a machine could not use it; what is
// taken is kept by its content, so that a file which changes during a test
// changes no machine, and so that nothing is read or sent twice.
package files

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// File is a file that machines are to hold. It has one origin: a Source, a Text, or
// what becomes a Source before a test by being built or taken out of an image.
type File struct {
	// Path is where it is in the machine: absolute and clean, below none of the
	// directories that are the machine's own (see Reserved).
	Path string
	// Source is the file on this computer.
	Source string
	// Text is what it holds, of files that are made up for a test: a server's settings.
	Text string
	// Build is a program that is built.
	Build *Build
	// Image is a file out of an image.
	Image *Image
	// Exec is whether it is a program or a script, to be run in the machine. It
	// must be one that can: see Check.
	Exec bool
}

// What a list of files may hold.
const (
	// MaxBytes is how large the files of a machine may be together, in bytes.
	MaxBytes = 200 << 20
	// MaxFiles is how many files a machine may hold.
	MaxFiles = 8192
	// maxPath and maxName bound a path and each name in it, in bytes.
	maxPath = 1000
	maxName = 255
)

// Error refuses a file. It says which, why, and what to do; nothing was started.
type Error struct {
	File File
	Err  error
}

func (e *Error) Error() string {
	origin := e.File.Origin()
	switch {
	case e.File == File{}: // it is the list that is refused
		return e.Err.Error()
	case origin == "":
		return fmt.Sprintf("%s in the machines: %v", e.File.Path, e.Err)
	case e.File.Path == "":
		return fmt.Sprintf("%s: %v", origin, e.Err)
	}
	return fmt.Sprintf("%s (%s in the machines): %v", origin, e.File.Path, e.Err)
}

// Unwrap returns the reason.
func (e *Error) Unwrap() error { return e.Err }

func refuse(f File, format string, args ...any) error {
	return &Error{f, fmt.Errorf(format, args...)}
}

// Reserved are the paths that no file may have, nor lie below or above: they are
// the machine's own, in one runtime or the other.
func Reserved() []string {
	return []string{"/squall-node", "/data", "/proc", "/dev", "/sys", "/tmp", "/run",
		"/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/etc/mtab", "/.dockerenv"}
}

// checkPaths refuses what cannot be the paths of a machine's files.
func checkPaths(list []File) error {
	if len(list) > MaxFiles {
		return refuse(File{}, "%d files for one machine are too many: %d are possible; pack some of them together", len(list), MaxFiles)
	}
	at := map[string]File{}
	for _, f := range list {
		if err := checkPath(f); err != nil {
			return err
		}
		if other, twice := at[f.Path]; twice {
			return refuse(f, "%s has the same path: give one of them another", other.Origin())
		}
		at[f.Path] = f
	}
	for _, f := range list {
		for dir := path.Dir(f.Path); dir != "/"; dir = path.Dir(dir) {
			if above, ok := at[dir]; ok {
				return refuse(f, "%s is a file (%s), so nothing can be below it: give one of them another path", dir, above.Origin())
			}
		}
	}
	return nil
}

func checkPath(f File) error {
	switch {
	case f.Path == "":
		return refuse(f, "it has no path in the machines: give it one, such as /opt/server")
	case !path.IsAbs(f.Path):
		return refuse(f, "the path in the machines must be absolute: write %q", "/"+strings.TrimPrefix(path.Clean(f.Path), "../"))
	case f.Path == "/":
		return refuse(f, "the path in the machines must name a file, such as /opt/server")
	case path.Clean(f.Path) != f.Path:
		return refuse(f, "the path in the machines has parts that say nothing: write %q", path.Clean(f.Path))
	case len(f.Path) > maxPath:
		return refuse(f, "the path in the machines has %d bytes: %d are possible", len(f.Path), maxPath)
	case !utf8.ValidString(f.Path) || strings.ContainsFunc(f.Path, unicode.IsControl):
		return refuse(f, "the path in the machines, %q, has bytes that are not text: leave them out", f.Path)
	}
	for name := range strings.SplitSeq(f.Path[1:], "/") {
		if len(name) > maxName {
			return refuse(f, "the name %.20s… has %d bytes: %d are possible", name, len(name), maxName)
		}
		// In the layers of an image such a name removes another file.
		if strings.HasPrefix(name, ".wh.") {
			return refuse(f, "names that begin with .wh. mean something else in an image: give it another name")
		}
	}
	for _, taken := range Reserved() {
		if f.Path == taken || within(f.Path, taken) || within(taken, f.Path) {
			return refuse(f, "%s is the machine's own: give the file another path, such as /opt/%s", taken, path.Base(f.Path))
		}
	}
	return nil
}

// within reports whether a path is below a directory.
func within(name, dir string) bool { return strings.HasPrefix(name, dir+"/") }

// byPath are the files in the order of their paths.
func byPath[F any](list []F, of func(F) string) []F {
	return slices.SortedFunc(slices.Values(list), func(a, b F) int { return cmp.Compare(of(a), of(b)) })
}
