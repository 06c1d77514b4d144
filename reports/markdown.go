package reports

import (
	"fmt"
	"strings"
	"unicode"

	"squall/history/check"
	"squall/history/gate"
	"squall/history/ledger"
	"squall/internal/plain"
)

// maxSummary is a little less than what GitHub takes for the summary of a step.
const maxSummary = 1<<20 - 1<<10

// markdown writes text for GitHub's Markdown, up to a number of bytes. What comes
// from a run goes in by way of prose or code.
type markdown struct {
	text strings.Builder
	most int
	cut  bool
}

// room for the line that says that something was cut off
const cutRoom = 200

// line adds a whole line or nothing, so that no markup is cut in two.
func (m *markdown) line(format string, args ...any) {
	line := fmt.Sprintf(format, args...) + "\n"
	if m.cut || m.text.Len()+len(line) > m.most-cutRoom {
		m.cut = true
		return
	}
	m.text.WriteString(line)
}

func (m *markdown) String() string {
	if m.cut {
		return m.text.String() + "\n\n… The rest is left out for lack of room. The report has everything.\n"
	}
	return m.text.String()
}

// prose is a text in which nothing means anything to Markdown, HTML, or GitHub's
// mentions and references; it stays in one line.
func prose(text string, most int) string { return inert(text, most, "&#8203;") }

// code is a text in a fixed pitch, to be copied. Markup in HTML is safe in a table
// too, where backticks and bars are not.
func code(text string, most int) string { return "<code>" + inert(text, most, "") + "</code>" }

// inert is a text without a meaning. GitHub looks for mentions and references when
// entities are characters again, everywhere but in code: what follows @ and # is
// parted from them there.
func inert(text string, most int, parted string) string {
	text = strings.Join(strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" \n\r\t", r) }), " ")
	runes := []rune(plain.Text(plain.Clip(text, most), 4*most))
	var b strings.Builder
	for i, r := range runes {
		switch {
		case r == '_' && i > 0 && i+1 < len(runes) && isWord(runes[i-1]) && isWord(runes[i+1]):
			b.WriteByte('_') // within a word it means nothing
		case r == '@', r == '#' && i+1 < len(runes) && isWord(runes[i+1]): // refers to an issue
			fmt.Fprintf(&b, "&#%d;%s", r, parted)
		case r == '<':
			b.WriteString("&lt;")
		case r == '>':
			b.WriteString("&gt;")
		case r == '&':
			b.WriteString("&amp;")
		case strings.ContainsRune("\\`*_{}[]|!~#$", r), i == 0 && strings.ContainsRune("-+=:", r):
			// An entity is text wherever it stands, also in the cell of a table.
			fmt.Fprintf(&b, "&#%d;", r)
		case r == '.' && i >= 3 && strings.EqualFold(string(runes[i-3:i]), "www"), // what is written as an address becomes no link
			r == ':' && i+2 < len(runes) && runes[i+1] == '/' && runes[i+2] == '/':
			fmt.Fprintf(&b, "&#%d;", r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func isWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

// outcomeWord is an outcome with its sign.
func outcomeWord(outcome string) string {
	signs := map[string]string{string(check.Pass): "✅ pass", string(check.Violation): "❌ VIOLATION", outcomeThreshold: "🔺 threshold missed",
		string(check.Unknown): "❔ unknown", string(check.Invalid): "❕ invalid", outcomeWaiting: "⏳ waiting", outcomeRunning: "▶ running"}
	if word, ok := signs[outcome]; ok {
		return word
	}
	return prose(outcome, 40)
}

// campaignMarkdown is the summary of a campaign.
func campaignMarkdown(c *storms, most int) string {
	m := &markdown{most: most}
	m.line("## %s: campaign %s", outcomeWord(c.outcome()), prose(c.record.Name, 200))
	m.line("")
	var parts []string
	for _, o := range outcomes() {
		if n := c.count(o); n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, o))
		}
	}
	m.line("%s: %s.", plural(len(c.cells), "cell"), strings.Join(parts, ", "))
	if c.record.Stopped != "" {
		m.line("")
		m.line("It was stopped before all cells were run: %s.", prose(c.record.Stopped, 500))
	}
	failuresMarkdown(m, c)
	thresholdsMarkdown(m, "Thresholds of the campaign", c.record.Thresholds)
	baselineMarkdown(m, c.record.Baseline)
	cellsMarkdown(m, c)
	m.line("")
	m.line("Repeat or resume: %s", code(c.record.Command, 2000))
	return m.String()
}

func failuresMarkdown(m *markdown, c *storms) {
	groups, more := failureGroups(c)
	if len(groups) == 0 {
		return
	}
	m.line("")
	m.line("### What failed")
	for _, g := range groups {
		var cells []string
		for _, cell := range g.Cells {
			cells = append(cells, code(cell.ID, 200))
		}
		if g.More > 0 {
			cells = append(cells, fmt.Sprintf("and %d more", g.More))
		}
		m.line("")
		m.line("**%s** %s: %s", outcomeWord(g.Outcome), prose(g.What, 300), strings.Join(cells, ", "))
		for _, why := range g.Why {
			m.line("- %s", prose(firstLineOf(why), 1000))
		}
		m.line("- repeat %s: %s", g.First(), code(g.Command, 2000))
	}
	if more > 0 {
		m.line("")
		m.line("… and %d more cells, in the table below.", more)
	}
}

func thresholdsMarkdown(m *markdown, title string, thresholds []check.Threshold) {
	if len(thresholds) == 0 {
		return
	}
	m.line("")
	m.line("### %s", title)
	m.line("")
	m.line("| | threshold | measured |")
	m.line("|---|---|---|")
	for _, t := range thresholds {
		sign := "✅ " + t.Outcome()
		switch {
		case t.NoData:
			sign = "❔ " + t.Outcome()
		case !t.Met:
			sign = "🔺 " + t.Outcome()
		}
		m.line("| %s | %s | %s |", sign, code(t.Text, 500), prose(t.Why, 1000))
	}
}

func baselineMarkdown(m *markdown, b *ledger.Baseline) {
	if b == nil {
		return
	}
	m.line("")
	m.line("### Against the baseline %s", code(b.Dir, 500))
	m.line("")
	m.line("| group | metric | old | new | change | p | |")
	m.line("|---|---|--:|--:|--:|--:|---|")
	for _, r := range b.Rows {
		m.line("| %s | %s | %s | %s | %s | %s | %s |", prose(r.Group, 200), prose(r.Metric, 100), rowCenter(r.Old, r.Unit), rowCenter(r.New, r.Unit),
			deltaText(r), pText(r), rowVerdict(r))
	}
}

// rowCenter is a median with its interval.
func rowCenter(c ledger.Center, unit string) string {
	if c.Count == 0 {
		return "–"
	}
	return fmt.Sprintf("%s (%s … %s)", gate.Format(c.Median, unit), gate.Format(c.Low, unit), gate.Format(c.High, unit))
}

func deltaText(r ledger.Row) string {
	switch {
	case r.Old.Count == 0 || r.New.Count == 0:
		return "–"
	case !r.Better && !r.Worse:
		return "~"
	case r.Old.Median == 0:
		return "?"
	}
	return fmt.Sprintf("%+.1f%%", r.Delta)
}

func pText(r ledger.Row) string {
	if r.Old.Count == 0 || r.New.Count == 0 {
		return "–"
	}
	return fmt.Sprintf("%.3f", r.P)
}

func rowVerdict(r ledger.Row) string {
	switch {
	case r.Lost:
		return "🔺 lost"
	case r.Worse:
		return "worse, within the tolerance"
	case r.Better:
		return "better"
	}
	return prose(r.Note, 300)
}

// lossText says what was lost, in a line.
func lossText(r ledger.Row) string {
	name := r.Metric
	if r.Group != "" {
		name = r.Group + ": " + r.Metric
	}
	return fmt.Sprintf("%s is significantly worse: %s to %s (%+.1f%%, p=%.3f)", name, gate.Format(r.Old.Median, r.Unit), gate.Format(r.New.Median, r.Unit), r.Delta, r.P)
}

func cellsMarkdown(m *markdown, c *storms) {
	keys := []string{"throughput", "latency p(99)", "availability", "unavailability max"}
	units := map[string]string{}
	for _, f := range gate.ShownFigures() {
		units[f.Key] = f.Unit
	}
	m.line("")
	m.line("<details><summary>All cells</summary>")
	m.line("")
	m.line("| cell | outcome | %s |", strings.Join(keys, " | "))
	m.line("|---|---|%s", strings.Repeat("--:|", len(keys)))
	for i := range c.cells {
		cell := &c.cells[i]
		var figures []string
		for _, key := range keys {
			text := "–"
			if last := cell.Last(); last != nil {
				if v, ok := last.Figures[key]; ok {
					text = gate.Format(v, units[key])
				}
			}
			figures = append(figures, text)
		}
		m.line("| %s | %s | %s |", prose(cell.ID, 200), outcomeWord(cell.Outcome)+prose(comma(cell.stopped()), 200), strings.Join(figures, " | "))
	}
	m.line("")
	m.line("</details>")
}
