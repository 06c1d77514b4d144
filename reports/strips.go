package reports

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"squall/history/gate"
	"squall/internal/plain"
)

// strips show how a figure is spread: a line for each group of cells, with a dot
// for each cell, the median, and the middle half. A group of few cells has its number
// alone. Places are shares of the width, so that the picture fits any.
type strips struct {
	Name, Doc string
	Ticks     []stripTick
	Rows      []strip
	More      int // groups that are not shown
}

type stripTick struct{ X, Text, Anchor string }

type strip struct {
	Group, Median        string
	Few                  string // that the median is of few cells, which are not drawn
	Dots                 []stripDot
	MedianX, From, Width string // From and Width are of the middle half
}

type stripDot struct{ X, Y, Title, Outcome, Sign string }

// mostStrips bounds the groups of a picture, and enoughForStrip is how many cells of a
// group are worth one.
const (
	mostStrips     = 60
	enoughForStrip = 4
)

func newStrips(c *storms) []strips {
	var out []strips
	for _, f := range gate.ShownFigures() {
		if slices.Contains([]string{"operations", "leaders-lost", "logged-leaders"}, f.Key) {
			continue // these tell what the schedule was like, not how good the cluster is
		}
		if s, ok := stripsOf(c, f); ok {
			out = append(out, s)
		}
	}
	return out
}

func stripsOf(c *storms, f gate.Figure) (strips, bool) {
	var order []string
	groups := map[string][]*stormCell{}
	lo, hi := math.Inf(1), math.Inf(-1)
	for i := range c.cells {
		cell := &c.cells[i]
		v, ok := cell.figure(f.Key)
		if !ok || math.IsNaN(v) || math.IsInf(v, 0) {
			continue
		}
		if groups[cell.Group] == nil {
			order = append(order, cell.Group)
		}
		groups[cell.Group] = append(groups[cell.Group], cell)
		lo, hi = min(lo, v), max(hi, v)
	}
	s := strips{Name: f.Name, Doc: f.Doc}
	if !slices.ContainsFunc(order, func(name string) bool { return len(groups[name]) >= enoughForStrip }) {
		return s, false // the table of cells has the numbers
	}
	scale := newStripScale(f, lo, hi)
	s.Ticks = scale.ticks(f.Unit)
	for i, name := range order {
		if i == mostStrips {
			s.More = len(order) - i
			break
		}
		s.Rows = append(s.Rows, newStrip(name, groups[name], f, scale))
	}
	return s, true
}

func newStrip(name string, cells []*stormCell, f gate.Figure, x stripScale) strip {
	values := figuresOf(cells, f.Key)
	n, median := len(values), medianOf(values)
	row := strip{Group: plain.Fit(name, 80), Median: gate.Format(median, f.Unit)}
	if n < enoughForStrip {
		if n > 1 {
			row.Few = "median of " + plural(n, "cell")
		}
		return row
	}
	for i, cell := range cells {
		row.Dots = append(row.Dots, newStripDot(i, cell, f, x))
	}
	from, to := middleHalf(values)
	row.MedianX, row.From = x.at(median), x.at(from)
	row.Width = strconv.FormatFloat(x.share(to)-x.share(from), 'f', 2, 64) + "%"
	return row
}

// newStripDot is the i-th cell of a group.
func newStripDot(i int, cell *stormCell, f gate.Figure, x stripScale) stripDot {
	v, _ := cell.figure(f.Key)
	d := stripDot{X: x.at(v), Y: strconv.Itoa(9 + i*5%13), Outcome: cell.Outcome,
		Title: fmt.Sprintf("%s: %s", plain.Clip(cell.ID, 200), gate.Format(v, f.Unit))}
	if cell.bad() {
		d.Sign = outcomeSign(cell.Outcome)
		d.Title += ", " + outcomeName(cell.Outcome)
	}
	return d
}

// stripScale maps values to shares of the width, in percent.
type stripScale struct{ lo, hi, step float64 }

// newStripScale begins at zero, but for shares that are all near the whole, and ends
// at a round number.
func newStripScale(f gate.Figure, lo, hi float64) stripScale {
	if f.Unit != "%" || lo < 80 {
		lo = min(lo, 0)
	}
	if hi <= lo {
		hi = lo + 1
	}
	raw := (hi - lo) / 4
	step := math.Pow(10, math.Floor(math.Log10(raw)))
	for _, m := range []float64{1, 2, 5, 10} {
		if m*step >= raw {
			step *= m
			break
		}
	}
	s := stripScale{lo: math.Floor(lo/step) * step, step: step}
	s.hi = s.lo + math.Ceil((hi-s.lo)/step-1e-9)*step
	return s
}

// share keeps a margin on both sides, so that no dot is cut.
func (s stripScale) share(v float64) float64 { return 2 + 96*(v-s.lo)/(s.hi-s.lo) }

func (s stripScale) at(v float64) string { return strconv.FormatFloat(s.share(v), 'f', 2, 64) + "%" }

// steps are the values that the scale has marks at.
func (s stripScale) steps() (out []float64) {
	for i := 0; ; i++ {
		v := s.lo + float64(i)*s.step
		if v > s.hi+s.step/2 {
			return out
		}
		out = append(out, v)
	}
}

func (s stripScale) ticks(unit string) []stripTick {
	var out []stripTick
	for i, v := range s.steps() {
		t := stripTick{X: s.at(v), Text: gate.Format(v, unit), Anchor: "middle"}
		if i == 0 {
			t.Anchor = "start"
		} else if v > s.hi-s.step/2 {
			t.Anchor = "end"
		}
		out = append(out, t)
	}
	return out
}
