package custom

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"squall/history"
)

// answer is what a node answered over HTTP.
type answer struct {
	status int
	header http.Header
	body   []byte

	parsed   bool
	tree     any
	parseErr error
}

// json is the body as JSON; it is parsed once.
func (a *answer) json() (any, error) {
	if !a.parsed {
		a.parsed = true
		a.tree, a.parseErr = decodeJSON(a.body)
	}
	return a.tree, a.parseErr
}

// place is a Place that was made ready.
type place struct {
	path    jsonPath // nil: not in JSON
	header  string
	pattern *regexp.Regexp
	base64  bool
	split   string
}

func newPlace(p Place) (place, error) {
	made := place{header: p.Header, base64: p.Base64, split: p.Split}
	var err error
	if p.JSON != "" {
		if made.path, err = parsePath(p.JSON); err != nil {
			return made, err
		}
	}
	if p.Pattern != "" {
		if made.pattern, err = parsePattern(p.Pattern); err != nil {
			return made, err
		}
	}
	return made, nil
}

// parsePattern reads a regular expression that says with a group what was found.
func parsePattern(text string) (*regexp.Regexp, error) {
	pattern, err := regexp.Compile(text)
	switch {
	case err != nil:
		return nil, fmt.Errorf("not a regular expression: %w", err)
	case pattern.NumSubexp() != 1:
		return nil, fmt.Errorf("%q must have one group in parentheses, for what is to be found; it has %d (write (?:…) for one that is none)", cut(text), pattern.NumSubexp())
	}
	return pattern, nil
}

var errNothingThere = errors.New("the answer holds nothing there")

// value is what stands in an answer. An absent one is null in JSON.
func (p place) value(a *answer) (history.Value, error) {
	text, there := "", true
	var err error
	switch {
	case p.path != nil:
		var tree any
		if tree, err = a.json(); err == nil {
			text, there, err = scalar(p.path.find(tree))
		}
	case p.header != "":
		text, there = a.header.Get(p.header), len(a.header.Values(p.header)) > 0
	default:
		text = strings.TrimSuffix(strings.TrimSuffix(string(a.body), "\n"), "\r")
	}
	if err != nil || !there {
		return history.None, err
	}
	text, err = p.refine(text)
	return history.Some(text), err
}

// refine takes out of a text what the pattern says, and decodes it.
func (p place) refine(text string) (string, error) {
	if p.pattern != nil {
		found := p.pattern.FindStringSubmatch(text)
		if found == nil {
			return "", fmt.Errorf("the pattern %s matches nothing in %.60q", p.pattern, text)
		}
		text = found[1]
	}
	if !p.base64 {
		return text, nil
	}
	decoded, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return "", fmt.Errorf("%.60q is not base64", text)
	}
	return string(decoded), nil
}

// list are the elements that stand in an answer; none where null does.
func (p place) list(a *answer) ([]string, error) {
	if p.split != "" {
		whole := p
		whole.base64 = false
		text, err := whole.value(a)
		if err != nil || text.Data == "" {
			return nil, err
		}
		return p.decodeAll(strings.Split(text.Data, p.split))
	}
	tree, err := a.json()
	if err != nil {
		return nil, err
	}
	found := p.path.find(tree)
	items, isList := found.([]any)
	if !isList && found != nil {
		return nil, fmt.Errorf("a list was expected in the answer %.60q", a.body)
	}
	texts := make([]string, len(items))
	for i, item := range items {
		text, _, err := scalar(item)
		if err != nil {
			return nil, err
		}
		texts[i] = text
	}
	return p.decodeAll(texts)
}

func (p place) decodeAll(texts []string) ([]string, error) {
	if !p.base64 {
		return texts, nil
	}
	for i := range texts {
		text, err := place{base64: true}.refine(texts[i])
		if err != nil {
			return nil, err
		}
		texts[i] = text
	}
	return texts, nil
}

// match is a Match that was made ready.
type match struct {
	statuses Statuses
	path     jsonPath // nil: not asked
	is       string
	body     *regexp.Regexp
}

type matches []match

func newMatches(all Matches) (matches, error) {
	var made matches
	for _, m := range all {
		one := match{statuses: m.Status, is: m.Is}
		var err error
		if m.JSON != "" {
			if one.path, err = parsePath(m.JSON); err != nil {
				return nil, err
			}
		}
		if m.Body != "" {
			if one.body, err = regexp.Compile(m.Body); err != nil {
				return nil, fmt.Errorf("not a regular expression: %w", err)
			}
		}
		made = append(made, one)
	}
	return made, nil
}

// holds reports whether an answer is of one of the kinds.
func (m matches) holds(a *answer) bool {
	for _, one := range m {
		if one.holds(a) {
			return true
		}
	}
	return false
}

func (m match) holds(a *answer) bool {
	if len(m.statuses) > 0 && !m.statuses.has(a.status) {
		return false
	}
	if m.path != nil {
		tree, err := a.json()
		if err != nil {
			return false
		}
		text, there, err := scalar(m.path.find(tree))
		switch {
		case m.is == "null":
			if there || err != nil {
				return false
			}
		case !there && err == nil, m.is != "" && text != m.is:
			return false
		}
	}
	return m.body == nil || m.body.Match(a.body)
}

// has reports whether a status is among them.
func (s Statuses) has(status int) bool {
	text := strconv.Itoa(status)
	for _, one := range s {
		if one == text || strings.HasSuffix(one, "xx") && one[0] == text[0] {
			return true
		}
	}
	return false
}

// check refuses what is no status.
func (s Statuses) check() error {
	for _, one := range s {
		n, err := strconv.Atoi(strings.Replace(one, "xx", "00", 1))
		if err != nil || n < 100 || n > 599 || len(one) != 3 {
			return fmt.Errorf("%q is no status of HTTP: write one such as 404, or 5xx for all that begin so", cut(one))
		}
	}
	return nil
}
