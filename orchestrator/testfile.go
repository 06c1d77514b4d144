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

	"squall/nemesis/schedule"
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
	// items are those of a value that is a list.
	items map[string][]*yaml.Node
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
	file := &TestFile{name: name, at: map[string]*yaml.Node{}, items: map[string][]*yaml.Node{}}
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
	text, bad := f.text(option, value)
	if bad != nil {
		return bad
	}
	if err := option.Set(t, text); err != nil {
		node := f.culprit(option.Name, err)
		return &FileError{node.Line, node.Column, option.Name + ": " + err.Error()}
	}
	return nil
}

// lists are the settings that may be written as lists, and what separates their
// items on the command line.
var lists = map[string]struct{ separator, pair string }{
	"nemesis":  {",", "*"},   // - kill(leader): 3
	"schedule": {"; ", ": "}, // - at 3s for 2s: kill(leader)
}

// text is a value as it would be written on the command line.
func (f *TestFile) text(option Option, value *yaml.Node) (string, *FileError) {
	list, isList := lists[option.Name]
	if value.Kind == yaml.SequenceNode && isList {
		var items []string
		for _, item := range value.Content {
			text, ok := itemText(item, list.pair)
			if !ok {
				return "", &FileError{item.Line, item.Column, fmt.Sprintf("%s: expected a fault, found %s", option.Name, kindName(item))}
			}
			items = append(items, text)
		}
		f.items[option.Name] = value.Content
		return strings.Join(items, list.separator), nil
	}
	if value.Kind != yaml.ScalarNode || value.Tag == "!!null" {
		return "", &FileError{value.Line, value.Column, fmt.Sprintf("%s: expected a %s, found %s", option.Name, option.Type, kindName(value))}
	}
	return value.Value, nil
}

// itemText is an item of a list: a word, or `name: value`.
func itemText(item *yaml.Node, pair string) (string, bool) {
	if item.Kind == yaml.ScalarNode {
		return item.Value, true
	}
	if item.Kind == yaml.MappingNode && len(item.Content) == 2 && item.Content[1].Kind == yaml.ScalarNode {
		return item.Content[0].Value + pair + item.Content[1].Value, true
	}
	return "", false
}

// culprit is the node that a mistake in a setting is in: the item of a list if
// the error says which, else the whole value.
func (f *TestFile) culprit(option string, err error) *yaml.Node {
	var item *schedule.ItemError
	if errors.As(err, &item) && item.Item < len(f.items[option]) {
		return f.items[option][item.Item]
	}
	return f.at[option]
}

// Place puts the file, line and column before an error about one setting, if
// the file is where that setting came from.
func (f *TestFile) Place(err error) error {
	var field *FieldError
	if f == nil || !errors.As(err, &field) || f.at[field.Option] == nil {
		return err
	}
	node := f.culprit(field.Option, err)
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
