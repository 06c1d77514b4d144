package custom

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"squall/internal/suggest"
)

// vars are the values of variables. One that is not there is nothing: null in JSON, and
// otherwise an empty text.
type vars map[string]string

// template is a text with variables in it: ${key}. A variable may have a filter:
// ${key|base64}. $${ is ${ itself.
type template []piece

// piece is a text, or a variable with its filters.
type piece struct {
	text    string
	name    string // of the variable; "": it is a text
	filters []string
}

// The filters.
const (
	filterJSON   = "json"   // as a value of JSON, with its quotes; null where it is nothing
	filterNumber = "number" // as a number, of which it has the form
	filterBase64 = "base64"
	filterURL    = "url" // escaped for the path or the query of a URL
)

func filters() []string { return []string{filterJSON, filterNumber, filterBase64, filterURL} }

// parseTemplate reads a template with variables of these names.
func parseTemplate(text string, names []string) (template, error) {
	var t template
	for rest := text; rest != ""; {
		before, after, found := strings.Cut(rest, "${")
		if found && strings.HasSuffix(before, "$") {
			t = append(t, piece{text: before[:len(before)-1] + "${"})
			rest = after
			continue
		}
		if before != "" {
			t = append(t, piece{text: before})
		}
		if !found {
			break
		}
		inside, after, closed := strings.Cut(after, "}")
		if !closed {
			return nil, fmt.Errorf("${%s is not closed: write ${name}, or $${ for the characters themselves", cut(inside))
		}
		p, err := parseVariable(inside, names)
		if err != nil {
			return nil, err
		}
		t = append(t, p)
		rest = after
	}
	return t, nil
}

func parseVariable(inside string, names []string) (piece, error) {
	parts := strings.Split(inside, "|")
	p := piece{name: strings.TrimSpace(parts[0])}
	if !slices.Contains(names, p.name) {
		return p, fmt.Errorf("there is no variable ${%s} here; %s", cut(p.name), suggest.Among(p.name, names))
	}
	for _, filter := range parts[1:] {
		filter = strings.TrimSpace(filter)
		if !slices.Contains(filters(), filter) {
			return p, fmt.Errorf("there is no filter %q; %s", cut(filter), suggest.Among(filter, filters()))
		}
		p.filters = append(p.filters, filter)
	}
	return p, nil
}

// cut bounds what an error repeats of a description.
func cut(text string) string {
	if len(text) > 60 {
		return text[:60] + "…"
	}
	return text
}

// uses reports whether the template has that variable.
func (t template) uses(name string) bool {
	return slices.ContainsFunc(t, func(p piece) bool { return p.name == name })
}

// expand fills in the variables, each escaped for the place where it stands; nil: as it
// is. One with a filter is escaped by its filters alone, but for base64.
func (t template) expand(v vars, escape func(string) string) string {
	var out strings.Builder
	for _, p := range t {
		if p.name == "" {
			out.WriteString(p.text)
			continue
		}
		value, there := v[p.name]
		plain := true
		for _, filter := range p.filters {
			value, plain = apply(filter, value, there)
		}
		if plain && escape != nil {
			value = escape(value)
		}
		out.WriteString(value)
	}
	return out.String()
}

// apply applies a filter. plain is whether the result is still a text that has to be
// escaped.
func apply(filter, value string, there bool) (result string, plain bool) {
	switch {
	case filter == filterBase64:
		return base64.StdEncoding.EncodeToString([]byte(value)), true
	case filter == filterURL:
		return url.QueryEscape(value), false
	case !there:
		return "null", true
	case filter == filterNumber && isNumber(value):
		return value, true
	}
	return quoteJSON(value), true
}

// isNumber reports whether a text is a number of JSON.
func isNumber(text string) bool {
	var n json.Number
	return json.Unmarshal([]byte(text), &n) == nil && !strings.HasPrefix(text, `"`)
}

// quoteJSON is a text as a value of JSON.
func quoteJSON(text string) string {
	quoted, _ := json.Marshal(text) // a string always can be
	return string(quoted)
}

// jsonTemplate is a body in JSON, with variables in its texts.
type jsonTemplate struct {
	text     template                // of a text
	items    []jsonTemplate          // of a list
	fields   map[string]jsonTemplate // of an object
	constant any
}

func parseJSONTemplate(tree any, names []string) (t jsonTemplate, err error) {
	switch tree := tree.(type) {
	case string:
		t.text, err = parseTemplate(tree, names)
		return t, err
	case []any:
		t.items = make([]jsonTemplate, len(tree))
		for i, item := range tree {
			if t.items[i], err = parseJSONTemplate(item, names); err != nil {
				return t, err
			}
		}
	case map[string]any:
		t.fields = map[string]jsonTemplate{}
		for name, field := range tree {
			if t.fields[name], err = parseJSONTemplate(field, names); err != nil {
				return t, err
			}
		}
	default:
		t.constant = tree
	}
	return t, nil
}

// expand is the tree with its variables filled in.
func (t jsonTemplate) expand(v vars) any {
	switch {
	case t.text != nil:
		// A value alone stands for itself: null where it is nothing.
		if len(t.text) == 1 && t.text[0].name != "" {
			value, there := v[t.text[0].name]
			switch filters := t.text[0].filters; {
			case !there:
				return nil
			case len(filters) == 1 && filters[0] == filterNumber && isNumber(value):
				return json.Number(value)
			}
		}
		return t.text.expand(v, nil)
	case t.items != nil:
		all := make([]any, len(t.items))
		for i, item := range t.items {
			all[i] = item.expand(v)
		}
		return all
	case t.fields != nil:
		all := map[string]any{}
		for name, field := range t.fields {
			all[name] = field.expand(v)
		}
		return all
	}
	return t.constant
}
