package systemfile

import (
	"reflect"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"

	"squall/workloads/systems/custom"
)

// Schema is the JSON Schema of the file, for editors. It is made of the types of a
// description, so that it knows what squall knows.
func Schema() *jsonschema.Schema {
	s := objectSchema(reflect.TypeFor[custom.Definition]())
	s.Schema, s.Title = "https://json-schema.org/draft/2020-12/schema", "squall system"
	s.Description = "A system under test for `squall run --system system.yaml`."
	return s
}

func objectSchema(t reflect.Type) *jsonschema.Schema {
	s := &jsonschema.Schema{Type: "object", Properties: map[string]*jsonschema.Schema{}, AdditionalProperties: &jsonschema.Schema{Not: &jsonschema.Schema{}}}
	for f := range visible(t) {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Tag.Get("yaml") == "-" || name == "" {
			continue
		}
		one := valueSchema(f.Type)
		one.Description = f.Tag.Get("doc")
		s.Properties[name] = one
		s.PropertyOrder = append(s.PropertyOrder, name)
		if options == "" && f.Type.Kind() != reflect.Bool {
			s.Required = append(s.Required, name)
		}
	}
	return s
}

// valueSchema is the schema of a value, as the reader takes it.
func valueSchema(t reflect.Type) *jsonschema.Schema {
	if t == reflect.TypeFor[custom.Duration]() {
		return &jsonschema.Schema{Type: "string", Pattern: `^([0-9]+(\.[0-9]*)?(ns|us|µs|ms|s|m|h))+$`, Examples: []any{"300ms", "20s"}}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return valueSchema(t.Elem())
	case reflect.Struct:
		s := objectSchema(t)
		for _, f := range fieldsOf(t) {
			if f.short {
				return either(valueSchema(t.FieldByIndex(f.index).Type), s)
			}
		}
		return s
	case reflect.Slice:
		// Each is a schema of its own: a schema is a tree.
		return either(valueSchema(t.Elem()), &jsonschema.Schema{Type: "array", Items: valueSchema(t.Elem())})
	case reflect.Map:
		return &jsonschema.Schema{Type: "object", AdditionalProperties: valueSchema(t.Elem())}
	case reflect.Bool:
		return &jsonschema.Schema{Type: "boolean"}
	case reflect.Int:
		return &jsonschema.Schema{Type: "integer"}
	case reflect.String:
		return &jsonschema.Schema{Types: []string{"string", "number", "boolean"}}
	}
	return &jsonschema.Schema{} // anything
}

func either(all ...*jsonschema.Schema) *jsonschema.Schema { return &jsonschema.Schema{AnyOf: all} }
