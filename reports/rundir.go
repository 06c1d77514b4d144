package reports

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"squall/history"
	"squall/history/check"
	"squall/internal/regular"
)

// The files of a run directory that a report is made from.
const (
	historyFile = history.FileName
	resultsFile = check.ResultsName
	planFile    = "plan.json"
	envFile     = "env.json"
)

// run is what a run directory holds.
type run struct {
	dir     string
	results *check.Results
	history *history.History // an empty one where there is a historyErr
	// historyErr says why there is no history to draw from.
	historyErr error
	plan, env  document
}

// document is a JSON file that is shown, but not relied upon.
type document struct {
	fields  any    // nil: there is none
	text    string // indented
	trouble string // it is there, but damaged
}

// readRun reads a run directory. Without results there is no report.
func readRun(dir string) (*run, error) {
	results, err := check.ReadResults(dir)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("there is no %s in %s: run `squall check %s` to make it: %w", resultsFile, dir, dir, err)
		}
		return nil, fmt.Errorf("the report of %s needs its results (`squall check %s` writes them again): %w", dir, dir, err)
	}
	return runOf(&check.Checked{Dir: dir, Results: results}), nil
}

// runOf is the run that was checked, with the rest of its directory. A history that
// the check did not read is read here; without one there is a report without
// figures.
func runOf(c *check.Checked) *run {
	dir := c.Dir
	r := &run{dir: dir, results: c.Results, history: c.History, plan: readDocument(dir, planFile), env: readDocument(dir, envFile)}
	var err error
	switch {
	case c.Damage != nil:
		err = c.Damage
	case c.History == nil:
		r.history, err = history.Load(filepath.Join(dir, historyFile))
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		r.historyErr = fmt.Errorf("there is no %s in %s, so the report has no figures: copy it back, or run the test again: %w", historyFile, dir, err)
	case err != nil:
		r.historyErr = fmt.Errorf("%s cannot be read, so the report has no figures; run the test again for a complete one: %w", filepath.Join(dir, historyFile), err)
	}
	if err != nil {
		r.history = &history.History{}
	}
	return r
}

// Bounds on a document. Squall's own have some megabytes and ten levels; indenting
// takes room for each value by its depth, so that a short text can become a very
// long one.
const (
	maxDocument = 16 << 20
	maxDepth    = 64
)

// depth is how many levels the arrays and objects of a JSON text have.
func depth(text []byte) (deepest int) {
	now, inString := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '[' || c == '{':
			now++
			deepest = max(deepest, now)
		case c == ']' || c == '}':
			now--
		}
	}
	return deepest
}

// readDocument reads a JSON file for display; what is wrong with it is shown
// in its place.
func readDocument(dir, name string) document {
	text, err := regular.ReadFile(filepath.Join(dir, name), maxDocument)
	if errors.Is(err, fs.ErrNotExist) {
		return document{}
	}
	if err != nil {
		return document{trouble: fmt.Sprintf("%s cannot be read: %v", name, err)}
	}
	if depth(text) > maxDepth {
		return document{trouble: fmt.Sprintf("%s is damaged: its values are more than %d levels deep", name, maxDepth)}
	}
	var d document
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber() // a seed is longer than a float64 is exact
	if err := dec.Decode(&d.fields); err != nil {
		return document{trouble: fmt.Sprintf("%s is damaged: %v", name, err)}
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, text, "", "  "); err != nil {
		return document{trouble: fmt.Sprintf("%s is damaged: %v", name, err)}
	}
	d.text = indented.String()
	return d
}

// get finds a text or number in the document by the names on the way to it.
func (d document) get(names ...string) string {
	v := d.fields
	for _, n := range names {
		m, ok := v.(map[string]any)
		if !ok {
			return ""
		}
		v = m[n]
	}
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	}
	return ""
}

// list finds the texts of an array in the document.
func (d document) list(name string) (texts []string) {
	m, _ := d.fields.(map[string]any)
	values, _ := m[name].([]any)
	for _, v := range values {
		if text, ok := v.(string); ok {
			texts = append(texts, text)
		}
	}
	return texts
}
