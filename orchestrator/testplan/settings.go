package testplan

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"squall/internal/declare"
	"squall/internal/plain"
	"squall/nemesis/schedule"
)

// FileErrors are all the mistakes found in a test file or a campaign file, in
// the order of the file, each with its line and column.
type FileErrors struct {
	File   string
	Errors []FileError
}

// FileError is one mistake in a file.
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

// MistakeAt is a mistake at that node of a YAML file.
func MistakeAt(node *yaml.Node, format string, args ...any) *FileError {
	return &FileError{max(1, node.Line), max(1, node.Column), fmt.Sprintf(format, args...)}
}

// SortMistakes puts mistakes into the order of the file.
func SortMistakes(errs []FileError) {
	slices.SortStableFunc(errs, func(a, b FileError) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
}

// DecodeYAML reads the first document of a YAML file; nil is an empty one. The
// error has the file, the line and the column.
func DecodeYAML(name string, text []byte) (*yaml.Node, error) {
	var doc yaml.Node
	err := yaml.Unmarshal(text, &doc)
	var load *yaml.LoadError
	switch {
	case errors.As(err, &load):
		return nil, &FileErrors{name, []FileError{{max(1, load.Mark.Line), max(1, load.Mark.Column), "not YAML: " + load.Message}}}
	case err != nil:
		return nil, fmt.Errorf("%s: not YAML: %w", name, err)
	case len(doc.Content) == 0 || doc.Content[0].Tag == "!!null":
		return nil, nil
	}
	return doc.Content[0], nil
}

// Setting is a setting of a test, as a file gives it.
type Setting struct {
	Option Option
	Text   string // the value as on the command line
	// written is Text as the file has it, where Text was made uniform since; "" is
	// Text itself. Of a system or workload it tells which parameters are given.
	written string
	Node    *yaml.Node
	items   []*yaml.Node // those of a value that is a list
	places  []place      // those of a call that is written as a mapping
}

// FindOption is the setting of that name, an old one too.
func FindOption(name string) (Option, bool) {
	options := append(Options(), OldOptions()...)
	i := slices.IndexFunc(options, func(o Option) bool { return o.Name == name })
	if i < 0 {
		return Option{}, false
	}
	return options[i], true
}

// ReadSetting reads a value of a file that is meant for an option.
func ReadSetting(option Option, value *yaml.Node) (Setting, *FileError) {
	s := Setting{Option: option, Node: value}
	var bad *FileError
	if s.Text, bad = s.text(value); bad != nil {
		return s, bad
	}
	s.written = s.Text
	scratch := DefaultTest()
	return s, s.Apply(&scratch)
}

func (s *Setting) asWritten() string { return cmp.Or(s.written, s.Text) }

// Apply sets it in a test.
func (s *Setting) Apply(t *Test) *FileError {
	if err := s.Option.Set(t, s.asWritten()); err != nil {
		return s.Mistake(fmt.Errorf("%s: %w", s.Option.Name, err))
	}
	return nil
}

// Mistake puts an error about the setting where it belongs in the file: at the
// item of a list if the error says which, else at the value.
func (s *Setting) Mistake(err error) *FileError {
	node := s.Node
	if misfit := new(declare.Error); errors.As(err, &misfit) && len(s.Option.Declared) > 0 {
		return s.callMistake(misfit, err)
	}
	var item *schedule.ItemError
	if errors.As(err, &item) && item.Item < len(s.items) {
		node = s.items[item.Item]
	}
	return MistakeAt(node, "%s", err)
}

// lists are the settings that may be written as lists, and what separates their
// items on the command line.
var lists = map[string]struct{ separator, pair string }{
	"nemesis":   {",", "*"},   // - kill(leader): 3
	"schedule":  {"; ", ": "}, // - at 3s for 2s: kill(leader)
	"threshold": {"; ", ": "}, // - throughput > 2000/s
}

// text is a value as it would be written on the command line.
func (s *Setting) text(value *yaml.Node) (string, *FileError) {
	if value.Kind == yaml.MappingNode && len(s.Option.Declared) > 0 {
		return s.callText(value)
	}
	list, isList := lists[s.Option.Name]
	if value.Kind == yaml.SequenceNode && isList {
		var items []string
		for _, item := range value.Content {
			text, ok := itemText(item, list.pair)
			if !ok {
				return "", MistakeAt(item, "%s: expected a %s, found %s", s.Option.Name, itemNoun(s.Option.Name), KindName(item))
			}
			items = append(items, text)
		}
		s.items = value.Content
		return strings.Join(items, list.separator), nil
	}
	if value.Kind != yaml.ScalarNode || value.Tag == "!!null" {
		return "", MistakeAt(value, "%s: expected a %s, found %s", s.Option.Name, s.Option.Type, KindName(value))
	}
	return value.Value, nil
}

// itemNoun is what an item of a list is called.
func itemNoun(option string) string {
	if option == "threshold" {
		return option
	}
	return "fault"
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

// KindName says what a node of a YAML file is, in words.
func KindName(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Kind == yaml.AliasNode:
		return "an alias, which must be written out"
	case n.Tag == "!!null":
		return "nothing"
	}
	return plain.Excerpt(n.Value)
}

// OptionNames are the names of all settings.
func OptionNames() []string {
	var names []string
	for _, o := range Options() {
		names = append(names, o.Name)
	}
	return names
}

// IsList reports whether a setting may be written as a list.
func IsList(option string) bool {
	_, ok := lists[option]
	return ok
}
