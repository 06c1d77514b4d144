package reports

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"squall/history/check"
	"squall/internal/plain"
)

// failureGroup is what several cells of a campaign failed by: one bug in many cells is
// one of them.
type failureGroup struct {
	Outcome, Word string
	What          string // what they have in common, in words
	Why           []string
	Command       string // repeats the first of the cells
	Cells         []failedCell
	More          int // cells that are not listed
}

type failedCell struct{ ID, Report string }

// Bounds of the failures that stand above the grid.
const (
	mostFailures    = 40
	mostFailedCells = 12 // of a group
)

// failureGroups are the failures, the worst first and the most frequent before others, and
// how many cells are in none of them for want of room.
func failureGroups(c *storms) (groups []*failureGroup, more int) {
	place := map[string]*failureGroup{}
	for _, cell := range c.failures() {
		what := cell.failedBy()
		key := cell.Outcome + " " + numbers.ReplaceAllString(what, "#")
		g := place[key]
		switch {
		case g == nil && len(groups) == mostFailures:
			more++
			continue
		case g == nil:
			g = newFailureGroup(cell, what)
			place[key], groups = g, append(groups, g)
		}
		if len(g.Cells) == mostFailedCells {
			g.More++
			continue
		}
		g.Cells = append(g.Cells, failedCell{plain.Clip(cell.ID, 300), cell.Report})
	}
	slices.SortStableFunc(groups, func(a, b *failureGroup) int {
		return cmp.Or(cmp.Compare(slices.Index(outcomes(), a.Outcome), slices.Index(outcomes(), b.Outcome)), cmp.Compare(b.size(), a.size()))
	})
	return groups, more
}

func (g *failureGroup) size() int { return len(g.Cells) + g.More }

// First says what Why and Command are of, where there are several cells.
func (g *failureGroup) First() string {
	if g.size() > 1 {
		return "the first"
	}
	return "it"
}

func newFailureGroup(cell *stormCell, what string) *failureGroup {
	g := &failureGroup{Outcome: cell.Outcome, Word: outcomeName(cell.Outcome), What: plain.Clip(what, 300), Command: plain.Clip(cell.Command, 4000)}
	for _, why := range cell.why() {
		if why != what {
			g.Why = append(g.Why, plain.Clip(why, 1000))
		}
	}
	return g
}

// numbers are what differs between two cells that failed in the same way.
var numbers = regexp.MustCompile(`[0-9][0-9.,]*`)

// failedBy is what a cell failed by, in words that another cell shares that failed in the
// same way: the check and the kind of its violation, the thresholds, or the first reason.
func (c *stormCell) failedBy() string {
	switch c.Outcome {
	case string(check.Violation):
		if c.results != nil {
			for _, r := range c.results.Checks {
				if kind := cmp.Or(r.Anomaly, string(r.Kind), strings.Join(r.Rules, ", ")); r.Verdict == check.Violation {
					return r.Name + ": " + cmp.Or(kind, firstSentence(r.Summary))
				}
			}
		}
	case outcomeThreshold:
		var texts []string
		for _, t := range c.missed() {
			texts = append(texts, t.Text)
		}
		return strings.Join(texts, "; ")
	}
	if why := c.why(); len(why) > 0 {
		return firstSentence(why[0])
	}
	return outcomeName(c.Outcome)
}

// firstSentence is a text up to its first semicolon or line end.
func firstSentence(text string) string {
	if i := strings.IndexAny(text, ";\n"); i >= 0 {
		return text[:i]
	}
	return text
}
