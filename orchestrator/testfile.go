package orchestrator

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// FileErrors are all the mistakes found in a test file, in the order of the
// file, each with its line and column.
type FileErrors struct {
	File   string
	Errors []FileError
}

// FileError is one mistake in a test file.
type FileError struct {
	Line, Column int // from 1
	Text         string
}

func (e *FileErrors) Error() string {
	lines := make([]string, len(e.Errors))
	for i, one := range e.Errors {
		lines[i] = fmt.Sprintf("%s:%d:%d: %s", e.File, one.Line, one.Column, one.Text)
	}
	return strings.Join(lines, "\n")
}

// TestFile is a test file as it was read: which settings it holds, and where.
type TestFile struct {
	name string
	at   map[string]*yaml.Node // by option, its value
}

// ReadTestFile reads a YAML test file over the settings in t. Every mistake in
// it is reported at once, as *FileErrors.
func ReadTestFile(path string, t *Test) (*TestFile, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the test file: %w", err)
	}
	return parseTestFile(path, text, t)
}

func parseTestFile(name string, text []byte, t *Test) (*TestFile, error) {
	file := &TestFile{name: name, at: map[string]*yaml.Node{}}
	var doc yaml.Node
	if err := yaml.NewDecoder(bytes.NewReader(text)).Decode(&doc); errors.Is(err, io.EOF) {
		return file, nil // an empty file: every default
	} else if err != nil {
		return nil, file.syntax(err)
	}
	var bad []FileError
	root := doc.Content[0]
	if root.Kind == yaml.ScalarNode && root.Tag == "!!null" {
		return file, nil
	}
	if root.Kind != yaml.MappingNode {
		return nil, file.fail([]FileError{{root.Line, root.Column, "expected settings as `name: value`, found " + kindName(root)}})
	}
	for i := 0; i+1 < len(root.Content); i += 2 {
		if e := file.setting(root.Content[i], root.Content[i+1], t); e != nil {
			bad = append(bad, *e)
		}
	}
	if len(bad) > 0 {
		return nil, file.fail(bad)
	}
	return file, nil
}

// setting reads one `name: value` of the file.
func (f *TestFile) setting(key, value *yaml.Node, t *Test) *FileError {
	i := slices.IndexFunc(Options(), func(o Option) bool { return o.Name == key.Value })
	if i < 0 {
		return &FileError{key.Line, key.Column, fmt.Sprintf("unknown setting %q; %s", key.Value, suggest(key.Value))}
	}
	option := Options()[i]
	if f.at[option.Name] != nil {
		return &FileError{key.Line, key.Column, fmt.Sprintf("%s is set twice; first in line %d", option.Name, f.at[option.Name].Line)}
	}
	f.at[option.Name] = value
	text, err := scalar(option, value)
	if err == nil {
		err = option.Set(t, text)
	}
	if err != nil {
		return &FileError{value.Line, value.Column, option.Name + ": " + err.Error()}
	}
	return nil
}

// scalar is the text of a value; a list of faults is joined by commas.
func scalar(option Option, value *yaml.Node) (string, error) {
	if value.Kind == yaml.SequenceNode && option.Name == "nemesis" {
		var items []string
		for _, item := range value.Content {
			if item.Kind != yaml.ScalarNode {
				return "", fmt.Errorf("line %d: expected the name of a fault, found %s", item.Line, kindName(item))
			}
			items = append(items, item.Value)
		}
		return strings.Join(items, ","), nil
	}
	if value.Kind != yaml.ScalarNode || value.Tag == "!!null" {
		return "", fmt.Errorf("expected a %s, found %s", option.Type, kindName(value))
	}
	return value.Value, nil
}

// Place puts the file, line and column before an error about one setting, if
// the file is where that setting came from.
func (f *TestFile) Place(err error) error {
	var field *FieldError
	if f == nil || !errors.As(err, &field) || f.at[field.Option] == nil {
		return err
	}
	node := f.at[field.Option]
	return f.fail([]FileError{{node.Line, node.Column, err.Error()}})
}

func (f *TestFile) fail(errs []FileError) error { return &FileErrors{File: f.name, Errors: errs} }

// syntax turns an error of the YAML reader into one with a place.
func (f *TestFile) syntax(err error) error {
	var load *yaml.LoadError
	if errors.As(err, &load) {
		return f.fail([]FileError{{load.Mark.Line, max(1, load.Mark.Column), "not YAML: " + load.Message}})
	}
	return fmt.Errorf("%s: not YAML: %w", f.name, err)
}

func kindName(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Tag == "!!null":
		return "nothing"
	}
	return fmt.Sprintf("%q", n.Value)
}

// suggest names the setting that was probably meant, or all of them.
func suggest(name string) string {
	var all []string
	best, bestDistance := "", 3
	for _, o := range Options() {
		all = append(all, o.Name)
		if d := editDistance(name, o.Name); d < bestDistance {
			best, bestDistance = o.Name, d
		}
	}
	if best != "" {
		return fmt.Sprintf("did you mean %q?", best)
	}
	return "there are: " + strings.Join(all, ", ")
}

// editDistance is Levenshtein's.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}

// Override notes that a setting of the file was overridden: mistakes in it are
// no longer the file's.
func (f *TestFile) Override(option string) {
	if f != nil {
		delete(f.at, option)
	}
}
