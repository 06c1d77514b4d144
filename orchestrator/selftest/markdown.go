package selftest

import (
	"fmt"
	"strings"
)

// Markdown is the table for a page, of the bugs that were stormed, with how to make it again.
func (t *Table) Markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "squall %s, %s:\n\n```\n%s\n", t.Squall, t.Date, t.Command)
	for _, line := range t.Lines() {
		fmt.Fprintf(&b, "%s\n", line)
	}
	b.WriteString("```\n\n| bug | group | white box | black box | found by, and in how many storms |\n|---|---|---|---|---|\n")
	for i := range t.Bugs {
		bug := &t.Bugs[i]
		if bug.Storms == 0 {
			continue // the lines above say how many there are
		}
		var by []string
		for _, d := range bug.Checks {
			by = append(by, d.told())
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", bug.Name, bug.Group, cell(bug, bug.White), cell(bug, bug.Black), strings.Join(by, ", "))
	}
	if len(t.Unbroken) > 0 {
		fmt.Fprintf(&b, "\nNo bug broke these rules of `conformance`: %s.\n", strings.Join(t.Unbroken, ", "))
	}
	return b.String()
}

// told is how often a check found a bug, and which of its rules were broken first.
func (d *Detector) told() string {
	text := fmt.Sprintf("`%s` %d", d.Check, d.Storms)
	var first []string
	for _, r := range d.Rules {
		if r.First > 0 {
			first = append(first, r.Name)
		}
	}
	if len(first) > 0 {
		text += " (" + strings.Join(first, ", ") + ")"
	}
	return text
}
