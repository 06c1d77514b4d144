package systemfile

import (
	"encoding"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"squall/internal/plain"
	"squall/internal/suggest"
)

// reader takes a tree of YAML into the types of a description, and notes every mistake.
// The keys are the names in JSON.
type reader struct {
	nodes    map[string]*yaml.Node // by the keys that lead there, joined
	blamed   map[*yaml.Node]bool   // that cannot be read: what follows from that is not told
	mistakes []Mistake
}

// field is a key that a mapping may have.
type field struct {
	key   string
	doc   string
	index []int
	short bool // what stands in place of the mapping is its value
}

// fieldsOf are the keys of a type, those of embedded ones too.
func fieldsOf(t reflect.Type) []field {
	var all []field
	for f := range visible(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Tag.Get("yaml") == "-" || name == "" {
			continue
		}
		_, short := f.Tag.Lookup("short")
		all = append(all, field{name, f.Tag.Get("doc"), f.Index, short})
	}
	return all
}

// visible are the fields of a type that are not embedded types themselves.
func visible(t reflect.Type) func(yield func(reflect.StructField) bool) {
	return func(yield func(reflect.StructField) bool) {
		for _, f := range reflect.VisibleFields(t) {
			if !f.Anonymous && !yield(f) {
				return
			}
		}
	}
}

func (r *reader) mistake(node *yaml.Node, format string, args ...any) {
	r.mistakes = append(r.mistakes, Mistake{max(1, node.Line), max(1, node.Column), fmt.Sprintf(format, args...)})
}

// blame notes that a node cannot be read.
func (r *reader) blame(node *yaml.Node, format string, args ...any) {
	if r.blamed == nil {
		r.blamed = map[*yaml.Node]bool{}
	}
	r.blamed[node] = true
	r.mistake(node, format, args...)
}

// nearest is the node at those keys, or the nearest above it that there is.
func (r *reader) nearest(at []string) *yaml.Node {
	for n := len(at); ; n-- {
		if node, ok := r.nodes[strings.Join(at[:n], "\x00")]; ok {
			return node
		}
	}
}

// into reads the whole file.
func (r *reader) into(target any, node *yaml.Node) {
	r.value(reflect.ValueOf(target).Elem(), node, nil)
}

// value reads one value.
func (r *reader) value(to reflect.Value, node *yaml.Node, at []string) {
	at = at[:len(at):len(at)]
	r.nodes[strings.Join(at, "\x00")] = node
	if node.Kind == yaml.AliasNode {
		r.blame(node, "write out what the alias stands for")
		return
	}
	if text, ok := to.Addr().Interface().(encoding.TextUnmarshaler); ok {
		if r.isScalar(node, "a text") {
			if err := text.UnmarshalText([]byte(node.Value)); err != nil {
				r.blame(node, `expected a duration such as "300ms" or "20s", found %s`, kind(node))
			}
		}
		return
	}
	switch to.Kind() {
	case reflect.Pointer:
		to.Set(reflect.New(to.Type().Elem()))
		r.value(to.Elem(), node, at)
	case reflect.Struct:
		r.mapping(to, node, at)
	case reflect.Slice:
		r.list(to, node, at)
	case reflect.Map:
		r.texts(to, node, at)
	case reflect.Interface:
		if tree, ok := r.tree(node); ok {
			to.Set(reflect.ValueOf(tree))
		}
	default:
		r.scalar(to, node)
	}
}

// mapping reads a mapping with fixed keys, or what stands for it.
func (r *reader) mapping(to reflect.Value, node *yaml.Node, at []string) {
	fields := fieldsOf(to.Type())
	if node.Kind != yaml.MappingNode {
		for _, f := range fields {
			if f.short {
				r.value(to.FieldByIndex(f.index), node, append(at, f.key))
				return
			}
		}
		r.blame(node, "expected keys and values, found %s", kind(node))
		return
	}
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.key
	}
	lines := map[string]int{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		if line, twice := lines[key.Value]; twice {
			r.mistake(key, "%s is there twice; first in line %d", key.Value, line)
			continue
		}
		lines[key.Value] = key.Line
		known := false
		for _, f := range fields {
			if f.key == key.Value {
				known = true
				r.value(to.FieldByIndex(f.index), value, append(at, f.key))
			}
		}
		if !known {
			r.mistake(key, "unknown key %s; %s", kind(key), suggest.Among(key.Value, names))
		}
	}
}

// list reads a list. One item may stand for a list of it.
func (r *reader) list(to reflect.Value, node *yaml.Node, at []string) {
	items := []*yaml.Node{node}
	switch {
	case node.Kind == yaml.SequenceNode:
		items = node.Content
	case node.Kind == yaml.MappingNode && to.Type().Elem().Kind() != reflect.Struct, node.Tag == "!!null":
		r.blame(node, "expected a list, found %s", kind(node))
		return
	}
	all := reflect.MakeSlice(to.Type(), len(items), len(items))
	for i, item := range items {
		r.value(all.Index(i), item, append(at, strconv.Itoa(i)))
	}
	r.nodes[strings.Join(at, "\x00")] = node
	to.Set(all)
}

// texts reads a mapping of names to texts or numbers.
func (r *reader) texts(to reflect.Value, node *yaml.Node, at []string) {
	if node.Kind != yaml.MappingNode {
		r.blame(node, "expected names and values, found %s", kind(node))
		return
	}
	all := reflect.MakeMap(to.Type())
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		name := reflect.ValueOf(key.Value)
		if all.MapIndex(name).IsValid() {
			r.mistake(key, "%s is there twice", key.Value)
		}
		one := reflect.New(to.Type().Elem()).Elem()
		r.value(one, value, append(at, key.Value))
		all.SetMapIndex(name, one)
	}
	to.Set(all)
}

func (r *reader) isScalar(node *yaml.Node, want string) bool {
	if node.Kind != yaml.ScalarNode || node.Tag == "!!null" {
		r.blame(node, "expected %s, found %s", want, kind(node))
		return false
	}
	return true
}

// scalar reads a text, a number, or what is true or false.
func (r *reader) scalar(to reflect.Value, node *yaml.Node) {
	switch to.Kind() {
	case reflect.String:
		if r.isScalar(node, "a text") {
			to.SetString(node.Value)
		}
	case reflect.Int:
		if n, err := strconv.Atoi(node.Value); err == nil && node.Kind == yaml.ScalarNode {
			to.SetInt(int64(n))
			return
		}
		r.blame(node, "expected a whole number, found %s", kind(node))
	case reflect.Bool:
		if node.Kind == yaml.ScalarNode && (node.Value == "true" || node.Value == "false") {
			to.SetBool(node.Value == "true")
			return
		}
		r.blame(node, "expected true or false, found %s", kind(node))
	}
}

// tree is a tree of YAML as one of JSON.
func (r *reader) tree(node *yaml.Node) (any, bool) {
	switch node.Kind {
	case yaml.MappingNode:
		all := map[string]any{}
		for i := 0; i+1 < len(node.Content); i += 2 {
			value, ok := r.tree(node.Content[i+1])
			if !ok {
				return nil, false
			}
			all[node.Content[i].Value] = value
		}
		return all, true
	case yaml.SequenceNode:
		all := make([]any, len(node.Content))
		for i, item := range node.Content {
			value, ok := r.tree(item)
			if !ok {
				return nil, false
			}
			all[i] = value
		}
		return all, true
	case yaml.ScalarNode:
		var value any
		if err := node.Decode(&value); err == nil && isJSON(value) {
			return value, true
		}
	}
	r.blame(node, "expected what JSON can hold, found %s", kind(node))
	return nil, false
}

// isJSON reports whether a scalar of YAML is one of JSON, too: a date is none.
func isJSON(value any) bool {
	switch value.(type) {
	case nil, string, bool, int, int64, uint64, float64:
		return true
	}
	return false
}

// kind says what a node is, in words.
func kind(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Kind == yaml.AliasNode:
		return "an alias"
	case n.Tag == "!!null":
		return "nothing"
	}
	return plain.Excerpt(n.Value)
}
