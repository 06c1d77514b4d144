package reports

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"squall/history/check"
	"squall/internal/plain"
)

// heatGrid is the campaign at a glance: a row for each system, workload and
// number of nodes, a column for each nemesis, and in it a square for each cell.
type heatGrid struct {
	Columns []string
	Rows    []heatRow
}

type heatRow struct {
	Name  string
	Boxes [][]square // by column
}

// square stands for a cell.
type square struct {
	Sign, Outcome, Title, Link string
}

func newHeatGrid(c *storms) heatGrid {
	var g heatGrid
	rows := map[string]int{}
	for i := range c.cells {
		cell := &c.cells[i]
		column := cmp.Or(plain.Fit(cell.Nemesis, 40), "none")
		col := slices.Index(g.Columns, column)
		if col < 0 {
			col = len(g.Columns)
			g.Columns = append(g.Columns, column)
			for r := range g.Rows {
				g.Rows[r].Boxes = append(g.Rows[r].Boxes, nil)
			}
		}
		name := rowName(cell)
		row, ok := rows[name]
		if !ok {
			row = len(g.Rows)
			rows[name] = row
			g.Rows = append(g.Rows, heatRow{Name: name, Boxes: make([][]square, len(g.Columns))})
		}
		g.Rows[row].Boxes[col] = append(g.Rows[row].Boxes[col], squareOf(cell))
	}
	return g
}

func rowName(cell *stormCell) string {
	parts := []string{cell.System, cell.Workload, plural(cell.Nodes, "node")}
	if cell.Mutant != "" {
		parts = append(parts, "with "+cell.Mutant)
	}
	return plain.Fit(strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), " · "), 100)
}

func squareOf(cell *stormCell) square {
	title := fmt.Sprintf("%s: %s", plain.Clip(cell.ID, 200), outcomeName(cell.Outcome))
	if why := cell.why(); len(why) > 0 && (cell.bad() || cell.stopped() != "") {
		title += ": " + plain.Clip(firstLineOf(why[0]), 300)
	}
	return square{Sign: outcomeSign(cell.Outcome), Outcome: cell.Outcome, Title: title, Link: cell.Report}
}

// outcomeSign tells outcomes apart without colour.
func outcomeSign(outcome string) string {
	switch outcome {
	case string(check.Pass):
		return "✓"
	case string(check.Violation):
		return "✕"
	case outcomeThreshold:
		return "▲"
	case string(check.Unknown):
		return "?"
	case outcomeRunning:
		return "▸"
	case outcomeWaiting:
		return "·"
	}
	return "!"
}
