package gate

import (
	"regexp"
	"strings"

	"squall/history/check"
)

// Figure is a quantity that the pages of a campaign show of every run.
type Figure struct {
	Key          string // as a threshold names it: "latency p(99)"
	Name         string // as people do: "latency p99", "leaders lost"
	Doc          string
	Unit         string
	HigherBetter bool
}

// shown are the keys of the figures, in the order in which pages show them.
func shown() []string {
	return []string{"throughput", "latency p(50)", "latency p(99)", "availability", "election p(50)", "election max",
		"unavailability max", "no-success", "recovery p(50)", "leaders-lost", "logged-leaders", "situations", "operations"}
}

// name is what people call a figure.
func name(key string) string {
	return strings.ReplaceAll(quantileCall.ReplaceAllString(key, "p$1"), "-", " ")
}

var quantileCall = regexp.MustCompile(`p\((\d+)\)`)

// ShownFigures are what Figures tells of a run.
func ShownFigures() []Figure {
	var out []Figure
	for _, key := range shown() {
		q := mustQuantity(key)
		doc, _, _ := strings.Cut(q.metric.Doc, ";") // behind it is how a threshold may be written
		out = append(out, Figure{Key: key, Name: name(key), Doc: doc, Unit: q.unit(), HigherBetter: q.metric.HigherBetter})
	}
	return out
}

// Figures are the figures of a run, by their keys, in the units of
// ShownFigures. What the run has nothing of is left out.
func Figures(r *check.Results) map[string]float64 {
	out := map[string]float64{}
	for _, key := range shown() {
		q := mustQuantity(key)
		if got := q.read([]*check.Results{r}); got.none == "" && got.err == nil {
			out[key] = got.value
		}
	}
	return out
}

// mustQuantity reads a quantity that this package names itself.
func mustQuantity(key string) quantity {
	p := parser{text: key}
	q, err := p.quantity()
	if err != nil || p.at != len(key) {
		panic("gate: " + key + " is not a quantity")
	}
	return q
}
