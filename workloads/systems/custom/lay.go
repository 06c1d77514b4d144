package custom

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"squall/internal/declare"
	"squall/nodeimage/files"
)

// madeFile is a File that was made ready.
type madeFile struct {
	file                      File
	source, image, from, pack template
	modules                   []template
}

func (d *Definition) compileFiles(c *compiled, list []File, at ...string) []madeFile {
	var made []madeFile
	for i, f := range list {
		place := append(slices.Clone(at), strconv.Itoa(i))
		m := madeFile{file: f}
		text := func(text string, key ...string) template {
			t, err := parseTemplate(text, d.paramNames())
			if err != nil {
				c.wrong(err, append(slices.Clone(place), key...)...)
			}
			return t
		}
		if !path.IsAbs(f.Path) || path.Clean(f.Path) != f.Path || f.Path == "/" && f.Source == "" {
			c.wrong(fmt.Errorf("expected an absolute path in the machine, such as /opt/server, found %q", cut(f.Path)), append(slices.Clone(place), "path")...)
		}
		origins := 0
		for _, has := range []bool{f.Source != "", f.Build != nil, f.Image != ""} {
			if has {
				origins++
			}
		}
		switch {
		case origins == 0:
			c.wrong(errors.New("it is not said where the file comes from: give a source, build or image"), place...)
		case origins > 1:
			c.wrong(errors.New("the file comes from several places: leave one of source, build and image"), place...)
		case f.From != "" && f.Image == "":
			c.wrong(errors.New("from is a path in an image, and there is none: give an image"), append(slices.Clone(place), "from")...)
		}
		m.source, m.image, m.from = text(f.Source, "source"), text(f.Image, "image"), text(cmp.Or(f.From, f.Path), "from")
		if f.Build != nil {
			if len(f.Build.Modules) == 0 || f.Build.Package == "" {
				c.wrong(errors.New("to be built, a program needs a package and its modules: modules: [example.com/store@v1.2.3]"), append(slices.Clone(place), "build")...)
			}
			m.pack = text(f.Build.Package, "build", "package")
			for i, module := range f.Build.Modules {
				if !strings.Contains(module, "@") {
					c.wrong(fmt.Errorf("expected a module at a version, such as %s@v1.2.3", cut(module)), append(slices.Clone(place), "build", "modules", strconv.Itoa(i))...)
				}
				m.modules = append(m.modules, text(module, "build", "modules", strconv.Itoa(i)))
			}
		}
		made = append(made, m)
	}
	return made
}

// made is the file as one that is built or taken out of an image; false: it is on this
// computer.
func (m madeFile) made(a declare.Args) (files.File, bool) {
	f := files.File{Path: m.file.Path, Exec: m.file.Exec == nil || *m.file.Exec}
	switch {
	case m.file.Build != nil:
		b := &files.Build{Package: m.pack.expand(vars(a), nil), Instead: "name a program that was built before as its source, in place of build"}
		for _, t := range m.modules {
			name, version, _ := strings.Cut(t.expand(vars(a), nil), "@")
			b.Requires = append(b.Requires, files.Module{Path: name, Version: version})
		}
		b.Name = path.Base(b.Package) + " of " + b.Requires[0].String()
		f.Build = b
	case m.file.Image != "":
		f.Image = &files.Image{Reference: m.image.expand(vars(a), nil), Path: m.from.expand(vars(a), nil)}
	}
	return f, f.Build != nil || f.Image != nil
}

// lay lists the files of a machine. What is a folder on this computer stands for all
// that is in it. The programs of commands, at key in the description, must be among them.
func (b *base) lay(list []madeFile, programs []string, key string, a declare.Args) ([]files.File, error) {
	all, err := b.list(list, programs, a)
	if err != nil {
		return nil, err
	}
	for _, program := range programs {
		if program != nodeBinary && !slices.ContainsFunc(all, func(f files.File) bool { return f.Path == program }) {
			return nil, &files.Error{Err: fmt.Errorf("the command of %s runs %s, and its machines have no such file: list it in the files of %s", b.Name(), program, key)}
		}
	}
	return all, nil
}

// nodeBinary is in every machine.
const nodeBinary = "/squall-node"

func (b *base) list(list []madeFile, programs []string, a declare.Args) ([]files.File, error) {
	var all []files.File
	for _, m := range list {
		if f, ok := m.made(a); ok {
			all = append(all, f)
			continue
		}
		source := m.source.expand(vars(a), nil)
		if !filepath.IsAbs(source) {
			source = filepath.Join(b.def.Folder, source)
		}
		one := files.File{Path: m.file.Path, Source: source}
		info, err := os.Stat(source)
		switch {
		case err != nil || !info.IsDir():
			one.Exec = runs(m.file, info, slices.Contains(programs, one.Path))
			all = append(all, one) // one that is not there is refused later, by name
			continue
		}
		below, err := folder(one, m.file, programs)
		if err != nil {
			return nil, err
		}
		all = append(all, below...)
	}
	return all, nil
}

// runs is whether a file is to be run.
func runs(f File, info fs.FileInfo, program bool) bool {
	switch {
	case f.Exec != nil:
		return *f.Exec
	case program:
		return true
	}
	// Libraries are often executable, and cannot be run; but for the one that links.
	name := path.Base(f.Path)
	if info != nil {
		name = info.Name()
	}
	library := strings.HasSuffix(name, ".so") || strings.Contains(name, ".so.")
	return info != nil && info.Mode()&0o111 != 0 && (!library || strings.HasPrefix(name, "ld-"))
}

// folder lists the files of a folder. Links in it are followed, those to folders too.
func folder(top files.File, f File, programs []string) ([]files.File, error) {
	var all []files.File
	var walk func(source, at string, depth int) error
	walk = func(source, at string, depth int) error {
		entries, err := os.ReadDir(source)
		if err != nil {
			return err
		}
		if depth > 64 {
			return fmt.Errorf("%s: more than 64 folders in one another; does a link lead back?", source)
		}
		for _, entry := range entries {
			from, to := filepath.Join(source, entry.Name()), path.Join(at, entry.Name())
			info, err := os.Stat(from)
			switch {
			case errors.Is(err, fs.ErrNotExist):
				continue // a link that leads nowhere: nothing in the machine can use it either
			case err != nil:
				return err
			case info.IsDir():
				if err := walk(from, to, depth+1); err != nil {
					return err
				}
				continue
			case !info.Mode().IsRegular():
				continue
			}
			all = append(all, files.File{Path: to, Source: from, Exec: runs(f, info, slices.Contains(programs, to))})
			if len(all) > files.MaxFiles {
				return fmt.Errorf("the folder has more than %d files: name what is needed of it", files.MaxFiles)
			}
		}
		return nil
	}
	if err := walk(top.Source, top.Path, 0); err != nil {
		return nil, &files.Error{File: top, Err: err}
	}
	return all, nil
}
