// Package systemfile reads a system.yaml: the description of a system under test
// (package custom). Reading is strict: every mistake is found at once, each with its
// line and column, and what was probably meant.
package systemfile

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"squall/internal/regular"
	"squall/workloads/systems/custom"
)

// maxFile bounds a file, bytes.
const maxFile = 1 << 20

// Mistake is what is wrong in one place of a file.
type Mistake struct {
	Line, Column int // from 1
	Text         string
}

// Errors are all mistakes of a file, in its order.
type Errors struct {
	File     string
	Mistakes []Mistake
}

func (e *Errors) Error() string {
	lines := make([]string, len(e.Mistakes))
	for i, m := range e.Mistakes {
		lines[i] = fmt.Sprintf("%s:%d:%d: %s", e.File, m.Line, m.Column, m.Text)
	}
	return strings.Join(lines, "\n")
}

// Read reads a file. The error of one that is not in order is an *Errors.
func Read(path string) (*custom.Definition, error) {
	f, err := regular.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read the description of a system: %w (`squall init system` writes an example)", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the description of a system: %w", err)
	case len(text) > maxFile:
		return nil, fmt.Errorf("%s has more than %d MiB, so it is no description of a system", path, maxFile>>20)
	case bytes.IndexByte(text, 0) >= 0:
		return nil, fmt.Errorf("%s is not text, so it is no description of a system; name a YAML file: `squall init system` writes an example", path)
	}
	whole, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("find %s: %w", path, err)
	}
	return Parse(path, text, filepath.Dir(whole))
}

// hint is what is probably wrong in a line that is not YAML: a brace of a variable ends
// a mapping that is written in braces.
func hint(text []byte, line int) string {
	lines := strings.Split(string(text), "\n")
	for _, one := range lines[min(max(0, line-2), len(lines)):min(max(0, line), len(lines))] {
		if strings.Contains(one, "${") {
			return "; within { } and [ ], quote a text that has a ${name} in it"
		}
	}
	return ""
}

// Parse reads the text of a file of that name, in that folder.
func Parse(name string, text []byte, folder string) (*custom.Definition, error) {
	var doc yaml.Node
	err := yaml.Unmarshal(text, &doc)
	var load *yaml.LoadError
	switch {
	case errors.As(err, &load):
		return nil, &Errors{name, []Mistake{{max(1, load.Mark.Line), max(1, load.Mark.Column), "not YAML: " + load.Message + hint(text, load.Mark.Line)}}}
	case err != nil:
		return nil, fmt.Errorf("%s: not YAML: %w", name, err)
	case len(doc.Content) == 0 || doc.Content[0].Tag == "!!null":
		return nil, &Errors{name, []Mistake{{1, 1, "the file says nothing; `squall init system` writes an example"}}}
	}
	def := &custom.Definition{}
	r := reader{nodes: map[string]*yaml.Node{}}
	r.into(def, doc.Content[0])
	def.Folder = folder
	for _, p := range def.Check() {
		if node := r.nearest(p.At); !r.blamed[node] {
			r.mistake(node, "%s", p.Err)
		}
	}
	if len(r.mistakes) == 0 {
		return def, nil
	}
	slices.SortStableFunc(r.mistakes, func(a, b Mistake) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return nil, &Errors{name, slices.Compact(r.mistakes)}
}
