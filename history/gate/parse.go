package gate

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"squall/internal/plain"
)

// Threshold is a bound on a metric: "latency{op=write} p(99) < 50ms". Only Parse
// makes them.
type Threshold struct {
	Text     string // as it was given, without the spaces around it
	quantity quantity
	operator string
	limit    float64 // in the unit of the quantity
}

// quantity is what a threshold, or a column of a page, is about: a metric, a
// label, an aggregation.
type quantity struct {
	metric metric
	op     string // of the label; "" is every operation
	agg    aggregation
}

// aggregation makes one number of many samples.
type aggregation struct {
	name    string  // "" is none; "p", "min", "max", "avg", "count"
	percent float64 // of p
}

// String is the one way to write a quantity: "latency{op=write} p(99)".
func (q quantity) String() string {
	text := q.metric.Name
	if q.op != "" {
		text += "{op=" + q.op + "}"
	}
	switch q.agg.name {
	case "":
	case "p":
		text += " p(" + strconv.FormatFloat(q.agg.percent, 'g', -1, 64) + ")"
	default:
		text += " " + q.agg.name
	}
	return text
}

// unit is that of the value: a count has none.
func (q quantity) unit() string {
	if q.agg.name == "count" {
		return unitNone
	}
	return q.metric.Unit
}

// String writes the threshold in the one way that all thresholds are written.
func (t Threshold) String() string {
	return t.quantity.String() + " " + t.operator + " " + limitText(t.limit, t.quantity.unit())
}

// limitText writes a limit so that it reads back as the same number.
func limitText(v float64, unit string) string {
	text := strconv.FormatFloat(v, 'f', -1, 64)
	switch unit {
	case unitRate:
		return text + "/s"
	case unitMillis, unitPercent:
		return text + unit
	}
	return text
}

// ParseError is a mistake in a threshold.
type ParseError struct {
	Text   string // the threshold
	Column int    // from 1, in characters
	Err    string
}

func (e *ParseError) Error() string {
	return fmt.Sprintf("threshold %q, column %d: %s", plain.Fit(e.Text, mostName), e.Column, e.Err)
}

// ParseAll reads thresholds, each of which may be several with semicolons
// between them. Empty ones are left out. ops is as in Parse.
func ParseAll(ops []string, texts ...string) ([]Threshold, error) {
	var all []Threshold
	for _, text := range texts {
		for _, one := range strings.Split(text, ";") {
			if strings.TrimSpace(one) == "" {
				continue
			}
			t, err := Parse(ops, one)
			if err != nil {
				return nil, err
			}
			all = append(all, t)
		}
	}
	return all, nil
}

// maxText bounds a threshold, in bytes.
const maxText = 1000

// Parse reads a threshold: a metric, perhaps a label, perhaps an aggregation, a
// comparison, and a number with its unit. ops are the operations that the label op
// may name; nil: any. The error is a *ParseError.
func Parse(ops []string, text string) (Threshold, error) {
	p := parser{text: strings.TrimSpace(text), ops: ops}
	t := Threshold{Text: p.text}
	if len(p.text) > maxText {
		return t, p.fail(0, "it has %d bytes; a threshold has at most %d", len(p.text), maxText)
	}
	if !utf8.ValidString(p.text) {
		return t, p.fail(0, "it is not UTF-8")
	}
	var err error
	if t.quantity, err = p.quantity(); err != nil {
		return t, err
	}
	if t.operator, err = p.operator(t.quantity); err != nil {
		return t, err
	}
	if t.limit, err = p.limit(t.quantity.unit()); err != nil {
		return t, err
	}
	return t, nil
}

// parser goes through a threshold from left to right.
type parser struct {
	text string
	ops  []string // that the label op may name; nil: any
	at   int      // byte
}

func (p *parser) fail(at int, format string, args ...any) error {
	return &ParseError{Text: p.text, Column: utf8.RuneCountInString(p.text[:min(at, len(p.text))]) + 1, Err: fmt.Sprintf(format, args...)}
}

func (p *parser) spaces() {
	for p.at < len(p.text) && (p.text[p.at] == ' ' || p.text[p.at] == '\t') {
		p.at++
	}
}

// word is a run of letters, digits and what stands within names.
func (p *parser) word() string {
	begin := p.at
	for p.at < len(p.text) {
		c := p.text[p.at]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_') {
			break
		}
		p.at++
	}
	return p.text[begin:p.at]
}

// take consumes a text that may come next.
func (p *parser) take(text string) bool {
	if strings.HasPrefix(p.text[p.at:], text) {
		p.at += len(text)
		return true
	}
	return false
}

// rest is what comes next, for errors.
func (p *parser) rest() string {
	if p.at >= len(p.text) {
		return "nothing"
	}
	return strconv.Quote(plain.Fit(p.text[p.at:], mostName))
}

func (p *parser) quantity() (quantity, error) {
	var q quantity
	name := p.word()
	if name == "" {
		return q, p.fail(0, `expected a metric, as in "throughput > 2000/s", found %s; there are: %s`, p.rest(), strings.Join(nearest(""), ", "))
	}
	var ok bool
	if q.metric, ok = findMetric(name); !ok {
		return q, p.fail(0, "there is no metric %q; there are, the nearest first: %s", plain.Fit(name, mostName), strings.Join(nearest(name), ", "))
	}
	var err error
	if q.op, err = p.label(q.metric); err != nil {
		return q, err
	}
	p.spaces()
	q.agg, err = p.aggregation(q.metric)
	return q, err
}

// label reads {op=write}; k6 writes {op:write}.
func (p *parser) label(m metric) (string, error) {
	begin := p.at
	p.spaces()
	if !p.take("{") {
		p.at = begin
		return "", nil
	}
	p.spaces()
	at := p.at
	label := p.word()
	if !slices.Contains(m.Labels, label) {
		if len(m.Labels) == 0 {
			return "", p.fail(begin, "%s has no labels", m.Name)
		}
		return "", p.fail(at, "%s has no label %q; it has: %s", m.Name, plain.Fit(label, mostName), strings.Join(m.Labels, ", "))
	}
	p.spaces()
	if !p.take("=") && !p.take(":") {
		return "", p.fail(p.at, `expected "=" and a kind of operation, found %s`, p.rest())
	}
	p.spaces()
	at = p.at
	op := p.word()
	switch {
	case op == "":
		return "", p.fail(at, "expected a kind of operation, found %s", p.rest())
	case p.ops != nil && !slices.Contains(p.ops, op):
		return "", p.fail(at, "there is no operation %q; there are: %s", plain.Fit(op, mostName), strings.Join(p.ops, ", "))
	}
	p.spaces()
	if !p.take("}") {
		return "", p.fail(p.at, `expected "}", found %s`, p.rest())
	}
	return op, nil
}

func (p *parser) aggregation(m metric) (aggregation, error) {
	at := p.at
	word := p.word()
	var a aggregation
	switch word {
	case "":
		if m.NeedsOne {
			return a, p.fail(at, `%s has many values: say which, as in "%s p(99)"; there are: %s`, m.Name, m.Name, strings.Join(m.Aggregations, ", "))
		}
		return a, nil
	case "p":
		var err error
		if a, err = p.percentile(); err != nil {
			return a, err
		}
	case "med":
		a = aggregation{"p", 50}
	case "min", "max", "avg", "count":
		a = aggregation{name: word}
	default:
		if rest, ok := strings.CutPrefix(word, "p"); ok && rest != "" && strings.Trim(rest, "0123456789") == "" {
			return a, p.fail(at, `write it as "p(%s)"`, plain.Fit(rest, mostName))
		}
		return a, p.fail(at, "there is no aggregation %q; there are: %s", plain.Fit(word, mostName), strings.Join(aggregations(), ", "))
	}
	if m.samples == nil {
		return a, p.fail(at, "%s is one value: leave %q out", m.Name, p.text[at:p.at])
	}
	return a, nil
}

func (p *parser) percentile() (aggregation, error) {
	p.spaces()
	if !p.take("(") {
		return aggregation{}, p.fail(p.at, `expected "(" as in "p(99)", found %s`, p.rest())
	}
	at := p.at
	end := strings.IndexByte(p.text[at:], ')')
	if end < 0 {
		return aggregation{}, p.fail(at, `there is no ")" as in "p(99)"`)
	}
	text := strings.TrimSpace(p.text[at : at+end])
	percent, err := strconv.ParseFloat(text, 64)
	if err != nil || !plainNumber(text) || percent < 0 || percent > 100 {
		return aggregation{}, p.fail(at, "expected a number from 0 to 100, found %q", plain.Fit(text, mostName))
	}
	p.at = at + end + 1
	return aggregation{"p", percent}, nil
}

// plainNumber leaves out what ParseFloat takes and nobody means: "inf", "0x1p4".
func plainNumber(text string) bool { return text != "" && strings.Trim(text, "0123456789.") == "" }

func (p *parser) operator(q quantity) (string, error) {
	p.spaces()
	for _, op := range []string{"<=", ">=", "==", "!=", "<", ">"} {
		if p.take(op) {
			return op, nil
		}
	}
	hint := ""
	if q.agg.name == "" && q.metric.samples != nil {
		hint = " or one of " + strings.Join(aggregations(), ", ")
	}
	return "", p.fail(p.at, "expected one of <, <=, >, >=, ==, !=%s, found %s", hint, p.rest())
}
