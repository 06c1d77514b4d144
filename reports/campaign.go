package reports

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"squall/history/check"
	"squall/history/ledger"
	"squall/internal/atomicfile"
)

// The files that WriteCampaign writes into a campaign's directory.
const (
	IndexFile   = "index.html"
	JUnitFile   = "junit.xml"
	SummaryFile = "summary.md"
)

// WriteCampaign writes the pages of a campaign from its record: index.html,
// junit.xml and summary.md. A campaign that is not over has them too. A cell
// whose files are missing or damaged is shown with what the record says of it,
// and that it is so; only a record that cannot be read is an error.
func WriteCampaign(ctx context.Context, dir string) error {
	c, err := readCampaign(ctx, dir)
	if err != nil {
		return err
	}
	var page bytes.Buffer
	if err := renderCampaign(&page, c); err != nil {
		return fmt.Errorf("write the page of %s: %w", dir, err)
	}
	suites, err := campaignJUnit(c)
	if err != nil {
		return fmt.Errorf("write %s of %s: %w", JUnitFile, dir, err)
	}
	for _, f := range []struct {
		name    string
		content []byte
	}{{JUnitFile, suites}, {SummaryFile, []byte(campaignMarkdown(c, maxSummary))}, {IndexFile, page.Bytes()}} {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := atomicfile.Write(filepath.Join(dir, f.name), f.content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// The outcomes of a cell: those of a verdict, with two more that a verdict has not.
const (
	outcomeThreshold = "threshold" // its checks passed or are unknown, and a threshold was missed
	outcomeWaiting   = "waiting"
	outcomeRunning   = "running"
)

// outcomes are all, the worst first.
func outcomes() []string {
	return []string{string(check.Violation), outcomeThreshold, string(check.Unknown), string(check.Invalid), string(check.Pass),
		outcomeRunning, outcomeWaiting}
}

// storms is a campaign as its pages show it.
type storms struct {
	dir    string
	record *ledger.Campaign
	cells  []stormCell // in the order of the record
}

// stormCell is a cell as the pages show it.
type stormCell struct {
	*ledger.Cell
	Group   string
	Outcome string
	Reason  string
	Seconds float64 // of all its attempts
	Report  string  // a relative address, "" when there is none
	// results are those of the last attempt, nil where there are none to read.
	results *check.Results
	// trouble says what is wrong with its files.
	trouble string
}

func readCampaign(ctx context.Context, dir string) (*storms, error) {
	record, err := ledger.Read(dir)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("there is no campaign in %s: %w", dir, err)
		}
		return nil, err
	}
	c := &storms{dir: dir, record: record}
	for i := range record.Cells {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		c.cells = append(c.cells, readCell(dir, &record.Cells[i]))
	}
	return c, nil
}

func readCell(dir string, cell *ledger.Cell) stormCell {
	out := stormCell{Cell: cell, Group: cmp.Or(cell.Group(), "all")}
	for _, a := range cell.Attempts {
		if !a.Ended.IsZero() {
			out.Seconds += max(a.Ended.Sub(a.Began).Seconds(), 0)
		}
	}
	last := cell.Last()
	switch {
	case cell.State == ledger.Running:
		out.Outcome = outcomeRunning
		return out
	case cell.State != ledger.Done || last == nil:
		out.Outcome = outcomeWaiting
		return out
	}
	out.Outcome, out.Reason = outcomeOf(last.Verdict, len(last.Missed)), last.Reason
	results, err := check.ReadResults(filepath.Join(dir, filepath.FromSlash(last.Dir)))
	if err != nil {
		out.trouble = err.Error()
	} else {
		out.results = withoutHistograms(results)
	}
	if _, err := os.Stat(filepath.Join(dir, filepath.FromSlash(last.Dir), ReportFile)); err == nil {
		out.Report = relativeAddress(path.Join(last.Dir, ReportFile))
	}
	return out
}

// withoutHistograms leaves out what no page of a campaign shows: a thousand
// cells are held at once.
func withoutHistograms(r *check.Results) *check.Results {
	return &check.Results{Verdict: r.Verdict, Reasons: r.Reasons, Checks: r.Checks, Thresholds: r.Thresholds, Stopped: r.Stopped, Situations: r.Situations}
}

func outcomeOf(v check.Verdict, missed int) string {
	switch {
	case missed > 0 && (v == check.Pass || v == check.Unknown):
		return outcomeThreshold
	case v == check.Pass || v == check.Violation || v == check.Unknown:
		return string(v)
	}
	return string(check.Invalid)
}

// relativeAddress is a link to a file below the page, however odd its name.
func relativeAddress(name string) string {
	parts := strings.Split(path.Clean(name), "/")
	for i, p := range parts {
		parts[i] = url.PathEscape(p)
	}
	return "./" + strings.Join(parts, "/")
}

// missed are the thresholds that the cell missed, with what was measured where
// that is known.
func (c *stormCell) missed() []check.Threshold {
	if c.results != nil {
		return c.results.Missed()
	}
	var out []check.Threshold
	if last := c.Last(); last != nil {
		for _, text := range last.Missed {
			out = append(out, check.Threshold{Text: text, Why: "what was measured is not known"})
		}
	}
	return out
}

// stopped says that the cell's run was stopped early; "" when it was not.
func (c *stormCell) stopped() string {
	if c.results != nil {
		return c.results.Stopped
	}
	if last := c.Last(); last != nil {
		return last.Stopped
	}
	return ""
}

// comma is a text that follows another.
func comma(text string) string {
	if text == "" {
		return ""
	}
	return ", " + text
}

// why says in a line or a few why the cell did not pass.
func (c *stormCell) why() []string {
	var lines []string
	if s := c.stopped(); s != "" {
		lines = append(lines, s)
	}
	if c.Reason != "" {
		lines = append(lines, c.Reason)
	} else if c.results != nil {
		lines = append(lines, c.results.Reasons...)
	}
	for _, t := range c.missed() {
		lines = append(lines, fmt.Sprintf("threshold missed: %s – %s", t.Text, t.Why))
	}
	if c.trouble != "" {
		lines = append(lines, "its files are damaged: "+c.trouble)
	}
	return lines
}

// bad reports whether the cell failed a campaign.
func (c *stormCell) bad() bool {
	switch c.Outcome {
	case string(check.Pass), outcomeRunning, outcomeWaiting:
		return false
	}
	return true
}

// count is how many cells had that outcome.
func (c *storms) count(outcome string) int {
	n := 0
	for i := range c.cells {
		if c.cells[i].Outcome == outcome {
			n++
		}
	}
	return n
}

// failures are the cells that failed, the worst first.
func (c *storms) failures() []*stormCell {
	var out []*stormCell
	for i := range c.cells {
		if c.cells[i].bad() {
			out = append(out, &c.cells[i])
		}
	}
	slices.SortStableFunc(out, func(a, b *stormCell) int {
		return cmp.Compare(slices.Index(outcomes(), a.Outcome), slices.Index(outcomes(), b.Outcome))
	})
	return out
}

// lost are the rows of the baseline by which the campaign fails.
func (c *storms) lost() []ledger.Row {
	if c.record.Baseline == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(c.record.Baseline.Rows), func(r ledger.Row) bool { return !r.Lost })
}

// missed are the thresholds of the whole campaign that were missed.
func (c *storms) missed() []check.Threshold {
	return slices.DeleteFunc(slices.Clone(c.record.Thresholds), func(t check.Threshold) bool { return t.Met })
}

// outcome is that of the worst cell, or of what was asked of the whole.
func (c *storms) outcome() string {
	for _, o := range []string{string(check.Violation), outcomeThreshold, string(check.Unknown), string(check.Invalid)} {
		if c.count(o) > 0 || o == outcomeThreshold && len(c.missed())+len(c.lost()) > 0 {
			return o
		}
	}
	switch {
	case len(c.cells) == 0:
		return string(check.Unknown)
	case c.count(outcomeRunning)+c.count(outcomeWaiting) == 0:
		return string(check.Pass)
	case c.record.Ended.IsZero() && c.record.Stopped == "":
		return outcomeRunning
	}
	return string(check.Unknown)
}
