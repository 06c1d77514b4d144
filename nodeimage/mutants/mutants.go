// Package mutants holds known bugs, each as a small patch against the correct
// sources of the node. A mutant is built by putting patched copies in the
// place of the sources for one build only; so the correct node holds no switch
// for a bug, and squall can show that it catches one.
//
// A mutant is a file NAME.patch here: a header of lines that begin with "#",
//
//	# Summary: what is wrong with this node, in one sentence
//	# Caught-by: the check that must find it
//
// and then a unified diff as git writes it, with paths from the module's root.
package mutants

import (
	"bufio"
	"bytes"
	"embed"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"squall/internal/suggest"
)

//go:embed *.patch
var files embed.FS

// Mutant is one known bug.
type Mutant struct {
	Name     string // of its file, without .patch
	Summary  string // what is wrong with it
	CaughtBy string // the check that must find it
	Patch    []byte // the whole file
}

// All returns every mutant, sorted by name.
func All() ([]Mutant, error) { return load(files) }

// Find returns the mutant of that name. The error for an unknown one lists
// those that there are.
func Find(name string) (Mutant, error) {
	all, err := All()
	if err != nil {
		return Mutant{}, err
	}
	return find(all, name)
}

func find(all []Mutant, name string) (Mutant, error) {
	var known []string
	for _, m := range all {
		if m.Name == name {
			return m, nil
		}
		known = append(known, m.Name)
	}
	if len(known) == 0 {
		return Mutant{}, fmt.Errorf("unknown mutant %q: there are none", name)
	}
	return Mutant{}, fmt.Errorf("unknown mutant %q; %s", name, suggest.Among(name, known))
}

func load(dir fs.FS) ([]Mutant, error) {
	names, err := fs.Glob(dir, "*.patch")
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	var all []Mutant
	for _, name := range names {
		data, err := fs.ReadFile(dir, name)
		if err != nil {
			return nil, err
		}
		m, err := parse(strings.TrimSuffix(path.Base(name), ".patch"), data)
		if err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	return all, nil
}

// parse reads the header of a patch.
func parse(name string, data []byte) (Mutant, error) {
	m := Mutant{Name: name, Patch: data}
	lines := bufio.NewScanner(bytes.NewReader(data))
	for lines.Scan() {
		comment, ok := strings.CutPrefix(lines.Text(), "#")
		if !ok {
			break
		}
		key, value, _ := strings.Cut(comment, ":")
		switch strings.ToLower(strings.TrimSpace(key)) {
		case "summary":
			m.Summary = strings.TrimSpace(value)
		case "caught-by":
			m.CaughtBy = strings.TrimSpace(value)
		}
	}
	if m.Summary == "" || m.CaughtBy == "" {
		return Mutant{}, fmt.Errorf("mutant %s: the patch must begin with the lines \"# Summary: …\" and \"# Caught-by: …\"", name)
	}
	return m, nil
}
