package declare

import (
	"strconv"
	"strings"
	"time"
)

// Args are the values of parameters by name, each as Canon writes it. The getters
// give the zero value for a parameter that is not there: it was checked before.
type Args map[string]string

// Duration is the value of a duration.
func (a Args) Duration(name string) time.Duration {
	d, _ := time.ParseDuration(a[name])
	return d
}

// Range is the value of a range of durations.
func (a Args) Range(name string) (lo, hi time.Duration) {
	ends, err := Param{Kind: Range}.readRange(a[name])
	if err != nil {
		return 0, 0
	}
	return toDuration(ends[0]), toDuration(ends[1])
}

// Float is the value of a share from 0 to 1, a number, bytes.
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

// Int is the value of a whole number.
func (a Args) Int(name string) int {
	n, _ := strconv.Atoi(a[name])
	return n
}

// Weights is the value of weights, in the order of the parts.
func (a Args) Weights(name string) []int {
	var all []int
	for one := range strings.SplitSeq(a[name], "/") {
		n, _ := strconv.Atoi(one)
		all = append(all, n)
	}
	return all
}

// Bool is the value of what is true or false.
func (a Args) Bool(name string) bool { return a[name] == "true" }

// String lists values in the order in which they are declared: "keys=3,
// mix=1/1/0".
func (ps Params) String(a Args) string {
	var words []string
	for _, p := range ps {
		if v, ok := a[p.Name]; ok {
			words = append(words, p.Name+"="+p.quote(v))
		}
	}
	return strings.Join(words, ", ")
}

// Changed are the values that differ from the defaults.
func (ps Params) Changed(a Args) Args {
	changed := Args{}
	for _, p := range ps {
		if v, ok := a[p.Name]; ok && v != p.Default {
			changed[p.Name] = v
		}
	}
	return changed
}

// quote writes a text so that it is read back as one.
func (p Param) quote(value string) string {
	if p.Kind == Text && (value == "" || strings.ContainsAny(value, `,()"=±`) || strings.TrimSpace(value) != value) {
		return strconv.Quote(value)
	}
	return value
}
