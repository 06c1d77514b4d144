package reports

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"squall/history/check"
	"squall/internal/number"
	"squall/internal/plain"
)

// campaignSituations are the situations that the cells of a campaign reached.
type campaignSituations struct {
	Words  string
	Notes  []string
	Cells  countGrid
	Faults countGrid
	// Pooled is true where the columns of Cells are groups of cells.
	Pooled bool
}

// countGrid has a row for each situation.
type countGrid struct {
	Columns []string
	Rows    []countRow
	More    int // columns that are left out
}

type countRow struct {
	Name, Text string
	Boxes      []countBox
}

// countBox is how often a situation occurred somewhere. Shade is from 0, never, to 5.
type countBox struct {
	Text  string
	Shade int
	Parts []countPart
}

type countPart struct{ Count, Role string }

// Most columns of a table on the page.
const (
	mostCellColumns  = 12
	mostFaultColumns = 16
)

// newCampaignSituations is nil where no cell has any.
func newCampaignSituations(c *storms) *campaignSituations {
	var cells []*stormCell
	all := []*check.Situations{}
	for i := range c.cells {
		cell := &c.cells[i]
		if cell.results != nil && cell.results.Situations != nil && cell.results.Verdict != check.Invalid {
			cells, all = append(cells, cell), append(all, cell.results.Situations)
		}
	}
	pool := check.PoolSituations(all)
	if pool == nil {
		return nil
	}
	s := &campaignSituations{Words: situationWords(pool), Notes: situationNotes(pool), Faults: faultGrid(pool)}
	s.Cells, s.Pooled = cellGrid(pool, cells)
	return s
}

// cellGrid counts by cells or, where these are too many, by groups of them.
func cellGrid(pool *check.Situations, cells []*stormCell) (g countGrid, pooled bool) {
	pooled = len(cells) > mostCellColumns
	byColumn := map[string][]*check.Situations{}
	for _, cell := range cells {
		if cell.results.Situations.Full != pool.Full {
			continue
		}
		name := cell.ID
		if pooled {
			name = cell.Group
		}
		name = plain.Fit(name, 40)
		if byColumn[name] == nil {
			g.Columns = append(g.Columns, name)
		}
		byColumn[name] = append(byColumn[name], cell.results.Situations)
	}
	g.bound(mostCellColumns)
	counts := make([]*check.Situations, len(g.Columns))
	for i, name := range g.Columns {
		counts[i] = check.PoolSituations(byColumn[name])
	}
	for i := range pool.List {
		one := &pool.List[i]
		if one.Hidden != "" {
			continue
		}
		row := rowFor(one)
		for _, column := range counts {
			n := 0
			for k := range column.List {
				if column.List[k].Name == one.Name {
					n = column.List[k].Count
				}
			}
			row.Boxes = append(row.Boxes, boxOf(n))
		}
		g.Rows = append(g.Rows, row)
	}
	return g, pooled
}

// faultGrid counts by the faults that were in force, with the roles of whom they hit.
func faultGrid(pool *check.Situations) (g countGrid) {
	total := map[string]int{}
	for i := range pool.List {
		for _, u := range pool.List[i].Under {
			total[u.Fault] += u.Count
		}
	}
	for fault := range total {
		g.Columns = append(g.Columns, fault)
	}
	slices.SortFunc(g.Columns, func(a, b string) int { return cmp.Or(cmp.Compare(total[b], total[a]), cmp.Compare(a, b)) })
	g.bound(mostFaultColumns)
	for i := range pool.List {
		one := &pool.List[i]
		if one.Count == 0 || len(g.Columns) == 0 {
			continue
		}
		row := rowFor(one)
		for _, fault := range g.Columns {
			row.Boxes = append(row.Boxes, faultBox(one, fault))
		}
		g.Rows = append(g.Rows, row)
	}
	for i := range g.Columns {
		g.Columns[i] = plain.Fit(g.Columns[i], 40)
	}
	return g
}

func faultBox(one *check.Situation, fault string) countBox {
	sum, parts := 0, []countPart(nil)
	for _, u := range one.Under {
		if u.Fault == fault {
			sum += u.Count
			parts = append(parts, countPart{shortCount(u.Count), plain.Fit(u.Role, 30)})
		}
	}
	box := boxOf(sum)
	box.Parts = parts
	return box
}

func (g *countGrid) bound(most int) {
	if n := len(g.Columns); n > most {
		g.Columns, g.More = g.Columns[:most], n-most
	}
}

func rowFor(one *check.Situation) countRow {
	return countRow{Name: plain.Clip(one.Name, maxName), Text: plain.Clip(one.Text, maxShownText)}
}

func boxOf(n int) countBox {
	if n <= 0 {
		return countBox{Text: "–"}
	}
	return countBox{Text: shortCount(n), Shade: min(1+int(math.Log10(float64(n))), 5)}
}

// shortCount is a count in few characters: 950, 1.2k, 37k.
func shortCount(n int) string {
	switch {
	case n < 1000:
		return fmt.Sprint(n)
	case n < 10_000:
		return number.Decimals(float64(n)/1e3, 1) + "k"
	case n < 1e6:
		return fmt.Sprint(n/1000) + "k"
	}
	return number.Decimals(float64(n)/1e6, 1) + "M"
}
