package selftest

import (
	"fmt"
	"io"
	"strings"

	"squall/internal/number"
	"squall/internal/plain"
)

// Print writes the table for a terminal of 80 columns.
func (t *Table) Print(w io.Writer) {
	plain.Fprintf(w, "%-25s %-12s %-11s %-11s %s\n", "bug", "group", "white box", "black box", "found by")
	group := ""
	for i := range t.Bugs {
		b := &t.Bugs[i]
		shown := b.Group
		if shown == group {
			shown = ""
		}
		group = b.Group
		plain.Fprintf(w, "%-25s %-12s %-11s %-11s %s\n", plain.Fit(b.Name, 25), shown, cell(b, b.White), cell(b, b.Black), foundBy(b))
	}
	plain.Fprintln(w)
	for _, line := range t.Lines() {
		plain.Fprintf(w, "%s\n", line)
	}
}

// cell is "3/3  4.1 s"; "–" where no storm was judged.
func cell(b *Bug, f Found) string {
	if b.Storms == 0 {
		return "–"
	}
	text := fmt.Sprintf("%d/%d", f.Storms, b.Storms)
	if f.Storms > 0 {
		text += fmt.Sprintf("  %s s", number.Decimals(f.Median, 1))
	}
	return text
}

// foundBy names the check that found a bug most often, and says how many others did.
func foundBy(b *Bug) string {
	switch n := len(b.Checks); n {
	case 0:
		return ""
	case 1:
		return b.Checks[0].Check
	default:
		return fmt.Sprintf("%s +%d", b.Checks[0].Check, n-1)
	}
}

// Lines sum the table up.
func (t *Table) Lines() []string {
	var lines []string
	for _, way := range []struct {
		name string
		of   func(*Bug) Found
	}{{"white box", White}, {"black box", Black}} {
		s := t.Summarize(way.of)
		line := fmt.Sprintf("%s  %d of %d bugs found", way.name, s.Found, s.Stormed)
		if s.Found > 0 {
			line += fmt.Sprintf(", %d of them in every storm; median %s s", s.Always, number.Decimals(s.Median, 1))
		}
		lines = append(lines, line)
	}
	lines = append(lines, t.correctLine(), fmt.Sprintf("storms     %d of %d judged", t.Storms, t.Planned))
	if t.Stopped != "" {
		lines = append(lines, "stopped    "+t.Stopped)
	}
	return lines
}

// correctLine says whether something was found where nothing is.
func (t *Table) correctLine() string {
	switch c := &t.Correct; {
	case c.Storms == 0:
		return "correct    the correct node was not stormed: the figures above may be false alarms"
	case c.White.Storms == 0:
		return fmt.Sprintf("correct    nothing found in %d storms of the correct node", c.Storms)
	default:
		var names []string
		for _, d := range c.Checks {
			names = append(names, d.Check)
		}
		return fmt.Sprintf("correct    FALSE ALARM in %d of %d storms of the correct node: %s", c.White.Storms, c.Storms, strings.Join(names, ", "))
	}
}
