// Package scenario holds a package's scenarios of known bugs, for its tests. A
// scenario is the shortest course of events that tells a mutant of
// nodeimage/mutants from the correct source, scripted: it passes on the source,
// and on the mutant it fails by an assertion of its own. It bears the mutant's
// name, and reads as a description of the bug.
package scenario

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// Set are the scenarios of a package, by the names of the mutants.
type Set map[string]func(*testing.T)

// Add puts more scenarios into the set. It returns something so that each file
// can add its own where variables are declared.
func (s Set) Add(more Set) struct{} {
	for name, scenario := range more {
		if s[name] != nil {
			panic("two scenarios are named " + name)
		}
		s[name] = scenario
	}
	return struct{}{}
}

// Run runs every scenario as a subtest of its name. One whose mutant is not
// among the patches in the folder fails.
func (s Set) Run(t *testing.T, patches string) {
	for _, name := range slices.Sorted(maps.Keys(s)) {
		t.Run(name, func(t *testing.T) {
			if _, err := os.Stat(filepath.Join(patches, name+".patch")); err != nil {
				t.Fatalf("there is no such bug: %v", err)
			}
			s[name](t)
		})
	}
}
