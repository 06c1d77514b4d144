package mutants

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"squall/internal/suggest"
)

// Groups are the parts of Raft that a bug may be in, in the order of lists.
func Groups() []string {
	return []string{"election", "replication", "reads", "snapshot", "membership", "durability", "liveness"}
}

// Evidence is what may show a bug, in the order of lists:
//
//   - client: what clients were answered contradicts itself;
//   - invariants: nodes' traces contradict each other, as in two leaders of a term;
//   - conformance: one node's full trace has a step that Raft forbids;
//   - availability: operations fail, or wait for too long;
//   - disk: nothing, unless a node restarts or its disk loses what was not synced.
func Evidence() []string {
	return []string{"client", "invariants", "conformance", "availability", "disk"}
}

// none is the value of a line that says that there is nothing to say.
const none = "none"

// field is one line of the header.
type field struct {
	key      string
	what     string // what belongs there, for people
	set      func(m *Mutant, value string) error
	optional bool
}

func fields() []field {
	return []field{
		{key: "Summary", what: "what is wrong with this node, in one sentence", set: text(func(m *Mutant) *string { return &m.Summary })},
		{key: "Group", what: "one of " + strings.Join(Groups(), ", "), set: func(m *Mutant, value string) error {
			m.Group = value
			return oneOf(Groups(), value)
		}},
		{key: "Bug", what: "its number in docs/known-bugs.md, or none", set: setBug},
		{key: "Origin", what: "the projects that had it, and where that can be read", set: text(func(m *Mutant) *string { return &m.Origin })},
		{key: "Seen-by", what: "what may show it, of " + strings.Join(Evidence(), ", "), set: setSeenBy},
		{key: "Caught-by", what: "the check of a run that must find it, or none", set: setCaughtBy},
		{key: "Settings", what: "the settings of a test without which it cannot show, as nodes=4, workload=set", set: setSettings, optional: true},
		{key: "Scenario", what: "the shortest course of events that shows it", set: text(func(m *Mutant) *string { return &m.Scenario })},
	}
}

// text sets a field of free words.
func text(of func(*Mutant) *string) func(*Mutant, string) error {
	return func(m *Mutant, value string) error {
		*of(m) = value
		return nil
	}
}

func setBug(m *Mutant, value string) error {
	if value == none {
		return nil
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 {
		return fmt.Errorf("%q is not a number from 1 on, nor none", value)
	}
	m.Bug = n
	return nil
}

func setCaughtBy(m *Mutant, value string) error {
	if value != none {
		m.CaughtBy = value
	}
	return nil
}

func setSeenBy(m *Mutant, value string) error {
	for word := range strings.SplitSeq(value, ",") {
		word = strings.TrimSpace(word)
		if err := oneOf(Evidence(), word); err != nil {
			return err
		}
		if slices.Contains(m.SeenBy, word) {
			return fmt.Errorf("%s is there twice", word)
		}
		m.SeenBy = append(m.SeenBy, word)
	}
	return nil
}

// setSettings reads "option=value, option=value". Whether a test has such options is
// for those who run one to say.
func setSettings(m *Mutant, value string) error {
	m.Settings = map[string]string{}
	for pair := range strings.SplitSeq(value, ",") {
		option, setting, ok := strings.Cut(strings.TrimSpace(pair), "=")
		if !ok || option == "" || setting == "" {
			return fmt.Errorf("%q is not option=value", strings.TrimSpace(pair))
		}
		if _, twice := m.Settings[option]; twice {
			return fmt.Errorf("%s is there twice", option)
		}
		m.Settings[option] = setting
	}
	return nil
}

func oneOf(known []string, value string) error {
	if slices.Contains(known, value) {
		return nil
	}
	return fmt.Errorf("%q is unknown; %s", value, suggest.Among(value, known))
}

// parse reads the header of a patch: every line of fields once, but for those that are
// optional. A mistake is an
// error with the patch's name and the line.
func parse(name string, data []byte) (Mutant, error) {
	m := Mutant{Name: name, Patch: data}
	values, err := readHeader(data)
	if err != nil {
		return Mutant{}, fmt.Errorf("mutant %s: %w", name, err)
	}
	var missing []string
	for _, f := range fields() {
		v, ok := values[f.key]
		if !ok && f.optional {
			continue
		}
		if !ok {
			missing = append(missing, fmt.Sprintf("\"# %s: …\" (%s)", f.key, f.what))
			continue
		}
		if err := f.set(&m, v.text); err != nil {
			return Mutant{}, fmt.Errorf("mutant %s: line %d: %s: %w", name, v.line, f.key, err)
		}
	}
	if len(missing) > 0 {
		return Mutant{}, fmt.Errorf("mutant %s: the patch must begin with a header, which lacks %s", name, strings.Join(missing, "; "))
	}
	return m, nil
}

// entry is what the header says for one key.
type entry struct {
	text string
	line int // where it begins, from 1 on
}

// readHeader reads the lines with "#" at the beginning of a patch. A line
// "#   more" goes on with the value before it.
func readHeader(data []byte) (map[string]*entry, error) {
	known := fieldNames()
	values := map[string]*entry{}
	var last *entry
	line := 0
	for l := range strings.Lines(string(data)) {
		comment, ok := strings.CutPrefix(strings.TrimRight(l, "\r\n"), "#")
		if !ok {
			break
		}
		line++
		if more, ok := strings.CutPrefix(comment, "   "); ok {
			if last == nil {
				return nil, fmt.Errorf("line %d goes on with a value, and there is none before it", line)
			}
			last.text = strings.TrimSpace(last.text + " " + strings.TrimSpace(more))
			continue
		}
		key, rest, ok := strings.Cut(comment, ":")
		key = strings.TrimSpace(key)
		switch {
		case !ok:
			return nil, fmt.Errorf("line %d: %q is neither \"# Key: value\" nor goes on, after three spaces, with the value before", line, "#"+comment)
		case !slices.Contains(known, key):
			return nil, fmt.Errorf("line %d: unknown key %q; %s", line, key, suggest.Among(key, known))
		case values[key] != nil:
			return nil, fmt.Errorf("line %d: %s is there a second time, after line %d", line, key, values[key].line)
		}
		last = &entry{text: strings.TrimSpace(rest), line: line}
		values[key] = last
	}
	return values, emptyValues(values)
}

func emptyValues(values map[string]*entry) error {
	var errs []error
	for _, key := range fieldNames() {
		if v := values[key]; v != nil && v.text == "" {
			errs = append(errs, fmt.Errorf("line %d: %s says nothing", v.line, key))
		}
	}
	return errors.Join(errs...)
}

func fieldNames() (names []string) {
	for _, f := range fields() {
		names = append(names, f.key)
	}
	return names
}
