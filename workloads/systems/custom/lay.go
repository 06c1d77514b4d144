package custom

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"

	"squall/internal/declare"
	"squall/nodeimage/files"
)

// lay lists the files of a machine. What is a folder on this computer stands for all
// that is in it.
func (b *base) lay(list []madeFile, programs []string, arch string, a declare.Args) ([]files.File, error) {
	var all []files.File
	for _, m := range list {
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
	return info != nil && info.Mode()&0o111 != 0
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
