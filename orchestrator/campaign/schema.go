package campaign

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"

	"squall/internal/declare"
	"squall/orchestrator/testplan"
)

// draft is the JSON Schema that the schemas are written in.
const draft = "https://json-schema.org/draft/2020-12/schema"

// TestSchema is the JSON Schema of test files, for editors. It is made of the
// options, so that it knows what squall knows.
func TestSchema() *jsonschema.Schema {
	s := testSchema()
	s.Schema, s.Title = draft, "squall test"
	s.Description = "A test for `squall run`."
	return s
}

func testSchema() *jsonschema.Schema {
	s := settingsSchema(nil)
	s.Properties["profile"] = &jsonschema.Schema{Type: "string", Enum: words(testplan.ProfileNames()),
		Description: "a group of settings, which this file overrides"}
	s.PropertyOrder = append([]string{"profile"}, s.PropertyOrder...)
	return s
}

// FileSchema is the JSON Schema of campaign files.
func FileSchema() *jsonschema.Schema {
	s := object("A campaign for `squall campaign`: the tests that a matrix expands to.")
	s.Schema, s.Title = draft, "squall campaign"
	for _, k := range keys() {
		s.Properties[k.name] = keySchema(k.name)
		s.PropertyOrder = append(s.PropertyOrder, k.name)
	}
	return s
}

// keySchema is the schema of a key of campaign files.
func keySchema(name string) *jsonschema.Schema {
	switch name {
	case "name":
		return &jsonschema.Schema{Type: "string", Pattern: `^[A-Za-z0-9_+][A-Za-z0-9_.+-]{0,99}$`,
			Description: "name of the campaign and of its folder; not given: that of the file"}
	case "test":
		s := settingsSchema(notDecided)
		profile := testSchema().Properties["profile"]
		s.Properties["profile"] = profile
		s.Description = "settings that all cells have, as in a test file"
		return s
	case "matrix":
		return matrixSchema()
	case "exclude":
		return partialsSchema("cells of the matrix to leave out: all that have these settings")
	case "include":
		return partialsSchema("cells in addition to the matrix: these settings override `test:`")
	case "seed":
		return integer(1, 0, "the seed, or the first of those that `seeds: N` counts; default 1")
	case "seeds":
		return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{
			integer(1, MostCells, "how many seeds, counting from `seed:`"),
			{Type: "array", Items: integer(1, 0, ""), MinItems: jsonschema.Ptr(1), UniqueItems: true, Description: "the seeds"},
		}, Description: "every cell is run with each of these seeds"}
	case "repeats":
		return integer(1, 1000, "how often every cell is run with one seed")
	case "jobs":
		return integer(1, 256, "cells at once; not given: from cores and memory")
	case "budget":
		return duration("time after which no more cells begin; the same command runs the rest")
	case "invalid-retries":
		return integer(0, 10, "how often an invalid cell is run again; default 1. A violation never is")
	case "max-cells":
		return integer(1, MostCells, "refuse a matrix that expands to more cells; default "+strconv.Itoa(DefaultMaxCells))
	}
	return gateSchema(name)
}

func object(description string) *jsonschema.Schema {
	return &jsonschema.Schema{Type: "object", Description: description, Properties: map[string]*jsonschema.Schema{},
		AdditionalProperties: &jsonschema.Schema{Not: &jsonschema.Schema{}}}
}

// settingsSchema is of a mapping of settings; nil takes all options.
func settingsSchema(takes func(testplan.Option) bool) *jsonschema.Schema {
	s := object("settings of a test")
	for _, option := range append(testplan.Options(), testplan.OldOptions()...) {
		if takes == nil || takes(option) {
			s.Properties[option.Name] = optionSchema(option)
			s.PropertyOrder = append(s.PropertyOrder, option.Name)
		}
	}
	return s
}

func notDecided(o testplan.Option) bool {
	_, ok := decided[o.Name]
	return !ok
}

func matrixSchema() *jsonschema.Schema {
	s := object("settings, each with a list of values: there is a cell for every combination")
	s.MinProperties = jsonschema.Ptr(1)
	for _, option := range append(testplan.Options(), testplan.OldOptions()...) {
		if notDecided(option) {
			s.Properties[option.Name] = &jsonschema.Schema{Type: "array", Items: optionSchema(option), MinItems: jsonschema.Ptr(1),
				UniqueItems: true, Description: option.Usage}
			s.PropertyOrder = append(s.PropertyOrder, option.Name)
		}
	}
	return s
}

func partialsSchema(description string) *jsonschema.Schema {
	item := settingsSchema(notDecided)
	item.MinProperties = jsonschema.Ptr(1)
	return &jsonschema.Schema{Type: "array", Items: item, Description: description}
}

// optionSchema is the schema of a setting's value in a file.
func optionSchema(o testplan.Option) *jsonschema.Schema {
	var s *jsonschema.Schema
	switch {
	case len(o.Declared) > 0:
		s = callSchema(o)
	case o.Of != "":
		s = oldSchema(o)
	default:
		s = typeSchema(o)
	}
	s.Description = o.Usage
	defaults := testplan.DefaultTest()
	if value := o.Get(&defaults); value != "" && o.Name != "seed" && o.Of == "" {
		s.Default = literal(s.Type, value)
	}
	return s
}

// typeSchema goes by the type of a setting.
func typeSchema(o testplan.Option) *jsonschema.Schema {
	switch o.Type {
	case "whole number":
		return integer(o.Low, o.High, "")
	case "number":
		s := &jsonschema.Schema{Type: "number", Minimum: jsonschema.Ptr(o.Low)}
		if o.High > 0 {
			s.Maximum = jsonschema.Ptr(o.High)
		}
		return s
	case "rate":
		return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{{Type: "number", Minimum: jsonschema.Ptr(o.Low), Maximum: jsonschema.Ptr(o.High)},
			{Type: "string", Examples: []any{"100-2000", "200 for 10s, 200-2000 for 30s, 500"}}}}
	case "true|false":
		return &jsonschema.Schema{Type: "boolean"}
	case "duration":
		return duration("")
	}
	return textSchema(o)
}

// callSchema is of a system or workload: name(param=value, …), or a mapping of the
// name to its parameters.
func callSchema(o testplan.Option) *jsonschema.Schema {
	names := strings.Join(o.Choices, "|")
	if o.Files {
		names += `|[^(]*/[^(]*|[^(]*\.ya?ml`
	}
	call := &jsonschema.Schema{Type: "string", Pattern: `^\s*(` + names + `)\s*(\(.*\))?\s*$`}
	mapping := object("a name with its parameters")
	mapping.MinProperties, mapping.MaxProperties = jsonschema.Ptr(1), jsonschema.Ptr(1)
	for _, d := range o.Declared {
		params := declared(d.Params.Schema())
		params.Description = d.Doc
		mapping.Properties[d.Name] = &jsonschema.Schema{AnyOf: []*jsonschema.Schema{params, {Type: "null"}}}
		call.Examples = append(call.Examples, d.Name)
		if len(d.Params) > 0 {
			call.Examples = append(call.Examples, fmt.Sprintf("%s(%s=%s)", d.Name, d.Params[0].Name, d.Params[0].Default))
		}
	}
	if o.Files {
		call.Examples = append(call.Examples, "./system.yaml")
		mapping.PatternProperties = map[string]*jsonschema.Schema{`/|\.ya?ml$`: {Types: []string{"object", "null"}}}
	}
	return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{call, mapping}}
}

// oldSchema is of a setting of earlier versions, for editors to strike out.
func oldSchema(o testplan.Option) *jsonschema.Schema {
	s := duration("")
	if o.Type == string(declare.Count) {
		s = &jsonschema.Schema{Type: "integer"}
	}
	s.Deprecated = true
	return s
}

// declared is a schema of declared parameters as one of this package's.
func declared(s *declare.Schema) *jsonschema.Schema {
	all := &jsonschema.Schema{}
	text, err := json.Marshal(s)
	if err == nil {
		err = json.Unmarshal(text, all)
	}
	if err != nil { // both are keywords of JSON Schema, and a test reads every one
		return &jsonschema.Schema{Description: err.Error()}
	}
	return all
}

// textSchema is of settings that are words; some may be written as lists too.
func textSchema(o testplan.Option) *jsonschema.Schema {
	if len(o.Choices) > 0 {
		return &jsonschema.Schema{Type: "string", Enum: words(o.Choices)}
	}
	text := &jsonschema.Schema{Type: "string"}
	if !testplan.IsList(o.Name) {
		return text
	}
	pair := &jsonschema.Schema{Type: "object", MinProperties: jsonschema.Ptr(1), MaxProperties: jsonschema.Ptr(1),
		AdditionalProperties: &jsonschema.Schema{Types: []string{"string", "integer"}}}
	items := &jsonschema.Schema{AnyOf: []*jsonschema.Schema{text, pair}}
	return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{text, {Type: "array", Items: items, MinItems: jsonschema.Ptr(1)}}}
}

// exact is the highest number up to which a JSON reader counts exactly; a bound
// beyond it is left out.
const exact = 1 << 53

// integer is a whole number; a high of 0 is no bound.
func integer(low, high float64, description string) *jsonschema.Schema {
	s := &jsonschema.Schema{Type: "integer", Minimum: jsonschema.Ptr(low), Description: description}
	if high > 0 && high <= exact {
		s.Maximum = jsonschema.Ptr(high)
	}
	return s
}

// duration is Go's notation of durations.
func duration(description string) *jsonschema.Schema {
	return &jsonschema.Schema{Type: "string", Pattern: `^([0-9]+(\.[0-9]*)?(ns|us|µs|ms|s|m|h))+$`,
		Examples: []any{"500ms", "30s", "1m30s"}, Description: description}
}

func words(all []string) []any {
	var values []any
	for _, w := range all {
		values = append(values, w)
	}
	return values
}

// literal is a value as JSON: numbers and truths as themselves, the rest quoted.
func literal(kind, value string) json.RawMessage {
	if kind == "string" || kind == "" {
		text, _ := json.Marshal(value) // a string always can be
		return text
	}
	return json.RawMessage(value)
}
