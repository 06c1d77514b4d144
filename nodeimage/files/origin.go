package files

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// Build is a static program that is built of Go modules, by package programs.
type Build struct {
	// Name is what it is called to people, with its version: "etcd 3.7.3".
	Name string
	// Package is what is built: the path of a package of a module that is required,
	// or one of Sources, such as "." for their root.
	Package string
	// Sources are files of the module that the program is built in, by their slashed
	// paths. If go.mod is among them, go.sum must be, too, and they say all that there
	// is to say. If it is not, one is written that requires Requires, and the sums are
	// those that the user's checksum database has.
	Sources map[string]string
	// Requires are modules at exact versions.
	Requires []Module
	// Instead says how to do without building, to whoever cannot: "name a program
	// that was built before, with binary=PATH".
	Instead string
}

// Module is a Go module at an exact version: v3.7.3.
type Module struct{ Path, Version string }

func (m Module) String() string { return m.Path + "@" + m.Version }

// Image is a file out of an image of containers.
type Image struct {
	// Reference is what the engine calls the image. It is pulled where it is not
	// there.
	Reference string
	// Path is the file in it, absolute. Symbolic links are followed.
	Path string
}

// Origin says where the file comes from, for people; "" where nobody wrote or chose it.
func (f File) Origin() string {
	switch {
	case f.Build != nil:
		return f.Build.Name
	case f.Image != nil:
		return fmt.Sprintf("%s of the image %s", f.Image.Path, f.Image.Reference)
	}
	return f.Source
}

// checkOrigins refuses a file without one origin, and one whose origin cannot be.
func checkOrigins(list []File) error {
	for _, f := range list {
		origins := 0
		for _, has := range []bool{f.Source != "", f.Text != "", f.Build != nil, f.Image != nil} {
			if has {
				origins++
			}
		}
		var err error
		switch {
		case origins > 1:
			err = errors.New("it is said more than once where it comes from: it is a file on this computer, or a text, or built, or out of an image")
		case origins == 0:
			err = errNoOrigin
		case f.Build != nil:
			err = f.Build.check()
		case f.Image != nil:
			err = f.Image.check()
		}
		if err != nil {
			return &Error{f, err}
		}
	}
	return nil
}

var errNoOrigin = errors.New("no file on this computer is named for it: name one")

// check refuses what could not be built, or not the same way again.
func (b *Build) check() error {
	_, whole := b.Sources["go.mod"]
	_, sums := b.Sources["go.sum"]
	switch {
	case b.Package == "":
		return errors.New("it is to be built, and no package is named: name one")
	case strings.HasPrefix(b.Package, "-"):
		return fmt.Errorf("%q is no package", b.Package)
	case whole != sums:
		return errors.New("its sources have one of go.mod and go.sum: give both, or neither and what they require")
	case whole && len(b.Requires) > 0:
		return errors.New("what it requires is said in go.mod and beside it: say it once")
	case !whole && len(b.Requires) == 0:
		return errors.New("it is to be built, and nothing says of which modules: name them, or give a go.mod")
	}
	for name := range b.Sources {
		if !fs.ValidPath(name) {
			return fmt.Errorf("%q is no path of a source: it must be relative and clean", name)
		}
	}
	for _, m := range b.Requires {
		if !isWord(m.Path) || strings.HasPrefix(m.Path, "-") {
			return fmt.Errorf("%q is no path of a module", m.Path)
		}
		if !isVersion(m.Version) {
			return fmt.Errorf("%q is no version of %s: write it in full, such as v1.2.3", m.Version, m.Path)
		}
	}
	return nil
}

// isWord keeps a text from being more than one word of a go.mod.
func isWord(text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool {
		return r <= ' ' || r > '~' || strings.ContainsRune("()\"'`,@", r)
	})
}

// isVersion takes exact versions alone: "latest" and "v1" are not the same tomorrow.
func isVersion(text string) bool {
	core, _, _ := strings.Cut(strings.TrimPrefix(text, "v"), "-")
	core, _, _ = strings.Cut(core, "+")
	parts := strings.Split(core, ".")
	if !strings.HasPrefix(text, "v") || !isWord(text) || len(parts) != 3 {
		return false
	}
	for _, part := range parts {
		if part == "" || strings.Trim(part, "0123456789") != "" {
			return false
		}
	}
	return true
}

// check refuses what no engine could be asked for.
func (i *Image) check() error {
	switch {
	case !isWord(strings.ReplaceAll(i.Reference, "@", "")) || strings.HasPrefix(i.Reference, "-"):
		return fmt.Errorf("%q is no name of an image: name it as the engine does, such as quay.io/coreos/etcd:v3.6.8", i.Reference)
	case !path.IsAbs(i.Path) || path.Clean(i.Path) != i.Path || i.Path == "/":
		return fmt.Errorf("%q is no path of a file in the image: it must be absolute and clean, such as /usr/local/bin/etcd", i.Path)
	}
	return nil
}
