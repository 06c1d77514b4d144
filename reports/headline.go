package reports

import (
	"fmt"
	"strings"

	"squall/history"
	"squall/internal/number"
)

// maxHeadlines bounds how many figures of a fault stand in its row; all are
// below them.
const maxHeadlines = 3

// headlines are the figures that say how hard a fault hit, one line for each
// quantity: "round trip 98.2 to 101.4 ms on 6 links". What only says that
// something is as it should be has no unit, and is left out.
func headlines(measured []history.Measure) []string {
	var lines []string
	for _, s := range history.Spans(measured) {
		if s.Unit == "" || s.Unit == "packets" {
			continue
		}
		value := number.Decimals(s.Lo, 1)
		if most := number.Decimals(s.Hi, 1); most != value {
			value += " to " + most
		}
		if lines = append(lines, fmt.Sprintf("%s %s %s%s", s.What, value, s.Unit, onWhere(s.Where))); len(lines) == maxHeadlines {
			break
		}
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
