package reports

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"squall/history/check"
	"squall/history/gate"
	"squall/history/ledger"
	"squall/internal/number"
	"squall/internal/plain"
)

// campaignPage is what the template of index.html shows.
type campaignPage struct {
	Name, Outcome, Headline, Meaning string
	Facts                            []fact
	Counts                           []outcomeCount
	Notices                          []string
	Command, CommandWord             string
	Failures                         []*failureGroup
	MoreFailures                     int
	Grid                             heatGrid
	Sides                            sideBySide
	Columns                          []column
	Rows                             []cellRow
	Thresholds                       []check.Threshold
	Plots                            []strips
	Baseline                         *baselineTable
	Situations                       *campaignSituations
}

type outcomeCount struct {
	Outcome, Word string
	N             int
}

// column is one of the table of cells.
type column struct {
	Name, Doc string
	Number    bool
}

// cellRow is a line of the table of cells: its fields in the order of the
// columns, each with what it is sorted by.
type cellRow struct {
	Outcome string
	Fields  []field
}

type field struct {
	Text, Sort, Link, Badge string
	Number                  bool
}

type baselineTable struct {
	Dir, Tolerance string
	Lost           int
	Rows           []ComparedRow
}

// ComparedRow is how a figure of two sides differs, in words and numbers for people.
type ComparedRow struct {
	Group, Metric, Old, New, Delta, P, N, Word, Badge, Note string
}

// renderCampaign writes index.html.
func renderCampaign(w io.Writer, c *storms) error {
	return fill(w, "campaign.html.tmpl", newCampaignPage(c))
}

func newCampaignPage(c *storms) campaignPage {
	r := c.record
	p := campaignPage{Name: plain.Clip(r.Name, 200), Outcome: c.outcome(), Command: plain.Clip(r.Command, 4000), CommandWord: "Repeat it",
		Grid: newHeatGrid(c), Sides: newSideBySide(c), Thresholds: r.Thresholds, Plots: newStrips(c), Baseline: newBaselineTable(r.Baseline), Situations: newCampaignSituations(c)}
	p.Headline, p.Meaning = campaignWords(c, p.Outcome)
	p.Facts = campaignFacts(c)
	p.Counts = c.counts()
	if left := c.count(outcomeRunning) + c.count(outcomeWaiting); left > 0 {
		p.CommandWord = "Resume it"
		p.Notices = append(p.Notices, fmt.Sprintf("This campaign is not over: %s of %d to go. What follows is of those that are done.", plural(left, "cell"), len(c.cells)))
	}
	if r.Stopped != "" {
		p.Notices = append(p.Notices, "It was stopped before all cells were run: "+plain.Clip(r.Stopped, 500)+".")
	}
	p.Failures, p.MoreFailures = failureGroups(c)
	p.Columns, p.Rows = cellTable(c)
	return p
}

// counts are how many cells had each outcome, without those that none had.
func (c *storms) counts() (out []outcomeCount) {
	for _, o := range outcomes() {
		if n := c.count(o); n > 0 {
			out = append(out, outcomeCount{o, outcomeName(o), n})
		}
	}
	return out
}

func campaignWords(c *storms, outcome string) (headline, meaning string) {
	switch outcome {
	case string(check.Pass):
		return "Pass", "Every cell kept its guarantees and its thresholds."
	case string(check.Violation):
		return "Violation", fmt.Sprintf("A guarantee was broken in %s of %d.", plural(c.count(outcome), "cell"), len(c.cells))
	case outcomeThreshold:
		return "Threshold missed", "No guarantee was broken, but a figure missed its threshold."
	case string(check.Unknown):
		return "Unknown", "Not everything was decided or run. This is not a pass."
	case string(check.Invalid):
		return "Invalid", "Some cells are invalid: they say nothing about the cluster."
	}
	return "Running", "This is the progress so far."
}

func outcomeName(outcome string) string {
	if outcome == outcomeThreshold {
		return "threshold missed"
	}
	return outcome
}

func campaignFacts(c *storms) []fact {
	r := c.record
	facts := []fact{{"Cells", number.Count(len(c.cells))}, {"File", plain.Clip(r.File, 300)}, {"At once", number.Count(r.Jobs)}, {"squall", plain.Clip(r.Squall, 60)}}
	if !r.Began.IsZero() {
		facts = append(facts, fact{"Began", r.Began.UTC().Format("2 January 2006, 15:04:05 UTC")})
	}
	if !r.Ended.IsZero() && r.Ended.After(r.Began) {
		facts = append(facts, fact{"Took", r.Ended.Sub(r.Began).Round(time.Second).String()})
	}
	invalid := 0
	for i := range c.cells {
		invalid += c.cells[i].InvalidAttempts()
	}
	if invalid > 0 {
		facts = append(facts, fact{"Invalid runs", fmt.Sprintf("%d, repeats included", invalid)})
	}
	return slices.DeleteFunc(facts, func(f fact) bool { return f.Value == "" || f.Value == "0" })
}

// cellTable is the table of all cells: what is the same in all of them has no
// column, and neither has a figure that no cell has.
func cellTable(c *storms) ([]column, []cellRow) {
	columns := []column{{Name: "outcome"}, {Name: "cell"}}
	type setting struct {
		name   string
		number bool
		of     func(*stormCell) string
	}
	settings := []setting{
		{"system", false, func(c *stormCell) string { return c.System }},
		{"nodes", true, func(c *stormCell) string { return fmt.Sprint(c.Nodes) }},
		{"workload", false, func(c *stormCell) string { return c.Workload }},
		{"nemesis", false, func(c *stormCell) string { return c.Nemesis }},
		{"mutant", false, func(c *stormCell) string { return c.Mutant }},
		{"seed", true, func(c *stormCell) string { return fmt.Sprint(c.Seed) }},
		{"repeat", true, func(c *stormCell) string { return fmt.Sprint(c.Repeat) }},
	}
	settings = slices.DeleteFunc(settings, func(s setting) bool {
		return !slices.ContainsFunc(c.cells, func(cell stormCell) bool { return s.of(&cell) != s.of(&c.cells[0]) })
	})
	for _, s := range settings {
		columns = append(columns, column{Name: s.name, Number: s.number})
	}
	figures := slices.DeleteFunc(gate.ShownFigures(), func(f gate.Figure) bool {
		return !slices.ContainsFunc(c.cells, func(cell stormCell) bool { _, ok := cell.figure(f.Key); return ok })
	})
	columns = append(columns, column{Name: "took", Number: true, Doc: "all of its runs together"})
	for _, f := range figures {
		columns = append(columns, column{Name: f.Name, Number: true, Doc: f.Doc})
	}
	var rows []cellRow
	for i := range c.cells {
		cell := &c.cells[i]
		row := cellRow{Outcome: cell.Outcome, Fields: []field{
			{Text: outcomeName(cell.Outcome) + plain.Clip(comma(cell.stopped()), 200), Sort: fmt.Sprintf("%02d", slices.Index(outcomes(), cell.Outcome)), Badge: cell.Outcome},
			{Text: plain.Clip(cell.ID, 300), Sort: plain.Clip(cell.ID, 300), Link: cell.Report}}}
		for _, s := range settings {
			row.Fields = append(row.Fields, field{Text: plain.Clip(s.of(cell), 200), Sort: plain.Clip(s.of(cell), 200), Number: s.number})
		}
		row.Fields = append(row.Fields, numberField(cell.Seconds, number.Decimals(cell.Seconds, 1)+" s", cell.Seconds > 0))
		for _, f := range figures {
			v, ok := cell.figure(f.Key)
			row.Fields = append(row.Fields, numberField(v, gate.Format(v, f.Unit), ok))
		}
		rows = append(rows, row)
	}
	return columns, rows
}

func numberField(v float64, text string, ok bool) field {
	if !ok {
		return field{Text: "–", Number: true}
	}
	return field{Text: text, Sort: fmt.Sprint(v), Number: true}
}

// figure is a figure of the last run, where it has it.
func (c *stormCell) figure(key string) (float64, bool) {
	last := c.Last()
	if last == nil || c.State != ledger.Done || last.Verdict == check.Invalid {
		return 0, false
	}
	v, ok := last.Figures[key]
	return v, ok
}

func newBaselineTable(b *ledger.Baseline) *baselineTable {
	if b == nil {
		return nil
	}
	t := &baselineTable{Dir: plain.Clip(b.Dir, 500), Tolerance: number.Decimals(100*b.Tolerance, 3) + "%", Lost: len(gate.Lost(b.Rows))}
	t.Rows = ComparedRows(b.Rows)
	return t
}

// ComparedRows are rows of a comparison for people.
func ComparedRows(rows []ledger.Row) (out []ComparedRow) {
	for _, r := range rows {
		row := ComparedRow{Group: cmp.Or(plain.Clip(r.Group, 200), "all"), Metric: cmp.Or(plain.Clip(r.Metric, 100), "–"), Old: rowCenter(r.Old, r.Unit), New: rowCenter(r.New, r.Unit),
			Delta: deltaText(r), P: pText(r), N: fmt.Sprintf("%d, %d", r.Old.Count, r.New.Count), Note: plain.Clip(r.Note, 500)}
		switch {
		case r.Lost:
			row.Word, row.Badge = "lost", outcomeThreshold
		case r.Worse:
			row.Word, row.Badge = "worse, within the tolerance", string(check.Unknown)
		case r.Better:
			row.Word, row.Badge = "better", string(check.Pass)
		default:
			row.Word = "no difference"
			if r.Old.Count == 0 || r.New.Count == 0 || strings.HasPrefix(r.Note, "too few") {
				row.Word = "not known"
			}
		}
		out = append(out, row)
	}
	return out
}
