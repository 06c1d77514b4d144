package gate

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/agnivade/levenshtein"
)

// scale is what a unit is in that of the metric.
type scale struct {
	name   string
	factor float64
}

// scales are the units that a limit may have, by the unit of the metric. A rate
// and a count may go without.
func scales(unit string) []scale {
	switch unit {
	case unitMillis:
		return []scale{{"ns", 1e-6}, {"us", 1e-3}, {"µs", 1e-3}, {"μs", 1e-3}, {"ms", 1}, {"s", 1e3}, {"m", 60e3}, {"min", 60e3}}
	case unitRate:
		return []scale{{"/s", 1}, {"ops/s", 1}, {"", 1}}
	case unitPercent:
		return []scale{{"%", 1}}
	}
	return []scale{{"", 1}}
}

// limit reads the number and its unit, which end the threshold.
func (p *parser) limit(unit string) (float64, error) {
	p.spaces()
	at := p.at
	for p.at < len(p.text) && strings.IndexByte("0123456789.", p.text[p.at]) >= 0 {
		p.at++
	}
	number, err := strconv.ParseFloat(p.text[at:p.at], 64)
	if err != nil || !(number <= 1e15) {
		p.at = at
		return 0, p.fail(at, "expected a number%s, found %s", example(unit), p.rest())
	}
	p.spaces()
	at = p.at
	name := strings.TrimSpace(p.text[at:])
	for _, s := range scales(unit) {
		if s.name == name {
			return number * s.factor, nil
		}
	}
	return 0, p.fail(at, "expected %s, found %s", unitWords(unit), p.rest())
}

func example(unit string) string {
	switch unit {
	case unitMillis:
		return ` with its unit, such as "50ms"`
	case unitRate:
		return ` such as "2000/s"`
	case unitPercent:
		return ` such as "99%"`
	}
	return ""
}

func unitWords(unit string) string {
	switch unit {
	case unitMillis:
		return "a unit: ns, us, ms, s or m"
	case unitRate:
		return `"/s"`
	case unitPercent:
		return `"%"`
	}
	return "the end"
}

// nearest are the names of all metrics, the most alike first.
func nearest(name string) []string {
	var names []string
	for _, m := range metrics() {
		names = append(names, m.Name)
	}
	if name == "" || len(name) > 64 {
		return names
	}
	away := map[string]int{}
	for _, n := range names {
		away[n] = levenshtein.ComputeDistance(name, n)
		if strings.Contains(n, name) || strings.Contains(name, n) {
			away[n] = 0
		}
	}
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(away[a], away[b]) })
	return names
}
