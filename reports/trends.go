package reports

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"

	"squall/history/check"
	"squall/history/gate"
	"squall/history/ledger"
	"squall/internal/atomicfile"
	"squall/internal/number"
	"squall/internal/plain"
)

// TrendsFile is what WriteTrends writes.
const TrendsFile = "trends.html"

// mostTrend is how many campaigns the trends go back.
const mostTrend = 60

// WriteTrends writes trends.html into a folder of campaigns of one file, each in a folder
// of its own: how their figures went from one to the next. Of fewer than two campaigns it
// writes nothing, and returns "". One whose record cannot be read is left out, which the
// page says.
func WriteTrends(ctx context.Context, folder string) (file string, err error) {
	t, err := readTrends(ctx, folder)
	if err != nil || len(t.campaigns) < 2 {
		return "", err
	}
	var page bytes.Buffer
	if err := fill(&page, "trends.html.tmpl", newTrendsPage(t)); err != nil {
		return "", fmt.Errorf("write the trends of %s: %w", folder, err)
	}
	file = filepath.Join(folder, TrendsFile)
	return file, atomicfile.Write(file, page.Bytes(), 0o644)
}

// trends are campaigns of one file, the oldest first.
type trends struct {
	campaigns []*storms
	skipped   int // older ones
	unread    []string
}

func readTrends(ctx context.Context, folder string) (*trends, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, fmt.Errorf("read the campaigns: %w", err)
	}
	t := &trends{}
	var names []string
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names) // they begin with the time
	for _, name := range slices.Backward(names) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		dir := filepath.Join(folder, name)
		record, err := ledger.Read(dir)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			t.unread = append(t.unread, name)
		case len(t.campaigns) == mostTrend:
			t.skipped++
		default:
			t.campaigns = append(t.campaigns, recordAlone(dir, record))
		}
	}
	slices.Reverse(t.campaigns)
	return t, nil
}

// recordAlone is a campaign as far as its record tells of it.
func recordAlone(dir string, record *ledger.Campaign) *storms {
	c := &storms{dir: dir, record: record}
	for i := range record.Cells {
		cell := &record.Cells[i]
		out := stormCell{Cell: cell, Outcome: outcomeWaiting}
		if last := cell.Last(); cell.State == ledger.Done && last != nil {
			out.Outcome = outcomeOf(last.Verdict, len(last.Missed))
		}
		c.cells = append(c.cells, out)
	}
	return c
}

// trendsPage is what the template of trends.html shows.
type trendsPage struct {
	Name    string
	Notices []string
	Rows    []trendRow // the newest first
	Charts  []trendChart
}

type trendRow struct {
	Outcome, Word, Link, When, Label, Squall, Cells, Found, Changed string
	Counts                                                          []outcomeCount
}

func newTrendsPage(t *trends) trendsPage {
	p := trendsPage{Name: plain.Clip(t.campaigns[len(t.campaigns)-1].record.Name, 200)}
	if t.skipped > 0 {
		p.Notices = append(p.Notices, fmt.Sprintf("%s before these are not shown.", plural(t.skipped, "campaign")))
	}
	for _, name := range t.unread {
		p.Notices = append(p.Notices, fmt.Sprintf("The record of %s cannot be read: it is left out.", plain.Clip(name, 100)))
	}
	for i, c := range slices.Backward(t.campaigns) {
		row := newTrendRow(c)
		if i > 0 && t.campaigns[i-1].record.Digest != c.record.Digest {
			row.Changed = "its cells are others than before"
		}
		p.Rows = append(p.Rows, row)
	}
	p.Charts = newTrendCharts(t)
	return p
}

func newTrendRow(c *storms) trendRow {
	r := c.record
	row := trendRow{Outcome: c.outcome(), Word: outcomeName(c.outcome()), When: r.Began.UTC().Format("2 January 2006, 15:04"), Label: plain.Clip(r.Label, 100), Squall: plain.Clip(r.Squall, 60),
		Cells: number.Count(len(c.cells)), Counts: c.counts(), Link: relativeAddress(path.Join(filepath.Base(c.dir), IndexFile))}
	if found, of := c.detection(); of > 0 {
		row.Found = fmt.Sprintf("%d of %d", found, of)
	}
	return row
}

// detection is in how many of the cells with a planted bug a violation was found.
func (c *storms) detection() (found, of int) {
	for i := range c.cells {
		cell := &c.cells[i]
		if cell.Mutant == "" || cell.Outcome == outcomeWaiting || cell.Outcome == string(check.Invalid) {
			continue
		}
		of++
		if cell.Outcome == string(check.Violation) {
			found++
		}
	}
	return found, of
}

// trendChart is one figure over the campaigns: the median of their cells, and the middle
// half of them. Places are in the units of the picture, which is trendWidth wide and
// trendHeight high.
type trendChart struct {
	Name, Doc     string
	Width, Height int
	Rules         []trendRule
	Line          string // through the medians
	Points        []trendPoint
}

type trendRule struct{ Y, Text string }

type trendPoint struct{ X, Y, From, Height, Title, Under string }

// The measures of a chart.
const (
	trendWidth  = 560
	trendHeight = 190
	trendLeft   = 78
	trendRight  = 16
	trendTop    = 12
	trendFoot   = 34
)

func newTrendCharts(t *trends) []trendChart {
	var out []trendChart
	for _, f := range gate.ShownFigures() {
		if chart, ok := t.chart(f, func(c *storms) []float64 { return c.values(f.Key) }); ok {
			out = append(out, chart)
		}
	}
	bugs := gate.Figure{Name: "planted bugs found", Doc: "the share of the cells with a known bug in which a violation was found", Unit: "%"}
	if chart, ok := t.chart(bugs, func(c *storms) []float64 {
		if found, of := c.detection(); of > 0 {
			return []float64{100 * float64(found) / float64(of)}
		}
		return nil
	}); ok {
		out = append(out, chart)
	}
	return out
}

// values are a figure of all cells that have it, in order.
func (c *storms) values(key string) []float64 {
	all := make([]*stormCell, len(c.cells))
	for i := range c.cells {
		all[i] = &c.cells[i]
	}
	return figuresOf(all, key)
}

// chart draws a figure; false where fewer than two campaigns have it.
func (t *trends) chart(f gate.Figure, of func(*storms) []float64) (trendChart, bool) {
	all, have := make([][]float64, len(t.campaigns)), 0
	var low, high float64
	for i, c := range t.campaigns {
		values := of(c)
		if all[i] = values; len(values) == 0 {
			continue
		}
		from, to := middleHalf(values)
		if have == 0 {
			low, high = from, to
		}
		low, high = min(low, from), max(high, to)
		have++
	}
	if have < 2 {
		return trendChart{}, false
	}
	scale := newStripScale(f, low, high)
	y := func(v float64) float64 {
		return trendTop + (trendHeight-trendTop-trendFoot)*(scale.hi-v)/(scale.hi-scale.lo)
	}
	chart := trendChart{Name: f.Name, Doc: f.Doc, Width: trendWidth, Height: trendHeight}
	for _, v := range scale.steps() {
		chart.Rules = append(chart.Rules, trendRule{pictureAt(y(v)), gate.Format(v, f.Unit)})
	}
	every := (len(t.campaigns) + 6) / 7 // so that what stands under the points has room
	for i, values := range all {
		if len(values) == 0 {
			continue
		}
		from, to := middleHalf(values)
		x := trendLeft + float64(trendWidth-trendLeft-trendRight)*(float64(i)+0.5)/float64(len(all))
		median := medianOf(values)
		p := trendPoint{X: pictureAt(x), Y: pictureAt(y(median)), From: pictureAt(y(to)), Height: pictureAt(y(from) - y(to)),
			Title: fmt.Sprintf("%s: %s, the median of %s; half of them from %s to %s", trendName(t.campaigns[i]), gate.Format(median, f.Unit), plural(len(values), "cell"), gate.Format(from, f.Unit), gate.Format(to, f.Unit))}
		if i%every == 0 {
			p.Under = plain.Fit(trendName(t.campaigns[i]), 10)
		}
		chart.Points = append(chart.Points, p)
		chart.Line += p.X + "," + p.Y + " "
	}
	return chart, true
}

// trendName is what a campaign is called on an axis.
func trendName(c *storms) string {
	return cmp.Or(plain.Clip(c.record.Label, 100), c.record.Began.UTC().Format("2 Jan"))
}

// pictureAt writes a place in a picture.
func pictureAt(v float64) string { return strconv.FormatFloat(v, 'f', 1, 64) }
