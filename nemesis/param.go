package nemesis

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ParamKind is what the values of a parameter are.
type ParamKind string

// The kinds of parameters, as they are written.
const (
	Duration ParamKind = "duration"         // 50ms, -2s
	Share    ParamKind = "share"            // 10%, 0.1
	Number   ParamKind = "number"           // 0.25
	Bytes    ParamKind = "bytes"            // 64MiB, 1MB
	Rate     ParamKind = "bytes per second" // 1MB/s
	Word     ParamKind = "word"             // one of some words
)

// Param is one parameter of a fault.
type Param struct {
	Name    string
	Kind    ParamKind
	Doc     string
	Default string
	// Draw are the values that a schedule draws from when it is told none; nil
	// means the default.
	Draw []string
	// Min and Max bound what is not a word.
	Min, Max string
	Words    []string // of a word
	// Spread names the parameter that what follows a ± is: delay(50ms±10ms).
	Spread string
}

// Canon checks a value and writes it as it is always written.
func (p Param) Canon(text string) (string, error) {
	if p.Kind == Word {
		if !slices.Contains(p.Words, text) {
			return "", fmt.Errorf("%s: expected one of %s, found %q", p.Name, strings.Join(p.Words, ", "), text)
		}
		return text, nil
	}
	v, err := p.value(text)
	if err != nil {
		return "", err
	}
	lo, err := p.value(p.Min)
	if err != nil {
		return "", err
	}
	hi, err := p.value(p.Max)
	if err != nil {
		return "", err
	}
	if v < lo || v > hi {
		return "", fmt.Errorf("%s: expected from %s to %s, found %s", p.Name, p.Min, p.Max, text)
	}
	return p.format(v), nil
}

// value reads a value that is a figure: seconds, a share of 1, bytes.
func (p Param) value(text string) (float64, error) {
	var v float64
	var err error
	switch p.Kind {
	case Duration:
		var d time.Duration
		if d, err = time.ParseDuration(text); err == nil {
			return d.Seconds(), nil
		}
		err = fmt.Errorf(`a duration such as "50ms"`)
	case Share:
		if percent, ok := strings.CutSuffix(text, "%"); ok {
			v, err = strconv.ParseFloat(percent, 64)
			v /= 100
		} else {
			v, err = strconv.ParseFloat(text, 64)
		}
		if err != nil {
			err = errors.New(`a share such as "10%"`)
		}
	case Bytes, Rate:
		v, err = parseBytes(text, p.Kind)
	default:
		if v, err = strconv.ParseFloat(text, 64); err != nil {
			err = errors.New("a number")
		}
	}
	if err == nil && v != v { // NaN
		err = errors.New("a number")
	}
	if err != nil {
		return 0, fmt.Errorf("%s: expected %w, found %q", p.Name, err, text)
	}
	return v, nil
}

func (p Param) format(v float64) string {
	number := strconv.FormatFloat(v, 'g', -1, 64)
	switch p.Kind {
	case Duration:
		return time.Duration(v * float64(time.Second)).Round(time.Nanosecond).String()
	case Share:
		return strconv.FormatFloat(v*100, 'g', 10, 64) + "%"
	case Bytes:
		return formatBytes(v)
	case Rate:
		return formatBytes(v) + "/s"
	}
	return number
}

// byteUnits are largest first, so that a suffix is taken for the whole of it.
var byteUnits = []struct {
	name string
	size float64
}{
	{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10},
	{"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}, {"KB", 1e3}, {"B", 1},
}

func parseBytes(text string, kind ParamKind) (float64, error) {
	example := errors.New(`a size such as "64MiB"`)
	number := text
	if kind == Rate {
		example = errors.New(`a rate such as "1MB/s"`)
		number = strings.TrimSuffix(text, "/s")
	}
	size := 1.0
	for _, u := range byteUnits {
		if rest, ok := strings.CutSuffix(number, u.name); ok {
			number, size = rest, u.size
			break
		}
	}
	v, err := strconv.ParseFloat(number, 64)
	if err != nil {
		return 0, example
	}
	return v * size, nil
}

// formatBytes writes a size in the unit in which it is shortest.
func formatBytes(v float64) string {
	best := strconv.FormatFloat(v, 'f', -1, 64) + "B"
	for _, u := range byteUnits {
		if n := v / u.size; n >= 1 && u.name != "KB" {
			if text := strconv.FormatFloat(n, 'f', -1, 64) + u.name; len(text) < len(best) {
				best = text
			}
		}
	}
	return best
}

// Args are the values of a fault's parameters, each as Canon writes it.
type Args map[string]string

// Duration is the value of a parameter that is a duration. A parameter that is
// not there is 0: it was checked before.
func (a Args) Duration(name string) time.Duration {
	d, _ := time.ParseDuration(a[name])
	return d
}

// Float is the value of any other parameter that is a figure: a share from 0
// to 1, a number, bytes.
func (a Args) Float(name string) float64 {
	text := a[name]
	kind := Number
	switch {
	case strings.HasSuffix(text, "%"):
		kind = Share
	case strings.HasSuffix(text, "/s"):
		kind = Rate
	case strings.HasSuffix(text, "B"):
		kind = Bytes
	}
	v, _ := Param{Kind: kind}.value(text)
	return v
}

// String lists the parameters in the order in which a fault declares them.
func (f Fault) String(a Args) string {
	var words []string
	for _, p := range f.Params {
		if v, ok := a[p.Name]; ok {
			words = append(words, p.Name+"="+v)
		}
	}
	return strings.Join(words, ", ")
}

// Fill completes the parameters with the defaults, and with what pick draws of
// those that are drawn; pick(n) is a number below n.
func (f Fault) Fill(given Args, pick func(n int) int) Args {
	all := Args{}
	for _, p := range f.Params {
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

// Validate checks what a fault declares of itself, so that a mistake in it is
// found by the first test and not in a storm.
func (f Fault) Validate() error {
	var errs []error
	wrong := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("fault %s: "+format, append([]any{f.Name}, args...)...))
	}
	if f.Name == "" || f.Kind == "" || f.Doc == "" || f.Inject == nil || f.Undo == nil {
		wrong("Name, Kind, Doc, Inject and Undo are all wanted")
	}
	if len(f.Variants) == 0 || f.MinNodes < 1 {
		wrong("at least one variant is wanted, and MinNodes of at least 1")
	}
	for _, p := range f.Params {
		for _, v := range append(slices.Clone(p.Draw), p.Default) {
			canon, err := p.Canon(v)
			if err != nil {
				wrong("%w", err)
			} else if canon != v {
				wrong("%s: write %q as %q", p.Name, v, canon)
			}
		}
		if _, ok := f.Param(p.Spread); p.Spread != "" && !ok {
			wrong("%s: there is no parameter %q", p.Name, p.Spread)
		}
		if _, ok := f.Variant(p.Name); ok {
			wrong("%s is a parameter and a variant", p.Name)
		}
	}
	if f.Check != nil {
		if err := f.Check(f.Fill(nil, nil)); err != nil {
			wrong("the defaults: %w", err)
		}
	}
	return errors.Join(errs...)
}
