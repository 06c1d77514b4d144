package custom

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// jsonPath is the way to a value in JSON: names of fields and numbers of items.
type jsonPath []any // string or int

// parsePath reads items[0].value, or . for all of it. A name that holds a dot or a
// bracket is written ["a.b"].
func parsePath(text string) (jsonPath, error) {
	path := jsonPath{}
	rest := strings.TrimPrefix(text, "$")
	if rest == "." || rest == "" && text != "" {
		return path, nil
	}
	for first := true; rest != ""; first = false {
		switch {
		case rest[0] == '[':
			inside, after, closed := cutBracket(rest[1:])
			if !closed {
				return nil, fmt.Errorf("the bracket in %q is not closed", cut(text))
			}
			if name, err := strconv.Unquote(inside); err == nil && strings.HasPrefix(inside, `"`) {
				path = append(path, name)
			} else if n, err := strconv.Atoi(inside); err == nil && n >= 0 {
				path = append(path, n)
			} else {
				return nil, fmt.Errorf(`[%s] is neither a number, from 0 on, nor a name in quotes, such as ["a.b"]`, cut(inside))
			}
			rest = after
		case first || rest[0] == '.':
			rest = strings.TrimPrefix(rest, ".")
			end := strings.IndexAny(rest, ".[")
			if end < 0 {
				end = len(rest)
			}
			if end == 0 {
				return nil, fmt.Errorf("%q has a dot without a name after it", cut(text))
			}
			path = append(path, rest[:end])
			rest = rest[end:]
		default:
			return nil, fmt.Errorf("after a bracket, a dot or another bracket is expected in %q", cut(text))
		}
	}
	return path, nil
}

// cutBracket is what stands before the bracket that closes, outside of quotes.
func cutBracket(text string) (inside, after string, closed bool) {
	if quoted, err := strconv.QuotedPrefix(text); err == nil {
		if after, closed = strings.CutPrefix(text[len(quoted):], "]"); closed {
			return quoted, after, true
		}
	}
	return strings.Cut(text, "]")
}

// decodeJSON reads a body that is JSON.
func decodeJSON(body []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	var tree any
	if err := dec.Decode(&tree); err != nil {
		return nil, fmt.Errorf("the answer is not JSON: %.60q", body)
	}
	if dec.More() {
		return nil, fmt.Errorf("the answer has more than one value of JSON: %.60q", body)
	}
	return tree, nil
}

// find is what stands in the tree at the path; nil: nothing does.
func (p jsonPath) find(tree any) any {
	for _, step := range p {
		switch step := step.(type) {
		case string:
			fields, _ := tree.(map[string]any)
			tree = fields[step]
		case int:
			items, _ := tree.([]any)
			if step >= len(items) {
				return nil
			}
			tree = items[step]
		}
	}
	return tree
}

var errNotScalar = errors.New("it is an object or a list, and a text or a number was expected")

// scalar is a value of JSON as a text. there is false for null.
func scalar(value any) (text string, there bool, err error) {
	switch value := value.(type) {
	case nil:
		return "", false, nil
	case string:
		return value, true, nil
	case json.Number:
		return value.String(), true, nil
	case bool:
		return strconv.FormatBool(value), true, nil
	}
	return "", false, errNotScalar
}
