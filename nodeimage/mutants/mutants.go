// Package mutants holds known bugs, each as a small patch against the correct
// sources of the node. A mutant is built by putting patched copies in the
// place of the sources for one build only; so the correct node holds no switch
// for a bug, and squall can show that it catches one.
//
// A mutant is a file NAME.patch here: a header of lines that begin with "#",
//
//	# Summary: what is wrong with this node, in one sentence
//	# Group: the part of Raft that it is in (see Groups)
//	# Bug: its number in docs/known-bugs.md, or none
//	# Origin: the projects that had it, and where that can be read
//	# Seen-by: what may show it (see Evidence), with commas in between
//	# Caught-by: the check of a run that must find it, or none
//	# Settings: the settings of a test without which it cannot show, if there are any,
//	#   as nodes=4, workload=set
//	# Scenario: the shortest course of events that shows it; a value may go on
//	#   in lines that begin like this one
//
// and then a unified diff as git writes it, with paths from the module's root.
//
// Each has a scenario of the same name among the tests of the package that it
// is in: a scripted case that passes on the correct source and fails on the
// mutant, so that each of these bugs is one, whatever a storm finds.
package mutants

import (
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
	Name     string   // of its file, without .patch
	Summary  string   // what is wrong with it
	Group    string   // one of Groups
	Bug      int      // its number in docs/known-bugs.md; 0: it is not there
	Origin   string   // the projects that had it
	SeenBy   []string // what may show it, of Evidence
	CaughtBy string   // the check of a run that must find it; "": none does yet
	Scenario string   // the shortest course of events that shows it
	// Settings are those of a test without which the bug cannot show, by option: four
	// nodes, say, or the workload set. nil: any test will do.
	Settings map[string]string
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
