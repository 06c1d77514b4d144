// Package declare is the one way in which faults, workloads and systems say which
// parameters they take: each with what its values are, bounds, a default and a
// sentence. Everything else is made of that: reading name(param=value, …),
// errors that say where and what to write, lists, completion, JSON Schema.
package declare

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Kind is what the values of a parameter are.
type Kind string

// The kinds of parameters, as they are written.
const (
	Duration Kind = "duration"           // 50ms, -2s
	Range    Kind = "range of durations" // 150ms-300ms; 150-300ms; 200ms is both ends
	Share    Kind = "share"              // 10%, 0.1
	Number   Kind = "number"             // 0.25
	Count    Kind = "whole number"       // 300
	Bytes    Kind = "bytes"              // 64MiB, 1MB
	Rate     Kind = "bytes per second"   // 1MB/s
	Word     Kind = "word"               // one of some words
	Weights  Kind = "weights"            // 50/30/20: one for each part
	Bool     Kind = "true or false"
	Text     Kind = "text" // a path, a version; quoted where it holds , ( ) or "
)

// Param is one parameter.
type Param struct {
	Name    string
	Kind    Kind
	Doc     string
	Default string
	// Unit is what a whole number counts: "log entries". It is for people.
	Unit string
	// Draw are the values that a schedule draws from when it is told none; nil
	// means the default.
	Draw []string
	// Min and Max bound figures: both ends of a range, and each of some weights.
	Min, Max string
	Words    []string // of a word
	Parts    []string // of weights: what each is the weight of
	// Spread names the parameter that what follows a ± is: delay(50ms±10ms).
	Spread string
}

// Canon checks a value and writes it as it is always written.
func (p Param) Canon(text string) (string, error) {
	switch p.Kind {
	case Word:
		if !slices.Contains(p.Words, text) {
			return "", fmt.Errorf("%s: expected one of %s, found %q", p.Name, strings.Join(p.Words, ", "), text)
		}
		return text, nil
	case Text:
		return p.canonText(text)
	case Bool:
		return p.canonBool(text)
	}
	values, err := p.values(text)
	if err != nil {
		return "", err
	}
	lo, hi, err := p.bounds()
	if err != nil {
		return "", err
	}
	for _, v := range values {
		if v < lo || v > hi {
			return "", fmt.Errorf("%s: expected %s, found %s", p.Name, p.span(), text)
		}
	}
	if err := p.together(values, text); err != nil {
		return "", err
	}
	return p.format(values), nil
}

// together refuses figures of one value that are each in order.
func (p Param) together(values []float64, text string) error {
	switch {
	case p.Kind == Range && values[0] > values[1]:
		return fmt.Errorf("%s: expected a range that goes up, such as %q, found %q", p.Name, p.format([]float64{values[1], values[0]}), text)
	case p.Kind == Weights && slices.Max(values) == 0:
		return fmt.Errorf("%s: expected a weight above 0 for one of %s, found %q", p.Name, strings.Join(p.Parts, ", "), text)
	}
	return nil
}

// bounds are Min and Max as figures.
func (p Param) bounds() (lo, hi float64, err error) {
	if lo, err = p.value(p.Min); err != nil {
		return 0, 0, err
	}
	hi, err = p.value(p.Max)
	return lo, hi, err
}

// span says the bounds: "from 1ms to 10s", "weights from 0 to 100".
func (p Param) span() string {
	span := "from " + p.Min + " to " + p.Max
	switch p.Kind {
	case Weights:
		return "weights " + span
	case Range:
		return "durations " + span
	}
	return span
}

// longestText bounds a text, bytes.
const longestText = 1000

func (p Param) canonText(text string) (string, error) {
	switch odd := strings.IndexFunc(text, notText); {
	case text == "" && p.Default != "":
		return "", fmt.Errorf("%s: expected a text, found nothing", p.Name)
	case len(text) > longestText:
		return "", fmt.Errorf("%s: expected a text of at most %d bytes, found %d", p.Name, longestText, len(text))
	case odd >= 0:
		return "", fmt.Errorf("%s: expected a text without control bytes, found %q", p.Name, text)
	}
	return text, nil
}

func (p Param) canonBool(text string) (string, error) {
	if text != "true" && text != "false" {
		return "", fmt.Errorf("%s: expected true or false, found %q", p.Name, text)
	}
	return text, nil
}

// Params are the parameters of one fault, workload or system, in the order in
// which they are shown, and in which values without a name are given to them.
type Params []Param

// Find finds a parameter by its name.
func (ps Params) Find(name string) (Param, bool) {
	for _, p := range ps {
		if p.Name == name {
			return p, true
		}
	}
	return Param{}, false
}

// Names are their names.
func (ps Params) Names() []string {
	var names []string
	for _, p := range ps {
		names = append(names, p.Name)
	}
	return names
}

// Usage lists them with what they are: "keys (whole number), mix (weights)".
func (ps Params) Usage() string {
	var all []string
	for _, p := range ps {
		all = append(all, fmt.Sprintf("%s (%s)", p.Name, p.Kind))
	}
	return strings.Join(all, ", ")
}

// Fill completes the parameters with the defaults, and with what pick draws of
// those that are drawn; pick(n) is a number below n.
func (ps Params) Fill(given Args, pick func(n int) int) Args {
	all := Args{}
	for _, p := range ps {
		switch v, ok := given[p.Name]; {
		case ok:
			all[p.Name] = v
		case len(p.Draw) > 0 && pick != nil:
			all[p.Name] = p.Draw[pick(len(p.Draw))]
		default:
			all[p.Name] = p.Default
		}
	}
	return all
}

// namePattern is what a parameter may be called.
var namePattern = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)

// Validate finds the mistakes in a declaration itself, so that a test finds them
// and not a run.
func (ps Params) Validate() []error {
	var errs []error
	wrong := func(p Param, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s: "+format, append([]any{p.Name}, args...)...))
	}
	for i, p := range ps {
		if !namePattern.MatchString(p.Name) || p.Doc == "" {
			wrong(p, "a name of small letters, digits and dashes is wanted, and Doc")
		}
		if first, _ := ps[:i].Find(p.Name); first.Name != "" {
			wrong(p, "it is declared twice")
		}
		if _, ok := ps.Find(p.Spread); p.Spread != "" && !ok {
			wrong(p, "there is no parameter %q", p.Spread)
		}
		if err := p.validateKind(); err != nil {
			wrong(p, "%w", err)
			continue
		}
		for _, v := range append(slices.Clone(p.Draw), p.Default) {
			canon, err := p.Canon(v)
			if err != nil {
				errs = append(errs, err)
			} else if canon != v {
				wrong(p, "write %q as %q", v, canon)
			}
		}
	}
	return errs
}

// validateKind wants of a parameter what its kind takes.
func (p Param) validateKind() error {
	switch p.Kind {
	case Word:
		if len(p.Words) < 2 {
			return errors.New("a word is wanted to choose from two at least")
		}
	case Text, Bool:
		if cmp.Or(p.Min, p.Max) != "" {
			return fmt.Errorf("a %s has no bounds", p.Kind)
		}
	case Duration, Range, Share, Number, Count, Bytes, Rate, Weights:
		if p.Kind == Weights && len(p.Parts) < 2 {
			return errors.New("weights are wanted of two parts at least")
		}
		lo, hi, err := p.bounds()
		if err != nil {
			return err
		}
		if lo >= hi {
			return fmt.Errorf("Min %s must be below Max %s", p.Min, p.Max)
		}
	default:
		return fmt.Errorf("%q is no kind of parameter", p.Kind)
	}
	return nil
}
