package declare

import (
	"encoding/json"
	"math"
	"strconv"
)

// Schema is what JSON Schema (draft 2020-12) has to say of a parameter's value, or
// of a declaration's parameters: those of its keywords that are needed here.
type Schema struct {
	Type                 any                `json:"type,omitempty"` // a word, or several
	Description          string             `json:"description,omitempty"`
	Pattern              string             `json:"pattern,omitempty"`
	Enum                 []string           `json:"enum,omitempty"`
	Minimum              *float64           `json:"minimum,omitempty"`
	Maximum              *float64           `json:"maximum,omitempty"`
	Default              json.RawMessage    `json:"default,omitempty"`
	Properties           map[string]*Schema `json:"properties,omitempty"`
	AdditionalProperties *bool              `json:"additionalProperties,omitempty"`
}

const (
	durationPattern = `([0-9]+(\.[0-9]*)?(ns|us|µs|ms|s|m|h))+`
	bytesPattern    = `[0-9]+(\.[0-9]*)?([kKMG]?B|[KMG]iB)?`
)

// Schema is of an object with the parameters, each of them optional.
func (ps Params) Schema() *Schema {
	all := &Schema{Type: "object", Properties: map[string]*Schema{}, AdditionalProperties: new(bool)}
	for _, p := range ps {
		all.Properties[p.Name] = p.Schema()
	}
	return all
}

// Schema is of a value as it is written in a file.
func (p Param) Schema() *Schema {
	s := &Schema{Type: "string", Description: p.Doc + " (" + p.Values() + ")"}
	switch p.Kind {
	case Duration:
		s.Pattern = "^-?" + durationPattern + "$"
	case Range:
		s.Pattern = "^" + durationPattern + "(-" + durationPattern + ")?$|^[0-9.]+-" + durationPattern + "$"
	case Share:
		s.Type, s.Pattern = []string{"string", "number"}, `^[0-9]+(\.[0-9]*)?%?$`
	case Bytes:
		s.Type, s.Pattern = []string{"string", "integer"}, "^"+bytesPattern+"$"
	case Rate:
		s.Type, s.Pattern = []string{"string", "integer"}, "^"+bytesPattern+"(/s)?$"
	case Number, Count:
		s.Type, s.Minimum, s.Maximum = "number", p.bound(p.Min), p.bound(p.Max)
		if p.Kind == Count {
			s.Type = "integer"
		}
	case Weights:
		s.Pattern = `^[0-9]+(/[0-9]+){` + strconv.Itoa(len(p.Parts)-1) + `}$`
	case Word:
		s.Enum = p.Words
	case Bool:
		s.Type = "boolean"
	}
	s.Default = p.literal()
	return s
}

// literal is the default as JSON.
func (p Param) literal() json.RawMessage {
	switch p.Kind {
	case Number, Count, Bool:
		return json.RawMessage(p.Default)
	}
	text, _ := json.Marshal(p.Default) // a string always can be
	return text
}

// bound is Min or Max as a figure; nil is none.
func (p Param) bound(text string) *float64 {
	v, err := p.value(text)
	if err != nil || math.Abs(v) > exact {
		return nil
	}
	return &v
}
