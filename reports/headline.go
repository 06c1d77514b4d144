package reports

import (
	"fmt"
	"strings"

	"squall/history"
)

// maxHeadlines bounds how many figures of a fault stand in its row; all are
// below them.
const maxHeadlines = 3

// headlines are the figures that say how hard a fault hit, one line for each
// quantity: "round trip 98.2 to 101.4 ms on 6 links". What only says that
// something is as it should be has no unit, and is left out.
func headlines(measured []history.Measure) []string {
	type span struct {
		lo, hi float64
		unit   string
		where  []string
	}
	spans := map[string]*span{}
	var order []string
	for _, m := range measured {
		if m.Unit == "" || m.Unit == "packets" {
			continue
		}
		s := spans[m.What]
		if s == nil {
			s = &span{lo: m.Value, hi: m.Value, unit: m.Unit}
			spans[m.What] = s
			order = append(order, m.What)
		}
		s.lo, s.hi = min(s.lo, m.Value), max(s.hi, m.Value)
		if m.Where != "" {
			s.where = append(s.where, m.Where)
		}
	}
	var lines []string
	for _, what := range order[:min(len(order), maxHeadlines)] {
		s := spans[what]
		value := plainNumber(round(s.lo, 1))
		if round(s.hi, 1) != round(s.lo, 1) {
			value += " to " + plainNumber(round(s.hi, 1))
		}
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("%s %s %s%s", what, value, s.unit, onWhere(s.where))))
	}
	return lines
}

// onWhere says where something was measured, as shortly as it can.
func onWhere(where []string) string {
	switch {
	case len(where) == 0:
		return ""
	case len(where) <= 2:
		return " on " + strings.Join(where, " and ")
	case strings.Contains(where[0], "→"):
		return fmt.Sprintf(" on %d links", len(where))
	}
	return fmt.Sprintf(" on %d nodes", len(where))
}
