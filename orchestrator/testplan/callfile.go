package testplan

import (
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"squall/internal/declare"
)

// place says which node of a file a part of a call comes from, by the column, from
// 1, at which the part begins.
type place struct {
	column int
	node   *yaml.Node
}

// callText makes a call of a mapping: {register: {keys: 3}} is register(keys=3).
func (s *Setting) callText(value *yaml.Node) (string, *FileError) {
	name := s.Option.Name
	if len(value.Content) != 2 {
		return "", MistakeAt(value, "%s: expected one name with its parameters, such as `%s: {keys: 3}`, found %d names", name, s.Option.Choices[0], len(value.Content)/2)
	}
	callee, params := value.Content[0], value.Content[1]
	text := callee.Value
	s.places = []place{{1, callee}}
	switch {
	case params.Kind == yaml.ScalarNode && params.Tag == "!!null":
		return text, nil
	case params.Kind != yaml.MappingNode:
		return "", MistakeAt(params, "%s: expected the parameters of %s as `name: value`, found %s", name, callee.Value, KindName(params))
	}
	var args []string
	text += "("
	for i := 0; i+1 < len(params.Content); i += 2 {
		key, value := params.Content[i], params.Content[i+1]
		if value.Kind != yaml.ScalarNode || value.Tag == "!!null" {
			return "", MistakeAt(value, "%s: %s: expected a value, found %s", name, key.Value, KindName(value))
		}
		column := 1 + utf8.RuneCountInString(text+strings.Join(append(args, ""), ", "))
		s.places = append(s.places, place{column, key}, place{column + utf8.RuneCountInString(key.Value) + 1, value})
		args = append(args, key.Value+"="+callValue(value.Value))
	}
	return text + strings.Join(args, ", ") + ")", nil
}

// callValue quotes a value that would be taken apart in a call.
func callValue(value string) string {
	if strings.ContainsAny(value, `,()"=`) || strings.TrimSpace(value) != value {
		return strconv.Quote(value)
	}
	return value
}

// callMistake puts an error about a call where it belongs: at the parameter.
func (s *Setting) callMistake(misfit *declare.Error, err error) *FileError {
	column := misfit.Column
	if column == 0 {
		column = s.columnOf(misfit.Param)
	}
	if len(s.places) > 0 {
		node := s.Node
		for _, p := range s.places {
			if p.column <= column {
				node = p.node
			}
		}
		return MistakeAt(node, "%s", err)
	}
	mistake := MistakeAt(s.Node, "%s", err)
	if column > 1 && s.Node.Value == s.asWritten() {
		mistake.Column += column - 1
		if s.Node.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0 {
			mistake.Column++
		}
	}
	return mistake
}

// columnOf is where a call gives a parameter, 1 where it does not.
func (s *Setting) columnOf(param string) int {
	call, _ := declare.Scan(s.asWritten())
	for _, arg := range call.Args {
		if arg.Name == param {
			return arg.ValueColumn
		}
	}
	return call.Column
}

// Blamed are the settings that an error may be about, the likeliest first: the one
// that it names, and old ones that stand for its parameters.
func Blamed(e *FieldError) []string {
	misfit := new(declare.Error)
	var likely, others []string
	for _, o := range olds() {
		switch {
		case o.of != e.Option:
		case errors.As(e.Err, &misfit) && misfit.Param == o.param:
			likely = append(likely, o.name)
		default:
			others = append(others, o.name)
		}
	}
	return append(append(likely, e.Option), others...)
}
