package reports

import (
	"fmt"
	"strings"

	"squall/history/check"
	"squall/internal/number"
	"squall/internal/plain"
)

// situationTable is what the report shows of the situations of a run.
type situationTable struct {
	Words   string // how many were reached
	Notes   []string
	Groups  []situationGroup // those that were reached
	Never   []situationRow
	Hidden  []situationRow
	Visible int
}

type situationGroup struct {
	Name string
	Rows []situationRow
}

type situationRow struct {
	Name, Text, Count, First, Link, Nodes, Under, Why string
}

// newSituationTable is nil where there was no trace.
func newSituationTable(s *check.Situations) *situationTable {
	if s == nil {
		return nil
	}
	t := &situationTable{Words: situationWords(s), Notes: situationNotes(s), Visible: s.Visible}
	for i := range s.List {
		one := &s.List[i]
		row := situationRow{Name: plain.Clip(one.Name, maxName), Text: plain.Clip(one.Text, maxShownText), Why: plain.Clip(one.Hidden, maxShownText)}
		switch {
		case one.Hidden != "":
			t.Hidden = append(t.Hidden, row)
		case one.Count == 0:
			t.Never = append(t.Never, row)
		default:
			row.Count, row.Under = number.Count(one.Count), underText(one.Under)
			if one.First != nil {
				row.First, row.Link = seconds(one.First.At), momentLink(one.First.At)
				row.Nodes = plain.Clip(strings.Join(one.First.Nodes, ", "), maxName)
			}
			t.reached(plain.Clip(one.Group, maxName), row)
		}
	}
	return t
}

func (t *situationTable) reached(group string, row situationRow) {
	if n := len(t.Groups); n == 0 || t.Groups[n-1].Name != group {
		t.Groups = append(t.Groups, situationGroup{Name: group})
	}
	last := &t.Groups[len(t.Groups)-1]
	last.Rows = append(last.Rows, row)
}

// situationWords says how many situations were reached.
func situationWords(s *check.Situations) string {
	return fmt.Sprintf("%d of %d situations reached", s.Reached, s.Visible)
}

func situationNotes(s *check.Situations) (notes []string) {
	if s.Reached > 0 && s.Full {
		more := "by which none of the others is in reach: that takes other faults, not more time"
		if s.Estimate-float64(s.Reached) >= 0.5 {
			more = fmt.Sprintf("by which about %s of the others are in reach of more of the same", number.Decimals(s.Estimate-float64(s.Reached), 1))
		}
		notes = append(notes, "The number of times that each occurred gives an estimate (Chao1), "+more+".")
	}
	if !s.Full {
		notes = append(notes, "Only a full trace shows them all: run with --trace full.")
	}
	if len(s.Silent) > 0 {
		notes = append(notes, plain.Clip("The trace of "+strings.Join(s.Silent, ", ")+" broke off: more may have occurred.", maxShownText))
	}
	if s.Trouble != "" {
		notes = append(notes, plain.Clip("The full trace was not counted to its end: "+s.Trouble+".", maxShownText))
	}
	return notes
}

// mostUnder is how many faults are named with a situation.
const mostUnder = 3

// underText says under which faults a situation occurred most often.
func underText(list []check.Under) string {
	var parts []string
	for i, u := range list {
		if i == mostUnder {
			parts = append(parts, fmt.Sprintf("%d more", len(list)-i))
			break
		}
		parts = append(parts, fmt.Sprintf("%s %s on %s", plain.Clip(u.Fault, maxName), number.Count(u.Count)+"×", plain.Clip(u.Role, maxName)))
	}
	if len(parts) == 0 {
		return "no fault"
	}
	return strings.Join(parts, ", ")
}
